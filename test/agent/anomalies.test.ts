/** What the detector says of a mesh: which services, how often, and in which words. */
import { describe, expect, it } from "vitest";
import { AnomalyWatch, NOTHING_OPEN, type Happening, type Memory } from "../../agent/core/anomalies.ts";
import { POINT_MS, valueOf, type Golden, type Signal } from "../../agent/core/golden.ts";
import {
  learnService,
  LEARNT_MS,
  wouldRaise,
  withMaintenance,
  type GoldenSeries,
  type LeftOut,
  type Model,
} from "../../agent/core/model.ts";
import { THRESHOLD } from "../../protocol/detector.ts";
import { replay } from "../../agent/core/replay.ts";
import { DAY, HOUR } from "../../protocol/time.ts";
import { Dice } from "../simulator/dice.ts";

/** A Sunday, 00:00 UTC. */
const FROM = Date.UTC(2026, 10, 15);
const TO = FROM + LEARNT_MS - POINT_MS;
const POINTS = LEARNT_MS / POINT_MS;

/** 100 requests a second, of which 1 in 200 fails, in 40 ms; a little more and a little less. */
function healthy(seed: number, change: (at: number) => Partial<Golden> = () => ({})): GoldenSeries {
  const dice = new Dice(seed);
  const about = (value: number): number => value * (0.9 + dice.below(2_001) / 10_000);
  const series = [0, 1, 2].map(() => new Float32Array(POINTS));
  const [rate, errors, p95Ms] = series as [Float32Array, Float32Array, Float32Array];
  for (let i = 0; i < POINTS; i++) {
    const golden = { rate: about(100), errors: about(0.5), p95Ms: about(40), ...change(FROM + i * POINT_MS) };
    rate[i] = golden.rate ?? Number.NaN;
    errors[i] = golden.errors ?? Number.NaN;
    p95Ms[i] = golden.p95Ms ?? Number.NaN;
  }
  return { rate, errors, p95Ms };
}

function modelOf(
  services: readonly string[],
  change?: (at: number) => Partial<Golden>,
  leftOut: readonly LeftOut[] = [],
): Model {
  const learnt = services.map(
    (service, i) => [service, learnService(service, healthy(i + 1, change), FROM, leftOut)] as const,
  );
  return {
    version: 3,
    from: FROM,
    to: TO,
    leftOut,
    points: learnt.reduce((sum, [, { points }]) => sum + points, 0),
    services: learnt.map(([service, { signals }]) => [service, signals] as const),
  };
}

const USUAL: Golden = { rate: 100, errors: 0.5, p95Ms: 40 };
const FAILING: Golden = { ...USUAL, errors: 30 };
const SERVICES = Array.from({ length: 10 }, (_, i) => `shop/s${i}`);

/** Plays rounds of what differs from the usual, five minutes each; what was said, as `minute service +` or `-`. */
function play(
  watch: AnomalyWatch,
  rounds: readonly Readonly<Record<string, Golden | null>>[],
  options: {
    readonly services?: readonly string[];
    readonly maintained?: readonly string[];
    readonly from?: number;
  } = {},
): { readonly said: readonly string[]; readonly all: readonly Happening[] } {
  const { services = SERVICES, maintained = [], from = 0 } = options;
  const all = rounds.flatMap((different, i) => {
    const golden = services.flatMap((service) => {
      const given = service in different ? different[service] : USUAL;
      return given === null || given === undefined ? [] : [[service, given] as const];
    });
    const at = TO + (from + i + 1) * POINT_MS;
    return watch.round({ at, services: new Map(golden), maintained: new Set(maintained), threshold: THRESHOLD });
  });
  const said = all.map((one) => {
    const at = one.kind === "raised" ? one.raisedAt : one.at;
    return `${(at - TO) / POINT_MS} ${one.subject} ${one.kind === "raised" ? "+" : "-"}`;
  });
  return { said, all };
}

