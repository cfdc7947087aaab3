/** The functions of Go templates, Sprig and Helm that our chart uses, with their meaning there. */
import { createHash } from "node:crypto";
import { stringify } from "yaml";

export type Value = undefined | null | boolean | number | string | readonly Value[] | { readonly [key: string]: Value };

/** As Go has it: nothing, zero and what is empty are false. */
export function isTrue(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

export const FUNCTIONS: Readonly<Record<string, (...values: readonly Value[]) => Value>> = {
  and: (...values) => values.find((value) => !isTrue(value)) ?? values.at(-1),
  or: (...values) => values.find((value) => isTrue(value)) ?? values.at(-1),
  not: (value) => !isTrue(value),
  eq: (first, ...others) => others.includes(first),
  gt: (first, second) => Number(first) > Number(second),
  default: (fallback, value) => (isTrue(value) ? value : fallback),
  required: (message, value) => {
    if (value === undefined || value === null || value === "") throw new Error(text(message));
    return value;
  },
  fail: (message) => {
    throw new Error(text(message));
  },
  list: (...values) => values,
  append: (list, value) => [...listOf(list), value],
  uniq: (list) => [...new Set(listOf(list))],
  index: (holder, key) => (Array.isArray(holder) ? listOf(holder)[Number(key)] : mapOf(holder)[text(key)]),
  pick: (map, ...keys) => Object.fromEntries(Object.entries(mapOf(map)).filter(([key]) => keys.includes(key))),
  splitList: (separator, value) => text(value).split(text(separator)),
  int: (value) => Math.trunc(Number(value ?? 0)),
  /** With %s alone. */
  printf: (format, ...values) => {
    const rest = [...values];
    return text(format).replaceAll("%s", () => text(rest.shift()));
  },
  quote: (value) => JSON.stringify(text(value)),
  toYaml: (value) => stringify(value, { sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false }).trimEnd(),
  nindent: (spaces, value) => `\n${indented(Number(spaces), text(value))}`,
  sha256sum: (value) => createHash("sha256").update(text(value)).digest("hex"),
};

function indented(spaces: number, value: string): string {
  return value
    .split("\n")
    .map((line) => " ".repeat(spaces) + line)
    .join("\n");
}

function text(value: Value): string {
  if (typeof value === "object" && value !== null) throw new Error("a map or a list is no text");
  return value === undefined || value === null ? "" : String(value);
}

function mapOf(value: Value): { readonly [key: string]: Value } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not a map");
  return value as { readonly [key: string]: Value };
}

function listOf(value: Value): readonly Value[] {
  if (!Array.isArray(value)) throw new Error("not a list");
  return value as readonly Value[];
}
