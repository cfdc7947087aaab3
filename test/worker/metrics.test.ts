/** What a scrape is told of the gateway itself: counted where it happens, told with the tells, kept over evictions. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import type { Board } from "../../worker/objects/board.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import { bindings, call, cli, enrolledAgent, openSession, windowOf } from "./agent.ts";

let headers: Record<string, string>;

beforeAll(async () => {
  const { token } = await (await cli("POST", "/cli/v1/tokens", { scope: "metrics" })).json<{ token: string }>();
  headers = { authorization: `Bearer ${token}` };
});

async function scrape(): Promise<Readonly<Record<string, number>>> {
  const lines = (await (await call("/metrics", { headers })).text()).split("\n");
  const samples = lines.filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

/** The numbers of one cluster by the name of their metric. */
async function counted(cluster: string, ...names: readonly string[]): Promise<readonly (number | undefined)[]> {
  const found = await scrape();
  return names.map((name) => found[`${name}{cluster="${cluster}"}`]);
}

/** A tell is due after 30 s or with news: a source that changes its state is news. */
const news = (state: "ok" | "down") => ({ sources: { scrape: { state, detail: null, okAt: Date.now() } } });

describe("a cluster's counters", () => {
  it("go on over an eviction while its agent holds a session", async () => {
    const agent = await enrolledAgent("metrics-1");
    const session = await openSession(agent);
    const records = (first: number, ...items: object[]) => ({ epoch: agent.epoch, records: { first, items } });
    expect(await session.push(records(1, windowOf(9), windowOf(8)))).toMatchObject({ type: "receipt" });
    await evictDurableObject(clusterOf(bindings, "metrics-1"));
    expect(await session.push(records(3, windowOf(7)))).toMatchObject({ type: "receipt" });
    await evictDurableObject(clusterOf(bindings, "metrics-1"));
    // A replay brings nothing new, and a poison record is rejected.
    expect(await session.push(records(3, windowOf(7), { kind: "window" }), news("ok"))).toMatchObject({
      type: "receipt",
    });
    const names = ["observatory_pushes_total", "observatory_records_total", "observatory_records_rejected_total"];
    // The push that opened the epoch counts too.
    await expect.poll(() => counted("metrics-1", ...names)).toEqual([4, 3, 1]);
    session.close();
  });

  it("tell refusals by their code, and flushes that failed from those that did not", async () => {
    const agent = await enrolledAgent("metrics-2");
    const late = { epoch: agent.epoch, records: { first: 9, items: [windowOf(5)] } };
    expect((await agent.push(late)).status).toBe(409);
    expect((await agent.push({ epoch: agent.epoch, records: { first: 1, items: [windowOf(5)] } })).status).toBe(200);
    await runDurableObjectAlarm(clusterOf(bindings, "metrics-2"));
    expect((await agent.push({ epoch: agent.epoch, records: { first: 2, items: [] } }, news("down"))).status).toBe(200);
    const names = ["observatory_flushes_total", "observatory_flush_failures_total", "observatory_cluster_alarms_total"];
    await expect.poll(() => counted("metrics-2", ...names)).toEqual([1, 0, 1]);
    expect((await scrape())['observatory_push_refusals_total{cluster="metrics-2",code="gap"}']).toBe(1);
    expect((await scrape())['observatory_source_up{cluster="metrics-2",source="scrape"}']).toBe(0);
  });
});

describe("a scrape", () => {
  it("is one call of the Board and one that looks at the token, and wakes no Cluster", async () => {
    const calls = async () => (await boardOf(bindings).costs()).calls["metrics"] ?? 0;
    const clusterCalls = async () => (await clusterOf(bindings, "metrics-1").costs()).calls;
    const before = [await calls(), await clusterCalls()] as const;
    await scrape();
    expect([await calls(), await clusterCalls()]).toEqual([before[0] + 1, before[1]]);
  });

  it("counts answers of the cache, which the Worker tells with its next question", async () => {
    const before = await scrape();
    const views = async (how: string) =>
      ((await scrape())[`observatory_page_views_total{cache="${how}"}`] ?? 0) -
      (before[`observatory_page_views_total{cache="${how}"}`] ?? 0);
    await runInDurableObject(boardOf(bindings), async (board: Board) => board.snapshot({ cached: 41, made: 1 }));
    expect([await views("hit"), await views("miss")]).toEqual([41, 1]);
    const origin = `https://${crypto.randomUUID()}.test`;
    for (const _ of [1, 2, 3]) await (await call(`${origin}/api/v2/status.json`)).text();
    // The two that the cache answered are told with this one: by then the Board is asked again.
    onTestFinished(() => void vi.useRealTimers());
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6_000 });
    await (await call(`${origin}/api/v2/summary.json`)).text();
    vi.useRealTimers();
    expect([await views("hit"), await views("miss")]).toEqual([43, 3]);
  });

  it.each([
    [
      "application/openmetrics-text; version=1.0.0,text/plain;q=0.5",
      "application/openmetrics-text; version=1.0.0; charset=utf-8",
      true,
    ],
    ["text/plain; version=0.0.4", "text/plain; version=0.0.4; charset=utf-8", false],
    ["*/*", "text/plain; version=0.0.4; charset=utf-8", false],
  ])("that accepts %s gets %s", async (accept, type, isClosed) => {
    const answer = await call("/metrics", { headers: { ...headers, accept } });
    expect([answer.headers.get("content-type"), answer.headers.get("cache-control")]).toEqual([type, "no-store"]);
    expect((await answer.text()).endsWith("# EOF\n")).toBe(isClosed);
  });
});
