/** Which records get the next numbers: events oldest first, then windows newest first, so that "now" never waits behind a backlog. */
import { MINUTE, type Millis } from "../../protocol/time.ts";

/** Windows that are older than the newest one by more than this are backfill. */
const BACKFILL_AGE_MS = 10 * MINUTE;

/** A record that waits for its number. */
export interface Waiting {
  readonly id: number;
  readonly at: Millis;
  readonly bytes: number;
}

/**
 * The records to number now, in the order of their numbers, within both bounds. `events` and `windows` are sorted
 * oldest first. Backfill takes at most half of the room, so that a long outage leaves room for what closes meanwhile.
 * Always at least one record, if any waits and `recordsMax` allows one.
 */
export function chooseForNumbering(
  events: readonly Waiting[],
  windows: readonly Waiting[],
  recordsMax: number,
  bytesMax: number,
): readonly Waiting[] {
  const chosen: Waiting[] = [];
  let bytes = 0;
  const fits = (record: Waiting): boolean =>
    chosen.length < recordsMax && (bytes + record.bytes <= bytesMax || chosen.length === 0);
  const take = (record: Waiting): void => {
    chosen.push(record);
    bytes += record.bytes;
  };
  for (const event of events) {
    if (!fits(event)) return chosen;
    take(event);
  }
  const newestAt = windows.at(-1)?.at ?? 0;
  let backfill = Math.max(1, Math.floor(recordsMax / 2));
  for (let i = windows.length - 1; i >= 0; i--) {
    const window = windows[i];
    if (window === undefined || !fits(window)) break;
    if (window.at < newestAt - BACKFILL_AGE_MS && backfill-- <= 0) break;
    take(window);
  }
  return chosen;
}
