/** The reads. Each is bounded, and each has an index that answers it in order. */
import { and, count, desc, eq, gte, inArray, lt } from "drizzle-orm";
import type { Latency } from "../../protocol/latency.ts";
import type { Millis } from "../../protocol/time.ts";
import type { BoardKind, BoardRow } from "./board.ts";
import type { Database, StoreResult } from "./database.ts";
import { boardFact, event, minuteWindow } from "./schema.ts";

export const EVENTS_MAX = 200;
/** A week of minutes. */
const WINDOWS_MAX = 10_080;
const BOARD_FACTS_MAX = 1_000;

export interface StoredEvent {
  readonly cluster: string;
  readonly id: string;
  readonly kind: string;
  /** Null for a gap. */
  readonly subject: string | null;
  readonly at: Millis;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface StoredWindow {
  readonly at: Millis;
  readonly spanMs: number;
  readonly requests: number;
  readonly errors: number;
  readonly latency: Latency | null;
}

/** The newest events first, of one cluster or all, of some kinds or all. At most `EVENTS_MAX`. */
export async function recentEvents(
  db: Database,
  filter: { readonly cluster?: string; readonly kinds?: readonly string[]; readonly limit: number },
): Promise<StoreResult<readonly StoredEvent[]>> {
  return db.run((drizzle) =>
    drizzle
      .select({
        cluster: event.clusterId,
        id: event.id,
        kind: event.kind,
        subject: event.subject,
        at: event.observedAt,
        body: event.body,
      })
      .from(event)
      .where(
        and(
          filter.cluster === undefined ? undefined : eq(event.clusterId, filter.cluster),
          filter.kinds === undefined ? undefined : inArray(event.kind, [...filter.kinds]),
        ),
      )
      .orderBy(desc(event.observedAt))
      .limit(bounded(filter.limit, EVENTS_MAX)),
  );
}

/** The windows of one service that start in [`from`, `to`), oldest first. At most `WINDOWS_MAX`. */
export async function windowsOf(
  db: Database,
  filter: { readonly cluster: string; readonly service: string; readonly from: Millis; readonly to: Millis },
): Promise<StoreResult<readonly StoredWindow[]>> {
  return db.run((drizzle) =>
    drizzle
      .select({
        at: minuteWindow.minute,
        spanMs: minuteWindow.spanMs,
        requests: minuteWindow.requests,
        errors: minuteWindow.errors,
        latency: minuteWindow.latency,
      })
      .from(minuteWindow)
      .where(
        and(
          eq(minuteWindow.clusterId, filter.cluster),
          eq(minuteWindow.serviceId, filter.service),
          gte(minuteWindow.minute, filter.from),
          lt(minuteWindow.minute, filter.to),
        ),
      )
      .orderBy(minuteWindow.minute)
      .limit(WINDOWS_MAX),
  );
}

/** How many windows a cluster has. */
export async function windowCount(db: Database, cluster: string): Promise<StoreResult<number>> {
  const result = await db.run((drizzle) =>
    drizzle.select({ count: count() }).from(minuteWindow).where(eq(minuteWindow.clusterId, cluster)),
  );
  return result.ok ? { ok: true, value: result.value[0]?.count ?? 0 } : result;
}

/** What the board sent last of one kind, newest first. At most `BOARD_FACTS_MAX`. */
export async function boardFacts(
  db: Database,
  filter: { readonly kind: BoardKind; readonly limit: number },
): Promise<StoreResult<readonly BoardRow[]>> {
  const result = await db.run((drizzle) =>
    drizzle
      .select()
      .from(boardFact)
      .where(eq(boardFact.kind, filter.kind))
      .orderBy(desc(boardFact.at))
      .limit(bounded(filter.limit, BOARD_FACTS_MAX)),
  );
  return result.ok ? { ok: true, value: result.value.map((row) => ({ ...row, kind: filter.kind })) } : result;
}

function bounded(limit: number, max: number): number {
  return Math.max(1, Math.min(max, Math.trunc(limit)));
}
