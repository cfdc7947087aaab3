/** What Postgres holds, read past the edge and past the endpoint's faults. */
import pg from "pg";
import { expect } from "vitest";
import { eventually } from "../support/process.ts";
import type { EdgeAgent } from "./agent.ts";

/** A back-off of three failures, and a slow machine. */
const ARRIVES_WITHIN_MS = 60_000;

export interface Archive {
  windows(cluster: string): Promise<{ readonly at: number; readonly requests: number }[]>;
  events(cluster: string): Promise<string[]>;
  /** What happened to each subject, in the order in which it was so. */
  happened(cluster: string): Promise<string[]>;
  /** Numbers that were ever stored: more than facts means that a fact came under two numbers. */
  numbers(cluster: string): Promise<string[]>;
  /** The windows of all clusters that cover a minute which another one covers too. */
  twice(): Promise<string[]>;
  /** Bodies of the board's facts of one kind, oldest first. */
  board(kind: string): Promise<Readonly<Record<string, unknown>>[]>;
  /** What somebody does to it who should not. */
  tamper(statement: string): Promise<void>;
  close(): Promise<void>;
}

export function openArchive(url: string): Archive {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  pool.on("error", () => {});
  const rows = async <Row extends pg.QueryResultRow>(text: string, values: readonly string[]): Promise<Row[]> =>
    (await pool.query<Row>(text, [...values])).rows;
  return {
    windows: async (cluster) =>
      (
        await rows<{ minute: Date; requests: number }>(
          "SELECT minute, requests FROM minute_window WHERE cluster_id = $1 ORDER BY minute, requests",
          [cluster],
        )
      ).map(({ minute, requests }) => ({ at: minute.getTime(), requests })),
    events: async (cluster) =>
      (
        await rows<{ id: string }>("SELECT id FROM event WHERE cluster_id = $1 ORDER BY observed_at, seq", [cluster])
      ).map(({ id }) => id),
    happened: async (cluster) =>
      (
        await rows<{ what: string }>(
          "SELECT kind || ' ' || subject AS what FROM event WHERE cluster_id = $1 ORDER BY observed_at, kind, subject",
          [cluster],
        )
      ).map(({ what }) => what),
    numbers: async (cluster) =>
      (
        await rows<{ number: string }>(
          `SELECT epoch || ':' || seq AS number FROM received, unnest(numbers) AS range,
            generate_series(lower(range), upper(range) - 1) AS seq WHERE cluster_id = $1 ORDER BY epoch, seq`,
          [cluster],
        )
      ).map(({ number }) => number),
    twice: async () =>
      (
        await rows<{ key: string }>(
          `SELECT a.cluster_id || '/' || a.service_id || ' ' || a.minute AS key
          FROM minute_window a JOIN minute_window b USING (cluster_id, service_id)
          WHERE b.minute > a.minute AND b.minute < a.minute + a.span_ms * interval '1 ms'`,
          [],
        )
      ).map(({ key }) => key),
    board: async (kind) =>
      (
        await rows<{ body: Record<string, unknown> }>("SELECT body FROM board_fact WHERE kind = $1 ORDER BY at", [kind])
      ).map(({ body }) => body),
    tamper: async (statement) => void (await rows(statement, [])),
    close: () => pool.end(),
  };
}

/** Waits until Postgres has every fact that the agent closed, and sees that it has nothing else and nothing twice. */
export async function expectArchived(archive: Archive, agent: EdgeAgent, withinMs = ARRIVES_WITHIN_MS): Promise<void> {
  const facts = agent.closed.length + agent.happened.length;
  await eventually(
    async () => {
      const stored = (await archive.windows(agent.cluster)).length + (await archive.events(agent.cluster)).length;
      return stored >= facts;
    },
    withinMs,
    `${facts} facts of ${agent.cluster} in Postgres`,
  );
  expect(await archive.windows(agent.cluster)).toEqual(agent.closed);
  expect((await archive.events(agent.cluster)).toSorted()).toEqual(agent.happened.toSorted());
}

/** Waits until the edge says that all it received is in Postgres, and the agent has freed it all. */
export async function expectPersisted(agent: EdgeAgent): Promise<void> {
  await eventually(
    async () => {
      await agent.push();
      return agent.base === agent.next;
    },
    ARRIVES_WITHIN_MS,
    `${agent.cluster} to be told that everything is persisted`,
  );
}
