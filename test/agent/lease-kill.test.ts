/** `kill -9` of a real agent at calls of a lease's life: what its successor finds on disk and cluster is enough. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import type { Push } from "../../protocol/push.ts";
import { desired, EDGE_KEY, lease, startCluster, until } from "./cluster.ts";
import { startTestEdge } from "./edge.ts";

const MAIN = resolve(import.meta.dirname, "../../agent/main.ts");
const LIMIT_MS = 60_000;

/** Plays a lease to its end; the process is killed at the `nth` call that matches, before or after it is carried out. */
async function killedAt(call: RegExp, nth: number, when: "before" | "after"): Promise<readonly number[]> {
  const cluster = await startCluster();
  const history: number[] = [3];
  cluster.server.onReplicas((ref, replicas) => {
    if (ref === "shop/checkout" && history.at(-1) !== replicas) history.push(replicas);
  });
  const edge = await startTestEdge();
  let wanted = desired(1, [lease()]);
  let state = "";
  edge.answer((push: Push, path) => {
    const serverTime = Date.now();
    if (path === "/agent/v1/enroll")
      return { status: 200, body: { keyId: "k", fingerprint: "f", state: "active", serverTime } };
    if (!path.startsWith("/agent/v1/push")) return { status: 404, body: {} };
    state = push.live?.leases.targets.find(({ target }) => target === "shop/checkout")?.state ?? state;
    const received = push.records.first + push.records.items.length;
    const receipt = { epoch: 5, received, persisted: received, rejected: [], serverTime, nextPushMs: 1_000 };
    return { status: 200, body: { ...receipt, desired: wanted } };
  });
  const folder = mkdtempSync(join(tmpdir(), "kill-"));
  writeFileSync(join(folder, "token"), "agent-token");
  const file = join(folder, "agent.yaml");
  const targets = [{ ref: "shop/checkout", modes: ["scale"], floor: 1 }];
  const config = {
    edge: edge.url,
    cluster: "eu-1",
    enroll: { code: "ABCDEFGHABCDEFGHABCDEFGHABCDEFGH" },
    dataDir: "data",
    interval: "1s",
    sources: { kubernetes: { url: cluster.server.url, tokenFile: "token", namespaces: ["shop"] } },
    leases: { edgeKeys: [EDGE_KEY], targets },
  };
  writeFileSync(file, JSON.stringify(config));
  const start = (): ChildProcess => spawn(process.execPath, [MAIN, "--config", file], { stdio: "ignore" });
  let child = start();
  let seen = 0;
  let deaths = 0;
  cluster.server.intercept((line, now) => {
    if (now === "before" && call.test(line)) seen += 1;
    if (deaths > 0 || now !== when || seen !== nth || !call.test(line)) return "go";
    deaths += 1;
    child.kill("SIGKILL");
    child = start();
    return "cut";
  });
  try {
    await until(
      () => state === "applied",
      LIMIT_MS,
      () => [state, deaths, history],
    );
    wanted = desired(2, []);
    await until(
      () => cluster.shows().replicas === 3 && history.length >= 3,
      LIMIT_MS,
      () => [state, deaths, history],
    );
    await until(() => deaths === 1, LIMIT_MS);
    await until(() => !("maintenance" in cluster.shows().annotations), LIMIT_MS);
    return history;
  } finally {
    child.kill("SIGKILL");
    await edge.close();
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

it("replicas are exactly what they were, down once and up once", { timeout: 180_000 }, async () => {
  const patch = /^PATCH/;
  const moments: readonly (readonly [call: RegExp, nth: number, when: "before" | "after"])[] = [
    [/^GET .*deployments\/checkout$/, 1, "after"],
    [/^GET .*horizontalpodautoscalers\?(?!.*watch)/, 2, "after"],
    [patch, 1, "before"],
    [patch, 1, "after"],
    [patch, 2, "before"],
    [patch, 2, "after"],
  ];
  const waiting = [...moments];
  const histories: (readonly number[])[] = [];
  const worker = async (): Promise<void> => {
    for (let moment = waiting.shift(); moment !== undefined; moment = waiting.shift())
      histories.push(await killedAt(...moment));
  };
  await Promise.all([worker(), worker(), worker()]);
  expect(histories).toEqual(moments.map(() => [3, 1, 3]));
});