function watchOf(model: Model, memory: Memory = { ...NOTHING_OPEN, at: TO }): AnomalyWatch {
  const watch = new AnomalyWatch(model.version, memory);
  for (const [service, signals] of model.services) watch.add(service, signals);
  return watch;
}
const calm = (n: number): Record<string, Golden>[] => Array.from({ length: n }, () => ({}));

describe("of a service", () => {
  const model = modelOf(SERVICES);

  it.each<[string, Golden, Signal]>([
    ["that fails", FAILING, "errors"],
    ["that is slow", { ...USUAL, p95Ms: 900 }, "latency"],
    ["that nobody calls any more", { rate: 3, errors: 0, p95Ms: 40 }, "rate"],
  ])("%s one anomaly is said, and when it is over", (_name, golden, signal) => {
    const { said, all } = play(watchOf(model), [...calm(2), { "shop/s3": golden }, { "shop/s3": golden }, ...calm(20)]);
    expect(said[0]).toBe("3 shop/s3 +");
    expect(said.slice(1)).toEqual([expect.stringMatching(/^\d+ shop\/s3 -$/)]);
    expect(all[0]).toMatchObject({ body: { signal, threshold: 0.85, baseline: 3 } });
  });

  it("two signals that fire together are one anomaly", () => {
    const worse = { "shop/s3": { rate: 400, errors: 200, p95Ms: 3_000 } };
    expect(play(watchOf(model), [worse, worse, worse]).said).toEqual(["1 shop/s3 +"]);
  });

  it("in maintenance nothing is raised, and nothing is learnt", () => {
    const watch = watchOf(model);
    const down = Array.from({ length: 40 }, () => ({ "shop/s3": FAILING }));
    expect(play(watch, down, { maintained: ["shop/s3"] }).said).toEqual([]);
    // Had it been learnt, 40 such points would be usual.
    expect(play(watch, [{ "shop/s3": FAILING }], { from: 60 }).said).toEqual(["61 shop/s3 +"]);
  });

  it("what an open anomaly does is not learnt: the next one is as rare as the first", () => {
    const watch = watchOf(model);
    const fails = (n: number): Record<string, Golden>[] => Array.from({ length: n }, () => ({ "shop/s3": FAILING }));
    const { all } = play(watch, [...fails(60), ...calm(60), ...fails(1)]);
    const rarities = all.flatMap((one) => (one.kind === "raised" ? [one.body["onceIn"]] : []));
    expect(rarities).toEqual([2_000, 2_000]);
  });

  it.each<[string, Readonly<Record<string, Golden | null>>]>([
    ["that is new", { "shop/new": FAILING }],
    ["that is silent", { "shop/s3": null }],
    ["of which 10 requests were counted", { "shop/s3": { rate: 10 / 300, errors: 10 / 300, p95Ms: 9_000 } }],
  ])("%s no error and no latency is said", (_name, round) => {
    const { all } = play(watchOf(model), [round], { services: [...SERVICES, "shop/new"] });
    expect(all.filter((one) => one.kind === "raised" && one.body["signal"] !== "rate")).toEqual([]);
  });

  it("the numbers and the sentence tell what was seen, what is usual, and how rare that is", () => {
    const [first] = play(watchOf(model), [{ "shop/s3": FAILING }]).all;
    expect(first).toMatchObject({
      kind: "raised",
      body: { signal: "errors", unit: "ratio", observed: 0.3, expected: expect.closeTo(0.005, 3), score: 1 },
    });
    expect(first?.kind === "raised" && first.body["says"]).toMatch(
      /^Error ratio of shop\/s3 is 30 %, where 0 % to 1\.\d+ % is usual at (this hour of the day|any hour): [\d.]+ spreads above the middle, rarer than one in 2,000 points before it\.$/,
    );
    expect(Object.keys(first?.kind === "raised" ? first.body : {}).length).toBeLessThanOrEqual(24);
  });
});

