/**
 * Answers of the operator API as schemas. They describe it in /openapi.json, the compiler holds every handler to its
 * own, and tests hold the answers to them; they are strict, so that no field is answered that is not described.
 * Moments are RFC 3339 texts unless a field says `Millis`; where nothing was seen there is `null`, never zero.
 */
import * as v from "valibot";
import type { Context } from "hono";
import { QUANTILE_METHODS } from "../../protocol/latency.ts";

/** Milliseconds since 1970. */
export const Moment = v.pipe(v.number(), v.description("Milliseconds since 1970, UTC"));
export const Timestamp = v.pipe(v.string(), v.isoTimestamp());
export const Ratio = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
export const Count = v.pipe(v.number(), v.minValue(0));

/** In ms. */
const QUANTILE = {
  estimate: Count,
  lo: Count,
  hi: v.pipe(v.nullable(Count), v.description("null: it lies in the open last bucket")),
  method: v.pipe(
    v.optional(v.picklist(QUANTILE_METHODS)),
    v.description(
      "How the estimate was read: linear within a bucket whose bounds were chosen, midpoint of an exponential bucket (± 2.17 % at scale 4), at_least where the last bucket is open",
    ),
  ),
};

export const QuantileAnswer = v.nullable(
  v.pipe(
    v.object({
      ...QUANTILE,
      also: v.pipe(
        v.optional(v.object(QUANTILE)),
        v.description("Of the requests that were counted in the other kind of histogram: the two cannot be merged"),
      ),
    }),
    v.description("A quantile in milliseconds: the true value lies in (lo, hi]"),
  ),
);

/** A schema's value as code hands it over: read-only all the way down. */
type Handed<T> = T extends readonly (infer Item)[]
  ? readonly Handed<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Handed<T[Key]> }
    : T;

/** Answers 200 with what the schema describes. An operator's facts are of now: nobody keeps them. */
export function answerAs<Schema extends v.GenericSchema>(
  c: Context,
  _described: Schema,
  body: Handed<v.InferOutput<Schema>>,
): Response {
  return c.json(body as object, 200, { "cache-control": "no-store" });
}

/** The body of every refusal: `protocol/error.ts`. */
export const RefusalAnswer = v.object({
  error: v.object({
    code: v.pipe(v.string(), v.description("One of a closed list; programs switch on it")),
    message: v.pipe(v.string(), v.description("What is wrong, and what to do")),
  }),
  serverTime: Moment,
});
