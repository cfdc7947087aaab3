/** What the audit keeps of a change: the fields that differ, no secrets, and never more than a row can carry. */
import type { AuditChange, AuditFacts } from "../../protocol/audit.ts";
import type { Json } from "../../protocol/lease.ts";
import type { Millis } from "../../protocol/time.ts";

/** Characters of one text; what is longer shows its beginning. */
const TEXT_MAX = 500;
/** Entries of a list and fields of a thing, and how deep both go. */
const ITEMS_MAX = 50;
const DEPTH_MAX = 4;

/** Fields whose values are nobody's to read, by any part of their name. */
const SECRET = /secret|token|password|passkey|credential|challenge|cookie|publickey|privatekey|signature|hash|e-?mail/i;
const REDACTED = "(not kept)";

/** Both sides of a change, whatever they hold beside JSON; `recorded` makes the audit's of them. */
export interface Changed {
  readonly before: object | null;
  readonly after: object | null;
}

/** What the audit keeps of it; null if nothing differs. */
export function recorded({ before, after }: Changed): AuditChange | null {
  const [was, is] = [before && factsOf(before), after && factsOf(after)];
  if (was === null || is === null) return was === is ? null : { before: was, after: is };
  const fields = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  // By the values themselves: two texts may differ beyond what is kept of them, and two secrets must not look alike.
  const full = [before, after].map((side) => JSON.parse(JSON.stringify(side)) as Record<string, unknown>);
  const differing = fields.filter((field) => JSON.stringify(full[0]?.[field]) !== JSON.stringify(full[1]?.[field]));
  if (differing.length === 0) return null;
  const only = (facts: AuditFacts): AuditFacts =>
    Object.fromEntries(differing.flatMap((field) => (field in facts ? [[field, facts[field] ?? null]] : [])));
  return { before: only(was), after: only(is) };
}

function factsOf(side: object): AuditFacts {
  const kept = keptOf(JSON.parse(JSON.stringify(side)), DEPTH_MAX);
  return typeof kept === "object" && kept !== null && !Array.isArray(kept) ? (kept as AuditFacts) : { value: kept };
}

function keptOf(value: unknown, depth: number): Json {
  if (typeof value === "string") return textOf(value);
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value !== "object" || value === null) return null;
  if (depth === 0) return "…";
  if (Array.isArray(value)) {
    const items = value.slice(0, ITEMS_MAX).map((item) => keptOf(item, depth - 1));
    return value.length > ITEMS_MAX ? [...items, `… ${value.length - ITEMS_MAX} more`] : items;
  }
  const fields = Object.entries(value).slice(0, ITEMS_MAX);
  return Object.fromEntries(
    fields.map(([field, item]) => [textOf(field), SECRET.test(field) ? REDACTED : keptOf(item, depth - 1)]),
  );
}

/** As Postgres can keep it: no U+0000, no half of a character. */
export function textOf(text: string): string {
  const whole = text.replaceAll("\0", "").toWellFormed();
  return whole.length > TEXT_MAX ? `${whole.slice(0, TEXT_MAX).toWellFormed()}…` : whole;
}

/** A field that an act changed, both sides as people read them; null where there was nothing, or nothing is left. */
interface FieldChange {
  readonly field: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** An entry of the audit as it is shown. */
export interface AuditRecord {
  readonly key: string;
  readonly at: Millis;
  readonly act: string;
  readonly subject: string;
  readonly by: string;
  readonly changes: readonly FieldChange[];
  /** Null while it waits for the archive, and of what an earlier version wrote: the chain does not vouch for it. */
  readonly n: number | null;
  readonly isArchived: boolean;
}

export function fieldChanges(change: AuditChange | null): readonly FieldChange[] {
  const { before = null, after = null } = change ?? {};
  const fields = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})]);
  return [...fields].map((field) => ({ field, before: sideText(before?.[field]), after: sideText(after?.[field]) }));
}

function sideText(value: Json | undefined): string | null {
  return value === undefined ? null : typeof value === "string" ? value : JSON.stringify(value);
}
/** Whether an entry has this text in what was done, to what, or by whom, whatever its case. */
export function tells({ act, subject, by }: AuditRecord, text: string): boolean {
  return [act, subject, by].join(" ").toLowerCase().includes(text.toLowerCase());
}

/** How many acts like this one are written down one by one: refused sign-ins come as fast as anybody likes. */
export function isNotable(count: number): boolean {
  return /^10*$/.test(String(count));
}
