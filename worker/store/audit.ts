/** The audit in Postgres: facts of the board, numbered ones by their number, and those of earlier versions by a name. */
import { and, asc, desc, eq, gt, lt, or, sql } from "drizzle-orm";
import type { AuditEntry } from "../../protocol/audit.ts";
import type { Millis } from "../../protocol/time.ts";
import type { AuditRecord } from "../core/audit.ts";
import { fieldChanges } from "../core/audit.ts";
import type { BoardRow } from "./board.ts";
import type { Database, StoreResult } from "./database.ts";
import { boardFact } from "./schema.ts";
import { bounded } from "./sql.ts";

/** A page of the chain, and of what a person reads. */
export const AUDIT_PAGE_ROWS = 200;

/** As many digits as a safe integer has: keys of numbers sort as they do, and no other key is this long. */
const KEY_DIGITS = 16;

export function auditKey(n: number): string {
  return String(n).padStart(KEY_DIGITS, "0");
}

const isNumbered = sql`length(${boardFact.key}) = ${sql.raw(String(KEY_DIGITS))}`;

/** The numbered entries after number `after`, oldest first, at most `AUDIT_PAGE_ROWS`. */
export async function auditAfter(db: Database, after: number): Promise<StoreResult<readonly AuditEntry[]>> {
  const result = await db.run((drizzle) =>
    drizzle
      .select({ body: boardFact.body })
      .from(boardFact)
      .where(and(eq(boardFact.kind, "audit"), gt(boardFact.key, auditKey(after)), isNumbered))
      .orderBy(asc(boardFact.key))
      .limit(AUDIT_PAGE_ROWS),
  );
  // Written by the Board's `link`.
  return result.ok ? { ok: true, value: result.value.map(({ body }) => body as unknown as AuditEntry) } : result;
}

/** The last numbered entry; null before there is one. */
export async function newestOfAudit(db: Database): Promise<StoreResult<AuditEntry | null>> {
  const result = await db.run((drizzle) =>
    drizzle
      .select({ body: boardFact.body })
      .from(boardFact)
      .where(and(eq(boardFact.kind, "audit"), isNumbered))
      .orderBy(desc(boardFact.key))
      .limit(1),
  );
  return result.ok ? { ok: true, value: (result.value[0]?.body as AuditEntry | undefined) ?? null } : result;
}

interface AuditFilter {
  /** A part of what was done, to what, or by whom; "" for everything. */
  readonly text: string;
  /** Where the page before ended: what is older comes. */
  readonly before: { readonly at: Millis; readonly key: string } | null;
  readonly limit: number;
}

/** What was written down, newest first. */
export async function auditRecords(
  db: Database,
  { text, before, limit }: AuditFilter,
): Promise<StoreResult<readonly AuditRecord[]>> {
  const like = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
  const { at, key, kind, body } = boardFact;
  const result = await db.run((drizzle) =>
    drizzle
      .select()
      .from(boardFact)
      .where(
        and(
          eq(kind, "audit"),
          text === ""
            ? undefined
            : sql`concat_ws(' ', ${body}->>'act', ${body}->>'subject', ${body}->>'by') ILIKE ${like}`,
          before === null ? undefined : or(lt(at, before.at), and(eq(at, before.at), lt(key, before.key))),
        ),
      )
      .orderBy(desc(at), desc(key))
      .limit(bounded(limit, AUDIT_PAGE_ROWS)),
  );
  return result.ok
    ? { ok: true, value: result.value.map((row) => auditRecord({ ...row, kind: "audit" }, true)) }
    : result;
}

/** A page of everything that was written down, oldest first, as it is stored. */
export async function auditRows(
  db: Database,
  after: { readonly at: Millis; readonly key: string } | null,
): Promise<StoreResult<readonly BoardRow[]>> {
  const { at, key, kind } = boardFact;
  const result = await db.run((drizzle) =>
    drizzle
      .select()
      .from(boardFact)
      .where(
        and(
          eq(kind, "audit"),
          after === null ? undefined : or(gt(at, after.at), and(eq(at, after.at), gt(key, after.key))),
        ),
      )
      .orderBy(asc(at), asc(key))
      .limit(AUDIT_PAGE_ROWS),
  );
  return result.ok ? { ok: true, value: result.value.map((row) => ({ ...row, kind: "audit" })) } : result;
}

/** A row as people read it. What an earlier version wrote says less. */
export function auditRecord({ key, at, body }: BoardRow, isArchived: boolean): AuditRecord {
  const { act = "", subject = "", by = "", change = null, n = 0 } = body as Partial<AuditEntry>;
  return { key, at, act, subject, by, changes: fieldChanges(change), n: n === 0 ? null : n, isArchived };
}
