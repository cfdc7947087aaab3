/** Past days freeze on the Board, reach Postgres as a chain, and are corrected in the open. */
import { createExecutionContext, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { ChainEntry, ChainHead } from "../../protocol/chain.ts";
import { entryText, followChain, GENESIS } from "../../protocol/chain.ts";
import { DAY, HOUR } from "../../protocol/time.ts";
import worker from "../../worker/index.ts";
import type { Board } from "../../worker/objects/board.ts";
import { sha256Hex } from "../../worker/objects/crypto.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import { bindings, call, cli, enrolledAgent, windowOf } from "./agent.ts";

const board = boardOf(bindings);
const TODAY = Math.floor(Date.now() / DAY) * DAY;
const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);
let id: string;
let headers: Record<string, string>;

interface Range {
  readonly from: string;
  readonly time: { readonly ratio: number; readonly majorMs: number; readonly unknownMs: number };
  readonly requests: { readonly requests: number; readonly ratio: number } | null;
}
interface Answer {
  readonly days: readonly (Range & { day: string; isFrozen: boolean; was: Range["time"] | null })[];
  readonly last30Days: Range;
  readonly months: readonly (Range & { readonly month: string })[];
  readonly frozen: { readonly day: string; readonly n: number; readonly hash: string };
  readonly amendments: readonly { readonly n: number; readonly reason: string; readonly status: string }[];
  readonly slo: { readonly lostMs: number; readonly verdict: string } | null;
}

async function uptime(): Promise<Answer> {
  const answer = await call(`/api/v1/components/${id}/uptime`, { headers });
  expect(answer.status).toBe(200);
  return answer.json();
}

async function chain(): Promise<{ readonly entries: readonly ChainEntry[]; readonly head: ChainHead }> {
  await runDurableObjectAlarm(board);
  await expect.poll(async () => (await board.operatorView()).archive.waiting).toBe(0);
  return (await cli("GET", "/cli/v1/uptime/chain")).json();
}

async function fault(entries: readonly ChainEntry[]) {
  const texts = entries.map(entryText);
  const hashes = new Map(await Promise.all(texts.map(async (text) => [text, await sha256Hex(text)] as const)));
  return followChain(GENESIS, entries, (text) => hashes.get(text) ?? "");
}

const frozenDay = async () => (await board.uptimeOf(id))?.frozenDay ?? null;

async function frozen(): Promise<void> {
  await board.tick();
  // Yesterday waits for its grace until a quarter past.
  const last = dayOf(Date.now() - DAY - HOUR / 4);
  await expect.poll(frozenDay).toBe(last);
}

/** The Board without what it keeps of frozen days, as a life before this version or after a loss. */
async function forget(): Promise<void> {
  await runInDurableObject(board, (_, { storage }) => void storage.sql.exec("DELETE FROM uptime"));
  await evictDurableObject(board);
}

/** The Board as a restored disk brings it back: it knows nothing of the last entries. */
const rewind = async (entries: number): Promise<void> => {
  const newest = `(SELECT n FROM uptime ORDER BY n DESC LIMIT ${entries})`;
  await runInDurableObject(board, (_, { storage }) => {
    storage.sql.exec(`DELETE FROM uptime WHERE n IN ${newest}`);
    storage.sql.exec("DELETE FROM outbox WHERE kind = 'uptime'");
  });
  await evictDurableObject(board);
};

beforeAll(async () => {
  const agent = await enrolledAgent("uptime-1");
  await agent.push({ epoch: agent.epoch, records: { first: 1, items: [windowOf(2)] } });
  await runDurableObjectAlarm(clusterOf(bindings, "uptime-1"));
  const wish = { name: "Checkout", group: "Uptime", services: ["uptime-1/shop/checkout"], slo: { target: 0.99 } };
  const put = await cli("PUT", "/cli/v1/components", { components: [wish] });
  id = (await put.json<{ components: { id: string }[] }>()).components[0]?.id ?? "";
  // A page that is new asks the archive first what an earlier life of it left there.
  await runDurableObjectAlarm(board);
  await runInDurableObject(board, (_, { storage }) => {
    // Four days before today, with an hour's outage three days ago.
    for (const [at, status] of [
      [TODAY - 4 * DAY, "operational"],
      [TODAY - 3 * DAY + HOUR, "major_outage"],
      [TODAY - 3 * DAY + 2 * HOUR, "operational"],
    ] as const)
      storage.sql.exec("INSERT INTO change (component, at, status) VALUES (?, ?, ?)", id, at, status);
  });
  await evictDurableObject(board);
  const { token } = await (await cli("POST", "/cli/v1/tokens", { scope: "history" })).json<{ token: string }>();
  headers = { authorization: `Bearer ${token}` };
});

