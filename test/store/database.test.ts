import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { neon } from "@neondatabase/serverless";
import { sql } from "drizzle-orm";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startDatabase } from "../../dev/database/database.ts";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { migrate } from "../../dev/database/migrate.ts";
import { MINUTE } from "../../protocol/time.ts";
import { flushBoard } from "../../worker/store/board.ts";
import { openDatabase } from "../../worker/store/database.ts";
import type { Database } from "../../worker/store/database.ts";
import { flushRecords } from "../../worker/store/flush.ts";
import { windowCount } from "../../worker/store/queries.ts";
import { DATABASES } from "../support/databases.ts";
import { startPostgres } from "../support/postgres.ts";

describe.each(DATABASES)("the endpoint in front of %s", (_name, start) => {
  let server: RunningDatabase;
  beforeAll(async () => {
    server = await start();
    // Registers the endpoint for this host and port with the driver.
    openDatabase({ url: server.url, fetchEndpoint: server.endpoint });
  });
  afterAll(() => server.stop());

  it("finds nothing to migrate the second time", async () => {
    const { applied, total } = await migrate(server.url);
    expect([applied, total > 0]).toEqual([0, true]);
  });

  it("migrates once when two do it at the same time", async () => {
    const both = await Promise.all([migrate(server.url), migrate(server.url)]);
    expect(both.map((each) => each.applied)).toEqual([0, 0]);
  });

  it("gives the driver every type as the driver gives it from Neon", async () => {
    const [values] = await neon(
      server.url,
    )`SELECT 1 AS int, 9007199254740991 AS bigint, 1.5::float8 AS float, 't' AS text,
      NULL AS nothing, true AS truth, '{"a":[1]}'::jsonb AS json, ARRAY[1,2] AS list, ${"parameter"}::text AS parameter`;
    expect(values).toEqual({
      int: 1,
      bigint: "9007199254740991",
      float: 1.5,
      text: "t",
      nothing: null,
      truth: true,
      json: { a: [1] },
      list: [1, 2],
      parameter: "parameter",
    });
  });

  it("gives command, row count and fields with full results", async () => {
    const full = await neon(server.url, { fullResults: true })`SELECT 7 AS seven`;
    expect(full).toMatchObject({
      command: "SELECT",
      rowCount: 1,
      rows: [{ seven: 7 }],
      fields: [{ name: "seven", dataTypeID: 23 }],
    });
  });

  it("runs a batch as one transaction: all of it or nothing", async () => {
    const client = neon(server.url);
    await client`CREATE TABLE batch (n int PRIMARY KEY)`;
    const insert = (n: number) => client`INSERT INTO batch VALUES (${n})`;
    await expect(client.transaction([insert(1), insert(2), insert(1)])).rejects.toMatchObject({ code: "23505" });
    expect(await client`SELECT count(*)::int AS n FROM batch`).toEqual([{ n: 0 }]);
    await client.transaction([insert(1), insert(2)], { isolationLevel: "Serializable" });
    await expect(client.transaction([insert(3)], { readOnly: true })).rejects.toMatchObject({ code: "25006" });
    expect(await client`SELECT n FROM batch ORDER BY n`).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it("never mixes the statements of clients that speak at the same time", async () => {
    const clients = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const client = new pg.Client({ connectionString: server.url });
        await client.connect();
        return client;
      }),
    );
    const answers = await Promise.all(
      clients.map(async (client, who) => {
        const seen: number[] = [];
        for (let i = 0; i < 50; i++) {
          const columns = Array.from({ length: who + 1 }, (_, n) => `$${n + 1}::int AS c${n}`).join(", ");
          const { rows } = await client.query(
            `SELECT ${columns}`,
            Array.from({ length: who + 1 }, () => who),
          );
          seen.push(...Object.values<number>(rows[0]));
        }
        return seen;
      }),
    );
    await Promise.all(clients.map((client) => client.end()));
    expect(answers).toEqual(answers.map((_, who) => Array.from({ length: 50 * (who + 1) }, () => who)));
  });

  it("rolls back what a client leaves open when it goes", async () => {
    const leaving = new pg.Client({ connectionString: server.url });
    leaving.on("error", () => {});
    await leaving.connect();
    await leaving.query("CREATE TABLE left_open (n int)");
    await leaving.query("BEGIN");
    await leaving.query("INSERT INTO left_open VALUES (1)");
    await leaving.end();
    expect(await neon(server.url)`SELECT count(*)::int AS n FROM left_open`).toEqual([{ n: 0 }]);
  });

  it.each([
    ["what is not a statement", "{}", 400, {}],
    ["what is not JSON", "{", 400, {}],
    ["a request without the driver's header, as a web page sends it", "{}", 403, { "neon-connection-string": null }],
    ["a body above 10 MB", `"${"x".repeat(10_485_760)}"`, 413, {}],
  ])("refuses %s", async (_case, body, status, change) => {
    const headers = new Headers({ "neon-connection-string": server.url });
    for (const header of Object.keys(change)) headers.delete(header);
    const answer = await fetch(server.endpoint, { method: "POST", body, headers });
    expect([answer.status, typeof ((await answer.json()) as { message: unknown }).message]).toEqual([status, "string"]);
  });

  it("refuses a page whose name was made to point here", async () => {
    const headers = { host: "rebound.example", "neon-connection-string": server.url };
    const asked = request(server.endpoint, { method: "POST", headers }).end(`{"query":"SELECT 1","params":[]}`);
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(403);
  });
});

