/** Limits of components: from the operator to the Cluster that judges by them, and back to the page. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Policies } from "../../worker/core/policies.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import { bindings, call, cli, enrolledAgent, liveService, onBoard } from "./agent.ts";

const board = boardOf(bindings);
/** Read just now: what was read half a minute ago says nothing any more. */
const threePercent = (): object => ({ services: [liveService(0.03)] });

/** A board that is new asks the archive for its components first. */
beforeAll(() => vi.waitUntil(async () => (await board.leasesOf("nobody")) !== null, { timeout: 60_000 }));

async function publish(cluster: string, facts: object): Promise<string> {
  const wish = { name: cluster, group: "Policies", services: [`${cluster}/shop/checkout`], ...facts };
  const answer = await cli("PUT", "/cli/v1/components", { components: [wish] });
  const { components } = await answer.json<{ components: { id: string }[] }>();
  return components[0]?.id ?? "";
}

async function statusOf(id: string): Promise<string | undefined> {
  return (await board.snapshot()).components.find((one) => one.id === id)?.outlook[0]?.status;
}

const push = (agent: Awaited<ReturnType<typeof enrolledAgent>>, live: object = threePercent()) =>
  agent.push({ epoch: agent.epoch }, live);

/** What the Cluster keeps of limits; null if it never had any. */
async function kept(cluster: string): Promise<Policies | null> {
  return runInDurableObject(clusterOf(bindings, cluster), (_, { storage }) => {
    const [row] = storage.sql.exec<{ value: string }>("SELECT value FROM meta WHERE key = 'policies'").toArray();
    return row === undefined ? null : (JSON.parse(row.value) as Policies);
  });
}

describe("limits of a component", () => {
  it("reach the cluster at once, the next push is judged by them, and they survive its death", async () => {
    const agent = await enrolledAgent("limits-1");
    const id = await publish("limits-1", {});
    await push(agent);
    await expect.poll(() => statusOf(id)).toBe("degraded_performance");
    await publish("limits-1", { thresholds: { errorRatioPartial: 0.02 } });
    await expect.poll(async () => (await kept("limits-1"))?.own["shop/checkout"]?.[0]?.component).toBe(id);
    await evictDurableObject(clusterOf(bindings, "limits-1"));
    await push(agent);
    await expect.poll(() => statusOf(id)).toBe("partial_outage");
    const answer = await call(`/api/v1/components/${id}`, { headers: await reading() });
    expect(await answer.json()).toMatchObject({
      reason: "error ratio 3 % over the last 3 readings, limit 2 %",
      thresholds: { errorRatioPartial: 0.02, errorRatioDegraded: 0.01 },
    });
  });

  it("that were set while nobody could reach the cluster come with the answer to its next tell", async () => {
    const id = await publish("limits-2", { thresholds: { errorRatioPartial: 0.02 } });
    const agent = await enrolledAgent("limits-2");
    await push(agent);
    await expect.poll(async () => (await kept("limits-2"))?.hash).toBeTruthy();
    await push(agent);
    await expect.poll(() => statusOf(id)).toBe("partial_outage");
  });

  it("that are taken away are the runbook's again", async () => {
    const agent = await enrolledAgent("limits-3");
    const id = await publish("limits-3", { thresholds: { errorRatioPartial: 0.02 } });
    await push(agent);
    await expect.poll(async () => (await kept("limits-3"))?.hash).toBeTruthy();
    await publish("limits-3", { thresholds: null });
    expect((await board.operatorView()).components.find((one) => one.id === id)).not.toHaveProperty("thresholds");
    await expect.poll(async () => (await kept("limits-3"))?.hash).toBe("");
    await push(agent);
    await expect.poll(() => statusOf(id)).toBe("degraded_performance");
  });

  it("cost a cluster without any nothing, and one that has them no row a push", async () => {
    const agent = await enrolledAgent("limits-4");
    await publish("limits-4", {});
    await push(agent);
    expect(await kept("limits-4")).toBeNull();
    await publish("limits-4", { thresholds: { p95Ms: 250 } });
    await expect.poll(async () => (await kept("limits-4"))?.hash).toBeTruthy();
    await push(agent);
    const rows = async () => (await clusterOf(bindings, "limits-4").costs()).rowsWritten;
    const before = await rows();
    for (let i = 0; i < 5; i++) await push(agent);
    expect(await rows()).toBe(before);
  });

  it("stay as they are with a Board of the release before, which answers nothing", async () => {
    const agent = await enrolledAgent("limits-5");
    await publish("limits-5", { thresholds: { p95Ms: 250 } });
    await push(agent);
    await expect.poll(async () => (await kept("limits-5"))?.hash).toBeTruthy();
    const heard: (string | undefined)[] = [];
    await onBoard("hear", async ({ policies }) => void heard.push(policies));
    await push(agent, { services: [liveService(0.6)] });
    await expect.poll(() => heard.length).toBeGreaterThan(0);
    expect(heard.at(-1)).toBeTruthy();
    expect((await kept("limits-5"))?.hash).toBe(heard.at(-1));
  });

  it.each([
    ["a share above 100 %", { errorRatioMajor: 1.5 }, "must be above 0 % and at most 100 % (1 in JSON)"],
    ["a limit that nobody knows", { errorRatio: 0.1 }, "errorRatio"],
    ["limits in the wrong order", { errorRatioDegraded: 0.2 }, "must not be above the limit of a partial outage"],
  ] as const)("are refused if they are %s", async (_name, thresholds, message) => {
    const wish = { name: "Wrong", group: "Policies", services: ["limits-9/shop/checkout"], thresholds };
    const answer = await cli("PUT", "/cli/v1/components", { components: [wish] });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain(message);
  });
});

