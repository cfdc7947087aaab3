/**
 * The protocol step of a Cluster: what one push does to the watermarks, decided without I/O so that the simulator and
 * the object run the same rule. `reference/delivery.md`, section 3.
 *
 * A number in an epoch is used once. `next` is the first number not yet received, `persisted` the first one that
 * Postgres does not yet hold. The agent frees below `persisted`, so after a rewind of this object the agent's `base`
 * says what can still be had, and the object continues there instead of waiting for numbers that no longer exist.
 */
import * as v from "valibot";
import { canonicalJson } from "../../protocol/lease.ts";
import { FUTURE_MS, TOO_OLD_MS } from "../../protocol/limits.ts";
import type { Push } from "../../protocol/push.ts";
import type { FactRecord, RecordRefusal } from "../../protocol/record.ts";
import { RecordSchema } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";
import type { AlertEvent } from "./alert.ts";

export interface Watermarks {
  /** The spool that was given `epoch`. */
  readonly spool: string;
  readonly epoch: number;
  readonly next: number;
  readonly persisted: number;
}

export interface NumberedRecord {
  readonly seq: number;
  /** An agent's, or one that the edge itself made of what others told it. */
  readonly record: FactRecord | AlertEvent;
}

export interface Rejected {
  readonly seq: number;
  readonly reason: RecordRefusal;
}

export type Step =
  | {
      readonly kind: "accepted";
      readonly watermarks: Watermarks;
      /** New facts to keep, in order. */
      readonly fresh: readonly NumberedRecord[];
      readonly rejected: readonly Rejected[];
      /** Whether `watermarks` moved in a way that must be durable before the answer leaves. */
      readonly changed: boolean;
    }
  | { readonly kind: "fenced"; readonly epoch: number }
  | { readonly kind: "gap"; readonly expected: number }
  /** No edge gave this epoch out: adopted, it would leave no number for the next one. */
  | { readonly kind: "implausible"; readonly most: number };

/**
 * Opens an epoch for a spool. The spool that holds the current epoch gets the same one again; a new spool gets a number
 * above every earlier one. The clock is in it because a rewound object would hand out a counter's value twice.
 */
export function openEpoch(held: Watermarks | null, spool: string, base: number, now: Millis): Watermarks {
  if (held !== null && held.spool === spool) return held;
  return { spool, epoch: Math.max((held?.epoch ?? 0) + 1, now), next: base, persisted: base };
}

/** Takes in the records of a push whose epoch is not null. `held` is null for an object without memory. */
export function step(held: Watermarks | null, push: Push & { readonly epoch: number }, now: Millis): Step {
  if (held !== null && push.epoch < held.epoch) return { kind: "fenced", epoch: held.epoch };
  const most = Math.max(held?.epoch ?? 0, now + FUTURE_MS);
  if (push.epoch > most) return { kind: "implausible", most };
  const adopted: Watermarks =
    held === null || push.epoch > held.epoch
      ? { spool: push.spool, epoch: push.epoch, next: push.base, persisted: push.base }
      : held;
  const healed: Watermarks =
    push.base > adopted.next
      ? { ...adopted, next: push.base, persisted: Math.max(adopted.persisted, push.base) }
      : adopted;
  const { first, items } = push.records;
  if (first > healed.next) return { kind: "gap", expected: healed.next };

  const unseen = items.slice(healed.next - first);
  const { fresh, rejected } = sift(unseen, healed.next, now);
  const watermarks = { ...healed, next: healed.next + unseen.length };
  return { kind: "accepted", watermarks, fresh, rejected, changed: held === null || !sameMarks(held, watermarks) };
}

/**
 * The numbers under which a push brings something else than what is held. The first wins, always: this only finds out,
 * because a spool that gives a number twice is broken.
 *
 * @param held records of the push's own epoch
 */
export function conflictsOf(held: readonly NumberedRecord[], { first, items }: Push["records"]): readonly number[] {
  return held.flatMap(({ seq, record }) => {
    if (seq < first || seq >= first + items.length) return [];
    const again = v.safeParse(RecordSchema, items[seq - first]);
    return again.success && canonicalJson(again.output) === canonicalJson(record) ? [] : [seq];
  });
}

function sameMarks(a: Watermarks, b: Watermarks): boolean {
  return a.epoch === b.epoch && a.next === b.next && a.spool === b.spool;
}

/** Parts good records from bad ones. A bad one consumes its number: it can neither block nor cost its neighbours. */
function sift(items: readonly unknown[], from: number, now: Millis): { fresh: NumberedRecord[]; rejected: Rejected[] } {
  const fresh: NumberedRecord[] = [];
  const rejected: Rejected[] = [];
  for (const [i, item] of items.entries()) {
    const seq = from + i;
    const parsed = v.safeParse(RecordSchema, item);
    const reason = parsed.success ? untimely(parsed.output, now) : "malformed";
    if (parsed.success && reason === null) fresh.push({ seq, record: parsed.output });
    else rejected.push({ seq, reason: reason ?? "malformed" });
  }
  return { fresh, rejected };
}

function untimely(record: FactRecord, now: Millis): RecordRefusal | null {
  const end = record.kind === "window" ? record.at + record.spanMs : record.at;
  if (end > now + FUTURE_MS) return "future";
  // A declared loss may be older than anything that could still be stored; refusing it would hide it.
  if (record.kind !== "gap" && record.at < now - TOO_OLD_MS) return "too_old";
  return null;
}
