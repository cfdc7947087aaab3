import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { exponentialOf } from "../../protocol/exponential.ts";
import { countOf, ISTIO_BOUNDS, quantile } from "../../protocol/latency.ts";
import { RecordSchema } from "../../protocol/record.ts";
import { HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { addScrape, copyTotals, difference, type TargetState } from "../../agent/core/counters.ts";
import { parseExposition } from "../../agent/core/exposition.ts";
import { isError, serviceOf } from "../../protocol/istio.ts";
import { capServices, codeHidden, toLatency, toReading, toWindow, type MeshCounts } from "../../agent/core/mesh.ts";
import { fitLive, liveServices, remember, type ReadingHistory } from "../../agent/core/readings.ts";
import { dueSpan, windowSpan } from "../../agent/core/windows.ts";
import { distribution } from "../support/latencies.ts";

const NOW = 1_795_392_000_000;

describe("a window's span", () => {
  it.each([
    ["15 s scrapes make minutes", 15, 1],
    ["1 s scrapes make minutes, too", 1, 1],
    ["30 s scrapes need two minutes", 30, 2],
    ["16 s scrapes need two minutes: an increase over three samples is not enough", 16, 2],
    ["60 s scrapes need four", 60, 4],
  ])("%s", (_name, scrapeS, minutes) => expect(windowSpan(scrapeS * SECOND)).toBe(minutes * MINUTE));

  it.each([
    ["the first is the last complete minute", null, 31, [-1, 0]],
    ["nothing is due twice", 0, 59, null],
    ["a minute is due when its last samples had time to come", 0, 89, null],
    ["and then it is", 0, 90, [0, 1]],
    ["what was missed is caught up, oldest first", -10, 40, [-10, -9]],
    ["at most six hours back", -1_000, 30, [-359, -358]],
  ] as const)("%s", (_name, closedMinute, seconds, expected) => {
    const closed = closedMinute === null ? null : NOW + closedMinute * MINUTE;
    const span = dueSpan(closed, NOW + seconds * SECOND, MINUTE, 30 * SECOND);
    expect(span && [(span.from - NOW) / MINUTE, (span.until - NOW) / MINUTE]).toEqual(expected);
  });

  it("that was changed begins where both can begin, so that no minute is counted twice", () => {
    expect(NOW % (2 * MINUTE)).toBe(0);
    expect(dueSpan(NOW + MINUTE, NOW + HOUR, 2 * MINUTE, 0)).toEqual({
      from: NOW + 2 * MINUTE,
      until: NOW + 4 * MINUTE,
    });
  });
});

describe("an error", () => {
  it.each([
    ["200", "", false],
    ["404", "", false],
    ["503", "", true],
    ["599", undefined, true],
    ["0", "", false],
    ["5xx", "", false],
    ["200", "0", false],
    ["200", "5", false],
    ["200", "2", true],
    ["200", "4", true],
    ["200", "12", true],
    ["200", "13", true],
    ["200", "14", true],
    ["200", "15", true],
    ["200", "16", false],
  ])("response code %s with gRPC status %s: %s", (code, grpc, expected) => {
    expect(isError({ response_code: code, ...(grpc === undefined ? {} : { grpc_response_status: grpc }) })).toBe(
      expected,
    );
  });

  it("cannot be seen where the codes were relabelled away", () => {
    expect(codeHidden({ response_code: "xx" })).toBe(true);
    expect(codeHidden({ response_code: "xx", grpc_response_status: "0" })).toBe(false);
    expect(codeHidden({ response_code: "200" })).toBe(false);
  });
});

it.each([
  ["shop", "cart", "shop/cart"],
  ["shop", "cart.v2", "shop/cart.v2"],
  ["unknown", "unknown", null],
  ["shop", "PassthroughCluster", null],
  ["", "cart", null],
  ["shop", "a".repeat(64), null],
  ["shop", 'a"b', null],
])("labels %s and %s name %s", (namespace, name, service) => {
  expect(serviceOf({ destination_service_namespace: namespace, destination_service_name: name })).toBe(service);
});

describe("a histogram of cumulative buckets", () => {
  it("is what lies between them, by name where the bounds are Istio's", () => {
    const buckets = new Map(ISTIO_BOUNDS.map((bound, i) => [bound, Math.min(i, 3)]));
    buckets.set(Infinity, 5);
    const latency = toLatency(buckets, 12);
    expect(latency).toMatchObject({ bounds: "istio", sum: 12 });
    expect(latency && countOf(latency)).toBe(5);
    expect(latency?.counts.slice(0, 5)).toEqual([0, 1, 1, 1, 0]);
    expect(latency?.counts.at(-1)).toBe(2);
  });

  it("clamps what an extrapolation pushed below 0, and loses nothing of what follows", () => {
    const latency = toLatency(
      new Map([
        [5, 10],
        [10, 9.99],
        [25, 12],
        [Infinity, 12],
      ]),
      1,
    );
    expect(latency?.counts).toEqual([10, 0, 2, 0]);
  });

  it("is none without a finite bound, or with more bounds than can be carried", () => {
    expect(toLatency(new Map([[Infinity, 3]]), 1)).toBeNull();
    expect(toLatency(new Map(Array.from({ length: 65 }, (_, i) => [i + 1, i])), 1)).toBeNull();
  });
});

describe("of a native histogram and buckets", () => {
  const native = exponentialOf([10, 20, 30, 40]);
  const buckets = (total: number) =>
    new Map([
      [25, total / 2],
      [Infinity, total],
    ]);
  const schemeOf = (counts: Partial<MeshCounts>) =>
    toReading(NOW, MINUTE, { requests: 4, errors: 0, buckets: new Map(), sum: 0, ...counts }).latency?.scheme;
  it.each([
    ["both of the same requests, the finer one speaks", { buckets: buckets(4), native }, "exponential"],
    ["extrapolated apart a little, it still does", { buckets: buckets(4.03), native }, "exponential"],
    ["the buckets of more pods, they speak", { buckets: buckets(40), native }, "explicit"],
    ["the buckets alone", { buckets: buckets(4) }, "explicit"],
    ["the native one alone", { native }, "exponential"],
    ["neither", {}, undefined],
  ])("%s", (_name, counts, scheme) => expect(schemeOf(counts)).toBe(scheme));

  it.each([
    [
      "slow ones in the buckets of fewer pods",
      Array<number>(60).fill(10),
      [
        [25, 0],
        [500, 0],
        [1_000, 40],
      ],
      700,
    ],
    [
      "fast ones in the buckets of more pods",
      Array<number>(40).fill(700),
      [
        [25, 60],
        [500, 60],
        [1_000, 60],
      ],
      700,
    ],
    [
      "slow ones above all buckets",
      Array<number>(60).fill(10),
      [
        [25, 0],
        [Infinity, 40],
      ],
      700,
    ],
  ] as const)("p95 of pods of both kinds covers %s", (_name, values, upTo, right) => {
    const buckets = new Map<number, number>(upTo);
    const { reading } = toReading(NOW, MINUTE, {
      requests: 100,
      errors: 0,
      buckets,
      sum: 0,
      native: exponentialOf(values),
    });
    const [, lo = 0, hi = 0] = reading.p95 ?? [];
    expect(lo < right && (hi ?? Infinity) >= right).toBe(true);
  });

  it("p95 is the finer one's where both counted every request", () => {
    const both = { requests: 4, errors: 0, buckets: buckets(4), sum: 0, native };
    expect(toReading(NOW, MINUTE, both).reading.p95).toEqual(
      toReading(NOW, MINUTE, { ...both, buckets: new Map() }).reading.p95,
    );
  });

  it("shorter bounds are never narrower ones", () =>
    fc.assert(
      fc.property(distribution, (values) => {
        const native = exponentialOf(values);
        const exact = quantile(native, 0.95);
        const { reading, latency } = toReading(NOW, MINUTE, {
          requests: 1,
          errors: 0,
          buckets: new Map(),
          sum: 0,
          native,
        });
        const [, lo = 1, hi = 0] = reading.p95 ?? [];
        expect(lo <= (exact?.lo ?? 0) && (hi ?? 0) >= (exact?.hi ?? 1)).toBe(true);
        const { min = 1, max = 0 } = latency?.scheme === "exponential" ? latency : {};
        expect(min <= native.min && max >= native.max).toBe(true);
      }),
    ));

  it("fewer digits go out, and what they bound stays within", () => {
    const counts = { requests: 3, errors: 0, buckets: new Map(), sum: 0 };
    const exact = exponentialOf([1 / 3, 100 / 3, 1_000 / 7]);
    const { reading, latency } = toReading(NOW, MINUTE, { ...counts, native: exact });
    expect(latency).toMatchObject({ min: 0.33333, max: 142.86 });
    expect(reading.p95).toEqual([141, 139.58, 142.86]);
    const third = { ...exact, counts: exact.counts.map((count) => count / 3) };
    expect(toWindow("shop/cart", NOW, MINUTE, { ...counts, native: third }).latency?.counts.filter(Boolean)).toEqual([
      0.3, 0.3, 0.3,
    ]);
  });
});

describe("what an extrapolation makes up", () => {
  const counts = (requests: number, errors: number, buckets: readonly number[]): MeshCounts => ({
    requests,
    errors,
    buckets: new Map([5, 10, Infinity].map((bound, i) => [bound, buckets[i] ?? 0])),
    sum: 1_234 / 7,
  });

  it("is cut to tenths and, above 100, to whole requests in a window", () => {
    const window = toWindow("shop/cart", NOW, MINUTE, counts(1_000 / 3, 1 / 3, [1 / 3, 1 / 3 + 200 / 3, 1_000 / 3]));
    expect(window).toMatchObject({ requests: 333, errors: 0.3 });
    expect(window.latency).toMatchObject({ counts: [0.3, 66.7, 266], sum: 176.3 });
  });

  it("is cut to two digits in a reading's buckets, and its p95 to three", () => {
    const { reading, latency } = toReading(NOW, MINUTE, counts(1_000 / 3, 0, [1 / 3, 1_000 / 3, 1_000 / 3]));
    expect(reading).toEqual({ at: NOW, spanMs: MINUTE, requests: 333, errors: 0, p95: [9.75, 5, 10] });
    expect(latency).toMatchObject({ counts: [0.33, 333, 0], sum: 176.3 });
  });

  it("is all that is cut: whole requests stay as they were counted", () => {
    const whole = counts(123_456_789, 1, [7, 1_234, 123_456_789]);
    expect(toWindow("shop/cart", NOW, MINUTE, whole)).toMatchObject({ requests: 123_456_789, errors: 1 });
    expect(toWindow("shop/cart", NOW, MINUTE, whole).latency?.counts).toEqual([7, 1_227, 123_455_555]);
    expect(toReading(NOW, MINUTE, whole).latency?.counts).toEqual([7, 1_227, 123_455_555]);
  });

  it("never makes a window of more errors than requests", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (n, r) => {
        expect(v.is(RecordSchema, toWindow("shop/cart", NOW, MINUTE, counts(n, n * r, [0, n, n])))).toBe(true);
      }),
    );
  });
});

