import * as v from "valibot";
import { namesDay } from "../../protocol/time.ts";

/** A moment as requests say it, RFC 3339. */
export const MomentRequest = v.pipe(
  v.string(),
  v.isoTimestamp("must be a moment such as 2026-11-23T02:00:00Z"),
  v.check(namesDay, "there is no such day"),
  v.transform((text) => Date.parse(text)),
  v.check((at) => at >= 0 && at < 4e12, "must be between 1970 and 2096"),
);
