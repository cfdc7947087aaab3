import {
  createScheduledController,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DAY, HOUR } from "../../protocol/time.ts";
import worker from "../../worker/index.ts";
import type { Cluster } from "../../worker/objects/cluster.ts";
import type { OperatorView } from "../../worker/objects/operator-view.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import { homeModel } from "../../worker/routes/admin-view.ts";
import { tell, told } from "../support/facts.ts";
import { bindings, call, cli, enrolledAgent } from "./agent.ts";

const ORIGIN = "https://status.test";
const board = boardOf(bindings);

/** Sends what waits, as the alarm does. */
async function flush(): Promise<void> {
  await runDurableObjectAlarm(board);
  await expect.poll(async () => (await board.operatorView()).archive.waiting).toBe(0);
}

async function done(): Promise<unknown> {
  await expect.poll(async () => (await board.reflushed())?.finishedAt).toBeGreaterThan(0);
  return board.reflushed();
}

afterEach(() => void vi.restoreAllMocks());

/** Takes the place of every Cluster's answer: methods called over RPC stand on the class. */
async function onCluster(name: string, answer: (since: number) => Promise<number>): Promise<void> {
  await runInDurableObject(clusterOf(bindings, name), (cluster) => {
    const type: Cluster = Object.getPrototypeOf(cluster);
    vi.spyOn(type, "reflush").mockImplementation(answer);
  });
}