describe("scraped counters", () => {
  const scrape = (requests: number, extra = ""): ReturnType<typeof parseExposition>["samples"] =>
    parseExposition(
      `istio_requests_total{reporter="destination",destination_service_namespace="shop",destination_service_name="cart",response_code="200"} ${requests}
istio_requests_total{reporter="source",destination_service_namespace="shop",destination_service_name="cart",response_code="200"} 1000
${extra}`,
      () => true,
    ).samples;
  const failing = (n: number): string =>
    `istio_requests_total{reporter="destination",destination_service_namespace="shop",destination_service_name="cart",response_code="503"} ${n}`;

  /** Plays scrapes [second, samples] of one target; the requests and errors that the sums grew by. */
  function play(...scrapes: readonly (readonly [number, ReturnType<typeof scrape>])[]): readonly [number, number] {
    const services = new Map<string, MeshCounts>();
    const seenAt = new Map<string, number>();
    let state: TargetState | null = null;
    for (const [second, samples] of scrapes)
      state = addScrape({ services, seenAt }, state, samples, NOW + second * SECOND, { reporter: "destination" });
    const counts = services.get("shop/cart");
    return [counts?.requests ?? 0, counts?.errors ?? 0];
  }

  it.each([
    ["the first scrape is only a baseline", [[0, scrape(100)]], [0, 0]],
    [
      "growth is counted, and only of the chosen reporter",
      [
        [0, scrape(100)],
        [5, scrape(130)],
      ],
      [30, 0],
    ],
    [
      "a counter that fell began again at 0",
      [
        [0, scrape(100)],
        [5, scrape(4)],
        [10, scrape(6)],
      ],
      [6, 0],
    ],
    [
      "a series that appears began at 0",
      [
        [0, scrape(1)],
        [5, scrape(1, failing(3))],
      ],
      [3, 3],
    ],
    [
      "after a long silence the growth belongs to no minute",
      [
        [0, scrape(1)],
        [61, scrape(900)],
        [65, scrape(901)],
      ],
      [1, 0],
    ],
    [
      "a series that one scrape leaves out counts on from its last value",
      [
        [0, scrape(1, failing(1_000))],
        [5, scrape(2)],
        [10, scrape(3, failing(1_005))],
      ],
      [7, 5],
    ],
    [
      "a series that was left out and fell began again at 0",
      [
        [0, scrape(1, failing(1_000))],
        [5, scrape(1)],
        [10, scrape(1, failing(4))],
      ],
      [4, 4],
    ],
    [
      "a series that was left out for longer than a minute is a baseline",
      [
        [0, scrape(1, failing(1_000))],
        [30, scrape(1)],
        [55, scrape(1)],
        [70, scrape(1, failing(1_005))],
        [75, scrape(1, failing(1_006))],
      ],
      [1, 1],
    ],
    [
      "also if it fell meanwhile",
      [
        [0, scrape(1, failing(1_000))],
        [50, scrape(1)],
        [70, scrape(1, failing(900))],
      ],
      [0, 0],
    ],
  ] as const)("%s", (_name, scrapes, expected) => expect(play(...scrapes)).toEqual(expected));

  it("forget a series an hour after its last scrape: pods come and go", () => {
    const totals = { services: new Map<string, MeshCounts>(), seenAt: new Map<string, number>() };
    const options = { reporter: "destination" } as const;
    let state = addScrape(totals, null, scrape(1, failing(9)), NOW, options);
    for (let second = 30; second <= 3_600; second += 30)
      state = addScrape(totals, state, scrape(1), NOW + second * SECOND, options);
    expect([state.values.size, state.missing.size]).toEqual([2, 1]);
    state = addScrape(totals, state, scrape(1), NOW + 3_601 * SECOND, options);
    expect([state.values.size, state.missing.size]).toEqual([1, 0]);
  });

  it("of any number of minutes add up to the whole, whatever restarts", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 2, maxLength: 40 }), (values) => {
        const services = new Map<string, MeshCounts>();
        const seenAt = new Map<string, number>();
        let state: TargetState | null = null;
        const copies = values.map((value, i) => {
          state = addScrape({ services, seenAt }, state, scrape(value), NOW + i * SECOND, { reporter: "destination" });
          return copyTotals({ at: NOW, services, seenAt }, NOW + i * SECOND);
        });
        const [first, last] = [copies[0], copies.at(-1)];
        if (first === undefined || last === undefined) throw new Error("no copies");
        const parts = copies
          .slice(1)
          .map((copy, i) => difference(copy, copies[i] ?? first).get("shop/cart")?.requests ?? 0);
        const whole = difference(last, first).get("shop/cart")?.requests ?? 0;
        if (Math.abs(parts.reduce((a, b) => a + b, 0) - whole) > 1e-9) throw new Error("parts are not the whole");
        if (parts.some((part) => part < 0)) throw new Error("a window below 0");
      }),
    );
  });
});

