/** The first view's charts: from what is told, and from a real Postgres where nobody was heard. */
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { expect, it } from "vitest";
import { MINUTE } from "../../protocol/time.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import { bindings, call, cli, enrolledAgent, liveService, windowOf } from "./agent.ts";

const CLUSTER = "day-1";
const board = () => boardOf(bindings);

it("a page that lost its memory draws what Postgres knows, and keeps it through an eviction", async () => {
  const latency = { scheme: "explicit", bounds: [100, 250, 500], counts: [40, 20, 0, 0], sum: 5_000 };
  const agent = await enrolledAgent(CLUSTER);
  const items = Array.from({ length: 75 }, (_, i) => ({ ...windowOf(80 - i), latency }));
  expect((await agent.push({ epoch: agent.epoch, records: { first: 1, items } }, null)).status).toBe(200);
  await runDurableObjectAlarm(clusterOf(bindings, CLUSTER));
  const component = {
    // Components of other tests may have the name of its service, and a chart is chosen by the name.
    name: "Charted",
    group: null,
    description: null,
    services: [`${CLUSTER}/shop/checkout`],
    rule: "all",
  };
  await cli("PUT", "/cli/v1/components", { components: [component] });
  expect((await board().snapshot()).metrics).toBeUndefined();

  const live = { services: [liveService(0)] };
  await agent.push({ epoch: agent.epoch, records: { first: items.length + 1, items: [] } }, live);
  await expect.poll(async () => (await board().snapshot()).metrics?.length).toBe(3);
  const { metrics = [] } = await board().snapshot();
  expect(metrics.map(({ kind, component: of }) => [kind, of])).toEqual([
    ["p95", null],
    ["error_ratio", null],
    ["request_rate", null],
  ]);
  const rates = metrics[2];
  const step = (minutesAgo: number): number =>
    Math.floor((Date.now() - minutesAgo * MINUTE - (rates?.from ?? 0)) / (rates?.stepMs ?? 1));
  // The first of them may be the end of its step only: its rate is by what was seen of it.
  expect([80, 65, 50, 35].map((ago) => rates?.values[step(ago)])).toEqual([1, 1, 1, 1]);

  const read = async (asked: Promise<Response>): Promise<string> =>
    (await (await asked).text()).replaceAll(/<[^>]*>/g, "");
  expect(await read(call("/"))).toMatch(/\d req\/s now, highest/);
  // Which nobody can say who reads a copy.
  const copy = await read(cli("GET", "/cli/v1/copy?path=/"));
  expect(copy).not.toMatch(/\d (ms|%|req\/s) now/);
  expect(copy.match(/no data now, highest/g)).toHaveLength(3);

  await evictDurableObject(board());
  const [told] = (await board().snapshot()).metrics ?? [];
  expect(told?.values.slice(0, -1)).toEqual(metrics[0]?.values.slice(0, -1));
});

it("an operator chooses charts by what components are called, and what programs know of one keeps its id", async () => {
  const choose = (charts: object | null) => cli("PUT", "/cli/v1/charts", { charts });
  const kinds = async () => (await board().snapshot()).metrics?.map(({ id, kind, name }) => [id, kind, name]);
  const wish = { kind: "request_rate", component: "Charted", name: "Orders" };
  expect((await choose([{ kind: "p95" }, wish])).status).toBe(200);
  const first = await (await choose([wish, { kind: "p95" }])).json<{ charts: readonly { id: string }[] }>();
  expect(first.charts[1]?.id).toBe("responsetime");
  const again = await (await choose([{ kind: "p95" }, wish])).json<{ charts: readonly { id: string }[] }>();
  expect(again.charts[1]?.id).toBe(first.charts[0]?.id);
  // The component's own day begins with its first samples: until then the page shows what it knows.
  await expect.poll(kinds).toEqual([["responsetime", "p95", ""]]);
  const missing = await choose([{ kind: "p95", component: "Nobody" }]);
  expect([missing.status, await missing.text()]).toEqual([400, expect.stringContaining('there is no \\"Nobody\\"')]);
  expect((await choose(Array.from({ length: 7 }, () => ({ kind: "p95" })))).status).toBe(400);
  expect((await choose(null)).status).toBe(200);
  await expect.poll(async () => (await kinds())?.length).toBe(3);
});
