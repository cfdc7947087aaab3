/** The agent as a process: its command line, its exit codes and what it leaves on the disk. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Push } from "../../protocol/push.ts";
import { startTestEdge, type Reply, type TestEdge } from "./edge.ts";

const MAIN = resolve(import.meta.dirname, "../../agent/main.ts");
const CODE = "ABCDEFGHABCDEFGHABCDEFGHABCDEFGH";
let folder = "";
let edge: TestEdge;
let proxy: Server;
let children: ChildProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "agent-"));
  edge = await startTestEdge();
  edge.answer(answers);
  proxy = createServer((_request, response) => {
    const labels =
      'reporter="destination",destination_service_namespace="shop",destination_service_name="cart",response_code="200"';
    response.end(`istio_requests_total{${labels}} ${Math.floor(performance.now())}\n`);
  });
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await edge.close();
  proxy.closeAllConnections();
  proxy.close();
  rmSync(folder, { recursive: true, force: true });
});

/** An edge that enrols and accepts. */
function answers(push: Push, path: string): Reply {
  const serverTime = Date.now();
  if (path === "/health") return { status: 200, body: { status: "ok" } };
  if (path === "/agent/v1/enroll")
    return { status: 200, body: { keyId: "k", fingerprint: "f", state: "active", serverTime } };
  if (!path.startsWith("/agent/v1/push")) return { status: 404, body: {} };
  const received = push.records.first + push.records.items.length;
  return {
    status: 200,
    body: { epoch: push.epoch ?? 5, received, persisted: received, rejected: [], serverTime, nextPushMs: 1_000 },
  };
}

function configure(more: Record<string, unknown> = {}): string {
  const { port } = proxy.address() as AddressInfo;
  const sources = { scrape: { interval: "1s", targets: [`http://127.0.0.1:${port}/metrics`] } };
  const file = join(folder, "agent.yaml");
  writeFileSync(
    file,
    JSON.stringify({
      edge: edge.url,
      cluster: "demo",
      enroll: { code: CODE },
      dataDir: "data",
      interval: "1s",
      sources,
      ...more,
    }),
  );
  return file;
}

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | string>;
}

