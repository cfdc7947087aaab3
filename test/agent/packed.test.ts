import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { indexRecord, packRecord, unpackRecord } from "../../agent/core/packed.ts";
import { knownRecord } from "../../agent/core/wire.ts";
import { ISTIO_BOUNDS } from "../../protocol/latency.ts";
import type { EventRecord, FactRecord, WindowRecord } from "../../protocol/record.ts";
import { MINUTE } from "../../protocol/time.ts";

const count = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1e6 }), fc.double({ min: 0, max: 1e9, noNaN: true }));
const bounds = fc.oneof(
  fc.constant("istio" as const),
  fc
    .uniqueArray(fc.integer({ min: 0, max: 1e6 }), { minLength: 1, maxLength: 64 })
    .map((all) => all.toSorted((a, b) => a - b)),
);
const explicit = bounds.chain((named) => {
  const length = (named === "istio" ? ISTIO_BOUNDS : named).length + 1;
  const counts = fc.array(count, { minLength: length, maxLength: length });
  return fc.record({ scheme: fc.constant("explicit" as const), bounds: fc.constant(named), counts, sum: count });
});
const exponential = fc.record({
  scheme: fc.constant("exponential" as const),
  scale: fc.integer({ min: -4, max: 4 }),
  zeros: count,
  offset: fc.integer({ min: -3, max: 3 }),
  counts: fc.array(count, { maxLength: 160 }),
  min: count,
  max: count,
  sum: count,
});
const latency = fc.oneof(explicit, exponential);
const windows: fc.Arbitrary<WindowRecord> = fc.record({
  kind: fc.constant("window" as const),
  service: fc.constantFrom("shop/cart", `${"n".repeat(63)}/${"s".repeat(63)}`),
  at: fc.integer({ min: 0, max: 5e7 }).map((minutes) => minutes * MINUTE),
  spanMs: fc.constantFrom(MINUTE, 5 * MINUTE, 60 * MINUTE),
  requests: count,
  errors: count,
  latency: fc.option(latency),
});
const event: EventRecord = { kind: "pod.oom_killed", id: "a".repeat(32), at: 1, subject: "shop/cart", body: {} };

describe("a record on disk", () => {
  it("is the same when it is read again, and never takes more of a push than the index says", () => {
    fc.assert(
      fc.property(windows, fc.integer({ min: 1, max: 1e6 }), (record: FactRecord, id) => {
        const text = packRecord({ id, record });
        const frame: unknown = JSON.parse(text);
        expect(unpackRecord(frame)).toEqual(JSON.parse(JSON.stringify(record)));
        const indexed = indexRecord(frame);
        expect(indexed).toMatchObject({ id, at: record.at, again: false, merged: [] });
        for (const accepts of [["exponential"], []]) {
          const sent = JSON.stringify(knownRecord(record, accepts));
          expect(sent.length).toBeLessThanOrEqual(text.length + (indexed?.unpackedBytes ?? 0));
        }
      }),
      { numRuns: 500 },
    );
  });

  it("that is an event stays as it is", () => {
    const frame: unknown = JSON.parse(packRecord({ id: 7, record: event }));
    expect(frame).toEqual({ id: 7, record: event });
    expect([unpackRecord(frame), indexRecord(frame)?.window]).toEqual([event, null]);
  });

  it("keeps what it took the place of, and that it was closed before", () => {
    const record: WindowRecord = {
      kind: "window",
      service: "shop/cart",
      at: 0,
      spanMs: MINUTE,
      requests: 1,
      errors: 0,
      latency: null,
    };
    const frame: unknown = JSON.parse(packRecord({ id: 9, record, again: true, merged: [[2, 4]] }));
    expect(indexRecord(frame)).toMatchObject({ id: 9, again: true, merged: [[2, 4]] });
  });

  it("of an agent that did not pack is read as it was", () => {
    const record: WindowRecord = {
      kind: "window",
      service: "shop/cart",
      at: MINUTE,
      spanMs: MINUTE,
      requests: 1,
      errors: 0,
      latency: null,
    };
    const frame = { id: 3, record };
    expect(unpackRecord(frame)).toEqual(record);
    expect(indexRecord(frame)).toMatchObject({
      id: 3,
      at: MINUTE,
      window: { service: "shop/cart", spanMs: MINUTE, bounds: null },
    });
  });

  it("is not seen where there is none", () => {
    expect([indexRecord({ commit: true }), unpackRecord({ segment: 1 })]).toEqual([null, null]);
  });
});