describe("readings", () => {
  const reading = (at: number) => ({ reading: { at, spanMs: 1, requests: 1, errors: 0, p95: null }, latency: null });
  const after = (...times: readonly number[]): ReadingHistory =>
    times.reduce<ReadingHistory>(
      (history, at) =>
        remember(history, new Map([["shop/cart", reading(NOW + at * SECOND)]]), NOW + at * SECOND, 10_000),
      new Map(),
    );

  it("are the last three, oldest first", () => {
    expect(
      after(0, 10, 20, 30)
        .get("shop/cart")
        ?.readings.map(({ at }) => (at - NOW) / SECOND),
    ).toEqual([10, 20, 30]);
  });

  it("do not count one twice", () => expect(after(0, 0, 0).get("shop/cart")?.readings).toHaveLength(1));

  it.each([
    ["an hour", 3_600, [0, 10]],
    ["six seconds", 6, [0, 10]],
    ["a moment, which is no step,", 4, [4, 10]],
  ])("of a clock that was %s ahead do not keep later ones out", (_name, ahead, expected) => {
    const wrong = remember(
      after(0),
      new Map([["shop/cart", reading(NOW + ahead * SECOND)]]),
      NOW + ahead * SECOND,
      1e9,
    );
    const corrected = remember(wrong, new Map([["shop/cart", reading(NOW)]]), NOW, 10_000);
    const later = remember(corrected, new Map([["shop/cart", reading(NOW + 10 * SECOND)]]), NOW + 10 * SECOND, 10_000);
    expect(
      later
        .get("shop/cart")
        ?.readings.map(({ at }) => (at - NOW) / SECOND)
        .slice(-2),
    ).toEqual(expected);
  });

  it("end three intervals and five seconds after the last", () => {
    const history = after(0);
    expect(remember(history, new Map(), NOW + 35 * SECOND, 10_000).size).toBe(1);
    expect(remember(history, new Map(), NOW + 35 * SECOND + 1, 10_000).size).toBe(0);
  });

  it("include deployments without traffic, with no reading rather than a zero", () => {
    expect(liveServices(after(0), new Map([["shop/idle", { ready: 1, desired: 2 }]]))).toMatchObject([
      { service: "shop/cart", readings: [{}], replicas: null },
      { service: "shop/idle", readings: [], latency: null, replicas: { ready: 1, desired: 2 } },
    ]);
  });

  it("of 1,000 services fit into a push by leaving out histograms before readings before services", () => {
    const latency = {
      scheme: "explicit" as const,
      bounds: "istio" as const,
      counts: Array.from({ length: 20 }, () => 1.234),
      sum: 1,
    };
    const services = Array.from({ length: 1_000 }, (_, i) => ({
      service: `shop/service-${i}`,
      readings: [reading(1).reading, reading(2).reading, reading(3).reading],
      latency,
      replicas: null,
    }));
    const live = { at: NOW, services, sources: {}, leases: { observedGeneration: 0, targets: [], allowed: [] } };
    const bytesOf = (value: object): number => JSON.stringify(value).length;
    expect(fitLive(live, 1e9, bytesOf)).toEqual(live);
    const fitted = fitLive(live, 160_000, bytesOf);
    expect(bytesOf(fitted)).toBeLessThanOrEqual(160_000);
    expect(fitted.services).toHaveLength(1_000);
    expect(fitted.services[0]).toMatchObject({ latency: null, readings: [{ at: 3 }] });
    expect(fitLive(live, 10_000, bytesOf).services.length).toBeGreaterThan(10);
  });
});

it("services beyond the bound are left out by name, so that the same ones stay", () => {
  const services = new Map(Array.from({ length: 1_002 }, (_, i) => [`shop/s${String(i).padStart(4, "0")}`, i]));
  const { kept, left } = capServices(new Map([...services].toReversed()));
  expect([kept.size, left, kept.has("shop/s0000"), kept.has("shop/s1001")]).toEqual([1_000, 2, true, false]);
});
