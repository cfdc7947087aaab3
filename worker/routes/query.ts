/** Parts of query strings. */
import * as v from "valibot";

/** A whole number between bounds; what is absent is `usual`. */
export function wholeNumber(min: number, max: number, usual: number) {
  const said = `must be ${min} to ${max}`;
  return v.optional(
    v.pipe(v.string(), v.regex(/^\d{1,4}$/, said), v.transform(Number), v.minValue(min, said), v.maxValue(max, said)),
    String(usual),
  );
}