describe("limits of the page", () => {
  const limit = (thresholds: object | null) => cli("PUT", "/cli/v1/limits", { thresholds });

  it("are those of every component without its own, and beneath those that have some", async () => {
    const agent = await enrolledAgent("limits-6");
    const plain = await publish("limits-6", {});
    const own = await publish("limits-6", { name: "Own", thresholds: { errorRatioDegraded: 0.001 } });
    expect((await limit({ errorRatioPartial: 0.02 })).status).toBe(200);
    await push(agent);
    await expect.poll(async () => (await kept("limits-6"))?.base.errorRatioPartial).toBe(0.02);
    await push(agent);
    await expect.poll(() => statusOf(plain)).toBe("partial_outage");
    await expect.poll(() => statusOf(own)).toBe("partial_outage");
    // What only the Board's storage knows it still knows after its death; and no visitor reads of it.
    await evictDurableObject(board);
    expect((await board.operatorView()).page.thresholds).toEqual({ errorRatioPartial: 0.02 });
    expect(JSON.stringify(await board.snapshot())).not.toContain("errorRatioPartial");
    await limit(null);
    await expect.poll(async () => (await kept("limits-6"))?.base.errorRatioPartial).toBe(0.05);
    await push(agent);
    await expect.poll(() => statusOf(plain)).toBe("degraded_performance");
    expect((await board.operatorView()).page).not.toHaveProperty("thresholds");
  });

  it("have a form, which says what is wrong with them", async () => {
    const { token } = await board.createLink();
    const cookie = `__Host-observatory=${await board.redeemLink(token)}`;
    const post = (value: string) =>
      call("/admin/limits", {
        method: "POST",
        headers: { origin: "https://status.test", cookie, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ "thresholds.errorRatioMajor": value }).toString(),
      });
    const refused = await post("500");
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain("Must be above 0 % and at most 100 % (1 in JSON)");
    expect((await post("60")).status).toBe(303);
    expect((await board.operatorView()).page.thresholds).toEqual({ errorRatioMajor: 0.6 });
    const page = await (await call("/admin/limits", { headers: { cookie } })).text();
    expect(page).toMatch(/name="thresholds.errorRatioMajor"[^>]*placeholder="50" value="60"/);
    expect((await post("")).status).toBe(303);
    expect((await board.operatorView()).page).not.toHaveProperty("thresholds");
  });
});

async function reading(): Promise<Record<string, string>> {
  const { token } = await (await cli("POST", "/cli/v1/tokens", { scope: "read" })).json<{ token: string }>();
  return { authorization: `Bearer ${token}` };
}
