/** Small parts of statements. */
import { sql } from "drizzle-orm";
import type { Millis } from "../../protocol/time.ts";

export function moment(at: Millis) {
  return sql`${new Date(at).toISOString()}::timestamptz`;
}

/** An array as Postgres reads it: quoted, with quotes and backslashes escaped. */
export function textArray(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`).join(",")}}`;
}

/** A limit that nobody can turn into none. */
export function bounded(limit: number, max: number): number {
  return Math.max(1, Math.min(max, Math.trunc(limit)));
}
