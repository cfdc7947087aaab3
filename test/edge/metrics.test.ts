/** `/metrics` in the hands of those who read it: promtool, a real Prometheus, and the queries of the Grafana boards. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import type { Mesh } from "../../dev/mesh/mesh.ts";
import { startMesh } from "../../dev/mesh/mesh.ts";
import { DAY } from "../../protocol/time.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually, ROOT } from "../support/process.ts";
import type { RunningProgram } from "../support/process.ts";
import { program } from "../support/programs.ts";
import { startPrometheus } from "../support/prometheus.ts";
import { EdgeAgent } from "./agent.ts";

const BOARDS = join(ROOT, "dev/grafana");
const REFRESH = { "observatory-overview": "10s", "observatory-certs": "5m", "observatory-anomalies": "30s" };

const BoardSchema = v.object({
  uid: v.string(),
  refresh: v.string(),
  panels: v.array(v.object({ id: v.number(), title: v.string(), targets: v.array(v.object({ expr: v.string() })) })),
});
const VectorSchema = v.object({
  status: v.literal("success"),
  data: v.object({
    result: v.array(v.object({ metric: v.record(v.string(), v.string()), value: v.tuple([v.number(), v.string()]) })),
  }),
});

const boards = readdirSync(BOARDS)
  .toSorted()
  .map((file) => v.parse(BoardSchema, JSON.parse(readFileSync(join(BOARDS, file), "utf8"))));
const queries = boards.flatMap(({ uid, panels }) =>
  panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [uid, title, expr] as const)),
);

const directory = mkdtempSync(join(tmpdir(), "observatory-metrics-"));
let database: RunningDatabase;
let mesh: Mesh;
let edge: Edge;
let agent: EdgeAgent;
let prometheus: { readonly program: RunningProgram; readonly url: string };
let token: string;

beforeAll(async () => {
  [database, mesh] = await Promise.all([startDatabase({}), startMesh()]);
  edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
  agent = await EdgeAgent.start(edge, "eu-1");
  await edge.cli("PUT", "/cli/v1/components", { components: [{ name: "Checkout", services: ["eu-1/shop/checkout"] }] });
  ({ token } = await edge.cli<{ token: string }>("POST", "/cli/v1/tokens", { scope: "metrics" }));
  agent.close(2);
  const notAfter = Date.now() + 5 * DAY;
  agent.happen("certificate.seen", "ledger.data:443", {
    fingerprint: "f".repeat(64),
    subject: "CN=ledger",
    notBefore: new Date(notAfter - 90 * DAY).toISOString(),
    notAfter: new Date(notAfter).toISOString(),
  });
  agent.happen("anomaly.raised", "shop/cart", { score: 0.91 });
  agent.sources = { certificates: { state: "ok", detail: null, okAt: Date.now() } };
  await agent.push();
  await eventually(async () => (await agent.marks()).persisted === agent.next, 20_000, "the facts to be in Postgres");
  const job = {
    job_name: "observatory",
    authorization: { credentials: token },
    static_configs: [{ targets: [new URL(edge.url).host] }],
  };
  prometheus = await startPrometheus(directory, mesh.metricsUrl, "5s", [job]);
});

afterAll(async () => {
  await prometheus?.program.stop();
  await agent?.remove();
  await edge?.remove();
  await mesh?.stop();
  await database?.stop();
  rmSync(directory, { recursive: true, force: true });
});

async function scraped(accept: string): Promise<string> {
  const answer = await fetch(`${edge.url}/metrics`, { headers: { authorization: `Bearer ${token}`, accept } });
  expect(answer.status).toBe(200);
  return answer.text();
}

async function ask(query: string): Promise<v.InferOutput<typeof VectorSchema>["data"]["result"]> {
  const answer = await fetch(`${prometheus.url}/api/v1/query?${new URLSearchParams({ query })}`);
  return v.parse(VectorSchema, await answer.json()).data.result;
}

it("promtool finds nothing to say of it", async () => {
  const input = await scraped("text/plain");
  const { status, stdout, stderr } = spawnSync(program("promtool"), ["check", "metrics"], { input, encoding: "utf8" });
  expect([status, stdout, stderr]).toEqual([0, "", ""]);
});

it("a real Prometheus scrapes it, as OpenMetrics", async () => {
  await eventually(
    async () => (await ask('up{job="observatory"} == 1')).length === 1,
    30_000,
    "Prometheus to have scraped the edge",
  );
  expect((await ask("observatory_mtls_certificates_expiring_7d"))[0]?.value[1]).toBe("1");
  expect((await ask("sum(observatory_anomaly_detections_total)"))[0]?.value[1]).toBe("1");
  expect((await ask('observatory_component_status{name="Checkout"}'))[0]?.metric["status"]).toBe("operational");
  const answer = await fetch(`${prometheus.url}/api/v1/targets`);
  const { data } = (await answer.json()) as {
    data: { activeTargets: { labels: { job: string }; health: string; lastError: string }[] };
  };
  const target = data.activeTargets.find(({ labels }) => labels.job === "observatory");
  expect(target).toMatchObject({ health: "up", lastError: "" });
});

describe("the Grafana boards", () => {
  it("are the runbook's three, each refreshed as it says", () =>
    expect(Object.fromEntries(boards.map(({ uid, refresh }) => [uid, refresh]))).toEqual(REFRESH));

  it("number their panels once, and ask for no name that is not there", async () => {
    const names = new Set([...(await scraped("text/plain")).matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name));
    for (const { panels } of boards) expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const asked = queries.flatMap(([, , expr]) => [...expr.matchAll(/observatory_\w+/g)].map(([name]) => name));
    expect(asked.filter((name) => !names.has(name))).toEqual([]);
    expect(asked).toContain("observatory_mtls_certificates_expiring_7d");
    expect(asked).toContain("observatory_anomaly_detections_total");
  });

  it.each(queries)("%s, %s: %s returns data", async (_uid, _title, expr) => {
    await eventually(async () => (await ask(expr)).some(({ value }) => value[1] !== "NaN"), 40_000, "data");
  });
});

it("what was read of certificates outlives Postgres, and says how old it is", async () => {
  database.inject("refuse");
  const text = await scraped("text/plain");
  expect(text).toContain("observatory_mtls_certificates_expiring_7d 1\n");
  expect(Number(/^observatory_watch_age_seconds (\S+)$/m.exec(text)?.[1])).toBeGreaterThan(0);
  const { token: reader } = await edge.cli<{ token: string }>("POST", "/cli/v1/tokens", { scope: "read" });
  const answer = await fetch(`${edge.url}/api/v1/certificates/expiring?days=7`, {
    headers: { authorization: `Bearer ${reader}` },
  });
  expect([answer.status, ((await answer.json()) as { note: string }).note]).toEqual([200, "1 expiring within 7 days"]);
});
