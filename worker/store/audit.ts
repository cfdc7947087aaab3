/** The audit in Postgres: facts of the board, numbered ones by their number, and those of earlier versions by a name. */
import { and, asc, desc, eq, gt, sql } from "drizzle-orm";
import type { AuditEntry } from "../../protocol/audit.ts";
import type { AuditRecord } from "../core/audit.ts";
import { fieldChanges } from "../core/audit.ts";
import type { BoardRow } from "./board.ts";
import type { Database, StoreResult } from "./database.ts";
import { boardFact } from "./schema.ts";

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

/** A row as people read it. What an earlier version wrote says less. */
export function auditRecord({ key, at, body }: BoardRow, isArchived: boolean): AuditRecord {
  const { act = "", subject = "", by = "", change = null, n = 0 } = body as Partial<AuditEntry>;
  return { key, at, act, subject, by, changes: fieldChanges(change), n: n === 0 ? null : n, isArchived };
}
