/** Who calls whom, on its way: with a push that will be told, once to the Board, and there until it is old. */
import { evictDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import type { Topology } from "../../protocol/topology.ts";
import { MINUTE } from "../../protocol/time.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import type { Agent, Receipt } from "./agent.ts";
import { bindings, call, cli, enrolledAgent, liveService } from "./agent.ts";

const topology: Topology = {
  at: 1,
  spanMs: MINUTE,
  workloads: ["shop/checkout", "shop/gateway"],
  edges: [[1, 0, 60, 0]],
  left: 0,
};

async function pushed(
  agent: Agent & { readonly epoch: number },
  extra: { topology?: Topology } = {},
): Promise<Receipt> {
  const answer = await agent.push({ epoch: agent.epoch }, { services: [liveService(0)], ...extra });
  if (answer.status !== 200) throw new Error(await answer.text());
  return answer.json<Receipt>();
}

async function edgesOf(cluster: string) {
  return (await boardOf(bindings).graphs(cluster)).graphs[0]?.edges;
}

async function heardAt(cluster: string): Promise<number> {
  const { tells } = await boardOf(bindings).operatorView([]);
  return tells.find((tell) => tell.cluster === cluster)?.heardAt ?? 0;
}

it("is accepted where the next push will be told, and only there", async () => {
  const agent = await enrolledAgent("graph-asks");
  const opened = await (await agent.push({ epoch: null }, null)).json<Receipt>();
  expect(opened.accepts).toContain("topology");
  const { accepts } = await pushed(agent);
  expect([accepts?.includes("topology"), accepts?.includes("compact")]).toEqual([false, true]);
  // The next push comes half a minute on.
  const slow = await agent.push({ epoch: agent.epoch, intervalMs: 30_000 }, { services: [liveService(0)] });
  expect((await slow.json<Receipt>()).accepts).toContain("topology");
});

it("reaches the Board with its push, stays there while tells come without one, and over an eviction", async () => {
  const agent = await enrolledAgent("graph-told");
  await pushed(agent, { topology });
  const edges = [{ from: "shop/gateway", to: "shop/checkout", requestsPerSecond: 1, errorRatio: 0 }];
  await expect.poll(() => edgesOf("graph-told")).toEqual(edges);
  await clusterOf(bindings, "graph-told").introduce();
  const before = await heardAt("graph-told");
  await pushed(agent);
  await expect.poll(() => heardAt("graph-told")).toBeGreaterThan(before);
  expect(await edgesOf("graph-told")).toEqual(edges);
  await evictDurableObject(boardOf(bindings));
  expect(await edgesOf("graph-told")).toEqual(edges);
});

it("that came with a push which was not told goes with the next one that is", async () => {
  const agent = await enrolledAgent("graph-waits");
  await pushed(agent);
  await expect.poll(() => edgesOf("graph-waits")).toEqual([]);
  await pushed(agent, { topology });
  expect(await edgesOf("graph-waits")).toEqual([]);
  // The next push is news.
  await clusterOf(bindings, "graph-waits").introduce();
  await pushed(agent);
  await expect.poll(async () => (await edgesOf("graph-waits"))?.length).toBe(1);
});

it("is in what operators are told that visitors read", async () => {
  const agent = await enrolledAgent("graph-cause");
  const services = ["checkout", "ledger"].map((name) => `graph-cause/shop/${name}`);
  const wishes = ["Caller", "Callee"].map((name, i) => ({ name, group: "Causes", services: [services[i]] }));
  await cli("PUT", "/cli/v1/components", { components: wishes });
  const failing = { ...topology, workloads: ["shop/checkout", "shop/ledger"], edges: [[0, 1, 300, 90]] };
  const live = [liveService(0.3), liveService(0.3, "shop/ledger")];
  const pushes = await agent.push({ epoch: agent.epoch }, { services: live, topology: failing as Topology });
  expect(pushes.status).toBe(200);
  const { token } = await (await cli("POST", "/cli/v1/tokens", { scope: "read" })).json<{ token: string }>();
  const whys = async () => {
    const answer = await call("/api/v1/components", { headers: { authorization: `Bearer ${token}` } });
    const { components } = await answer.json<{ components: { name: string; group: string; why: string }[] }>();
    return components.flatMap(({ group, name, why }) => (group === "Causes" ? [`${name}: ${why}`] : []));
  };
  await expect
    .poll(whys)
    .toEqual([
      "Caller: About 3 of 10 requests fail. Likely because of Callee.",
      "Callee: About 3 of 10 requests fail. Likely the cause of trouble in Caller.",
    ]);
});

it("is of a cluster that told something; of any other there is none", async () =>
  expect(await edgesOf("graph-nobody")).toBeUndefined());
