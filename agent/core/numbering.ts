/** Which records get the next numbers: events, then what is recent, so that "now" never waits behind a backlog, then the backlog. */
import { MINUTE, type Millis } from "../../protocol/time.ts";

/** Windows that began earlier than this before the last closed moment are backlog, ms. */
export const RECENT_MS = 10 * MINUTE;

/** A record that waits for its number. */
export interface Waiting {
  readonly id: number;
  readonly at: Millis;
  readonly bytes: number;
}

/**
 * The records to number now, in the order of their numbers, within both bounds: events oldest first; the windows of the
 * last ten minutes newest first; the backlog oldest first, because what is oldest is next to be lost to the bounds of
 * the spool. The backlog takes at most half of each bound, so that a long outage leaves room for what closes meanwhile:
 * a number that is given is never taken back. `events` and `windows` are sorted oldest first; windows are closed until
 * `closedUntil`. Always at least one record, if any waits and `recordsMax` allows one.
 */
export function chooseForNumbering(
  events: readonly Waiting[],
  windows: readonly Waiting[],
  closedUntil: Millis,
  recordsMax: number,
  bytesMax: number,
): readonly Waiting[] {
  const chosen: Waiting[] = [];
  let bytes = 0;
  const take = (record: Waiting | undefined, records: number, within: number): boolean => {
    if (record === undefined || chosen.length >= records) return false;
    if (chosen.length > 0 && bytes + record.bytes > within) return false;
    chosen.push(record);
    bytes += record.bytes;
    return true;
  };
  for (const event of events) if (!take(event, recordsMax, bytesMax)) return chosen;
  const recentFrom = closedUntil - RECENT_MS;
  let first = windows.length;
  while ((windows[first - 1]?.at ?? Number.NEGATIVE_INFINITY) >= recentFrom) first--;
  for (let i = windows.length - 1; i >= first; i--) if (!take(windows[i], recordsMax, bytesMax)) return chosen;
  const records = Math.min(recordsMax, chosen.length + Math.max(1, Math.floor(recordsMax / 2)));
  const within = Math.min(bytesMax, bytes + bytesMax / 2);
  for (let i = 0; i < first; i++) if (!take(windows[i], records, within)) return chosen;
  return chosen;
}
