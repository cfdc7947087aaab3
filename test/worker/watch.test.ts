/** The runbook's lists and its overview, through the Worker and from a real Postgres: what nobody sees is unknown. */
import { createExecutionContext, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { DAY, MINUTE } from "../../protocol/time.ts";
import worker from "../../worker/index.ts";
import type { Board } from "../../worker/objects/board.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import { bindings, cli, enrolledAgent, liveService } from "./agent.ts";

const CLUSTER = "watch-1";
const OVERVIEW = "/api/v1/metrics/overview";
const CERTIFICATES = "/api/v1/certificates/expiring";

interface Reviewed {
  readonly verdict: string;
  readonly reason: string;
  readonly expiring7d?: number | null;
}
interface Answer {
  readonly error?: { readonly code: string; readonly message: string };
  readonly status?: string;
  readonly note?: string;
  readonly certificates?: readonly { readonly location: string; readonly verdict: string; readonly daysLeft: number }[];
  readonly unknown?: readonly object[];
  readonly shortLived?: { readonly count: number; readonly worrying: readonly object[] };
  readonly anomalies?: readonly { readonly service: string; readonly open: boolean }[];
  readonly requestsPerSecond?: number | null;
  readonly p95?: { readonly lo: number } | null;
  readonly review?: Readonly<Record<string, Reviewed>>;
}

let headers: Record<string, string>;
let agent: Awaited<ReturnType<typeof enrolledAgent>>;
let pushed = 0;

function certificate(location: string, lifetimeDays: number, leftDays: number): object {
  const notAfter = Date.now() + leftDays * DAY;
  const body = {
    fingerprint: "f".repeat(64),
    subject: `CN=${location}`,
    notBefore: new Date(notAfter - lifetimeDays * DAY).toISOString(),
    notAfter: new Date(notAfter).toISOString(),
  };
  return event("certificate.seen", location, body);
}

function event(kind: string, subject: string, body: object): object {
  return { kind, id: String(++pushed).padStart(32, "0"), at: Date.now() - 60_000 + pushed, subject, body };
}

/** Pushes events, has them flushed, and says how the agent's source of certificates is. */
async function push(
  items: readonly object[],
  state: "ok" | "stale" | "down",
  blind: readonly string[] = [],
): Promise<void> {
  const first = pushed - items.length + 1;
  const latency = { scheme: "explicit" as const, bounds: [100, 250, 500], counts: [90, 9, 1, 0], sum: 9_000 };
  const sources = {
    certificates: { state, detail: state === "ok" ? null : "1 of 3 not seen", okAt: Date.now(), blind: [...blind] },
  };
  const live = { sources, services: [{ ...liveService(0.02), latency }] };
  const answer = await agent.push({ epoch: agent.epoch, records: { first, items } }, live);
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('"rejected":[]')]);
  await runDurableObjectAlarm(clusterOf(bindings, CLUSTER));
  await forget();
}

/** What the Board read a moment ago is old. */
async function forget(): Promise<void> {
  await runInDurableObject(boardOf(bindings), async (board: Board) => {
    await board.watched(0);
  });
}

async function get(path: string, env = bindings): Promise<Answer & { readonly code: number }> {
  const request = new Request(`https://status.test${path}`, { headers });
  const answer = await worker.fetch(request as Parameters<typeof worker.fetch>[0], env, createExecutionContext());
  return { code: answer.status, ...(await answer.json<Answer>()) };
}

beforeAll(async () => {
  const { token } = await (await cli("POST", "/cli/v1/tokens", { scope: "read" })).json<{ token: string }>();
  headers = { authorization: `Bearer ${token}` };
  agent = await enrolledAgent(CLUSTER);
});

/** What the Board would say so long from now; null if it knows nothing. */
async function watchedIn(ms: number, maxAgeMs: number): Promise<number | null> {
  return runInDurableObject(boardOf(bindings), async (board: Board) => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
    try {
      return (await board.watched(maxAgeMs))?.certificates.length ?? null;
    } finally {
      vi.useRealTimers();
    }
  });
}