describe("a database that is killed", () => {
  /** Flushes until the database is gone; the number of records that were acknowledged. */
  async function flushUntilGone(db: Database, epoch: number, onAcknowledged: (count: number) => void): Promise<number> {
    let acknowledged = 0;
    for (let seq = 1; ; seq += 10) {
      const records = Array.from({ length: 10 }, (_, i) => ({
        epoch,
        seq: seq + i,
        record: {
          kind: "window" as const,
          service: `shop/s${epoch}`,
          at: (seq + i) * MINUTE,
          spanMs: MINUTE,
          requests: 1,
          errors: 0,
          latency: null,
        },
      }));
      const result = await flushRecords(db, "killed", records);
      if (!result.ok) return acknowledged;
      acknowledged += result.value.fresh;
      onAcknowledged(acknowledged);
    }
  }

  async function spawnEmbedded(dataDir: string): Promise<{ readonly child: ChildProcess; readonly endpoint: string }> {
    const child = spawn(process.execPath, ["dev/database/main.ts", "--data", dataDir], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, DATABASE_URL: "" },
    });
    const [line] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
    return { child, endpoint: line.toString().replace("ready ", "").trim() };
  }

  it("has every acknowledged record when the embedded one opens again, and no half of a batch", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "embedded-"));
    let expected = 0;
    for (const epoch of [1, 2, 3]) {
      const { child, endpoint } = await spawnEmbedded(dataDir);
      // In the middle of the traffic, at another place each time.
      const kill = (count: number): void => void (count === 100 * epoch && child.kill("SIGKILL"));
      const db = openDatabase({ url: `postgres://a:b@killed-${epoch}/c`, fetchEndpoint: endpoint });
      expected += await flushUntilGone(db, epoch, kill);
      if (child.signalCode === null) await once(child, "exit");
    }
    const survivor = await startDatabase({ dataDir });
    const db = openDatabase({ url: survivor.url, fetchEndpoint: survivor.endpoint });
    const count = await windowCount(db, "killed");
    // What was committed but not answered may be there too: at most one batch a kill.
    expect(
      count.ok && expected >= 600 && count.value >= expected && count.value <= expected + 30 && count.value % 10 === 0,
    ).toBe(true);
    await expect(startDatabase({ dataDir })).rejects.toThrow("open in another process");
    await survivor.stop();
    rmSync(dataDir, { recursive: true });
  });

  it("is unavailable while a real server is dead, and goes on where it was when the server is back", async () => {
    const postgres = await startPostgres();
    const server = await startDatabase({ url: postgres.url });
    const db = openDatabase({ url: postgres.url, fetchEndpoint: server.endpoint });
    const expected = await flushUntilGone(db, 1, (count) => void (count === 200 && void postgres.kill9()));
    expect(await db.run((drizzle) => drizzle.execute(sql`SELECT 1`))).toMatchObject({ ok: false, code: "unavailable" });
    await postgres.restart();
    const count = await windowCount(db, "killed");
    expect(count.ok && expected >= 200 && count.value >= expected && count.value <= expected + 10).toBe(true);
    await server.stop();
    await postgres.stop();
  });
});

it("an answer without a row is no answer of Postgres, and nothing counts as stored", async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ command: "SELECT", fields: [], rows: [], rowCount: 0, rowAsArray: true }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const db = openDatabase({ url: "postgres://a:b@nobody/c", fetchEndpoint: `http://127.0.0.1:${port}/sql` });
  const gap = { kind: "gap", id: "0".repeat(32), at: 1, until: 2, reason: "damaged", count: 1 } as const;
  const refused = { ok: false, code: "unavailable" };
  expect(await flushRecords(db, "eu-1", [{ epoch: 1, seq: 1, record: gap }])).toMatchObject(refused);
  expect(await flushBoard(db, [{ kind: "audit", key: "a", revision: 1, at: 1, body: {} }])).toMatchObject(refused);
});