describe("reflush", () => {
  it("queues again what the page holds and what it sent since, asks every cluster, and writes down who asked", async () => {
    await enrolledAgent("again-1");
    await enrolledAgent("again-2");
    const put = { name: "Again", group: null, services: ["again-1/shop/checkout"] };
    const { components } = await (
      await cli("PUT", "/cli/v1/components", { components: [put] })
    ).json<{ components: { id: string }[] }>();
    await board.removeComponent(components[0]?.id ?? "", "test");
    await flush();
    const asked: number[] = [];
    await onCluster("again-1", (since) => Promise.resolve(asked.push(since) * 7));
    const since = Math.floor(Date.now() / 1_000) * 1_000 - HOUR;
    const begun = await cli("POST", "/cli/v1/reflush", { since: new Date(since).toISOString() });
    expect(begun.status).toBe(202);
    expect(await done()).toMatchObject({ since, pending: [], unreachable: [] });
    expect(asked.length).toBeGreaterThanOrEqual(2);
    expect(new Set(asked)).toEqual(new Set([since]));
    const latest = await (await cli("GET", "/cli/v1/reflush")).json<{ own: number; facts: number; asked: number }>();
    expect(latest.facts).toBeGreaterThanOrEqual(7);
    // The page, two clusters, and of what was sent the removal and the acts.
    expect(latest.own).toBeGreaterThanOrEqual(6);
    expect(latest.asked).toBeGreaterThanOrEqual(2);
    const queued = await runInDurableObject(board, (_, { storage }) =>
      storage.sql.exec<{ body: string }>("SELECT body FROM outbox WHERE sent IS NULL OR sent > 0").toArray(),
    );
    const text = queued.map(({ body }) => body).join();
    expect(text).toContain("removedAt");
    expect(text).toContain("archive.reflush");
    await flush();
  });

  it("queues what became true before that moment and left up to a day after it", async () => {
    const since = Date.now() - 4 * DAY;
    const put = { name: "Late", group: null, services: ["again-1/shop/late"] };
    const published = await cli("PUT", "/cli/v1/components", { components: [put] });
    const id = (await published.json<{ components: { id: string }[] }>()).components[0]?.id ?? "";
    await flush();
    // Postgres was away for hours when it happened; what was sent is forgotten after two days.
    await runInDurableObject(board, (_, { storage }) => {
      const sql = "INSERT INTO change (component, at, status) VALUES (?, ?, 'major_outage')";
      storage.sql.exec(sql, id, since - 3 * HOUR);
    });
    await evictDurableObject(board);
    await board.reflush(since, null, "test");
    const again = await runInDurableObject(board, (_, { storage }) =>
      storage.sql.exec("SELECT key FROM outbox WHERE key = ?", `${id}:${since - 3 * HOUR}`).toArray(),
    );
    expect(again).toHaveLength(1);
    await done();
    await flush();
  });

  it("takes Postgres' clock for a minute off, as Clusters do", async () => {
    await board.note("test.apart", "x", "test");
    await flush();
    const since = Date.now() + HOUR;
    await runInDurableObject(board, (_, { storage }) => {
      storage.sql.exec("UPDATE outbox SET sent = ? WHERE body LIKE '%test.apart%'", since - 30_000);
    });
    await board.reflush(since, null, "test");
    const again = await runInDurableObject(board, (_, { storage }) =>
      storage.sql.exec<{ sent: number | null }>("SELECT sent FROM outbox WHERE body LIKE '%test.apart%'").one(),
    );
    expect(again.sent).not.toBe(since - 30_000);
    await done();
    await flush();
  });

  it("names who cannot be reached, for the operator to ask again", async () => {
    await onCluster("again-2", () => Promise.reject(new Error("it is gone")));
    const own = await cli("POST", "/cli/v1/reflush", { since: "2026-01-01T00:00:00Z", cluster: "again-2" });
    // One cluster alone is asked for its own facts: the page's are where they are.
    expect(await own.json()).toMatchObject({ own: 0, pending: ["again-2"] });
    expect(await done()).toMatchObject({ asked: 1, facts: 0, unreachable: [{ cluster: "again-2" }] });
  });

  it("is one at a time", async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    await onCluster("again-2", () => promise);
    const begin = (cluster: string | null) => board.reflush(Date.now() - HOUR, cluster, "test");
    expect(await begin("again-2")).toMatchObject({ value: { pending: ["again-2"] } });
    expect(await begin(null)).toEqual({ ok: false, failure: "under_way" });
    resolve(3);
    expect(await done()).toMatchObject({ facts: 3 });
  });

  it("goes on after the object left memory in the middle", async () => {
    await enrolledAgent("again-3");
    await runInDurableObject(board, (_, { storage }) => {
      const left = { since: Date.now() - HOUR, by: "test", startedAt: Date.now(), finishedAt: null, own: 0 };
      const body = JSON.stringify({ ...left, pending: ["again-3"], asked: 0, facts: 0, unreachable: [] });
      storage.sql.exec("INSERT OR REPLACE INTO work (kind, key, body) VALUES ('reflush', 'latest', ?)", body);
    });
    await evictDurableObject(board);
    await board.wake();
    await runDurableObjectAlarm(board);
    expect(await done()).toMatchObject({ pending: [], asked: 1, unreachable: [] });
  });

  it.each([
    ["a moment that is to come", { since: "2126-01-01T00:00:00Z" }],
    ["no moment at all", { since: "yesterday" }],
    ["a name that is none", { since: "2026-01-01T00:00:00Z", cluster: "../x" }],
  ])("refuses %s", async (_name, body) => expect((await cli("POST", "/cli/v1/reflush", body)).status).toBe(400));

  it("refuses a name that no cluster has, which would be asked for nothing", async () => {
    const refused = await cli("POST", "/cli/v1/reflush", { since: "2026-01-01T00:00:00Z", cluster: "again-22" });
    expect([refused.status, await refused.text()]).toEqual([404, expect.stringContaining("There is no cluster")]);
  });

  it("is a form for operators, which keeps what was typed", async () => {
    const { token } = await board.createLink();
    const cookie = `__Host-observatory=${await board.redeemLink(token)}`;
    const post = (since: string) =>
      call("/admin/archive/reflush", {
        method: "POST",
        headers: { origin: ORIGIN, cookie, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ since, cluster: "" }).toString(),
      });
    const refused = await post("2126-01-01T00:00");
    expect([refused.status, (await refused.text()).includes('value="2126-01-01T00:00"')]).toEqual([400, true]);
    const taken = await post("2026-01-01T00:00");
    expect([taken.status, taken.headers.get("location")]).toEqual([303, "/admin/archive"]);
    await done();
    const shown = await (await call("/admin/archive", { headers: { cookie } })).text();
    expect(shown).toMatch(/facts? of this page and \d+ facts? of \d+ clusters?/);
  });
});

