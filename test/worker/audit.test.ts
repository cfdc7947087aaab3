import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { AuditEntry } from "../../protocol/audit.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { bindings } from "./agent.ts";
import { database } from "./database.ts";

const board = boardOf(bindings);

/** Sends what waits, as the alarm does. */
async function flush(): Promise<void> {
  await runDurableObjectAlarm(board);
  await expect.poll(async () => (await board.audit()).waiting).toBe(0);
}

async function stored(): Promise<readonly AuditEntry[]> {
  const numbered = sql`SELECT body FROM board_fact WHERE kind = 'audit' AND length(key) = 16 ORDER BY key`;
  const done = await database().run((db) => db.execute<{ body: AuditEntry }>(numbered));
  if (!done.ok) throw new Error(done.message);
  return done.value.rows.map(({ body }) => body);
}

describe("the audit", () => {
  it("is numbered and linked on its way to the archive, in the order in which it was done", async () => {
    await board.note("test.one", "a", "Ana", {
      before: { name: "x", token: "s3cret" },
      after: { name: "y", token: "s3cret" },
    });
    await board.note("test.two", "b", "Bo");
    const { recent } = await board.audit();
    for (const act of ["test.one", "test.two"])
      expect(recent.find((record) => record.act === act)).toMatchObject({ n: null, isArchived: false });
    await flush();
    const entries = await stored();
    const [one, two] = ["test.one", "test.two"].map((act) => entries.find((entry) => entry.act === act));
    expect(one?.change).toEqual({ before: { name: "x" }, after: { name: "y" } });
    expect(entries.map(({ n }) => n)).toEqual(entries.map((_, i) => i + 1));
    for (const [i, entry] of entries.entries()) expect(entry.previous).toBe(entries[i - 1]?.hash ?? "0".repeat(64));
    expect((await board.audit()).head).toEqual({ n: entries.length, hash: entries.at(-1)?.hash });
    expect(Math.abs((one?.n ?? 0) - (two?.n ?? 0))).toBe(1);
  });

  it("goes on where it was after the Board was evicted", async () => {
    const { head } = await board.audit();
    await evictDurableObject(board);
    await board.note("test.three", "c", "Ana");
    await flush();
    expect((await stored()).at(-1)).toMatchObject({ n: head.n + 1, previous: head.hash, act: "test.three" });
  });

  it.each([
    ["lost its memory", "DELETE FROM work WHERE kind = 'audit'"],
    ["was set back", `UPDATE work SET body = '{"n":1,"hash":"${"0".repeat(64)}"}' WHERE kind = 'audit'`],
  ])(
    "goes on where the archive's ends when the Board %s, and no entry takes another's place",
    async (_name, statement) => {
      const before = await stored();
      await runInDurableObject(board, (_, { storage }) => void storage.sql.exec(statement));
      await evictDurableObject(board);
      await board.note("test.after", "d", "Ana");
      await flush();
      const after = await stored();
      expect(after.slice(0, before.length)).toEqual(before);
      expect(after.at(-1)).toMatchObject({ n: before.length + 1, previous: before.at(-1)?.hash, act: "test.after" });
    },
  );

  it("that an earlier version wrote is sent as it is, and read", async () => {
    await runInDurableObject(board, (_, { storage }) => {
      const body = JSON.stringify({ act: "old.act", subject: "x", by: "command line" });
      storage.sql.exec(
        "INSERT INTO outbox (kind, key, revision, at, body) VALUES ('audit', 'oldone000001', 1, 5, ?)",
        body,
      );
    });
    await evictDurableObject(board);
    await flush();
    const { recent } = await board.audit();
    expect(recent.find(({ act }) => act === "old.act")).toMatchObject({
      n: null,
      isArchived: true,
      by: "command line",
    });
  });
});