describe("certificates", () => {
  it("of nobody are unknown, and so are anomalies, never none", async () => {
    expect(await get(CERTIFICATES)).toMatchObject({ code: 200, status: "unknown", certificates: [] });
    expect((await get(CERTIFICATES)).note).toMatch(/No agent looks at certificates/);
    expect(await get("/api/v1/anomalies")).toMatchObject({ code: 200, status: "unknown", anomalies: [] });
    const { review } = await get("/api/v1/metrics/overview");
    expect(review?.["certificates"]).toMatchObject({ verdict: "unknown", expiring7d: null });
  });

  it("of a source that is down are not waited for: Postgres may sleep", async () => {
    await push([], "down");
    const at = () =>
      runInDurableObject(boardOf(bindings), async (board: Board) => (await board.watched(5 * MINUTE))?.at);
    const before = await at();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 31_000 });
    const after = await at();
    vi.useRealTimers();
    expect(after).toBe(before);
  });

  it("that an agent sees and that have not arrived are waited for: what is known is read again before it is old", async () => {
    const answer = await agent.push(
      { epoch: agent.epoch, records: { first: 1, items: [certificate("api:443", 90, 40)] } },
      {
        sources: { certificates: { state: "ok", detail: null, okAt: Date.now() } },
      },
    );
    expect(answer.status).toBe(200);
    expect(await get(CERTIFICATES)).toMatchObject({ status: "unknown", sources: [{ state: "blind" }] });
    await runDurableObjectAlarm(clusterOf(bindings, CLUSTER));
    expect(await watchedIn(20_000, 5 * MINUTE)).toBe(0);
    expect(await watchedIn(31_000, 5 * MINUTE)).toBe(1);
    await forget();
  });

  it("that end soon are listed, and short-lived ones are left out and counted", async () => {
    await push(
      [certificate("ledger:443", 90, 5), certificate("api:443", 90, 40), certificate("mesh:443", 1, 0.2)],
      "ok",
    );
    const found = await get(`${CERTIFICATES}?days=7`);
    expect(found).toMatchObject({ code: 200, status: "known", note: "1 expiring within 7 days" });
    expect(found.certificates).toMatchObject([{ location: "ledger:443", verdict: "warning", daysLeft: 4.9 }]);
    expect(found.shortLived).toMatchObject({ count: 1, worrying: [{ location: "mesh:443", verdict: "warning" }] });
    expect((await get(`${CERTIFICATES}?days=60`)).certificates).toHaveLength(2);
    expect((await get(`${CERTIFICATES}?days=1`)).certificates).toHaveLength(0);
    const { review } = await get("/api/v1/metrics/overview");
    expect(review?.["certificates"]).toMatchObject({ verdict: "alert", expiring7d: 1 });
  });

  it("of a source that sees some of its endpoints are said with that", async () => {
    await push([], "stale");
    const found = await get(CERTIFICATES);
    expect(found).toMatchObject({ status: "partly" });
    expect(found.note).toBe("1 expiring within 7 days, 1 source not reporting in full");
  });

  it("of a place that its agent is blind to are unknown, and the others are not", async () => {
    // A state that stays is told with the next tell; another one at once.
    await push([], "ok");
    await push([], "stale", ["tls ledger:443"]);
    const found = await get(CERTIFICATES);
    expect(found).toMatchObject({ status: "partly", certificates: [], unknown: [{ location: "ledger:443" }] });
    expect(found.note).toBe("0 expiring within 7 days, 1 unknown, 1 source not reporting in full");
    const { review } = await get("/api/v1/metrics/overview");
    expect(review?.["certificates"]).toMatchObject({ verdict: "unknown" });
    expect((await get(`${CERTIFICATES}?days=60`)).certificates).toMatchObject([{ location: "api:443" }]);
  });

  it("of a source that sees nothing are unknown", async () => {
    await push([], "down");
    const found = await get(CERTIFICATES);
    expect(found).toMatchObject({ status: "unknown", certificates: [] });
    expect(found.unknown).toHaveLength(3);
    expect(found.note).toBe("nobody knows: the only source sees nothing now, 3 certificates were seen before");
    const { review } = await get("/api/v1/metrics/overview");
    expect(review?.["certificates"]).toMatchObject({ verdict: "unknown", expiring7d: null });
    await push([], "ok");
  });

  it.each([
    ["days=0", /^days: must be 1 to 366\./],
    ["days=soon", /^days: must be 1 to 366\./],
    ["days=367", /^days: must be 1 to 366\./],
  ])("?%s is refused", async (query, message) => {
    const { code, error } = await get(`${CERTIFICATES}?${query}`);
    expect([code, error?.message]).toEqual([400, expect.stringMatching(message)]);
  });
});

