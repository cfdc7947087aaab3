import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { outlookAt } from "../../protocol/page.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { StatusChange, ToldService } from "../../worker/core/component.ts";
import { changesAt, changesUntil, componentVerdict, outlook } from "../../worker/core/component.ts";
import { NOON, at, component, maintenance, tell, told } from "../support/facts.ts";

function evidence(tells: ReturnType<typeof tell>[], maintenances: ReturnType<typeof maintenance>[] = []) {
  return { tells: new Map(tells.map((one) => [one.cluster, one])), maintenances, outside: new Map() };
}

describe("what is said from now on", () => {
  it("good evidence is good until it expires, and then it is unknown", () =>
    expect(outlook(component(), evidence([tell(NOON, [told("operational")])]), null, NOON)).toEqual([
      { from: NOON, status: "operational", since: NOON, why: null },
      { from: at("12:01:00"), status: "unknown", since: at("12:01:00"), why: null },
    ]));

  it("silence during an outage is unknown, never outage and never green", () => {
    const said = outlook(component(), evidence([tell(NOON, [told("major_outage")])]), null, NOON);
    expect(outlookAt({ outlook: said }, at("12:01:00")).status).toBe("unknown");
  });

  it("a maintenance begins and ends by itself, with the evidence beneath it", () => {
    const planned = maintenance({ startsAt: at("12:00:20"), endsAt: at("12:00:40") });
    const said = outlook(component(), evidence([tell(NOON, [told("operational")])], [planned]), null, NOON);
    expect(said.map(({ from, status }) => [from - NOON, status])).toEqual([
      [0, "operational"],
      [20_000, "under_maintenance"],
      [40_000, "operational"],
      [60_000, "unknown"],
    ]);
  });

  it("a maintenance that the cluster refused covers nothing", () => {
    const refused = maintenance({
      results: [
        { target: "shop/checkout", generation: 7, state: "forbidden", reason: "not allowed", evidence: null, at: NOON },
      ],
    });
    expect(componentVerdict(component(), evidence([tell(NOON, [told("major_outage")])], [refused]), NOON).status).toBe(
      "major_outage",
    );
  });

  it("nothing heard at all is unknown", () =>
    expect(componentVerdict(component(), evidence([]), NOON).status).toBe("unknown"));

  it("what was said before keeps its since", () => {
    const known = { status: "operational", at: NOON - 5 * MINUTE } as const;
    expect(outlook(component(), evidence([tell(NOON, [told("operational")])]), known, NOON)[0]?.since).toBe(known.at);
  });
});

describe("a maintenance of one service among several", () => {
  const both = component({ services: ["eu-1/shop/checkout", "us-1/shop/checkout"] });
  const planned = [maintenance()];
  it("does not hide the outage of another", () => {
    const tells = [tell(NOON, [told("operational")], "eu-1"), tell(NOON, [told("major_outage")], "us-1")];
    expect(componentVerdict(both, evidence(tells, planned), NOON).status).toBe("major_outage");
  });
  it("shows while the others are well", () => {
    const tells = [tell(NOON, [told("major_outage")], "eu-1"), tell(NOON, [told("operational")], "us-1")];
    expect(componentVerdict(both, evidence(tells, planned), NOON)).toEqual({
      status: "under_maintenance",
      why: "Database upgrade",
    });
  });
});

it("a service told twice does not stand in for one that is missing", () => {
  const pair = component({ services: ["eu-1/shop/checkout", "eu-1/shop/cart"] });
  const tells = [tell(NOON, [told("operational"), told("operational")])];
  expect(componentVerdict(pair, evidence(tells), NOON).status).toBe("unknown");
});

