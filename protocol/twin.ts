import type { JsonShape } from "./depth.ts";

/**
 * Whether any object of a JSON text has one key twice, or one that it has by itself (`__proto__`), or one that is spelled
 * with an escape. Parsers differ in which of two they keep, so what was checked need not be what is used: such a text is
 * refused. Nobody who means well escapes a key of ours, and V8 13.6 reads some escaped keys as others:
 * after `{"a":1,"\\":2}` it takes `{"a":1,"\u0062":2}` for the same.
 *
 * Of twins `JSON.parse` keeps one: then the text has more pairs than the value has keys.
 *
 * @param value what `JSON.parse` made of the text; of bounded depth, because this recurses
 */
export function hasTwinKeys(value: unknown, { pairs, escapedKeys }: JsonShape): boolean {
  return escapedKeys || keysOf(value, pairs) !== pairs;
}

/** What every object inherits counts as there: a check by `in` would take it for a known key. */
const INHERITED: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/**
 * The keys of all objects in `value`; NaN, which equals nothing, if one of them is inherited by every object. Arrays come
 * last and only until as many keys are found as there can be: most of a push is arrays of numbers.
 */
function keysOf(value: unknown, most: number): number {
  const arrays: (readonly unknown[])[] = [];
  let count = keysOutsideArrays(value, arrays);
  while (count < most) {
    const array = arrays.pop();
    if (array === undefined) break;
    for (const item of array) if (typeof item === "object") count += keysOutsideArrays(item, arrays);
  }
  return count;
}

/** The keys of an object and of those right in it. Its arrays are put aside. */
function keysOutsideArrays(value: unknown, arrays: (readonly unknown[])[]): number {
  if (typeof value !== "object" || value === null) return 0;
  if (Array.isArray(value)) {
    arrays.push(value as readonly unknown[]);
    return 0;
  }
  let count = 0;
  for (const key in value) {
    if (INHERITED.has(key)) return Number.NaN;
    const item = (value as Readonly<Record<string, unknown>>)[key];
    count += typeof item === "object" ? 1 + keysOutsideArrays(item, arrays) : 1;
  }
  return count;
}