function run(...flags: readonly string[]): Run {
  const child = spawn(process.execPath, [MAIN, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let output = "";
  child.stdout.on("data", (data: Buffer) => (output += data.toString()));
  child.stderr.on("data", (data: Buffer) => (output += data.toString()));
  const ended = new Promise<number | string>((done) =>
    child.once("close", (code, signal) => done(code ?? signal ?? "")),
  );
  return { child, output: () => output, ended };
}

function pushes(): Push[] {
  return edge.received.filter(({ path }) => path.startsWith("/agent/v1/push")).map(({ push }) => push);
}

const SOON = { timeout: 15_000, interval: 50 };

describe("the command", () => {
  it.each([
    ["--help says how it is used", ["--help"], 0, "usage: node agent/main.ts --config FILE"],
    ["without a configuration says what is missing", [], 2, "which configuration?"],
    ["with an unknown flag says so", ["--chekc"], 2, "--chekc"],
    ["with a missing file says so", ["--config", "/nowhere/agent.yaml"], 2, "there is no such file"],
  ])("%s", async (_name, flags, code, text) => {
    const { ended, output } = run(...flags);
    expect(await ended).toBe(code);
    expect(output()).toContain(text);
  });

  it("lists every fault of the configuration and does not start", async () => {
    const { ended, output } = run("--config", configure({ interval: "soon", cluster: "Demo" }));
    expect(await ended).toBe(2);
    expect(output()).toContain("2 faults in the configuration");
    expect(output()).toContain("cluster: must be a DNS label");
    expect(output()).toContain("interval: write a length with its unit");
  });

  it("--check says what can be reached, and changes nothing", async () => {
    const { ended, output } = run("--config", configure(), "--check");
    expect(await ended, output()).toBe(0);
    expect(output()).toContain(`ok    edge ${edge.url}: answers, status ok`);
    expect(output()).toMatch(/ok {4}scrape http:.*: 1 samples of the mesh/);
    expect(() => statSync(join(folder, "data"))).toThrow("ENOENT");
  });

  it("--check fails when something cannot be reached, and says which", async () => {
    const sources = { prometheus: { url: "http://127.0.0.1:9" }, certificates: { endpoints: ["127.0.0.1:9"] } };
    const { ended, output } = run("--config", configure({ sources }), "--check");
    expect(await ended).toBe(1);
    expect(output()).toContain("FAIL  prometheus http://127.0.0.1:9: ");
    expect(output()).toContain("FAIL  certificate 127.0.0.1:9: ");
    expect(output()).toContain("ok    edge");
  });
});

describe("the agent", () => {
  it("enrols once, reports, says goodbye, and knows itself again", async () => {
    const file = configure();
    const first = run("--config", file);
    await vi.waitFor(
      () => expect(pushes().some(({ live }) => live?.services.some(({ readings }) => readings.length > 0))).toBe(true),
      SOON,
    );
    expect(statSync(join(folder, "data", "agent-key.pem")).mode & 0o777).toBe(0o600);
    const count = pushes().length;
    first.child.kill("SIGTERM");
    expect(await first.ended).toBe(0);
    expect(pushes().length).toBeGreaterThan(count);
    run("--config", file);
    await vi.waitFor(() => expect(pushes().length).toBeGreaterThan(count + 2), SOON);
    expect(edge.received.filter(({ path }) => path === "/agent/v1/enroll")).toHaveLength(1);
    expect(new Set(pushes().map(({ spool }) => spool)).size).toBe(1);
    expect(pushes().filter(({ epoch }) => epoch === null)).toHaveLength(1);
  });

  it("without a code says how to get one", async () => {
    const { ended, output } = run("--config", configure({ enroll: undefined }));
    expect(await ended).toBe(77);
    expect(output()).toContain("npm run -s enroll -- --cluster demo");
  });

  it("with a used code says so and stops", async () => {
    edge.answer(() => ({
      status: 401,
      body: { error: { code: "unauthenticated", message: "This code was used." }, serverTime: Date.now() },
    }));
    const { ended, output } = run("--config", configure());
    expect(await ended).toBe(77);
    expect(output()).toContain("This code was used.");
  });

  it("with a used code goes on if the edge knows its key: an answer was lost", async () => {
    edge.answer((push, path) =>
      path === "/agent/v1/enroll"
        ? { status: 409, body: { error: { code: "conflict", message: "used" }, serverTime: Date.now() } }
        : answers(push, path),
    );
    run("--config", configure());
    await vi.waitFor(() => expect(pushes().length).toBeGreaterThan(2), SOON);
  });

  it("that is fenced ends with 78 and does not fight", async () => {
    const file = configure();
    const { ended, output } = run("--config", file);
    await vi.waitFor(() => expect(pushes().length).toBeGreaterThan(1), SOON);
    edge.answer(() => ({ status: 409, body: { error: { code: "fenced", message: "" }, serverTime: Date.now() } }));
    expect(await ended).toBe(78);
    expect(output()).toContain("--take-over");
    const again = run("--config", file);
    expect(await again.ended).toBe(78);
  });

  it("keeps trying while the edge is down, and its source too", async () => {
    edge.answer(() => "hang up");
    const { child, output } = run(
      "--config",
      configure({ sources: { scrape: { interval: "1s", targets: ["http://127.0.0.1:9/metrics"] } } }),
    );
    await vi.waitFor(() => expect(edge.received.length).toBeGreaterThan(2), SOON);
    expect(child.exitCode).toBeNull();
    edge.answer(answers);
    await vi.waitFor(() => expect(pushes().at(-1)?.live?.sources.scrape).toMatchObject({ state: "down" }), SOON);
    expect(output()).toContain("cannot enrol yet");
  });

  it("refuses a data folder that another agent uses, and takes one that a killed agent left", async () => {
    const file = configure();
    const first = run("--config", file);
    await vi.waitFor(
      () => expect(readFileSync(join(folder, "data", "agent.lock"), "utf8")).toBe(`${first.child.pid}\n`),
      SOON,
    );
    const second = run("--config", file);
    expect(await second.ended).toBe(2);
    first.child.kill("SIGKILL");
    await first.ended;
    const third = run("--config", file);
    await vi.waitFor(() => expect(third.output()).toContain("pushes are accepted"), SOON);
  });
});
