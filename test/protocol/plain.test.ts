import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { compactRecord, compactService, spreadRecord, spreadService } from "../../protocol/compact.ts";
import { isPlainService, isPlainWindow, quick } from "../../protocol/plain.ts";
import { LiveServiceSchema, PushSchema } from "../../protocol/push.ts";
import type { Live, LiveService } from "../../protocol/push.ts";
import { RecordSchema, WindowSchema } from "../../protocol/record.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { MINUTE } from "../../protocol/time.ts";
import { push } from "../support/facts.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const count = fc.oneof(fc.nat(1_000), fc.double({ min: 0, max: 1e6, noNaN: true }));
const moment = fc.nat(2 ** 31 - 1);
const service = fc.constantFrom("shop/checkout", "a/b", "shop/v1.api-0");
const bounds = fc.uniqueArray(count, { minLength: 1, maxLength: 6 }).map((list) => list.toSorted((a, b) => a - b));
const latency = fc.oneof(
  fc.record({
    scheme: fc.constant("explicit"),
    bounds: fc.constant("istio"),
    counts: fc.array(count, { minLength: 20, maxLength: 20 }),
    sum: count,
  }),
  bounds.chain((list) =>
    fc.record({
      scheme: fc.constant("explicit"),
      bounds: fc.constant(list),
      counts: fc.array(count, { minLength: list.length + 1, maxLength: list.length + 1 }),
      sum: count,
    }),
  ),
  fc
    .record({
      scheme: fc.constant("exponential"),
      scale: fc.integer({ min: -4, max: 4 }),
      zeros: count,
      counts: fc.array(count, { maxLength: 160 }),
      min: count,
      sum: count,
    })
    // Bounds from 2^-64 to 2^64 ms.
    .chain((rest) =>
      fc.record({
        ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, fc.constant(value)])),
        counts: fc.constant(rest.counts.slice(0, Math.floor(128 * 2 ** rest.scale))),
        offset: fc.integer({
          min: Math.ceil(-64 * 2 ** rest.scale),
          max: Math.floor(64 * 2 ** rest.scale) - Math.min(rest.counts.length, Math.floor(128 * 2 ** rest.scale)),
        }),
        max: count.map((more) => rest.min + more),
      }),
    ),
);
const counts = fc.tuple(count, fc.double({ min: 0, max: 1, noNaN: true })).map(([requests, ratio]) => ({
  requests,
  errors: requests * ratio,
}));
const quantile = fc.tuple(count, count, count, fc.boolean()).map(([estimate, lo, more, isOpen]) => {
  return [estimate, lo, isOpen ? null : lo + more];
});
const reading = fc
  .record({ at: moment, spanMs: fc.integer({ min: 1, max: MINUTE }), p95: fc.option(quantile) })
  .chain((rest) => counts.map((counted) => ({ ...rest, ...counted })));
const liveService = fc.record({
  service,
  readings: fc.array(reading, { maxLength: 3 }),
  latency: fc.option(latency),
  replicas: fc.option(fc.record({ ready: fc.nat(9), desired: fc.nat(9) })),
});
const window = fc
  .record({
    kind: fc.constant("window"),
    service,
    at: fc.nat(30_000_000).map((minutes) => minutes * MINUTE),
    spanMs: fc.integer({ min: 1, max: 60 }).map((minutes) => minutes * MINUTE),
    latency: fc.option(latency),
  })
  .chain((rest) => counts.map((counted) => ({ ...rest, ...counted })));

/** What somebody might put in the place of something good, as far as JSON can say it: `1e999` is Infinity. */
const ODD: readonly Json[] = [
  [
    null,
    true,
    -1,
    -0,
    -64,
    160,
    0,
    0.5,
    1,
    3,
    250,
    MINUTE,
    90_000,
    1e308,
    2 ** 53,
    2 ** 53 - 1,
    Number.POSITIVE_INFINITY,
  ],
  ["", "istio", "window", "event", "explicit", "exponential", "shop/checkout", "Shop/x", "shop", `a/${"b".repeat(64)}`],
  [[], {}, [1], [1, 2], [1, 2, 3], [3, 2, 1], { ready: 1, desired: 1 }],
].flat();
const odd = fc.constantFrom(...ODD);

/** The same with one thing changed somewhere: replaced, left out, doubled or added. */
const spoiled = (good: fc.Arbitrary<unknown>): fc.Arbitrary<Json> =>
  fc
    .tuple(good, fc.nat(), fc.constantFrom("replace", "leave out", "add", "double"), odd, fc.nat())
    .map(([value, at, how, other, index]) => {
      const copy = structuredClone({ value }) as { value: Json };
      const places: { readonly holder: Json[] | { [key: string]: Json }; readonly key: string }[] = [];
      const look = (holder: Json): void => {
        if (typeof holder !== "object" || holder === null) return;
        for (const [key, inner] of Object.entries(holder)) {
          places.push({ holder, key });
          look(inner);
        }
      };
      look(copy);
      const place = places[at % places.length];
      if (place === undefined) return copy.value;
      const { holder, key } = place;
      if (how === "replace" || holder === copy) Object.assign(holder, { [key]: other });
      else if (Array.isArray(holder)) holder.splice(index % (holder.length + 1), how === "leave out" ? 1 : 0, other);
      else if (how === "leave out") delete holder[key];
      else holder[how === "add" ? (["more", "at", "kind"][index % 3] ?? "") : `${key}${index % 2}`] = other;
      return copy.value;
    });

