/** A component's own page and its charts' numbers, from a real Postgres. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { clusterOf } from "../../worker/objects/env.ts";
import { bindings, call, cli, enrolledAgent, liveService, windowOf } from "./agent.ts";

const CLUSTER = "charts-1";
let id: string;

beforeAll(async () => {
  const agent = await enrolledAgent(CLUSTER);
  const latency = { scheme: "explicit", bounds: [100, 250, 500], counts: [40, 20, 0, 0], sum: 5_000 };
  const items = Array.from({ length: 75 }, (_, i) => ({ ...windowOf(80 - i), latency }));
  await agent.push({ epoch: agent.epoch, records: { first: 1, items } }, null);
  await runDurableObjectAlarm(clusterOf(bindings, CLUSTER));
  const component = { name: "Checkout", group: "Charts", services: [`${CLUSTER}/shop/checkout`], rule: "all" };
  const published = await cli("PUT", "/cli/v1/components", { components: [component] });
  id = (await published.json<{ components: { id: string }[] }>()).components[0]?.id ?? "";
  await agent.push({ epoch: agent.epoch, records: { first: 76, items: [] } }, { services: [liveService(0)] });
});

describe("a component's page", () => {
  it.each([
    ["", 96],
    ["/week", 168],
    ["/month", 120],
    ["/quarter", 90],
  ])("has charts and their values at /components/:id%s", async (range, steps) => {
    const answer = await call(`/components/${id}${range}`);
    const html = await answer.text();
    expect([answer.status, answer.headers.get("content-security-policy")]).toEqual([
      200,
      expect.stringContaining("sha256-"),
    ]);
    expect(html.match(/class="plot"/g)).toHaveLength(3);
    expect(html.match(/<tr><th scope="row">/g)).toHaveLength(steps);
    expect(html).toMatch(/<td>\d+ ms<\/td><td>\d+ ms<\/td><td>100 ms to 250 ms<\/td>/);
  });

  it("has no internal name in it", async () => {
    const html = await (await call(`/components/${id}`)).text();
    expect(html).not.toContain(CLUSTER);
    expect(html).not.toContain("shop/checkout");
  });

  it("is not there for what is not on the page, in any range", async () => {
    const answers = await Promise.all(["", "/week"].map((range) => call(`/components/nothing00000${range}`)));
    expect(answers.map(({ status }) => status)).toEqual([404, 404]);
    expect((await call(`/components/${id}/decade`)).status).toBe(404);
    await Promise.all(answers.map((answer) => answer.text()));
  });
});

describe("/metrics-display", () => {
  it.each([
    ["day", 300],
    ["week", 1_800],
    ["month", 7_200],
  ])("answers the whole page's numbers of a %s", async (period, interval) => {
    // What the Board said last is fresh for five seconds.
    const statusOf = async () => (await call(`/metrics-display/requestrate0/${period}.json`)).status;
    await expect.poll(statusOf).toBe(200);
    const answer = await call(`/metrics-display/requestrate0/${period}.json`);
    const told = await answer.json<{ period: object; metrics: readonly { data: readonly { value: number }[] }[] }>();
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(told.period).toMatchObject({ identifier: period, interval });
    expect(told.metrics[0]?.data.length).toBeGreaterThan(0);
  });

  it("knows no other charts", async () =>
    expect((await call("/metrics-display/nothing00000/day.json")).status).toBe(404));
});