it("what Postgres has is kept for two days and then forgotten", async () => {
  await board.note("test.old", "x", "test");
  await board.note("test.young", "x", "test");
  await flush();
  const acts = () =>
    runInDurableObject(board, (_, { storage }) =>
      storage.sql.exec<{ body: string }>("SELECT body FROM outbox WHERE kind = 'audit'").toArray(),
    );
  await runInDurableObject(board, (_, { storage }) => {
    storage.sql.exec("UPDATE outbox SET sent = ? WHERE body LIKE '%test.old%'", Date.now() - 2 * DAY - HOUR);
  });
  await board.note("test.new", "x", "test");
  await flush();
  const left = JSON.stringify(await acts());
  expect(left).toContain("test.young");
  expect(left).not.toContain("test.old");
});

it("Postgres' tables are looked after by the minute's tick, once a day", async () => {
  const done = () =>
    runInDurableObject(board, (_, { storage }) =>
      storage.sql.exec<{ body: string }>("SELECT body FROM work WHERE kind = 'upkeep'").toArray(),
    );
  const before = Date.now();
  await board.tick();
  await expect.poll(done, { timeout: 20_000 }).toHaveLength(1);
  const [first] = await done();
  expect(JSON.parse(first?.body ?? "{}").doneAt).toBeGreaterThanOrEqual(before);
  await board.tick();
  expect(await done()).toEqual([first]);
});

it("a cluster whose agent fell silent with facts on their way is asked by the cron, and believed", async () => {
  const since = Date.now() - 4 * HOUR;
  // Its Cluster has sent them long ago, and nobody pushes who would say so.
  await board.hear({ ...tell(Date.now(), [told("operational")], "silent-1"), backlog: { waiting: 5, since } });
  const isLate = async () => (await board.operatorView()).archive.delays.some(({ cluster }) => cluster === "silent-1");
  expect(await isLate()).toBe(true);
  await worker.scheduled(createScheduledController({ scheduledTime: Date.now() }), bindings);
  expect(await isLate()).toBe(false);
  expect(await board.tick()).not.toContain("silent-1");
});

it("a Cluster of the release before, which answers the cron nothing, leaves what is known as it is", async () => {
  const since = Date.now() - 4 * HOUR;
  await enrolledAgent("before-1");
  await board.hear({ ...tell(Date.now(), [told("operational")], "before-1"), backlog: { waiting: 5, since } });
  await runInDurableObject(clusterOf(bindings, "before-1"), (cluster) => {
    const type: { wake(): Promise<unknown> } = Object.getPrototypeOf(cluster);
    vi.spyOn(type, "wake").mockResolvedValue(undefined);
  });
  await worker.scheduled(createScheduledController({ scheduledTime: Date.now() }), bindings);
  const { delays } = (await board.operatorView()).archive;
  expect(delays).toContainEqual({ cluster: "before-1", waiting: 5, since });
});

it("an operator's page is made of what a Board of the release before says", async () => {
  const view = await board.operatorView();
  const { archive: _archive, ...before } = { ...view, tells: view.tells.map(({ reports: _reports, ...told }) => told) };
  const model = homeModel(before as unknown as OperatorView, new Map(), Date.now());
  const services = (name: string) => view.tells.find(({ cluster }) => cluster === name)?.services.length ?? 0;
  expect(model.archive).toBeNull();
  expect(model.clusters.find(({ name }) => name === "before-1")?.services).toBe(services("before-1"));
  expect(services("before-1")).toBe(1);
  // And that release's Worker of what this Board says.
  expect(view.backlog.waiting).toBe(view.archive.waiting);
});
