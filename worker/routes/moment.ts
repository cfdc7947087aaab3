import * as v from "valibot";

/** A moment as requests say it, RFC 3339. */
export const MomentRequest = v.pipe(
  v.string(),
  v.isoTimestamp("must be a moment such as 2026-11-23T02:00:00Z"),
  v.transform((text) => Date.parse(text)),
);
