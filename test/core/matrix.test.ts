import { describe, expect, it } from "vitest";
import type { Tell, ToldService } from "../../worker/core/component.ts";
import { componentVerdict } from "../../worker/core/component.ts";
import { matrixOf } from "../../worker/core/matrix.ts";
import type { Rule } from "../../worker/core/rule.ts";
import { NOON, at, component, maintenance, tell, told } from "../support/facts.ts";

const both = ["eu-1/shop/checkout", "us-1/shop/checkout"];

function saying(
  status: ToldService["status"],
  reason: string,
  why: string | null = null,
  usualPerSecond?: number,
): ToldService {
  return { ...told(status), reason, why, ...(usualPerSecond === undefined ? {} : { usualPerSecond }) };
}

const WELL = (usual?: number) => saying("operational", "within all limits", null, usual);
const DOWN = (usual?: number) =>
  saying(
    "major_outage",
    "error ratio 62 % over the last 3 readings, limit 50 %",
    "About 6 of 10 requests fail.",
    usual,
  );

function judge(eu: ToldService | null, us: ToldService | null, rule: Rule = "all", quorum?: number) {
  const tells: readonly Tell[] = [
    ...(eu === null ? [] : [tell(NOON, [eu], "eu-1")]),
    ...(us === null ? [] : [tell(NOON, [us], "us-1")]),
  ];
  const subject = component({ services: both, rule, ...(quorum === undefined ? {} : { quorum }) });
  const evidence = { tells: new Map(tells.map((one) => [one.cluster, one])), maintenances: [], outside: new Map() };
  return matrixOf(subject, evidence, NOON);
}

describe("a component over two clusters", () => {
  it.each([
    ["both well", WELL(), WELL(), "all", "operational", "2 of 2 are well", null],
    [
      "one down: a split brain is shown as such",
      WELL(),
      DOWN(),
      "all",
      "major_outage",
      "us-1: error ratio 62 % over the last 3 readings, limit 50 % (1 of 2 are well)",
      "eu-1 says operational, us-1 says major outage",
    ],
    [
      "one down that gets little",
      WELL(98),
      DOWN(2),
      "all",
      "partial_outage",
      "us-1: error ratio 62 % over the last 3 readings, limit 50 %; 2 % of the usual traffic goes there, so it is partial (1 of 2 are well)",
      "eu-1 says operational, us-1 says major outage",
    ],
    [
      "one down, and one is enough",
      WELL(),
      DOWN(),
      "any",
      "operational",
      "eu-1: within all limits (1 of 2 are well, 1 must be)",
      "eu-1 says operational, us-1 says major outage",
    ],
    [
      "one silent: nobody is contradicted",
      WELL(),
      null,
      "all",
      "unknown",
      "us-1: its cluster was never heard (1 of 2 are well)",
      null,
    ],
  ] as const)("%s", (_name, eu, us, rule, status, reason, disagreement) =>
    expect(judge(eu, us, rule)).toMatchObject({ status, reason, disagreement }),
  );

  it.each([
    ["one down", WELL(), DOWN(), "In 1 of 2 locations, about 6 of 10 requests fail."],
    [
      "one down that gets little",
      WELL(98),
      DOWN(2),
      "In 1 of 2 locations, about 6 of 10 requests fail. About 2 of 100 requests go there.",
    ],
    ["both down", DOWN(98), DOWN(2), "About 6 of 10 requests fail."],
    ["one silent", WELL(), null, null],
  ] as const)("visitors read of %s where it is, and no name", (_name, eu, us, why) =>
    expect(judge(eu, us).why).toBe(why),
  );

  it("gives each cluster's share of the usual traffic, and none where one is not known", () => {
    const shares = (...usual: readonly [number?, number?]) =>
      judge(WELL(usual[0]), DOWN(usual[1])).clusters.map(({ trafficShare }) => trafficShare);
    expect(shares(30, 10)).toEqual([0.75, 0.25]);
    expect(shares(30)).toEqual([null, null]);
    expect(shares(0, 0)).toEqual([null, null]);
  });

  it("in one cluster it is as bad as the worst of its services there, whatever its rule says of clusters", () => {
    const services = ["eu-1/shop/checkout", "eu-1/shop/cart", "us-1/shop/checkout"];
    const tells = [
      tell(NOON, [told("operational"), told("degraded_performance", "shop/cart")], "eu-1"),
      tell(NOON, [told("partial_outage")], "us-1"),
    ];
    const evidence = { tells: new Map(tells.map((one) => [one.cluster, one])), maintenances: [], outside: new Map() };
    const { status, clusters } = matrixOf(component({ services, rule: "any" }), evidence, NOON);
    expect(status).toBe("degraded_performance");
    expect(clusters.map(({ reason }) => reason)).toEqual(["shop/cart: degraded_performance", "partial_outage"]);
  });

  it("a maintenance of one contradicts nobody, and is said without a place", () => {
    const tells = new Map([
      ["eu-1", tell(NOON, [told("major_outage")], "eu-1")],
      ["us-1", tell(NOON, [WELL()], "us-1")],
    ]);
    const subject = component({ services: both });
    const evidence = { tells, maintenances: [maintenance()], outside: new Map() };
    expect(matrixOf(subject, evidence, NOON)).toMatchObject({ disagreement: null, why: "Database upgrade" });
  });
});

describe("a component of one cluster", () => {
  const pair = component({ services: ["eu-1/shop/checkout", "eu-1/shop/cart"], rule: "any" });
  const tells = new Map([["eu-1", tell(NOON, [WELL(98), { ...DOWN(2), service: "shop/cart" }])]]);

  it("has its services for parts", () =>
    expect(componentVerdict(pair, { tells, maintenances: [], outside: new Map() }, NOON).status).toBe("operational"));

  it("softens nothing by traffic: its services do not stand in for each other", () =>
    expect(componentVerdict({ ...pair, rule: "all" }, { tells, maintenances: [], outside: new Map() }, NOON)).toEqual({
      status: "major_outage",
      why: "About 6 of 10 requests fail.",
    }));

  it("says of each silence what it is", () => {
    const reason = (service: string, when: number): string =>
      matrixOf(component({ services: [service] }), { tells, maintenances: [], outside: new Map() }, when).reason;
    expect(reason("eu-1/shop/checkout", NOON)).toBe("within all limits");
    expect(reason("eu-1/shop/gone", NOON)).toBe("its cluster does not report it");
    expect(reason("eu-1/shop/checkout", at("12:01:00"))).toBe("its cluster is silent");
    expect(reason("us-9/shop/checkout", NOON)).toBe("its cluster was never heard");
  });
});
