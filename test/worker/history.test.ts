/** What operators are told of the past, through the Worker and from a real Postgres. */
import { createExecutionContext, runDurableObjectAlarm } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import worker from "../../worker/index.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import { bindings, call, cli, enrolledAgent, windowOf } from "./agent.ts";

interface Answer {
  readonly error?: { readonly code: string; readonly message: string };
  readonly points?: readonly { readonly requests: number | null; readonly p95: unknown; readonly gap: boolean }[];
  readonly uptime?: { readonly time: { readonly ratio: number | null }; readonly requests: { readonly ratio: number } };
  readonly events?: readonly { readonly id: string; readonly at: string; readonly kind: string }[];
  readonly next?: string | null;
}

let headers: Record<string, string>;
let component: string;
const events = Array.from({ length: 5 }, (_, i) => ({
  kind: i === 4 ? "pod.oom_killed" : "pod.crash_loop",
  id: String(i).repeat(32),
  at: Date.now() - 3_600_000 + i,
  subject: "shop/checkout",
  body: { restarts: i },
}));

beforeAll(async () => {
  const agent = await enrolledAgent("history-1");
  const items = [windowOf(3), windowOf(2), ...events];
  expect((await agent.push({ epoch: agent.epoch, records: { first: 1, items } })).status).toBe(200);
  await runDurableObjectAlarm(clusterOf(bindings, "history-1"));
  const request = {
    name: "Checkout",
    group: "History",
    description: null,
    services: ["history-1/shop/checkout"],
    rule: "all",
  };
  await cli("PUT", "/cli/v1/components", { components: [request] });
  component = (await boardOf(bindings).operatorView()).components.find(({ group }) => group === "History")?.id ?? "";
  const { token } = await (await cli("POST", "/cli/v1/tokens", { scope: "read" })).json<{ token: string }>();
  headers = { authorization: `Bearer ${token}` };
});

async function get(path: string): Promise<Answer & { readonly status: number }> {
  const answer = await call(path, { headers });
  expect(answer.headers.get("cache-control")).toBe("no-store");
  return { status: answer.status, ...(await answer.json<Answer>()) };
}

describe("a component's series", () => {
  it.each([
    ["hour", 60],
    ["day", 288],
    ["week", 168],
    ["month", 120],
    ["quarter", 90],
  ])("over a %s has its %i points, and what was seen in them", async (range, count) => {
    const { status, points = [], uptime } = await get(`/api/v1/components/${component}/series?range=${range}`);
    expect([status, points.length]).toEqual([200, count]);
    const requests = points.map((point) => point.requests).filter((each) => each !== null);
    expect(requests.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(0);
    expect(points.filter((point) => point.requests === null).every((point) => point.p95 === null)).toBe(true);
    expect(uptime?.requests.ratio).toBeGreaterThan(0);
  });

  it("is of a day if nothing else is said", async () =>
    expect((await get(`/api/v1/components/${component}/series`)).points).toHaveLength(288));
});

describe("events", () => {
  it("come newest first, and page by page without a seam", async () => {
    const seen: string[] = [];
    let next: string | null | undefined = "";
    while (typeof next === "string") {
      const answer: Answer = await get(
        `/api/v1/events?cluster=history-1&limit=2${next === "" ? "" : `&before=${next}`}`,
      );
      seen.push(...(answer.events ?? []).map(({ id }) => id));
      next = answer.next;
    }
    expect(seen).toEqual(events.toReversed().map(({ id }) => id));
  });

  it.each([
    ["of a kind", "kind=pod.oom_killed", [4]],
    ["of some kinds", "kind=pod.oom_killed,lease.result", [4]],
    ["before a moment", `before=${new Date(events[1]?.at ?? 0).toISOString()}`, [0]],
    ["of nobody", "cluster=history-2", []],
  ])("%s", async (_name, query, expected) => {
    const path = query.startsWith("cluster") ? `/api/v1/events?${query}` : `/api/v1/events?cluster=history-1&${query}`;
    expect((await get(path)).events?.map(({ id }) => Number(id[0]))).toEqual(expected);
  });
});

it.each([
  ["/api/v1/components/nothing00000/series", 404, "not_found", /no such component/],
  ["/api/v1/components/:id/series?range=year", 400, "request_malformed", /hour, day, week, month, quarter/],
  ["/api/v1/events?kind=earthquake", 400, "request_malformed", /^kind: must be one or more of .*pod.crash_loop/],
  ["/api/v1/events?cluster=a/b", 400, "request_malformed", /^cluster: must be a DNS label/],
  ["/api/v1/events?limit=0", 400, "request_malformed", /^limit: must be 1 to 200\./],
  ["/api/v1/events?limit=ten", 400, "request_malformed", /^limit: must be 1 to 200\./],
  ["/api/v1/events?before=yesterday", 400, "request_malformed", /^before: must be `next`/],
])("%s is refused with %i %s", async (path, status, code, message) => {
  const answer = await get(path.replace(":id", component));
  expect([answer.status, answer.error?.code]).toEqual([status, code]);
  expect(answer.error?.message).toMatch(message);
});

it.each(["/api/v1/components/:id/series?range=quarter", "/api/v1/events"])(
  "while Postgres is down %s says so, and what to do",
  async (path) => {
    const env = {
      ...bindings,
      DATABASE_URL: "postgres://a:b@nowhere.invalid/c",
      NEON_FETCH_ENDPOINT: "http://127.0.0.1:9/sql",
    };
    const request = new Request(`https://status.test${path.replace(":id", component)}`, { headers });
    const answer = await worker.fetch(request as Parameters<typeof worker.fetch>[0], env, createExecutionContext());
    const { error } = await answer.json<Answer>();
    expect([answer.status, answer.headers.get("retry-after"), error?.code]).toEqual([503, "10", "unavailable"]);
    expect(error?.message).toMatch(/Postgres cannot be reached.*Ask again in a few seconds/);
  },
);