describe("of a mesh", () => {
  const model = modelOf(SERVICES);
  const failing = (...numbers: readonly number[]): Record<string, Golden> =>
    Object.fromEntries(numbers.map((n) => [`shop/s${n}`, FAILING]));

  it.each<[string, Record<string, Golden>[], string[]]>([
    ["three of ten are three anomalies", [failing(1, 2, 3)], ["1 shop/s1 +", "1 shop/s2 +", "1 shop/s3 +"]],
    ["four of ten are one", [failing(1, 2, 3, 4)], ["1 mesh +"]],
    [
      "one, and three more five minutes later, are one that names the first",
      [failing(7), failing(1, 2, 3, 7)],
      ["1 shop/s7 +", "2 mesh +"],
    ],
    ["what joins it later says nothing more", [failing(1, 2, 3, 4), failing(1, 2, 3, 4, 5, 6)], ["1 mesh +"]],
  ])("%s", (_name, rounds, expected) => expect(play(watchOf(model), rounds).said).toEqual(expected));

  it("the one names the first and the largest, and is over when all of its services are calm", () => {
    const worst = { ...failing(1, 2, 3), "shop/s2": { ...USUAL, errors: 99 } };
    const { said, all } = play(watchOf(model), [failing(7), worst, ...calm(30)]);
    const mesh = all.find(({ subject }) => subject === "mesh");
    expect(mesh).toMatchObject({ body: { services: 4, of: 10, first: "shop/s7", largest: "shop/s2" } });
    expect(said.filter((one) => one.includes("mesh"))).toEqual(["2 mesh +", expect.stringMatching(/^\d+ mesh -$/)]);
  });

  it("two services are no mesh", () => {
    const two = SERVICES.slice(0, 2);
    expect(play(watchOf(modelOf(two)), [failing(0, 1)], { services: two }).said).toEqual([
      "1 shop/s0 +",
      "1 shop/s1 +",
    ]);
  });
});

it("an agent that is started anew goes on where it was: nothing is said twice, and what was open is closed", () => {
  const model = modelOf(SERVICES);
  const before = watchOf(model);
  const [first] = play(before, [{ "shop/s3": FAILING }]).all;
  const memory = JSON.parse(JSON.stringify(before.memory())) as Memory;
  const after = watchOf({ ...model, version: 4 }, memory);
  // The round that was under way when the former one ended.
  expect(play(after, [{ "shop/s4": FAILING }]).said).toEqual([]);
  expect(play(after, [...calm(4), { "shop/s3": FAILING }], { from: 1 }).said).toEqual([]);
  const { all } = play(after, calm(20), { from: 6 });
  expect(all).toEqual([{ kind: "closed", subject: "shop/s3", raisedAt: first?.raisedAt, at: expect.any(Number) }]);
});