describe("past days", () => {
  it("are frozen by the cron, each once, and Postgres holds the same chain as the page", async () => {
    await frozen();
    await board.tick();
    const { entries, head } = await chain();
    const kept = await fault(entries);
    expect(kept).toEqual({ head, fault: null });
    expect(entries.map(({ day }) => day)).toEqual([...new Set(entries.map(({ day }) => day))].toSorted());
    expect(entries.slice(0, 2).map(({ day, tallies }) => [day, tallies])).toEqual([
      [dayOf(TODAY - 4 * DAY), { [id]: { operational: DAY } }],
      [dayOf(TODAY - 3 * DAY), { [id]: { operational: 23 * HOUR, major_outage: HOUR } }],
    ]);
    expect((await board.snapshot()).frozen).toEqual({ day: await frozenDay(), hash: head.hash });
  });

  it("stand over an eviction, and over a journal that says otherwise", async () => {
    const rewrite = async (status: string): Promise<void> => {
      const at = TODAY - 3 * DAY + HOUR;
      await runInDurableObject(board, (_, { storage }) => {
        storage.sql.exec("UPDATE change SET status = ? WHERE component = ? AND at = ?", status, id, at);
      });
      await evictDurableObject(board);
    };
    await rewrite("operational");
    const found = await uptime();
    await rewrite("major_outage");
    expect(found.days[1]).toMatchObject({ day: dayOf(TODAY - 3 * DAY), isFrozen: true, was: null });
    expect(found.days[1]?.time.majorMs).toBe(HOUR);
    expect(found.days.at(-1)).toMatchObject({ day: dayOf(Date.now()), isFrozen: false });
  });

  it("are taken back from Postgres by a page that lost them, and its chain goes on", async () => {
    const before = await chain();
    await forget();
    await frozen();
    expect(await chain()).toEqual(before);
    expect((await uptime()).days[1]?.time.majorMs).toBe(HOUR);
  });

  it("are not frozen again by a page whose memory was set back: its chain does not fork", async () => {
    const before = await chain();
    await rewind(2);
    await frozen();
    expect(await chain()).toEqual(before);
  });

  it("wait while the page is getting its memory back", async () => {
    await forget();
    const restoring = { startedAt: Date.now(), phase: "changes", after: null, unasked: [], attempts: 0 };
    const keep = (body: string | null) =>
      runInDurableObject(board, (_, { storage }) => {
        storage.sql.exec("DELETE FROM work WHERE kind = 'restore'");
        if (body !== null)
          storage.sql.exec("INSERT INTO work (kind, key, body) VALUES ('restore', 'restore', ?)", body);
      });
    await keep(JSON.stringify(restoring));
    await evictDurableObject(board);
    await board.tick();
    // Whatever is under way is done before a correction has its turn.
    const moment = TODAY - 3 * DAY;
    const early = { component: id, from: moment, to: moment + HOUR, reason: "early", by: "test" };
    expect(await board.amendUptime({ ...early, status: "unknown" })).toEqual({ ok: false, failure: "not_frozen" });
    expect(await frozenDay()).toBeNull();
    await keep(null);
    await evictDurableObject(board);
    await frozen();
  });
});

