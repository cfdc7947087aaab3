/** The first view's charts: from what is told, and from a real Postgres where nobody was heard. */
import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { expect, it } from "vitest";
import { MINUTE } from "../../protocol/time.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import { bindings, cli, enrolledAgent, liveService, windowOf } from "./agent.ts";

const CLUSTER = "day-1";
const board = () => boardOf(bindings);

it("a page that lost its memory draws what Postgres knows, and keeps it through an eviction", async () => {
  const latency = { scheme: "explicit", bounds: [100, 250, 500], counts: [40, 20, 0, 0], sum: 5_000 };
  const agent = await enrolledAgent(CLUSTER);
  const items = Array.from({ length: 75 }, (_, i) => ({ ...windowOf(80 - i), latency }));
  expect((await agent.push({ epoch: agent.epoch, records: { first: 1, items } }, null)).status).toBe(200);
  await runDurableObjectAlarm(clusterOf(bindings, CLUSTER));
  const component = {
    name: "Checkout",
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

  await evictDurableObject(board());
  const [told] = (await board().snapshot()).metrics ?? [];
  expect(told?.values.slice(0, -1)).toEqual(metrics[0]?.values.slice(0, -1));
});