describe.each([
  ["a service", isPlainService, LiveServiceSchema, liveService],
  ["a window", isPlainWindow, WindowSchema, window],
] as const)("%s", (_name, isPlain, schema, good) => {
  const verdict = (value: unknown): boolean => {
    const parsed = v.safeParse(schema as v.GenericSchema, value);
    // What is taken is taken as it is: the schema adds, drops and changes nothing.
    if (parsed.success) expect(parsed.output).toEqual(value);
    return parsed.success;
  };

  it("that is good is plainly good, so that the schema is not asked", () => {
    fc.assert(
      fc.property(good, (value) => {
        expect([verdict(value), isPlain(value)]).toEqual([true, true]);
      }),
      { numRuns: 2_000 },
    );
  });

  it("with one thing changed is good for the one exactly if it is for the other", () => {
    const seen = { true: 0, false: 0 };
    fc.assert(
      fc.property(fc.oneof(spoiled(good), spoiled(spoiled(good))), (value) => {
        const isGood = verdict(value);
        seen[`${isGood}`]++;
        expect(isPlain(value)).toBe(isGood);
      }),
      { numRuns: 20_000 },
    );
    // Both happen often enough to mean something.
    expect(Math.min(seen.true, seen.false)).toBeGreaterThan(500);
  });
});

const wire = (one: unknown): unknown => JSON.parse(JSON.stringify(one));

describe("a service as a tuple", () => {
  /** What becomes of one service in a push. */
  const taken = (one: unknown): unknown => {
    const live = { at: 1, services: [one], sources: {}, leases: { observedGeneration: 0, targets: [], allowed: [] } };
    const parsed = v.safeParse(PushSchema, push({ live: live as Live }));
    return parsed.success ? parsed.output.live?.services[0] : null;
  };

  it("is taken for the very service that it was made of", () => {
    fc.assert(
      fc.property(liveService, (value) => {
        const good = wire(value) as LiveService;
        const tuple = wire(compactService(good));
        // A tuple cannot say an exponential histogram.
        expect(Array.isArray(tuple)).toBe(good.latency?.scheme !== "exponential");
        expect(taken(tuple)).toEqual(good);
        expect(taken(good)).toEqual(good);
      }),
      { numRuns: 2_000 },
    );
  });

  it("with one thing changed is another good service, or none", () => {
    const seen = { good: 0, bad: 0 };
    const tuples = liveService.map((value) => wire(compactService(wire(value) as LiveService)));
    fc.assert(
      fc.property(fc.oneof(spoiled(tuples), spoiled(spoiled(tuples))), (value) => {
        const result = taken(wire(value));
        expect(result !== null).toBe(v.is(LiveServiceSchema, spreadService(wire(value))));
        if (result !== null) expect(spreadService(wire(compactService(result as LiveService)))).toEqual(result);
        seen[result === null ? "bad" : "good"]++;
      }),
      { numRuns: 10_000 },
    );
    expect(Math.min(seen.good, seen.bad)).toBeGreaterThan(500);
  });
});

describe("a window as a tuple", () => {
  const taken = (one: unknown): unknown => {
    const parsed = v.safeParse(RecordSchema, wire(one));
    return parsed.success ? parsed.output : null;
  };

  it("is taken for the very window that it was made of", () => {
    fc.assert(
      fc.property(window, (value) => {
        const good = wire(value) as WindowRecord;
        const tuple = compactRecord(good);
        expect(Array.isArray(tuple)).toBe(good.latency?.scheme !== "exponential");
        expect(taken(tuple)).toEqual(good);
      }),
      { numRuns: 2_000 },
    );
  });

  it("with one thing changed is another good window, or none", () => {
    const seen = { good: 0, bad: 0 };
    const tuples = window.map((value) => wire(compactRecord(wire(value) as WindowRecord)));
    fc.assert(
      fc.property(fc.oneof(spoiled(tuples), spoiled(spoiled(tuples))), (value) => {
        const result = taken(value);
        expect(result !== null).toBe(v.is(WindowSchema, spreadRecord(wire(value))));
        seen[result === null ? "bad" : "good"]++;
      }),
      { numRuns: 10_000 },
    );
    expect(Math.min(seen.good, seen.bad)).toBeGreaterThan(500);
  });
});

it("a push whose records are written in a way that this edge does not know is refused whole", () => {
  expect(v.is(PushSchema, push({}))).toBe(true);
  expect(v.is(PushSchema, { ...push({}), uses: ["compact"] })).toBe(true);
  expect(v.is(PushSchema, { ...push({}), uses: ["compact", "what comes later"] })).toBe(false);
});

it("what is not plainly good is refused in the schema's own words", () => {
  const schema = v.pipe(v.string(), v.minLength(3, "too short"));
  const asked: unknown[] = [];
  const quicker = quick(schema, (value) => asked.push(value) > 0 && value === "no");
  expect(v.safeParse(quicker, "no")).toMatchObject({ success: true, output: "no" });
  expect(v.safeParse(quicker, "yes")).toMatchObject({ success: true, output: "yes" });
  expect(v.safeParse(quicker, "ye").issues?.[0].message).toBe("too short");
  expect(asked).toEqual(["no", "yes", "ye"]);
});
