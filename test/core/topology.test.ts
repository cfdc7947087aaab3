import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Finding } from "../../worker/core/cause.ts";
import { findingsOf, likelyCauses } from "../../worker/core/cause.ts";
import type { StatusChange, Tell, ToldService } from "../../worker/core/component.ts";
import { graphsOf } from "../../worker/core/graph.ts";
import type { ToldTopology } from "../../worker/core/topology.ts";
import { withTopology } from "../../worker/core/topology.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Maintenance } from "../../worker/core/maintenance.ts";
import { publicChange, publicSnapshot } from "../../worker/core/snapshot.ts";
import { NOON, component, maintenance, tell, told } from "../support/facts.ts";

/** Edges as "caller callee requests errors". */
function topology(...lines: readonly string[]): ToldTopology {
  const edges = lines.map((line) => line.split(" "));
  const workloads = [...new Set(edges.flatMap(([from = "", to = ""]) => [`shop/${from}`, `shop/${to}`]))];
  const place = (name = ""): number => workloads.indexOf(`shop/${name}`);
  return {
    heardAt: NOON,
    spanMs: MINUTE,
    workloads,
    edges: edges.map(([from, to, requests, errors]) => [place(from), place(to), Number(requests), Number(errors)]),
    left: 0,
  };
}

const STATUS = {
  well: "operational",
  slow: "degraded_performance",
  failing: "partial_outage",
  down: "major_outage",
  silent: "unknown",
} as const;

/** Services as "name state", each with 100 requests a minute, of which 30 fail if it is failing. */
function services(...lines: readonly string[]): ToldService[] {
  return lines.map((line) => {
    const [name = "", state = ""] = line.split(" ");
    const traffic = { requests: 100, errors: state === "failing" ? 30 : 0, spanMs: MINUTE };
    const isSeen = state !== "down" && state !== "silent";
    return { ...told(STATUS[state as keyof typeof STATUS], `shop/${name}`), traffic: isSeen ? traffic : null };
  });
}

/** "ledger: orders payments" for each finding; only names, because every one is of the same namespace. */
function said(findings: readonly Finding[]): string[] {
  const short = (names: readonly string[]): string => names.map((name) => name.replace("shop/", "")).join(" ");
  return findings.map(({ causes, symptoms }) => `${short(causes)}: ${short(symptoms)}`);
}

