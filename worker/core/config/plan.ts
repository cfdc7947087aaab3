/** What is different between two readings of a section, entry by entry and field by field. */
import { rfc3339 } from "../calendar.ts";
import type { Section } from "./section.ts";

/** A field by its path within its subject; null is "not said". */
interface FieldChange {
  readonly path: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** `place` counts from 1 among all that are there afterwards. */
export interface Change {
  readonly act: "create" | "change" | "delete" | "move";
  readonly section: string;
  /** The entry's name; null where the section has no entries. */
  readonly name: string | null;
  readonly fields: readonly FieldChange[];
  readonly place?: { readonly before: number; readonly after: number };
}

export function changesOf<Name extends string, Written>(
  { name, list }: Section<Name, Written>,
  before: Written,
  after: Written,
): readonly Change[] {
  if (list === undefined || !Array.isArray(before) || !Array.isArray(after)) {
    const fields = fieldsOf(before, after);
    return fields.length === 0 ? [] : [{ act: "change", section: name, name: null, fields }];
  }
  type Entry = Parameters<typeof list.keyOf>[0];
  const keyed = (entries: readonly unknown[]): ReadonlyMap<string, Entry> =>
    // Read by this section: its entries are of its own type.
    new Map(entries.map((entry) => [list.keyOf(entry as Entry), entry as Entry]));
  const [was, is] = [keyed(before), keyed(after)];
  const made = [...is].flatMap(([key, entry]): Change[] => {
    const held = was.get(key);
    const fields = fieldsOf(held, entry).filter(({ path }) => list.silent?.includes(path) !== true);
    if (held !== undefined && fields.length === 0) return [];
    return [{ act: held === undefined ? "create" : "change", section: name, name: list.nameOf(entry), fields }];
  });
  const gone = [...was].flatMap(([key, entry]): Change[] =>
    is.has(key) ? [] : [{ act: "delete", section: name, name: list.nameOf(entry), fields: [] }],
  );
  return [...gone, ...made, ...(list.isOrdered ? moves(name, was, is, list.nameOf) : [])];
}

/** As few entries as say the new order: all but those of the longest run that kept theirs. */
function moves<Entry>(
  section: string,
  was: ReadonlyMap<string, Entry>,
  is: ReadonlyMap<string, Entry>,
  nameOf: (entry: Entry) => string,
): readonly Change[] {
  const places = new Map([...was.keys()].filter((key) => is.has(key)).map((key, i) => [key, i]));
  const kept = [...is.keys()].filter((key) => places.has(key));
  const still = new Set(longestRise(kept.map((key) => places.get(key) ?? 0)).map((i) => kept[i]));
  const [from, to] = [[...was.keys()], [...is.keys()]];
  return [...is].flatMap(([key, entry]): Change[] => {
    if (!places.has(key) || still.has(key)) return [];
    const place = { before: from.indexOf(key) + 1, after: to.indexOf(key) + 1 };
    return [{ act: "move", section, name: nameOf(entry), fields: [], place }];
  });
}

/** The indexes of a longest rising run of distinct numbers, in order. */
function longestRise(numbers: readonly number[]): readonly number[] {
  const lengths: number[] = [];
  const previous: number[] = [];
  for (const [i, number] of numbers.entries()) {
    let best = -1;
    for (let j = 0; j < i; j++)
      if ((numbers[j] ?? 0) < number && (lengths[j] ?? 0) > (best < 0 ? 0 : (lengths[best] ?? 0))) best = j;
    lengths.push(1 + (best < 0 ? 0 : (lengths[best] ?? 0)));
    previous.push(best);
  }
  const run: number[] = [];
  for (let i = lengths.indexOf(Math.max(...lengths)); i >= 0; i = previous[i] ?? -1) run.unshift(i);
  return run;
}

function fieldsOf(before: unknown, after: unknown, path = ""): readonly FieldChange[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (!isPlain(before ?? after) || !isPlain(after ?? before))
    return [{ path, before: textOf(before, path), after: textOf(after, path) }];
  const [was, is] = [(before ?? {}) as Fields, (after ?? {}) as Fields];
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return names.flatMap((name) => fieldsOf(was[name], is[name], path === "" ? name : `${path}.${name}`));
}

/** Fields whose numbers are moments. */
export const MOMENTS = ["since", "updated"];

/** A value as people read it: JSON, and moments as RFC 3339. */
function textOf(value: unknown, path: string): string | null {
  if (value === undefined) return null;
  return MOMENTS.includes(path) && typeof value === "number" ? rfc3339(value, "Etc/UTC") : JSON.stringify(value);
}

type Fields = Readonly<Record<string, unknown>>;

function isPlain(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
