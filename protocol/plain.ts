/**
 * A fast way to say yes. A push is mostly numbers, and asking a schema about each of them takes longer than all the rest
 * of a push. So the two shapes that fill a push, a service of `live` and a window, are looked at here first: what is
 * plainly good is taken as it is, and everything else goes to the schema, which alone refuses and says why.
 *
 * `test/protocol/plain.test.ts` holds these checks against the schemas. They take values of `JSON.parse`, which have
 * neither getters nor prototypes of their own.
 */
import type { GenericSchema } from "valibot";
import { errorsAmongRequests } from "./count.ts";
import { BUCKETS_MAX, hasPossibleBuckets, SCALE_MAX, SCALE_MIN } from "./exponential.ts";
import { BOUNDS_MAX, ISTIO_BOUNDS } from "./latency.ts";
import { READINGS_MAX } from "./limits.ts";
import { SERVICE_NAME } from "./name.ts";
import { MINUTE } from "./time.ts";

/**
 * `schema`, asked only about what `isPlain` does not take. Issues and types stay the schema's.
 *
 * @param spread what a value stands for, if it may come in another form
 */
export function quick<Schema extends GenericSchema>(
  schema: Schema,
  isPlain: (value: unknown) => boolean,
  spread: (value: unknown) => unknown = (value) => value,
): Schema {
  const run: Schema["~run"] = (dataset, config) => {
    const value = spread(dataset.value);
    // Just checked: the value has the schema's own type.
    return isPlain(value) ? { typed: true, value } : schema["~run"]({ ...dataset, value }, config);
  };
  return { ...schema, "~run": run };
}

/** A `LiveService` of push.ts. */
export function isPlainService(value: unknown): boolean {
  if (!isObject(value, 4)) return false;
  const { service, readings, latency, replicas } = value as Unchecked<"service" | "readings" | "latency" | "replicas">;
  return (
    isServiceName(service) &&
    Array.isArray(readings) &&
    readings.length <= READINGS_MAX &&
    readings.every(isPlainReading) &&
    (latency === null || isPlainLatency(latency)) &&
    (replicas === null || isPlainReplicas(replicas))
  );
}

/** A `WindowRecord` of record.ts. */
export function isPlainWindow(value: unknown): boolean {
  if (!isObject(value, 7)) return false;
  const { kind, service, at, spanMs, requests, errors, latency } = value as Unchecked<
    "kind" | "service" | "at" | "spanMs" | "requests" | "errors" | "latency"
  >;
  return (
    kind === "window" &&
    isServiceName(service) &&
    isWhole(at) &&
    at % MINUTE === 0 &&
    isWhole(spanMs) &&
    spanMs >= MINUTE &&
    spanMs % MINUTE === 0 &&
    isCount(requests) &&
    isCount(errors) &&
    errorsAmongRequests({ requests, errors }) &&
    (latency === null || isPlainLatency(latency))
  );
}

/** Values under keys of which it is only known that they may be there. */
type Unchecked<Key extends string> = Readonly<Partial<Record<Key, unknown>>>;

function isPlainReading(value: unknown): boolean {
  if (!isObject(value, 5)) return false;
  const { at, spanMs, requests, errors, p95 } = value as Unchecked<"at" | "spanMs" | "requests" | "errors" | "p95">;
  return (
    isWhole(at) &&
    isWhole(spanMs) &&
    spanMs >= 1 &&
    isCount(requests) &&
    isCount(errors) &&
    errorsAmongRequests({ requests, errors }) &&
    (p95 === null || isPlainQuantile(p95))
  );
}

function isPlainQuantile(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [estimate, lo, hi] = value as readonly unknown[];
  return isCount(estimate) && isCount(lo) && (hi === null || (isCount(hi) && lo <= hi));
}

function isPlainReplicas(value: unknown): boolean {
  if (!isObject(value, 2)) return false;
  const { ready, desired } = value as Unchecked<"ready" | "desired">;
  return Number.isInteger(ready) && isCount(ready) && Number.isInteger(desired) && isCount(desired);
}

function isPlainLatency(value: unknown): boolean {
  if (!isObject(value, 4)) return isPlainExponential(value);
  const { scheme, bounds, counts, sum } = value as Unchecked<"scheme" | "bounds" | "counts" | "sum">;
  if (scheme !== "explicit" || !isCount(sum) || !Array.isArray(counts) || !counts.every(isCount)) return false;
  if (bounds === "istio") return counts.length === ISTIO_BOUNDS.length + 1;
  return isPlainBounds(bounds) && counts.length === bounds.length + 1;
}

function isPlainExponential(value: unknown): boolean {
  if (!isObject(value, 8)) return false;
  const { scheme, scale, zeros, offset, counts, min, max, sum } = value as Unchecked<
    "scheme" | "scale" | "zeros" | "offset" | "counts" | "min" | "max" | "sum"
  >;
  return (
    scheme === "exponential" &&
    isInteger(scale) &&
    scale >= SCALE_MIN &&
    scale <= SCALE_MAX &&
    isInteger(offset) &&
    Array.isArray(counts) &&
    counts.length <= BUCKETS_MAX &&
    counts.every(isCount) &&
    hasPossibleBuckets({ scale, offset, counts }) &&
    isCount(zeros) &&
    isCount(min) &&
    isCount(max) &&
    min <= max &&
    isCount(sum)
  );
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isPlainBounds(value: unknown): value is readonly number[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > BOUNDS_MAX) return false;
  const bounds = value as readonly unknown[];
  return bounds.every((bound, i) => isCount(bound) && (i === 0 || bound > (bounds[i - 1] as number)));
}

/** An object with exactly so many keys. */
function isObject(value: unknown, keys: number): value is object {
  if (typeof value !== "object" || value === null) return false;
  let count = 0;
  // `Object.keys` would make an array for each of some hundred objects.
  for (const _ in value) count++;
  return count === keys;
}

function isServiceName(value: unknown): boolean {
  return typeof value === "string" && SERVICE_NAME.test(value);
}

/** Finite and not negative. */
function isCount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY;
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