describe("the likely cause", () => {
  it.each<readonly [string, readonly string[], readonly string[], readonly string[]]>([
    ["is nothing while everything is well", ["a well", "b well"], ["a b 100 0"], []],
    ["is the callee that is well behind", ["a failing", "b failing"], ["a b 100 30"], ["b: a"]],
    [
      "has symptoms at every distance",
      ["a failing", "b failing", "c failing"],
      ["a b 100 30", "b c 100 30"],
      ["c: a b"],
    ],
    ["has several callers", ["a failing", "b failing", "c failing"], ["a c 100 30", "b c 100 30"], ["c: a b"]],
    ["is not a callee that is well", ["a failing", "b well"], ["a b 100 30"], ["a: "]],
    ["is not a callee whose calls from there are well", ["a failing", "b failing"], ["a b 100 1"], ["a: ", "b: "]],
    ["is one whose calls fail just above the limit", ["a slow", "b failing"], ["a b 1000 11"], ["b: a"]],
    [
      "is not one of whose failing calls few are what fails",
      ["a failing", "b failing"],
      ["a b 100 2.9"],
      ["a: ", "b: "],
    ],
    ["is one of whose failing calls a tenth is", ["a failing", "b failing"], ["a b 100 3"], ["b: a"]],
    ["is not one that was not called", ["a failing", "b failing"], ["a b 0 0"], ["a: ", "b: "]],
    ["is not a slow one that was not called", ["a slow", "b slow"], ["a b 0 0"], ["a: ", "b: "]],
    ["is a slow callee, whose calls need not fail", ["a failing", "b slow"], ["a b 100 0"], ["b: a"]],
    ["is a callee that is not running", ["a failing", "b down"], ["a b 100 30"], ["b: a"]],
    ["may be two at once", ["a failing", "b failing", "c failing"], ["a b 100 15", "a c 100 15"], ["b: a", "c: a"]],
    [
      "may be two that have nothing to do with each other",
      ["a failing", "b failing", "c failing", "d failing"],
      ["a b 100 30", "c d 100 30"],
      ["b: a", "d: c"],
    ],
    ["is nobody in particular of a circle", ["a failing", "b failing"], ["a b 100 30", "b a 100 30"], ["a b: "]],
    [
      "is a circle for those that call into it",
      ["a failing", "b failing", "c failing"],
      ["a b 100 30", "b c 100 30", "c b 100 30"],
      ["b c: a"],
    ],
    [
      "is behind a circle if something is",
      ["a failing", "b failing", "c failing"],
      ["a b 100 30", "b a 100 30", "b c 100 30"],
      ["c: a b"],
    ],
    [
      "may be one that says nothing of itself, if calls to it fail",
      ["a failing", "b silent"],
      ["a b 100 30"],
      ["b: a"],
    ],
    ["may be one that nobody reports", ["a failing"], ["a gone 100 30"], ["gone: a"]],
    ["is not one that says nothing while calls to it go well", ["a failing", "b silent"], ["a b 100 5"], ["a: "]],
    ["is not a silent one that only healthy callers fail at", ["a well", "b silent"], ["a b 100 30"], []],
    ["is no caller that is well", ["a well", "b failing"], ["a b 100 30"], ["b: "]],
  ])("%s", (_name, states, edges, expected) =>
    expect(said(findingsOf(services(...states), topology(...edges))).toSorted()).toEqual([...expected].toSorted()),
  );

  it("that has most symptoms comes first", () => {
    const states = services("x failing", "a failing", "b failing", "c failing");
    expect(said(findingsOf(states, topology("x y 100 0", "a b 100 30", "c b 100 30")))).toEqual(["b: a c", "x: "]);
  });

  it("says how much of what fails at the callers are failing calls to it", () => {
    const states = services("orders failing", "payments failing", "ledger failing");
    const [finding] = findingsOf(states, topology("orders ledger 100 28", "payments ledger 100 28"));
    expect(finding?.evidence).toBe(
      "shop/orders and shop/payments call it, and failing calls to it account for 93 % of what fails there. It calls nothing else in the mesh.",
    );
  });

  it.each([
    ["a slow one", ["a failing", "b slow"], ["a b 9 0"], "shop/a calls it, and it keeps them waiting"],
    ["a circle", ["a failing", "b failing"], ["a b 9 3", "b a 9 3"], "shop/a and shop/b call each other"],
    [
      "one that is silent",
      ["a failing", "b silent"],
      ["a b 9 3"],
      "shop/b reports nothing of itself: calls to it fail.",
    ],
    [
      "one whose callees are well",
      ["a failing", "b failing", "c well"],
      ["a b 9 3", "b c 9 0"],
      "What it calls itself is well",
    ],
    ["one that makes nobody suffer", ["b failing"], ["a b 9 3"], "Nobody who calls it is in trouble by that."],
  ])("is explained: %s", (_name, states, edges, words) =>
    expect(findingsOf(services(...states), topology(...edges))[0]?.evidence).toContain(words),
  );

  it("explains everything in trouble once: as a cause, or as a symptom of one", () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const state = fc.constantFrom("well", "slow", "failing", "down", "silent");
    const edge = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names), fc.integer({ min: 0, max: 100 }));
    fc.assert(
      fc.property(
        fc.array(state, { minLength: 6, maxLength: 6 }),
        fc.array(edge, { minLength: 1 }),
        (states, calls) => {
          const known = services(...states.map((one, i) => `${names[i] ?? ""} ${one}`));
          const graph = topology(
            ...calls.filter(([from, to]) => from !== to).map(([from, to, n]) => `${from} ${to} 100 ${n}`),
          );
          const findings = findingsOf(known, graph);
          for (const { service, status } of known) {
            const isCause = findings.filter(({ causes }) => causes.includes(service)).length;
            const isSymptom = findings.some(({ symptoms }) => symptoms.includes(service));
            if (status === "operational" && (isCause > 0 || isSymptom)) throw new Error(`${service} is well`);
            const isTrouble = status !== "operational" && status !== "unknown";
            if (isTrouble && isCause > 0 === isSymptom) throw new Error(`${service} is said ${isCause} times`);
            if (isCause > 1) throw new Error(`${service} is a cause twice`);
          }
        },
      ),
    );
  });

  it("of a thousand services in one chain is found without a recursion that ends the Board", () => {
    const chain = Array.from({ length: 1_000 }, (_, i) => `s${i} failing`);
    const calls = Array.from({ length: 999 }, (_, i) => `s${i} s${i + 1} 100 30`);
    expect(findingsOf(services(...chain), topology(...calls)).map(({ causes }) => causes)).toEqual([["shop/s999"]]);
  });
});

