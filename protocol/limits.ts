/** A push after gunzip, bytes. Checked while streaming, before anything is parsed. */
export const PUSH_BYTES_MAX = 262_144;
/** Nesting of a push's JSON. Checked on the bytes, before `JSON.parse` can recurse. */
export const PUSH_DEPTH_MAX = 8;
/** Records a push. */
export const RECORDS_MAX = 500;
/** Services an agent may report. */
export const SERVICES_MAX = 1_000;
/** Readings a service carries in `live`: what "2 of 3" needs, as an idle object forgets between two pushes. */
export const READINGS_MAX = 3;
/** A record is `future` if it ends later than this after now. */
export const FUTURE_MS = 60_000;
/** A record is `too_old` if it began earlier than this before now. */
export const TOO_OLD_MS = 7 * 86_400_000;
/** The Cluster tells the Board at least this often while it hears from its agent. */
export const TELL_INTERVAL_MS = 30_000;
/** Evidence expires after this many push intervals without a word. */
export const SILENT_INTERVALS = 3;
/** What was seen of a public address from outside is good for this long, ms: probes come each minute, and two may fail to come. */
export const OUTSIDE_FRESH_MS = 3 * 60_000;
