import { sql } from "drizzle-orm";
import type { FactRecord } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";
import type { AlertEvent } from "../core/alert.ts";
import type { Database, StoreResult } from "./database.ts";
import { onlyRow } from "./database.ts";
import { sparse } from "./latency.ts";
import { prepareStorage } from "./partitions.ts";

/** Records a call. 2,000 windows with histograms are about 1 MB of JSON, a tenth of what Neon takes in one request. */
export const FLUSH_RECORDS_MAX = 2_000;

/** A fact under the number its agent gave it. */
export interface NumberedRecord {
  readonly epoch: number;
  readonly seq: number;
  readonly record: FactRecord | AlertEvent;
}

/** The shape of one line of the statement's JSON parameter. */
interface IncomingRow {
  readonly epoch: number;
  readonly seq: number;
  readonly kind: string;
  readonly at: Millis;
  /** A window's service; the id of anything else. */
  readonly key: string;
  readonly subject: string | null;
  readonly body: object;
}

/**
 * Stores records of one cluster in one statement, as often as it is called, with the effect of once; `fresh` counts
 * those that were new. At most `FLUSH_RECORDS_MAX`; more throws, because a caller that lost its bound has a bug.
 *
 * Two lines of defence: the number (cluster, epoch, seq) stops replays, the natural key stops the same fact under
 * another number, as a spool that was numbered anew sends it. The same number twice: the first wins. Of two windows of a
 * service that overlap, the longer one stands if it contains the other; of two that are the same span, the newer one.
 *
 * Windows of a day that has no partition yet get one, and the statement runs again: nothing of it had been stored.
 *
 * @param onSend hears of each statement that goes out how many characters of records are in it
 */
export async function flushRecords(
  db: Database,
  cluster: string,
  records: readonly NumberedRecord[],
  onSend: (characters: number) => void = () => {},
): Promise<StoreResult<{ readonly fresh: number }>> {
  if (records.length > FLUSH_RECORDS_MAX) throw new RangeError(`${records.length} records in one flush`);
  if (records.length === 0) return { ok: true, value: { fresh: 0 } };
  const rows = JSON.stringify(firstOfEachNumber(records).map(rowOf));
  const flush = () => {
    onSend(rows.length);
    return db.run((drizzle) => drizzle.execute<{ fresh: number }>(flushStatement(cluster, rows)));
  };
  let result = await flush();
  if (!result.ok && result.code === "unprepared") {
    const windows = records.flatMap(({ record }) => (record.kind === "window" ? record.at : []));
    const prepared = await prepareStorage(db, windows);
    if (!prepared.ok) return prepared;
    result = await flush();
  }
  return onlyRow(result);
}

function firstOfEachNumber(records: readonly NumberedRecord[]): NumberedRecord[] {
  const byNumber = new Map<string, NumberedRecord>();
  for (const record of records) {
    const number = `${record.epoch}:${record.seq}`;
    if (!byNumber.has(number)) byNumber.set(number, record);
  }
  return [...byNumber.values()];
}

function rowOf({ epoch, seq, record }: NumberedRecord): IncomingRow {
  switch (record.kind) {
    case "window": {
      const { kind, at, service, spanMs, requests, errors, latency } = record;
      return {
        epoch,
        seq,
        kind,
        at,
        key: service,
        subject: null,
        body: { spanMs, requests, errors, latency: latency && sparse(latency) },
      };
    }
    case "gap": {
      const { kind, at, id, until, reason, count } = record;
      return { epoch, seq, kind, at, key: id, subject: null, body: { until, reason, count } };
    }
    default: {
      const { kind, at, id, subject, body } = record;
      return { epoch, seq, kind, at, key: id, subject, body };
    }
  }
}

/**
 * Ranges of numbers an epoch may be held in. Holes are records that were refused, so there are few; an agent that makes
 * many on purpose has its oldest ranges forgotten, and its replays meet the natural keys.
 */
const RANGES_MAX = 1_000;

/**
 * Which numbers are fresh is decided by the one row that the epoch has in `received`: a second flush waits for the
 * first at this row, sees what that added, and takes the rest. `added` carries the difference to RETURNING.
 *
 * DISTINCT ON, because one DO UPDATE may not touch a row twice. Inserts are sorted, so that two flushes of the same
 * rows wait for each other instead of dying in a deadlock. Triggers on `minute_window` follow with the rollups, and take
 * out what a longer window contains (`migrations/0001_history.sql`); here only windows of one start meet.
 */
function flushStatement(cluster: string, rows: string) {
  return sql`
    WITH incoming AS (
      SELECT ${cluster}::text AS cluster_id, epoch, seq, kind, to_timestamp(at / 1000.0) AS at, key, subject, body
      FROM jsonb_to_recordset(${rows}::jsonb)
        AS r(epoch bigint, seq bigint, kind text, at bigint, key text, subject text, body jsonb)
    ), taken AS (
      INSERT INTO received AS r (cluster_id, epoch, numbers, added)
      SELECT cluster_id, epoch, n.numbers, n.numbers FROM (
        SELECT cluster_id, epoch, range_agg(int8range(seq, seq, '[]')) AS numbers
        FROM incoming GROUP BY cluster_id, epoch
      ) AS n ORDER BY epoch
      ON CONFLICT (cluster_id, epoch) DO UPDATE SET added = excluded.numbers - r.numbers, numbers = CASE
        WHEN (SELECT count(*) FROM unnest(r.numbers + excluded.numbers)) <= ${sql.raw(String(RANGES_MAX))}
        THEN r.numbers + excluded.numbers
        ELSE (SELECT range_agg(range) FROM (
          SELECT range FROM unnest(r.numbers + excluded.numbers) AS range
          ORDER BY range DESC LIMIT ${sql.raw(String(RANGES_MAX / 2))}
        ) AS newest)
      END
      RETURNING epoch, added
    ), fresh AS (
      SELECT incoming.* FROM incoming JOIN taken ON taken.epoch = incoming.epoch AND taken.added @> incoming.seq
    ), facts AS (
      SELECT DISTINCT ON (kind, key, at) * FROM fresh
      ORDER BY kind, key, at, (body->>'spanMs')::bigint DESC, epoch DESC, seq DESC
    ), windows AS (
      INSERT INTO minute_window AS w
        (cluster_id, service_id, minute, span_ms, epoch, seq, requests, errors, latency)
      SELECT cluster_id, key, at, (body->>'spanMs')::bigint, epoch, seq,
        (body->>'requests')::float8, (body->>'errors')::float8, nullif(body->'latency', 'null')
      FROM facts WHERE kind = 'window' ORDER BY key, at
      ON CONFLICT (cluster_id, service_id, minute) DO UPDATE SET span_ms = excluded.span_ms, epoch = excluded.epoch,
        seq = excluded.seq, requests = excluded.requests, errors = excluded.errors, latency = excluded.latency
      WHERE (w.span_ms, w.epoch, w.seq) < (excluded.span_ms, excluded.epoch, excluded.seq)
    ), events AS (
      INSERT INTO event (cluster_id, id, epoch, seq, kind, subject, observed_at, body)
      SELECT cluster_id, key, epoch, seq, kind, subject, at, body
      FROM facts WHERE kind <> 'window' ORDER BY key
      ON CONFLICT (cluster_id, id) DO NOTHING
    )
    SELECT count(*)::int AS fresh FROM fresh`;
}