describe("what visitors read of it", () => {
  const NAMES = { orders: "orders000000", ledger: "ledger000000", checkout: "checkout0000" } as const;
  const published = (...names: readonly (keyof typeof NAMES)[]) =>
    names.map((name) => component({ id: NAMES[name], services: [`eu-1/shop/${name}`] }));
  const bad = services("orders failing", "ledger failing", "checkout well");
  const graph = topology("orders ledger 100 30", "checkout orders 100 0");
  const held = (facts: Partial<Tell> = {}) => new Map([["eu-1", { ...tell(NOON, bad), topology: graph, ...facts }]]);

  it("names the component that is the cause", () =>
    expect([...likelyCauses(published("orders", "ledger", "checkout"), held(), NOON)]).toEqual([
      [NAMES.orders, [NAMES.ledger]],
    ]));

  it("says nothing of a cause that nobody published", () =>
    expect(likelyCauses(published("orders", "checkout"), held(), NOON).size).toBe(0));

  it("is never the component itself", () => {
    const both = component({ services: ["eu-1/shop/orders", "eu-1/shop/ledger"] });
    expect(likelyCauses([both], held(), NOON).size).toBe(0);
  });

  it("is of the same cluster", () => {
    const elsewhere = component({ id: "elsewhere000", services: ["us-1/shop/ledger"] });
    expect(likelyCauses([...published("orders"), elsewhere], held(), NOON).size).toBe(0);
  });

  it.each<readonly [string, Partial<Tell>, number]>([
    ["the states expired", {}, NOON + MINUTE],
    ["the graph is old", { expiresAt: NOON + 60 * MINUTE }, NOON + 10 * MINUTE],
    ["everything is well again", { services: services("orders well", "ledger well") }, NOON],
  ])("is nothing once %s", (_name, facts, now) =>
    expect(likelyCauses(published("orders", "ledger"), held(facts), now).size).toBe(0),
  );
});

describe("the page", () => {
  const NAMES = ["Orders", "Payments", "Ledger", "Cart", "Search", "Checkout"];
  const idOf = (name: string): string => `${name.toLowerCase()}00000000`.slice(0, 12);
  const published = NAMES.map((name, i) =>
    component({ id: idOf(name), name, position: i, services: [`eu-1/shop/${name.toLowerCase()}`] }),
  );
  const calls = topology(
    "orders ledger 100 30",
    "payments ledger 100 30",
    "cart ledger 100 30",
    "search ledger 100 30",
  );

  /** "Orders: why" for each that has something to say. */
  function read(states: readonly string[], components = published, maintenances: Maintenance[] = []): string[] {
    const facts = {
      version: 1,
      page: { id: "page00000000", name: "Acme", timeZone: "Etc/UTC", createdAt: NOON },
      components,
      maintenances,
      tells: new Map([["eu-1", { ...tell(NOON, services(...states)), topology: calls }]]),
      changes: new Map<string, StatusChange[]>(),
      archive: { delayedSince: null, isRestoring: false },
      outside: new Map(),
    };
    const [whole, frame] = [publicSnapshot(facts, NOON), publicChange(facts, NOON)];
    expect(frame.components.map(({ outlook }) => outlook)).toEqual(whole.components.map(({ outlook }) => outlook));
    return whole.components.flatMap(({ name, outlook }) =>
      outlook.flatMap(({ from, why }) => (why === null ? [] : [`${name} +${(from - NOON) / 1_000}: ${why}`])),
    );
  }

  it("says where trouble likely comes from, and whom it likely hurts, until the evidence expires", () =>
    expect(read(["orders failing", "payments failing", "ledger failing", "checkout well"])).toEqual([
      "Orders +0: Likely because of Ledger.",
      "Payments +0: Likely because of Ledger.",
      "Ledger +0: Likely the cause of trouble in Orders and Payments.",
    ]));

  it("counts those that are hurt where they are many", () =>
    expect(read(["orders failing", "payments failing", "cart failing", "search failing", "ledger failing"])).toContain(
      "Ledger +0: Likely the cause of trouble in 4 other components.",
    ));

  it("names a cause that is under maintenance, and says nothing of a symptom that is", () => {
    const states = ["orders failing", "ledger failing"];
    expect(read(states, published, [maintenance({ service: "shop/ledger" })])).toContain(
      "Orders +0: Likely because of Ledger.",
    );
    expect(read(states, published, [maintenance({ service: "shop/orders" })])).toEqual(["Orders +0: Database upgrade"]);
  });

  it("does not name a component that it shows as well", () => {
    const ledger = component({
      id: idOf("Ledger"),
      name: "Ledger",
      services: ["eu-1/shop/ledger", "eu-1/shop/spare"],
      rule: "any",
    });
    const others = published.filter(({ name }) => name !== "Ledger");
    expect(read(["orders failing", "ledger failing", "spare well"], [...others, ledger])).toEqual([]);
  });

  it("holds no name of a service", () =>
    expect(read(["orders failing", "ledger failing"]).join()).not.toMatch(/shop|eu-1/));
});