describe("a component's uptime", () => {
  it("is by time beside by requests, of days, thirty days and months", async () => {
    const { last30Days, months, days } = await uptime();
    expect(last30Days).toMatchObject({
      from: dayOf(TODAY - 4 * DAY),
      time: { majorMs: HOUR },
      requests: { requests: 60 },
    });
    expect(last30Days.time.ratio).toBeCloseTo(1 - HOUR / (Date.now() - TODAY + 4 * DAY), 4);
    expect(months.at(-1)?.month).toBe(dayOf(Date.now()).slice(0, 7));
    expect(days[1]?.time.ratio).toBe(0.958333);
    expect(days[1]?.requests).toEqual({ ratio: null, requests: 0, errors: 0 });
  });

  it("has its budget", async () => expect((await uptime()).slo).toMatchObject({ lostMs: HOUR, verdict: "met" }));

  it("keeps its target when it is published again without one, and loses it by null", async () => {
    const wish = { name: "Checkout", group: "Uptime", services: ["uptime-1/shop/checkout"] };
    await cli("PUT", "/cli/v1/components", { components: [wish] });
    expect((await uptime()).slo).not.toBeNull();
    await cli("PUT", "/cli/v1/components", { components: [{ ...wish, slo: null }] });
    expect((await uptime()).slo).toBeNull();
    await cli("PUT", "/cli/v1/components", { components: [{ ...wish, slo: { target: 0.99, isPublic: true } }] });
    const shown = (await board.snapshot()).components.find((one) => one.id === id);
    expect(shown?.slo).toMatchObject({ target: 0.99, lostMs: HOUR });
  });

  it.each([1, 0.4, "0.99"])("has no target of %s", async (target) => {
    const wish = { name: "Checkout", group: "Uptime", services: ["uptime-1/shop/checkout"], slo: { target } };
    const refused = await cli("PUT", "/cli/v1/components", { components: [wish] });
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining("between 0.5 and 0.99999")]);
  });

  it("is known by time while Postgres is down", async () => {
    const env = {
      ...bindings,
      DATABASE_URL: "postgres://a:b@nowhere.invalid/c",
      NEON_FETCH_ENDPOINT: "http://127.0.0.1:9/sql",
    };
    const request = new Request(`https://status.test/api/v1/components/${id}/uptime`, { headers });
    const answer = await worker.fetch(request as Parameters<typeof worker.fetch>[0], env, createExecutionContext());
    const { last30Days } = await answer.json<Answer>();
    expect([last30Days.time.majorMs, last30Days.requests]).toEqual([HOUR, null]);
  });

  it("is of nothing where nothing is", async () =>
    expect((await call("/api/v1/components/nothing00000/uptime", { headers })).status).toBe(404));
});

describe("a correction", () => {
  const asked = (change: object = {}) => ({
    component: id,
    from: new Date(TODAY - 3 * DAY + HOUR).toISOString(),
    to: new Date(TODAY - 3 * DAY + 2 * HOUR).toISOString(),
    status: "operational",
    reason: "the probe was wrong",
    ...change,
  });

  it("is a new entry; page, API and Postgres show what stood there", async () => {
    const before = await chain();
    expect((await cli("POST", "/cli/v1/uptime/amendments", asked())).status).toBe(201);
    const { days, amendments } = await uptime();
    expect(days[1]).toMatchObject({ time: { ratio: 1, majorMs: 0 }, was: { majorMs: HOUR } });
    expect(amendments).toMatchObject([{ status: "operational", reason: "the probe was wrong", by: "command line" }]);
    const shown = (await board.snapshot()).components.find((one) => one.id === id);
    expect(shown?.days[1]).toMatchObject({ ms: { operational: DAY }, was: { major_outage: HOUR } });
    expect(JSON.stringify(shown)).not.toContain("the probe was wrong");
    const after = await chain();
    expect(after.entries.slice(0, -1)).toEqual(before.entries);
    expect(await fault(after.entries)).toEqual({ head: after.head, fault: null });
    expect(after.entries.at(-1)).toMatchObject({ correction: { by: "command line" } });
  });

  it("goes to Postgres again when that lost it, whenever it was written: a chain with a hole is none", async () => {
    const { entries } = await chain();
    await runInDurableObject(
      board,
      (_, { storage }) => void storage.sql.exec("DELETE FROM outbox WHERE kind = 'uptime'"),
    );
    // Postgres was down when the day froze, and what it was restored to is younger than that.
    await cli("POST", "/cli/v1/reflush", { since: new Date().toISOString() });
    const queued = await runInDurableObject(board, (_, { storage }) =>
      storage.sql.exec("SELECT key FROM outbox WHERE kind = 'uptime'").toArray(),
    );
    expect(queued.length).toBe(entries.length);
    await chain();
  });

  it("two at once are one after the other", async () => {
    const { from, to } = asked();
    const corrections = (["unknown", "under_maintenance", "degraded_performance"] as const).map((status) => {
      return { component: id, from: Date.parse(from), to: Date.parse(to), status, reason: "several", by: "test" };
    });
    const made = await runInDurableObject(board, (instance: Board) =>
      Promise.all(corrections.map((correction) => instance.amendUptime(correction))),
    );
    expect(made.map(({ ok }) => ok)).toEqual([true, true, true]);
    const { entries, head } = await chain();
    expect(entries.filter(({ correction }) => correction?.reason === "several")).toHaveLength(3);
    expect(await fault(entries)).toEqual({ head, fault: null });
  });

  it.each([
    ["of today", { to: new Date().toISOString() }, 409, "A day freezes a quarter of an hour after it ends"],
    ["of what is not there", { component: "nothing00000" }, 404, "no such component"],
    ["of no time", { to: new Date(TODAY - 5 * DAY).toISOString() }, 400, "`from` must be before `to`"],
    ["to no status", { status: "fine" }, 400, "must be one of operational"],
    ["without a reason", { reason: " " }, 400, "reason: must not be empty"],
  ])("%s is refused", async (_name, change, status, message) => {
    const refused = await cli("POST", "/cli/v1/uptime/amendments", asked(change));
    expect([refused.status, await refused.text()]).toEqual([status, expect.stringContaining(message)]);
  });
});

