/** Frozen days in Postgres: facts of the board, by their number in the chain. */
import { and, asc, desc, eq, gt } from "drizzle-orm";
import type { ChainEntry } from "../../protocol/chain.ts";
import type { BoardRow } from "./board.ts";
import type { Database, StoreResult } from "./database.ts";
import { boardFact } from "./schema.ts";
import { bounded } from "./sql.ts";

/** Each day of a page of 1,000 components takes 60 KB. */
export const CHAIN_PAGE_ROWS = 100;
/** All that a page shows: its days and their amendments. */
const CHAIN_NEWEST_MAX = 700;

/** As many digits as a safe integer has, so that keys sort as their numbers do. */
const KEY_DIGITS = 16;

function keyOf(n: number): string {
  return String(n).padStart(KEY_DIGITS, "0");
}

/** An entry on its way to the archive. */
export function chainRow(entry: ChainEntry): BoardRow {
  return { kind: "uptime", key: keyOf(entry.n), revision: 1, at: entry.at, body: { ...entry } };
}

/** The entries after number `after`, oldest first, at most `CHAIN_PAGE_ROWS`. */
export async function chainAfter(db: Database, after: number): Promise<StoreResult<readonly ChainEntry[]>> {
  const result = await db.run((drizzle) =>
    drizzle
      .select({ body: boardFact.body })
      .from(boardFact)
      .where(and(eq(boardFact.kind, "uptime"), gt(boardFact.key, keyOf(after))))
      .orderBy(asc(boardFact.key))
      .limit(CHAIN_PAGE_ROWS),
  );
  return entriesOf(result);
}

/** The newest entries, oldest first, at most `limit`. */
export async function newestOfChain(
  db: Database,
  limit = CHAIN_NEWEST_MAX,
): Promise<StoreResult<readonly ChainEntry[]>> {
  const result = await db.run((drizzle) =>
    drizzle
      .select({ body: boardFact.body })
      .from(boardFact)
      .where(eq(boardFact.kind, "uptime"))
      .orderBy(desc(boardFact.key))
      .limit(bounded(limit, CHAIN_NEWEST_MAX)),
  );
  const entries = entriesOf(result);
  return entries.ok ? { ok: true, value: entries.value.toReversed() } : entries;
}

function entriesOf(
  result: StoreResult<readonly { readonly body: BoardRow["body"] }[]>,
): StoreResult<readonly ChainEntry[]> {
  // Written by `chainRow` above.
  return result.ok ? { ok: true, value: result.value.map(({ body }) => body as unknown as ChainEntry) } : result;
}