describe("learning", () => {
  const outage = (at: number): Partial<Golden> => (at >= FROM + 3 * DAY && at < FROM + 4 * DAY ? { errors: 30 } : {});
  const leftOut = [{ from: FROM + 3 * DAY, to: FROM + 4 * DAY, service: "shop/s3", why: "an incident" }];

  it("leaves out what was not usual, of the service that it was of", () => {
    const [all, without, others] = [
      modelOf(["shop/s3"], outage),
      modelOf(["shop/s3"], outage, leftOut),
      modelOf(["shop/s4"], outage, leftOut),
    ];
    const fires = (model: Model, service: string): boolean =>
      play(watchOf(model), [{ [service]: FAILING }], { services: [service] }).said.length > 0;
    expect([fires(all, "shop/s3"), fires(without, "shop/s3"), fires(others, "shop/s4")]).toEqual([false, true, false]);
    expect(all.points - without.points).toBe((3 * DAY) / POINT_MS);
  });

  it("takes a day at least: before, nothing can be said of a service", () => {
    const late =
      (hours: number) =>
      (at: number): Partial<Golden> =>
        at >= FROM + LEARNT_MS - hours * HOUR ? {} : { rate: null };
    const learnt = (hours: number): readonly string[] =>
      [...modelOf(["shop/s3"], late(hours)).services].flatMap(([, signals]) => Object.keys(signals));
    expect([learnt(23), learnt(24)]).toEqual([[], ["rate", "errors", "latency"]]);
  });

  it("says beforehand what a baseline would raise", () => {
    const { signals } = learnService("shop/s3", healthy(4), FROM, []);
    const bad = healthy(9, (at) => (at === TO - 5 * HOUR ? { errors: 30 } : {}));
    expect(wouldRaise(signals, "shop/s3", bad, FROM, TO - DAY, THRESHOLD)).toBe(1);
    expect(wouldRaise(signals, "shop/s3", bad, FROM, TO - HOUR, THRESHOLD)).toBe(0);
  });

  it("replays a week as it would have been said: one a service, one of the mesh, none in maintenance", () => {
    const model = modelOf(SERVICES);
    const fails =
      (...times: readonly number[]) =>
      (at: number): Partial<Golden> =>
        times.includes(at) ? { errors: 30 } : {};
    const [one, together] = [TO - 3 * DAY, TO - DAY];
    const week = new Map(
      SERVICES.map((service, i) => [
        service,
        healthy(i + 1, i < 4 ? fails(...(i === 0 ? [one] : []), together) : fails()),
      ]),
    );
    const raised = (threshold: number, leftOut: readonly LeftOut[] = []): object => {
      const points = replay(model, [{ from: FROM, services: week }], leftOut, threshold);
      for (;;) {
        const next = points.next();
        if (next.done === true) return Object.fromEntries(next.value);
      }
    };
    // At 0.85 chance adds one in 30,000 points of noise.
    expect(raised(0.99)).toEqual({ "shop/s0": 1, mesh: 1 });
    expect(raised(1.1)).toEqual({});
    expect(raised(0.99, [{ from: one - HOUR, to: one + HOUR, service: "shop/s0", why: "" }])).toEqual({ mesh: 1 });
  });

  it("maintenance is remembered for a week, as one time from its beginning to its end", () => {
    const at = (points: number): number => TO + points * POINT_MS;
    const step = (known: readonly LeftOut[], services: readonly string[], points: number): readonly LeftOut[] =>
      withMaintenance(known, new Set(services), at(points));
    const first = step(step([], ["shop/a"], 1), ["shop/a", "shop/b"], 2);
    const again = step(step(first, [], 10), ["shop/a"], 20);
    expect(again.map(({ from, to, service }) => [service, (from - TO) / POINT_MS, (to - TO) / POINT_MS])).toEqual([
      ["shop/a", 0, 2],
      ["shop/b", 1, 2],
      ["shop/a", 19, 20],
    ]);
    expect(step(again, [], 2 + LEARNT_MS / POINT_MS)).toHaveLength(1);
  });
});

it.each<[string, Signal, Golden, ReturnType<typeof valueOf>]>([
  ["no requests are a rate of 0", "rate", { rate: 0, errors: null, p95Ms: null }, { value: 0, noise: 0 }],
  ["nothing said is nothing, not 0", "rate", { rate: null, errors: 1, p95Ms: 10 }, null],
  [
    "no failed request is a ratio of 0",
    "errors",
    { rate: 10, errors: null, p95Ms: 10 },
    { value: 0, noise: 1 / 3_000 },
  ],
  ["19 requests are too few for a ratio", "errors", { rate: 19 / 300, errors: 19 / 300, p95Ms: 10 }, null],
  ["19 requests are too few for a percentile", "latency", { rate: 19 / 300, errors: 0, p95Ms: 10 }, null],
  [
    "latencies are compared by their ratio",
    "latency",
    { rate: 10, errors: 0, p95Ms: 1 },
    { value: 0, noise: Math.log(1.1) },
  ],
])("%s", (_name, signal, golden, expected) => expect(valueOf(signal, golden)).toEqual(expected));