it.each(["-1", "x", "1e3"])("the chain after %s is refused", async (after) =>
  expect((await cli("GET", `/cli/v1/uptime/chain?after=${after}`)).status).toBe(400),
);

describe("the admin's page of it", () => {
  let cookie: string;
  beforeAll(async () => {
    const { token } = await board.createLink();
    cookie = `__Host-observatory=${await board.redeemLink(token)}`;
  });
  const get = async (path: string): Promise<string> => (await call(path, { headers: { cookie } })).text();
  const post = async (path: string, form: Readonly<Record<string, string>>) => {
    const answer = await call(path, {
      method: "POST",
      headers: { origin: "https://status.test", cookie, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(form).toString(),
    });
    return { status: answer.status, page: await answer.text() };
  };
  const settings = { name: "Checkout", group: "Uptime", services: "uptime-1/shop/checkout", rule: "all" };

  it("sets a target as people write it, keeps it where a form does not know of it, and takes it away", async () => {
    const path = `/admin/components/${id}`;
    expect((await post(path, { ...settings, "slo.target": "99.9 %", "slo.isPublic": "yes" })).status).toBe(303);
    expect((await board.uptimeOf(id))?.component.slo).toEqual({ target: 0.999, isPublic: true });
    await post(path, settings);
    expect((await board.uptimeOf(id))?.component.slo).toEqual({ target: 0.999, isPublic: true });
    expect(await get(path)).toMatch(/name="slo.target"[^>]*value="99.9"/);
    const refused = await post(path, { ...settings, "slo.target": "none" });
    expect([refused.status, refused.page]).toEqual([
      400,
      expect.stringMatching(/“none” must be between 0.5 and 0.99999/),
    ]);
    await post(path, { ...settings, "slo.target": "" });
    expect((await board.uptimeOf(id))?.component.slo).toBeUndefined();
  });

  it("corrects a day, says who did it, and keeps what was typed where it cannot", async () => {
    const path = `/admin/components/${id}/uptime`;
    const at = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
    const form = {
      from: at(TODAY - 2 * DAY),
      to: at(TODAY - 2 * DAY + HOUR),
      status: "partial_outage",
      reason: "customers told us",
    };
    expect((await post(path, form)).status).toBe(303);
    const page = await get(path);
    expect(page).toContain("customers told us");
    expect(page).toContain("one-time link");
    expect((await board.uptimeOf(id))?.days[2]?.ms.partial_outage).toBe(HOUR);
    // What was lost three days ago was corrected before.
    await cli("POST", "/cli/v1/reflush", { since: new Date(TODAY - 5 * DAY).toISOString() });
    await chain();
    const series = await call(`/api/v1/components/${id}/series?range=quarter`, { headers });
    const { uptime: shown } = await series.json<{ uptime: { time: object } }>();
    expect(shown.time).toMatchObject({ majorMs: 0, partialMs: HOUR });
    const again = await post(path, form);
    expect([again.status, again.page]).toEqual([409, expect.stringContaining("written down already")]);
    const early = await post(path, { ...form, to: form.from });
    expect([early.status, early.page]).toEqual([400, expect.stringContaining("Give a moment after the first.")]);
    expect(early.page).toContain('value="customers told us"');
    for (const from of ["", "2026-13-45T10:00"])
      expect((await post(path, { ...form, from })).page).toContain("Give date and time, in UTC.");
    expect((await post("/admin/components/nothing00000/uptime", form)).status).toBe(404);
  });
});

it("a page whose memory was set back learns of its last entries before it corrects a day", async () => {
  const before = await chain();
  await rewind(1);
  const day = before.entries[1];
  const asked = { component: id, from: new Date(day?.from ?? 0).toISOString(), status: "unknown", reason: "a test" };
  const to = new Date((day?.from ?? 0) + 1).toISOString();
  expect((await cli("POST", "/cli/v1/uptime/amendments", { ...asked, to })).status).toBe(201);
  const after = await chain();
  expect(after.entries.slice(0, -1)).toEqual(before.entries);
  expect(await fault(after.entries)).toEqual({ head: after.head, fault: null });
});
