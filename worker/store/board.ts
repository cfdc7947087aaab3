import { sql } from "drizzle-orm";
import type { Millis } from "../../protocol/time.ts";
import type { Database, StoreResult } from "./database.ts";
import { onlyRow } from "./database.ts";

/** Rows a call. */
export const BOARD_ROWS_MAX = 500;

/**
 * The first ones are documents: the row with the highest revision stands. `status_change`,
 * `audit` and `uptime` (a frozen day or its amendment, by number) are entries of a journal: each has a key of its own and
 * revision 1, so the first stands and nothing rewrites it. The page's `timeZone` is the one that Postgres cuts its days in: another one cuts the last 400 of them anew.
 */
export const DOCUMENT_KINDS = ["cluster", "component", "maintenance", "page"] as const;
/** Documents too, of which there are more with every year. */
export const ANNOUNCED_KINDS = ["announcement", "incident", "series"] as const;
export type BoardKind =
  | (typeof DOCUMENT_KINDS)[number]
  | (typeof ANNOUNCED_KINDS)[number]
  | "status_change"
  | "audit"
  | "notice"
  | "uptime";

/** One fact of the board as its outbox carries it. `at` is when it became true. `body` is JSON without U+0000. */
export interface BoardRow {
  readonly kind: BoardKind;
  /** Unique within its kind: the component's or maintenance's id, the entry's own id. */
  readonly key: string;
  readonly revision: number;
  readonly at: Millis;
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * Stores rows in one statement, in any order and as often as it is called: a lower or equal revision changes nothing.
 * `stored` counts the keys that were new or moved on. At most `BOARD_ROWS_MAX` rows; more throws.
 */
export async function flushBoard(
  db: Database,
  rows: readonly BoardRow[],
): Promise<StoreResult<{ readonly stored: number }>> {
  if (rows.length > BOARD_ROWS_MAX) throw new RangeError(`${rows.length} rows in one flush`);
  if (rows.length === 0) return { ok: true, value: { stored: 0 } };
  const result = await db.run((drizzle) => drizzle.execute<{ stored: number }>(boardStatement(JSON.stringify(rows))));
  return onlyRow(result);
}

function boardStatement(rows: string) {
  return sql`
    WITH incoming AS (
      SELECT DISTINCT ON (kind, key) kind, key, revision, to_timestamp(at / 1000.0) AS at, body
      FROM jsonb_to_recordset(${rows}::jsonb) AS r(kind text, key text, revision bigint, at bigint, body jsonb)
      ORDER BY kind, key, revision DESC
    ), stored AS (
      INSERT INTO board_fact AS f (kind, key, revision, at, body)
      SELECT kind, key, revision, at, body FROM incoming ORDER BY kind, key
      ON CONFLICT (kind, key) DO UPDATE SET revision = excluded.revision, at = excluded.at, body = excluded.body
      WHERE f.revision < excluded.revision
      RETURNING 1
    )
    SELECT count(*)::int AS stored FROM stored`;
}
