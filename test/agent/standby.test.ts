/** Two agents of one cluster as processes: one works, the other stands by; and what each says of itself. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, expect, it } from "vitest";
import { startKubernetesServer, type KubernetesServer } from "../../dev/kubernetes/server.ts";
import type { Push } from "../../protocol/push.ts";
import { until } from "./cluster.ts";
import { startTestEdge, type TestEdge } from "./edge.ts";

const MAIN = resolve(import.meta.dirname, "../../agent/main.ts");
const folder = mkdtempSync(join(tmpdir(), "standby-"));
const children: ChildProcess[] = [];
let server: KubernetesServer;
let edge: TestEdge;

afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await edge.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, "127.0.0.1", done));
  const { port } = probe.address() as AddressInfo;
  await new Promise((done) => probe.close(done));
  return port;
}

async function agent(name: string): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const port = await freePort();
  const file = join(folder, `${name}.yaml`);
  const config = {
    edge: edge.url,
    cluster: "eu-1",
    enroll: { code: "ABCDEFGHABCDEFGHABCDEFGHABCDEFGH" },
    dataDir: name,
    interval: "1s",
    health: { listen: `127.0.0.1:${port}` },
    leader: { lease: "observatory/observatory-agent" },
    sources: { kubernetes: { url: server.url, tokenFile: "token", namespaces: ["shop"] } },
  };
  writeFileSync(file, JSON.stringify(config));
  const child = spawn(process.execPath, [MAIN, "--config", file], { stdio: "ignore" });
  children.push(child);
  return { child, url: `http://127.0.0.1:${port}` };
}

const textOf = async (url: string): Promise<string> => {
  try {
    return await (await fetch(url)).text();
  } catch {
    return "";
  }
};

it("one works and says what it sees; the other takes the cluster over when the first goes", async () => {
  writeFileSync(join(folder, "token"), "t");
  const read = {
    user: "agent",
    verbs: ["get", "list", "watch"],
    groups: ["*"],
    resources: ["*"],
    namespaces: ["shop"],
  };
  const lead = { ...read, verbs: ["get", "update"], namespaces: ["observatory"], names: ["observatory-agent"] };
  server = await startKubernetesServer({
    tokens: { t: "agent" },
    rbac: [read, lead],
    deployments: [{ namespace: "shop", name: "checkout", replicas: 2 }],
    leases: ["observatory/observatory-agent"],
  });
  edge = await startTestEdge();
  // As the edge does: the spool that opened last has the cluster, every other one is fenced.
  const spools: string[] = [];
  edge.answer((push: Push, path) => {
    const serverTime = Date.now();
    if (path === "/agent/v1/enroll")
      return { status: 200, body: { keyId: "k", fingerprint: "f", state: "active", serverTime } };
    if (!path.startsWith("/agent/v1/push")) return { status: 404, body: {} };
    if (push.epoch === null && !spools.includes(push.spool)) spools.push(push.spool);
    if (spools.at(-1) !== push.spool)
      return { status: 409, body: { error: { code: "fenced", message: "another agent" }, serverTime } };
    const received = push.records.first + push.records.items.length;
    const body = { epoch: spools.length, received, persisted: received, rejected: [], serverTime, nextPushMs: 1_000 };
    return { status: 200, body };
  });
  const first = await agent("first");
  await until(() => spools.length === 1, 20_000);
  const second = await agent("second");
  let metrics = "";
  const look = (): void => void textOf(`${first.url}/metrics`).then((text) => (metrics = text));
  // Pods are there before the last list is: only then is the source seen.
  await until(() => (look(), metrics.includes('observatory_agent_source_up{source="kubernetes"} 1')), 20_000);
  expect(metrics).toContain("observatory_agent_leading 1");
  expect(metrics).toMatch(/observatory_agent_pushes_total\{outcome="accepted"\} [1-9]/);
  expect(metrics).toContain('observatory_agent_pods{namespace="shop",status="Running"} 2');
  expect(await textOf(`${first.url}/healthz`)).toBe("ok\n");
  let standing = "";
  await until(() => (void textOf(`${second.url}/metrics`).then((text) => (standing = text)), standing !== ""), 10_000);
  expect(standing).toContain("observatory_agent_leading 0");
  expect(await textOf(`${second.url}/healthz`)).toBe("ok\n");
  expect((await fetch(`${second.url}/other`)).status).toBe(404);
  expect((await fetch(`${second.url}/metrics`, { method: "POST" })).status).toBe(405);
  expect(spools).toHaveLength(1);

  first.child.kill("SIGTERM");
  await until(() => spools.length === 2, 10_000);
  await until(
    () => (void textOf(`${second.url}/metrics`).then((text) => (standing = text)), standing.includes("leading 1")),
    10_000,
  );
  // The first comes back with the spool that it had, waits, and takes the cluster back when it leads.
  const back = await agent("first");
  await until(
    () => (void textOf(`${back.url}/metrics`).then((text) => (metrics = text)), metrics.includes("leading 0")),
    10_000,
  );
  expect(spools).toHaveLength(2);
  second.child.kill("SIGTERM");
  await until(() => spools.length === 3, 10_000);
});
