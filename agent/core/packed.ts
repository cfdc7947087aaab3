/**
 * How a record is written on disk. Windows are nearly all of the spool and most of their JSON is names and zeros, so
 * they are packed: 250 bytes instead of 400 with the 17 digits that Prometheus' `increase` makes of every count, which is what
 * 3 days of 50 services in 64 MB need.
 *
 *   { id, record }                                                              anything else: events, gaps, windows with exponential histograms
 *   { id, w: [service, minute, minutes, requests, errors] }                     a window without a histogram
 *   { id, w: [… , sum, zeros, counts] }   zeros before and behind left out      with Istio's bounds
 *   { id, w: [… , sum, zeros, counts, bounds] }                                 with others
 *   { … , again: true }    its minute was closed before by a clock that was wrong
 *   { … , merged: [[first, last], …] }    the ids of the windows that it took the place of
 */
import * as v from "valibot";
import { boundsOf } from "../../protocol/latency.ts";
import type { ExplicitLatency, Latency } from "../../protocol/latency.ts";
import type { FactRecord, WindowRecord } from "../../protocol/record.ts";
import { MINUTE, type Millis } from "../../protocol/time.ts";

/** A record with what the spool must know of it. */
export interface Placed {
  readonly id: number;
  readonly record: FactRecord;
  /** A window of which a former version may be in Postgres under the same key, or under another one that covers it. */
  readonly again?: boolean;
  /** [first, last] ids of the windows that were merged into it: it and they never count together. */
  readonly merged?: readonly (readonly [number, number])[];
}

/** What can be said of a record without its counts. */
export interface Indexed {
  readonly id: number;
  readonly at: Millis;
  /** Null of anything but a window. */
  readonly window: { readonly service: string; readonly spanMs: number; readonly bounds: string | null } | null;
  readonly again: boolean;
  readonly merged: readonly (readonly [number, number])[];
  /** How much longer its JSON in a push may be than its frame, bytes. */
  readonly unpackedBytes: number;
}

/** What a packed window misses, bytes at most: its keys, and those of its histogram with 65 zeros. */
const WINDOW_KEYS_BYTES = 100;
const LATENCY_KEYS_BYTES = 60 + 2 * 65;
/** An exponential histogram of few buckets grows by this when it goes to an edge that knows explicit ones alone (wire.ts), bytes. */
const EXPLICIT_BYTES = 700;

const Whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Bounds = v.union([v.literal("istio"), v.array(v.number())]);
const WindowTuple = v.union([
  v.strictTuple([v.string(), Whole, Whole, v.number(), v.number()]),
  v.strictTuple([v.string(), Whole, Whole, v.number(), v.number(), v.number(), Whole, v.array(v.number())]),
  v.strictTuple([v.string(), Whole, Whole, v.number(), v.number(), v.number(), Whole, v.array(v.number()), Bounds]),
]);
const Marks = {
  id: Whole,
  again: v.optional(v.boolean(), false),
  merged: v.optional(v.array(v.tuple([Whole, Whole])), []),
};
const PackedFrame = v.object({ ...Marks, w: WindowTuple });
const PlainFrame = v.object({ ...Marks, record: v.looseObject({ kind: v.string(), at: Whole }) });

/** A record as the text of its frame. */
export function packRecord({ id, record, again, merged }: Placed): string {
  const marks = { ...(again === true && { again }), ...(merged !== undefined && { merged }) };
  const isPlain = record.kind !== "window" || record.latency?.scheme === "exponential";
  return JSON.stringify(isPlain ? { id, record, ...marks } : { id, w: packWindow(record, record.latency), ...marks });
}

function packWindow(
  { service, at, spanMs, requests, errors }: WindowRecord,
  latency: ExplicitLatency | null,
): v.InferOutput<typeof WindowTuple> {
  const head = [service, at / MINUTE, spanMs / MINUTE, requests, errors] as const;
  if (latency === null) return [...head];
  const { bounds, counts, sum } = latency;
  const from = Math.max(
    0,
    counts.findIndex((count) => count !== 0),
  );
  const kept = counts.slice(from, counts.findLastIndex((count) => count !== 0) + 1);
  return bounds === "istio" ? [...head, sum, from, kept] : [...head, sum, from, kept, [...bounds]];
}

/** What a frame says of its record; null if it holds none. */
export function indexRecord(frame: unknown): Indexed | null {
  if (v.is(PackedFrame, frame)) {
    const { id, w, again = false, merged = [] } = frame;
    const bounds = w.length === 5 ? null : String(w[8] ?? "istio");
    const window = { service: w[0], spanMs: w[2] * MINUTE, bounds };
    const unpackedBytes = WINDOW_KEYS_BYTES + (bounds === null ? 0 : LATENCY_KEYS_BYTES);
    return { id, at: w[1] * MINUTE, window, again, merged, unpackedBytes };
  }
  if (!v.is(PlainFrame, frame)) return null;
  const { id, record, again = false, merged = [] } = frame;
  // Windows of older agents are not packed. They may become coarser like others.
  const plain = record.kind === "window" ? (record as unknown as WindowRecord) : null;
  const window = plain && {
    service: plain.service,
    spanMs: plain.spanMs,
    bounds: plain.latency && boundsText(plain.latency),
  };
  const unpackedBytes = plain?.latency?.scheme === "exponential" ? EXPLICIT_BYTES : 0;
  return { id, at: record.at, window, again, merged, unpackedBytes };
}

/** Stands for where a histogram's bounds lie: what has the same text merges without a loss. */
export function boundsText(latency: Latency): string {
  return latency.scheme === "explicit" ? String(latency.bounds) : latency.scheme;
}

/** The record of a frame whose checksum was right; null if it holds none. */
export function unpackRecord(frame: unknown): FactRecord | null {
  if (v.is(PackedFrame, frame)) return unpackWindow(frame.w);
  // It was typed when it was written, and the checksum says that these are the bytes.
  return v.is(PlainFrame, frame) ? (frame.record as unknown as FactRecord) : null;
}

function unpackWindow(w: v.InferOutput<typeof WindowTuple>): WindowRecord {
  const [service, minute, minutes, requests, errors] = w;
  const head = { kind: "window" as const, service, at: minute * MINUTE, spanMs: minutes * MINUTE, requests, errors };
  if (w.length === 5) return { ...head, latency: null };
  const [, , , , , sum, zeros, kept, bounds = "istio"] = w;
  const counts = Array.from({ length: boundsOf({ bounds }).length + 1 }, (_, i) => kept[i - zeros] ?? 0);
  return { ...head, latency: { scheme: "explicit", bounds, counts, sum } };
}
