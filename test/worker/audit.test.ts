import { createExecutionContext, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { AuditEntry } from "../../protocol/audit.ts";
import { AUDIT_GENESIS, auditText, followAudit } from "../../protocol/audit.ts";
import worker from "../../worker/index.ts";
import { sha256Hex } from "../../worker/objects/crypto.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { bindings, call, cli } from "./agent.ts";
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
    const { recent, ...held } = await board.audit();
    // What has no number is nothing that the archive's end could lack.
    expect([held.waiting >= 2, held.numbered]).toEqual([true, 0]);
    for (const act of ["test.one", "test.two"])
      expect(recent.find((record) => record.act === act)).toMatchObject({ n: null, isArchived: false });
    await flush();
    const entries = await stored();
    const [one, two] = ["test.one", "test.two"].map((act) => entries.find((entry) => entry.act === act));
    expect(one?.change).toEqual({ before: { name: "x" }, after: { name: "y" } });
    expect(entries.map(({ n }) => n)).toEqual(entries.map((_, i) => i + 1));
    for (const [i, entry] of entries.entries()) expect(entry.previous).toBe(entries[i - 1]?.hash ?? "0".repeat(64));
    expect((await board.audit()).head).toEqual({ n: entries.length, hash: entries.at(-1)?.hash });
    expect((two?.n ?? 0) - (one?.n ?? 0)).toBe(1);
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

describe("the audit's page", () => {
  const page = async (query = "") => {
    const { token } = await board.createLink();
    const cookie = `__Host-observatory=${await board.redeemLink(token)}`;
    const answer = await call(`/admin/audit${query}`, { headers: { cookie, accept: "text/html" } });
    return (await answer.text()).split("<script")[0] ?? "";
  };

  it("shows what was archived and what waits, once each, newest first, and finds by any word of it", async () => {
    await board.note("page.first", "alpha", "Ana", { before: { title: "old <b>" }, after: { title: "new" } });
    await flush();
    await board.note("page.second", "beta_x", "Bo");
    const shown = await page();
    expect(shown.indexOf("page.second")).toBeLessThan(shown.indexOf("page.first"));
    expect(shown.match(/page\.first/g)).toHaveLength(1);
    expect(shown).toMatch(/title:<\/span> <del>old &#60;b&#62;<\/del> → <ins>new<\/ins>/);
    expect(shown).toContain("on its way");
    const found = await page("?q=ALPHA");
    expect([found.includes("page.first"), found.includes("page.second")]).toEqual([true, false]);
    // Neither is a pattern.
    expect(await page("?q=beta%25")).toContain("Nothing that was done has");
    expect(await page("?q=betaQx")).toContain("Nothing that was done has");
  });

  it("goes on with what is older, to the first entry and with none twice", async () => {
    for (let i = 0; i < 120; i++) await board.note("page.many", `many-${i}`, "Ana");
    await flush();
    const seen: string[] = [];
    for (let query: string | null = "?q=page.many"; query !== null;) {
      const shown = await page(query);
      seen.push(...(shown.match(/many-\d+/g) ?? []));
      query = /href="\/admin\/audit(\?[^"]+)">Older/.exec(shown)?.[1]?.replaceAll("&#38;", "&") ?? null;
    }
    expect([seen.length, new Set(seen).size]).toEqual([120, 120]);
  });

  it("shows what it holds while Postgres is away, and says so; the export then is refused", async () => {
    await board.note("page.away", "gamma", "Ana");
    const { token } = await board.createLink();
    const cookie = `__Host-observatory=${await board.redeemLink(token)}`;
    const away = { ...bindings, NEON_FETCH_ENDPOINT: "http://127.0.0.1:9/sql" };
    const context = createExecutionContext();
    const ask = (path: string) =>
      worker.fetch(new Request(`https://status.test${path}`, { headers: { cookie } }), away, context);
    const shown = await (await ask("/admin/audit")).text();
    expect(shown).toContain("Postgres does not answer");
    expect(shown).toContain("gamma");
    expect(shown).toMatch(/entr(y is|ies are) not archived yet/);
    expect((await ask("/admin/audit/export")).status).toBe(503);
    // What follows asks the one that is there.
    await page();
  });
});

describe("the audit's file", () => {
  it("has every entry as it is stored, oldest first, and the command line can follow its chain", async () => {
    await board.note("file.one", "x", "Ana", { before: { a: 1 }, after: { a: 2 } });
    await flush();
    await board.note("file.waits", "y", "Ana");
    const text = await (await cli("GET", "/cli/v1/audit/export")).text();
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as AuditEntry);
    expect(lines.at(-1)).toMatchObject({ act: "file.waits", n: null });
    const numbered = lines.filter(({ n }) => n > 0).toSorted((a, b) => a.n - b.n);
    const hashes = new Map<string, string>();
    for (const entry of numbered) hashes.set(auditText(entry), await sha256Hex(auditText(entry)));
    const { head, fault } = followAudit(AUDIT_GENESIS, numbered, (said) => hashes.get(said) ?? "");
    expect([head, fault]).toEqual([(await board.audit()).head, null]);
  });

  it("is for owners who have just proved who they are", async () => {
    const done = await board.changePeople(
      { kind: "add", name: "File reader", role: "operator", addressHash: null },
      "t",
    );
    const secret = await board.redeemLink(done.ok ? (done.value.link?.token ?? "") : "");
    const headers = { cookie: `__Host-observatory=${secret}` };
    expect((await call("/admin/audit", { headers })).status).toBe(200);
    expect((await call("/admin/audit/export", { headers })).status).toBe(403);
  });
});
