/** Declared losses. A gap's `count` is in windows of a minute: a coarser window counts as the minutes it covers, an event as one. */
import { createHash } from "node:crypto";
import type { FactRecord, GapRecord, WindowRecord } from "../protocol/record.ts";
import { MINUTE, type Millis } from "../protocol/time.ts";
import type { Indexed } from "./core/packed.ts";

type Known = Pick<Indexed, "at" | "window">;

/** What was lost, whatever for. */
export interface Loss {
  readonly at: Millis;
  readonly until: Millis;
  readonly count: number;
}

/**
 * The gap record of a loss. `what` names the loss within the spool, so that its id is no other's; what it says is in its
 * id, too, because copies of one spool go on from the same names and lose different things.
 */
export function gapOf(spool: string, what: string, reason: GapRecord["reason"], { at, until, count }: Loss): GapRecord {
  const id = createHash("sha256").update(`${spool} ${what} ${at} ${until} ${count}`).digest("hex").slice(0, 32);
  return { kind: "gap", id, at, until: Math.max(at, until), reason, count };
}

/** The loss of a record that the index still knows. */
export function lossOf({ at, window }: Known): Loss {
  const spanMs = window?.spanMs ?? 0;
  return { at, until: at + spanMs, count: Math.max(1, spanMs / MINUTE) };
}

/** The gap that stands where an indexed record stood. */
export function gapInPlace(
  spool: string,
  what: string,
  reason: GapRecord["reason"],
  entry: Known & { readonly id: number },
): GapRecord {
  return gapOf(spool, `${what} ${entry.id}`, reason, lossOf(entry));
}

/** Losses as one; of at least one. */
export function sumOf(losses: readonly Loss[]): Loss {
  return losses.reduce((sum, loss) => ({
    at: Math.min(sum.at, loss.at),
    until: Math.max(sum.until, loss.until),
    count: sum.count + loss.count,
  }));
}

export function isWindow(record: FactRecord): record is WindowRecord {
  return record.kind === "window";
}