it("anomalies come newest first, with the open ones marked", async () => {
  const raised = event("anomaly.raised", "shop/cart", { score: 0.91, threshold: 0.85 });
  const id = String(pushed).padStart(32, "0");
  await push(
    [raised, event("anomaly.raised", "shop/checkout", {}), event("anomaly.closed", "shop/cart", { raised: id })],
    "ok",
  );
  const found = await get("/api/v1/anomalies?limit=50");
  expect(found).toMatchObject({
    status: "reported",
    note: expect.stringMatching(/^2 newest, 1 of them open; 0 of \d clusters are watched now$/),
  });
  expect(found.anomalies?.map(({ service, open }) => [service, open])).toEqual([
    ["shop/checkout", true],
    ["shop/cart", false],
  ]);
  expect((await get("/api/v1/anomalies?limit=201")).error?.message).toMatch(/^limit: must be 1 to 200\./);
});

describe("the overview", () => {
  const away = {
    ...bindings,
    DATABASE_URL: "postgres://a:b@nowhere.invalid/c",
    NEON_FETCH_ENDPOINT: "http://127.0.0.1:9/sql",
  };

  it("judges by the runbook's thresholds, and says what it cannot tell", async () => {
    const found = await get("/api/v1/metrics/overview");
    expect(found).toMatchObject({ code: 200, requestsPerSecond: 5, errorRatio: 0.02, p95: { lo: 100, hi: 250 } });
    expect(found.review).toMatchObject({
      requestRate: { verdict: "unknown", baseline: null },
      errorRate: { verdict: "warning", reason: "error ratio 2 %, good is below 1 %" },
      p95Latency: { verdict: "indeterminate", reason: expect.stringContaining("add 200 to statsHistogramBuckets") },
      anomalies: { verdict: "unknown", raised: 2 },
    });
  });

  it("answers while Postgres is away: what it would add is unknown", async () => {
    const { code, requestsPerSecond, review } = await get("/api/v1/metrics/overview", away);
    expect([code, requestsPerSecond]).toEqual([200, 5]);
    expect(review?.["requestRate"]).toMatchObject({ verdict: "unknown", reason: "history cannot be reached" });
  });

  it("answers while a deploy goes out and the Board is still the release before's", async () => {
    const bring = await runInDurableObject(boardOf(bindings), (board: Board) => {
      const prototype = Object.getPrototypeOf(board) as { watched?: Board["watched"] };
      const own = prototype.watched;
      delete prototype.watched;
      return () => void (own === undefined ? null : (prototype.watched = own));
    });
    const { code, requestsPerSecond, review } = await get("/api/v1/metrics/overview");
    bring();
    expect([code, requestsPerSecond]).toEqual([200, 5]);
    expect(review?.["certificates"]).toMatchObject({ verdict: "unknown", expiring7d: null });
  });

  it("has the morning list of a cluster that tells it, and says what is not told", async () => {
    const pods = [{ namespace: "shop", status: "CrashLoopBackOff", count: 2 }];
    const workloads = { pods, autoscalers: { total: 2, atLimit: 1, named: ["shop/cart"] } };
    const sources = { kubernetes: { state: "ok" as const, detail: null, okAt: Date.now() } };
    const live = { sources, services: [liveService(0.02)], health: { prometheus: null, workloads } };
    // Another source is news, so that the Board hears of it with this push.
    const answer = await agent.push({ epoch: agent.epoch, records: { first: pushed + 1, items: [] } }, live);
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('"health"')]);
    await vi.waitFor(async () => expect((await get(OVERVIEW)).review?.["pods"]?.verdict).toBe("warning"), 20_000);
    const { review } = await get(OVERVIEW);
    expect(review?.["pods"]?.reason).toBe(`${CLUSTER}: 2 CrashLoopBackOff in shop`);
    expect(review?.["autoscalers"]?.reason).toBe(`${CLUSTER}: 1 of 2 at its limit (shop/cart)`);
    expect(review?.["targets"]).toEqual({ verdict: "unknown", reason: "no agent tells of Prometheus targets" });
  });

  it("of clusters that fell silent is no data", async () => {
    await boardOf(bindings).hush(CLUSTER, Date.now() + 1_000, Date.now() - 1);
    const found = await get("/api/v1/metrics/overview");
    expect(found).toMatchObject({ requestsPerSecond: null, errorRatio: null, p95: null, services: { reporting: 0 } });
    expect(Object.values(found.review ?? {}).map(({ verdict }) => verdict)).not.toContain("ok");
    expect((await get(CERTIFICATES)).status).toBe("unknown");
  });
});

it("what the Board has read a moment ago is not read again", async () => {
  const found = await runInDurableObject(boardOf(bindings), async (board: Board) => {
    const before = await board.watched(0);
    const after = await board.watched(60_000);
    return [before?.at, after?.at];
  });
  expect(found[0]).toBe(found[1]);
});