describe("a component over two clusters", () => {
  const both = { services: ["eu-1/shop/checkout", "us-1/shop/checkout"] };
  const judge = (rule: "all" | "any", eu: "operational" | "major_outage", us: "operational" | "major_outage" | null) =>
    componentVerdict(
      component({ ...both, rule }),
      evidence([tell(NOON, [told(eu)], "eu-1"), ...(us === null ? [] : [tell(NOON, [told(us)], "us-1")])]),
      NOON,
    ).status;

  it.each([
    ["all", "operational", "operational", "operational"],
    ["all", "operational", "major_outage", "major_outage"],
    ["all", "operational", null, "unknown"],
    ["all", "major_outage", null, "major_outage"],
    ["any", "operational", "major_outage", "operational"],
    ["any", "operational", null, "operational"],
    ["any", "major_outage", null, "unknown"],
    ["any", "major_outage", "major_outage", "major_outage"],
  ] as const)("under rule %s: %s and %s is %s", (rule, eu, us, status) => expect(judge(rule, eu, us)).toBe(status));
});

it("of two deployments of which one is switched off is as the other", () => {
  const both = component({ services: ["eu-1/shop/blue", "eu-1/shop/green"], rule: "any" });
  const off = { ...told("unknown", "shop/green"), replicas: { ready: 0, desired: 0 } };
  const judge = (...services: readonly ToldService[]) => componentVerdict(both, evidence([tell(NOON, services)]), NOON);
  expect(judge(told("major_outage", "shop/blue"), off).status).toBe("major_outage");
  expect(judge(told("operational", "shop/blue"), off).status).toBe("operational");
  expect(judge(told("major_outage", "shop/blue")).status).toBe("unknown");
});

it("is never operational on evidence that has expired, whatever was told and asked", () =>
  fc.assert(
    fc.property(
      fc.constantFrom("all", "any"),
      fc.array(fc.record({ heard: fc.integer({ min: 0, max: 600_000 }), good: fc.boolean() }), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.integer({ min: 0, max: 900_000 }),
      (rule, clusters, after) => {
        const tells = clusters.map(({ heard, good }, i) =>
          tell(NOON + heard, [told(good ? "operational" : "major_outage")], `c-${i}`),
        );
        const subject = component({ rule, services: tells.map(({ cluster }) => `${cluster}/shop/checkout`) });
        const latest = Math.max(...tells.map(({ heardAt }) => heardAt));
        const said = outlookAt({ outlook: outlook(subject, evidence(tells), null, latest) }, latest + after);
        const fresh = tells.filter(({ expiresAt }) => latest + after < expiresAt);
        const mayBeGreen =
          rule === "any"
            ? fresh.some(({ services }) => services[0]?.status === "operational")
            : fresh.length === tells.length;
        return said.status !== "operational" || mayBeGreen;
      },
    ),
    { numRuns: 5_000 },
  ));

it("a silent agent is noticed when its evidence expired, even if nobody looked until later, and forgiven on return", () => {
  const checkout = component();
  let held = evidence([]);
  let last: StatusChange | null = null;
  const journal: string[] = [];
  const note = (changes: readonly StatusChange[]): void => {
    for (const change of changes) {
      journal.push(`${new Date(change.at).toISOString().slice(11, 19)} ${change.status}`);
      last = change;
    }
  };
  for (const [clock, status] of [
    ["12:00:10", "operational"],
    ["12:00:40", "operational"],
    ["12:05:00", "operational"],
    ["12:05:10", "partial_outage"],
  ] as const) {
    note(changesUntil(checkout, held, last, at(clock)));
    held = evidence([tell(at(clock), [told(status)])]);
    note(changesAt(checkout, held, last, at(clock)));
  }
  expect(journal).toEqual([
    "12:00:00 unknown",
    "12:00:10 operational",
    "12:01:40 unknown",
    "12:05:00 operational",
    "12:05:10 partial_outage",
  ]);
});

it("a clock that was set back turns no journal around: each entry is later than the one before it", () => {
  const checkout = component();
  const last: StatusChange = { component: checkout.id, at: at("12:10:00"), status: "major_outage" };
  const now = at("11:55:00");
  const changes = changesAt(checkout, evidence([tell(now, [told("operational")])]), last, now);
  expect(changes).toEqual([{ component: checkout.id, at: last.at + 1, status: "operational" }]);
});