describe("a graph", () => {
  const graphOf = (told: Tell, now: number) => {
    const [found] = graphsOf([told], told.cluster, now).graphs;
    if (found === undefined) throw new Error("no graph");
    return found;
  };
  const graph = topology("gateway orders 120 0", "orders ledger 60 30");
  const states = services("orders failing", "ledger failing", "idle well");

  it("holds every service, and the callers that nobody reports", () => {
    const { nodes, edges, fresh, findings } = graphOf({ ...tell(NOON, states), topology: graph }, NOON);
    expect(nodes.map(({ name, status, role }) => [name, status, role])).toEqual([
      ["shop/gateway", null, null],
      ["shop/idle", "operational", null],
      ["shop/ledger", "partial_outage", "cause"],
      ["shop/orders", "partial_outage", "symptom"],
    ]);
    expect(edges).toContainEqual({ from: "shop/orders", to: "shop/ledger", requestsPerSecond: 1, errorRatio: 0.5 });
    expect([fresh, findings.length]).toEqual([true, 1]);
  });

  it("of a cluster that fell silent says of no service how it is", () => {
    const { nodes, fresh, findings } = graphOf({ ...tell(NOON, states), topology: graph }, NOON + MINUTE);
    expect(nodes.map(({ status }) => status)).toEqual([null, "unknown", "unknown", "unknown"]);
    expect([fresh, findings, nodes[2]?.errorRatio]).toEqual([false, [], null]);
  });

  it("is of the cluster that was asked for, else of those in trouble first and of twenty at most", () => {
    const well = Array.from({ length: 30 }, (_, i) => tell(NOON, services("a well"), `c${String(i).padStart(2, "0")}`));
    const tells = [...well, tell(NOON, services("a down"), "in-trouble")];
    const names = (wanted: string | null, now = NOON) =>
      graphsOf(tells, wanted, now).graphs.map(({ cluster }) => cluster);
    expect(names("c07")).toEqual(["c07"]);
    expect(names("nobody")).toEqual([]);
    expect(names(null)).toEqual(["in-trouble", ...well.slice(0, 19).map(({ cluster }) => cluster)]);
    // Silence is no trouble.
    expect(names(null, NOON + MINUTE)[0]).toBe("c00");
    expect(graphsOf(tells, "c07", NOON).clusters).toHaveLength(31);
  });

  it("that is old is none", () => {
    const { nodes, edges, heardAt } = graphOf({ ...tell(NOON, states), topology: graph }, NOON + 10 * MINUTE);
    expect([nodes.length, edges, heardAt]).toEqual([3, [], null]);
  });

  it.each<readonly [string, Partial<Tell>, number, number | undefined]>([
    ["stays while tells come without one", {}, NOON + MINUTE, NOON],
    ["gives way to a newer one", { topology: { ...graph, heardAt: NOON + 1 } }, NOON + MINUTE, NOON + 1],
    ["is dropped when it is old", {}, NOON + 10 * MINUTE, undefined],
  ])("%s", (_name, facts, heardAt, expected) => {
    const held = { ...tell(NOON, states), topology: graph };
    expect(withTopology({ ...tell(heardAt, states), ...facts }, held).topology?.heardAt).toBe(expected);
  });
});
