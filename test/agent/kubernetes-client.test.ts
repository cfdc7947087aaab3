/** The agent's client of the Kubernetes API against faults, and what only the in-process server is asked for. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createKubernetesClient } from "../../agent/kubernetes/client.ts";
import { PODS } from "../../agent/kubernetes/objects.ts";
import { startKubernetesServer } from "../../dev/kubernetes/server.ts";
import { until } from "./cluster.ts";
import { call, type Answer } from "./kubernetes-calls.ts";

const folder = mkdtempSync(join(tmpdir(), "client-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the in-process server alone", () => {
  it("refuses by verb, namespace and name, in a real server's words; names grant no list", async () => {
    const rbac = [
      {
        user: "agent",
        verbs: ["get", "list", "watch"],
        groups: ["apps"],
        resources: ["deployments"],
        namespaces: ["shop"],
      },
      {
        user: "agent",
        verbs: ["patch", "list"],
        groups: ["apps", ""],
        resources: ["deployments", "pods"],
        namespaces: ["shop"],
        names: ["checkout"],
      },
    ];
    const deployments = ["checkout", "orders"].map((name) => ({ namespace: "shop", name, replicas: 1 }));
    const server = await startKubernetesServer({ tokens: { t: "agent" }, rbac, deployments });
    const access = { url: server.url, headers: { authorization: "Bearer t" }, tls: {} };
    const base = "/apis/apps/v1/namespaces/shop/deployments";
    const merge = (name: string): Promise<Answer> =>
      call(access, "PATCH", `${base}/${name}`, {}, "application/merge-patch+json");
    expect((await merge("checkout")).status).toBe(200);
    expect((await merge("orders")).body).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message:
        'deployments.apps "orders" is forbidden: User "agent" cannot patch resource "deployments" in API group "apps" in the namespace "shop"',
      reason: "Forbidden",
      details: { name: "orders", group: "apps", kind: "deployments" },
      code: 403,
    });
    expect((await call(access, "GET", "/api/v1/namespaces/shop/pods")).body).toMatchObject({
      code: 403,
      message: 'pods is forbidden: User "agent" cannot list resource "pods" in API group "" in the namespace "shop"',
    });
    expect((await call(access, "GET", "/apis/apps/v1/deployments")).body).toMatchObject({
      message: expect.stringContaining("at the cluster scope"),
    });
    await server.stop();
  });

  it("keeps replicas and annotations over a restart where it is given a file", async () => {
    const options = {
      tokens: {},
      rbac: [],
      deployments: [{ namespace: "shop", name: "checkout", replicas: 3 }],
      stateFile: join(folder, "state.json"),
    };
    const first = await startKubernetesServer(options);
    first.scale("shop", "checkout", 1);
    first.annotate("shop", "checkout", { maintenance: "true" });
    const version = Number(first.deployment("shop", "checkout").metadata.resourceVersion);
    await first.stop();
    const second = await startKubernetesServer(options);
    const { spec, metadata } = second.deployment("shop", "checkout");
    expect([spec["replicas"], metadata.annotations]).toEqual([1, { maintenance: "true" }]);
    expect(Number(metadata.resourceVersion)).toBeGreaterThan(version);
    await second.stop();
  });
});

describe("the client", () => {
  const start = async (tokenFile = join(folder, "agent-token")) => {
    writeFileSync(join(folder, "agent-token"), "t");
    const rbac = [{ user: "agent", verbs: ["*"], groups: ["*"], resources: ["*"], namespaces: ["shop"] }];
    const server = await startKubernetesServer({
      tokens: { t: "agent" },
      rbac,
      deployments: [{ namespace: "shop", name: "checkout", replicas: 1 }],
    });
    return { server, client: createKubernetesClient({ url: server.url, tokenFile, namespaces: ["shop"] }) };
  };

  it.each([
    [
      "429 with its wish",
      { fault: "429", times: 1, retryAfterSeconds: 7 },
      { kind: "status", code: 429, reason: "TooManyRequests", retryAfterMs: 7_000 },
    ],
    [
      "503 without a Status",
      { fault: "503", times: 1, retryAfterSeconds: 2 },
      { kind: "status", code: 503, reason: "", retryAfterMs: 2_000 },
    ],
    ["500", { fault: "500", times: 1 }, { kind: "status", code: 500, retryAfterMs: null }],
    ["a cut connection", { fault: "drop", times: 1 }, { kind: "unreachable" }],
  ] as const)("tells %s", async (_name, fault, refusal) => {
    const { server, client } = await start();
    server.fail(fault);
    expect(await client.deployment("shop", "checkout")).toMatchObject({ ok: false, failure: refusal });
    expect(await client.deployment("shop", "checkout")).toMatchObject({ ok: true });
    client.close();
    await server.stop();
  });

  it.concurrent("gives up a call that hangs after ten seconds", { timeout: 15_000 }, async () => {
    const { server, client } = await start();
    server.fail({ fault: "hang", times: 1 });
    expect(await client.deployment("shop", "checkout")).toMatchObject({ ok: false, failure: { kind: "timeout" } });
    client.close();
    await server.stop();
  });

  it.concurrent("gives up the refusal of a watch whose body never ends", { timeout: 15_000 }, async () => {
    const endless = createServer((_request, response) => {
      response.writeHead(503);
      response.write('{"code":');
    });
    await new Promise<void>((resolve) => endless.listen(0, "127.0.0.1", resolve));
    const tokenFile = join(folder, "agent-token");
    writeFileSync(tokenFile, "t");
    const url = `http://127.0.0.1:${(endless.address() as AddressInfo).port}`;
    const client = createKubernetesClient({ url, tokenFile, namespaces: ["shop"] });
    const options = { resourceVersion: "1", timeoutSeconds: 1, silenceMs: 1_000, onChange: () => {}, onSign: () => {} };
    const end = await client.watch(PODS, "shop", { ...options, signal: new AbortController().signal });
    expect(end).toMatchObject({ end: "refused", refusal: { kind: "timeout" } });
    client.close();
    endless.closeAllConnections();
    endless.close();
  });

  it("reads the token again when it is refused, though a minute has not passed", async () => {
    const { server, client } = await start();
    expect(await client.list(PODS, "shop")).toMatchObject({ ok: true });
    writeFileSync(join(folder, "agent-token"), "rotated");
    server.tokens({ rotated: "agent" });
    expect(await client.list(PODS, "shop")).toMatchObject({ ok: false, failure: { code: 401 } });
    expect(await client.list(PODS, "shop")).toMatchObject({ ok: true });
    client.close();
    await server.stop();
  });

  it("has connections for calls however many watches are open", async () => {
    const { server, client } = await start();
    const stop = new AbortController();
    let open = 0;
    const options = { resourceVersion: "0", timeoutSeconds: 60, silenceMs: 60_000, onChange: () => {} };
    const watching = Array.from({ length: 200 }, () =>
      client.watch(PODS, "shop", { ...options, onSign: () => void (open += 1), signal: stop.signal }),
    );
    await until(() => open >= 200);
    expect(await client.deployment("shop", "checkout")).toMatchObject({ ok: true });
    stop.abort();
    await Promise.all(watching);
    client.close();
    await server.stop();
  });

  it("asks for the version of a group, and tells one that is not installed from one without objects", async () => {
    for (const [autoscaling, version] of [
      [["v2", "v1"], "v2"],
      [["v1", "v2beta1", "v2beta2"], "v2beta2"],
      [["v1"], null],
      [[], null],
    ] as const) {
      const server = await startKubernetesServer({
        tokens: { t: "agent" },
        rbac: [{ user: "agent", verbs: ["*"], groups: ["*"], resources: ["*"], namespaces: ["shop"] }],
        deployments: [{ namespace: "shop", name: "checkout", replicas: 1 }],
        autoscaling,
      });
      server.addAutoscaler("shop", "checkout", 1);
      const client = createKubernetesClient({
        url: server.url,
        tokenFile: join(folder, "agent-token"),
        namespaces: ["shop"],
      });
      expect(await client.groupVersion("autoscaling", ["v2", "v2beta2"])).toEqual({ ok: true, value: version });
      const found = await client.autoscalers("shop");
      expect(found.ok && found.value.map(({ target }) => target.name)).toEqual(version === null ? [] : ["checkout"]);
      client.close();
      await server.stop();
    }
  });

  it("tells a token file that is not there, and takes none for an autoscaler group that is not installed", async () => {
    const { server, client } = await start(join(folder, "none"));
    expect(await client.list(PODS, "shop")).toMatchObject({
      ok: false,
      failure: { kind: "unreachable", message: expect.stringContaining("none") },
    });
    client.close();
    await server.stop();
    const other = await start();
    expect(await other.client.autoscalers("shop")).toEqual({ ok: true, value: [] });
    other.client.close();
    await other.server.stop();
  });
});
