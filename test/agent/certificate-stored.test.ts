/** Certificates that a cluster stores, listed as the rendered chart allows it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createKubernetesClient, type KubernetesClient } from "../../agent/kubernetes/client.ts";
import { startCertificatesSource } from "../../agent/source/certificates.ts";
import { lookAtCertManager, lookAtSecrets } from "../../agent/source/stored.ts";
import { manifestsOf, renderChart } from "../../dev/chart/chart.ts";
import { rulesOf } from "../../dev/kubernetes/rbac.ts";
import {
  startKubernetesServer,
  type KubernetesServer,
  type KubernetesServerOptions,
} from "../../dev/kubernetes/server.ts";
import type { EventRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { issue, NOW, type Issued } from "./authority.ts";
import { until } from "./cluster.ts";

const USER = "system:serviceaccount:observatory:observatory-agent";
const TLS = "kubernetes.io/tls";
const PAGE_BYTES_MAX = 500_000;
/** Stands in every private key, and must stand nowhere else. */
const CANARY = "canary-of-a-private-key";

const granted = (certificates: object) =>
  rulesOf(
    manifestsOf(
      renderChart({
        edge: "https://status.example.com",
        cluster: "eu-1",
        sources: { kubernetes: { inCluster: true, namespaces: ["shop"] }, certificates: certificates as never },
      }),
    ),
  );
const OPTED_IN = granted({ secrets: { namespaces: ["shop"] }, certManager: { namespaces: ["shop"] } });
const NOT_OPTED_IN = granted({ endpoints: ["ledger.shop:443"] });

let root: Issued;
let leaf: Issued;
let chain: string;
let key: string;
beforeAll(async () => {
  root = await issue("root", -10, 3_650, null, true);
  const between = await issue("between", -10, 400, root, true);
  leaf = await issue("ledger.shop", -30, 60, between);
  chain = [leaf, between, root].map(({ pem }) => pem).join("\n");
  // As long as one of RSA with 2,048 bits.
  key = `-----BEGIN PRIVATE KEY-----\n${CANARY.repeat(70)}\n-----END PRIVATE KEY-----\n`;
});

const folder = mkdtempSync(join(tmpdir(), "stored-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function start(
  options: Partial<KubernetesServerOptions> = {},
): Promise<{ readonly server: KubernetesServer; readonly client: KubernetesClient }> {
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "t");
  const server = await startKubernetesServer({ tokens: { t: USER }, rbac: OPTED_IN, deployments: [], ...options });
  const client = createKubernetesClient({ url: server.url, tokenFile, namespaces: ["shop"] });
  onTestFinished(async () => {
    client.close();
    await server.stop();
  });
  return { server, client };
}

const now = (): number => NOW;
const secrets = (client: KubernetesClient) => lookAtSecrets(client, ["shop"], now);
const listings = (server: KubernetesServer): readonly string[] =>
  server.requests().filter((line) => line.includes("/secrets?"));

/** What each of these requests weighs when it is made again, bytes. */
async function weights(server: KubernetesServer, lines: readonly string[]): Promise<readonly number[]> {
  const bytes = async (line: string): Promise<number> => {
    const answer = await fetch(`${server.url}${line.replace("GET ", "")}`, { headers: { authorization: "Bearer t" } });
    expect(answer.status).toBe(200);
    return (await answer.arrayBuffer()).byteLength;
  };
  return Promise.all(lines.map(bytes));
}

describe("TLS Secrets", () => {
  it.each<[string, number, () => string]>([
    ["500 usual ones", 500, () => key],
    ["200 with five times as much in them", 200, () => key.repeat(10)],
  ])("%s come in pages below half a megabyte, large ones of Helm beside them in none", async (_name, count, keyOf) => {
    const { server, client } = await start();
    for (let i = 0; i < count; i++) server.addSecret("shop", `tls-${i}`, TLS, { "tls.crt": chain, "tls.key": keyOf() });
    for (let i = 0; i < 50; i++)
      server.addSecret("shop", `sh.helm.release.v1.${i}`, "helm.sh/release.v1", { release: "x".repeat(120_000) });
    const { sightings, unseen, fault } = await secrets(client);
    expect([sightings.length, unseen.size, fault]).toEqual([count, 0, null]);
    expect(sightings[0]).toMatchObject({
      source: "secret",
      location: "shop/tls-0",
      names: ["ledger.shop"],
      life: { notBefore: NOW - 30 * DAY, notAfter: NOW + 60 * DAY, chain: { subject: "CN=between" } },
      anchor: { subject: "CN=root" },
    });
    const lines = listings(server);
    const pages = await weights(server, lines);
    expect(lines.every((line) => line.includes("fieldSelector=type%3Dkubernetes.io%2Ftls"))).toBe(true);
    expect(Math.max(...pages)).toBeLessThan(PAGE_BYTES_MAX);
    expect(pages.length).toBeLessThan(count / 10);
  });

  it("are all there when a page's token was compacted away meanwhile", async () => {
    const { server, client } = await start();
    for (let i = 0; i < 60; i++) server.addSecret("shop", `tls-${i}`, TLS, { "tls.crt": chain, "tls.key": key });
    let pages = 0;
    server.intercept((line, when) => {
      if (when === "after" && line.includes("/secrets?") && ++pages === 1) setImmediate(() => server.compact());
      return "go";
    });
    expect((await secrets(client)).sightings).toHaveLength(60);
    expect(listings(server).filter((line) => !line.includes("continue="))).toHaveLength(2);
  });

  it("of which one cannot be read are seen but for that one", async () => {
    const { server, client } = await start();
    server.addSecret("shop", "a", TLS, { "tls.crt": chain, "tls.key": key });
    const broken = leaf.pem.replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA");
    server.addSecret("shop", "broken", TLS, { "tls.crt": broken, "tls.key": key });
    server.addSecret("shop", "empty", TLS, { "tls.key": key });
    server.addSecret("shop", "swapped", TLS, { "tls.crt": key, "tls.key": chain });
    const { sightings, unseen, fault } = await secrets(client);
    expect([sightings.map(({ location }) => location), fault]).toEqual([["shop/a"], null]);
    expect([...unseen]).toEqual([
      ["shop/broken", "tls.crt holds a certificate that cannot be read"],
      ["shop/empty", "tls.crt holds no certificate"],
      ["shop/swapped", "tls.crt holds no certificate"],
    ]);
  });

  it("are refused where the chart was not asked for them: that is blind, not none", async () => {
    const { server, client } = await start({ rbac: NOT_OPTED_IN });
    server.addSecret("shop", "a", TLS, { "tls.crt": chain, "tls.key": key });
    expect(await secrets(client)).toMatchObject({
      sightings: [],
      fault: expect.stringMatching(/^shop: API server: 403 Forbidden/),
    });
  });
});

/** The source over stored certificates alone, at a pace of milliseconds. */
function watching(client: KubernetesClient, dataDir = mkdtempSync(join(folder, "data-"))) {
  const events: EventRecord[] = [];
  const clock = { aheadMs: 0 };
  const source = startCertificatesSource({
    config: { intervalMs: HOUR, endpoints: [], mesh: null, certManager: [], secrets: ["shop"] },
    cluster: "eu-1",
    dataDir,
    client,
    prometheusUrl: null,
    now: () => NOW + clock.aheadMs,
    isConfirmed: () => true,
    onEvent: (event) => void events.push(event),
    paceMs: 20,
  });
  const kinds = (): readonly string[] => events.map(({ kind, subject }) => `${kind} ${subject}`);
  return { source, events, clock, kinds, dataDir };
}

describe("the source of Secrets", () => {
  it("tells of renewals and of what went away, also while no agent ran, and of no key in any of it", async () => {
    const { server, client } = await start();
    const renewed = await issue("ledger.shop", 0, 90, root);
    for (const name of ["a", "b"]) server.addSecret("shop", name, TLS, { "tls.crt": chain, "tls.key": key });
    const first = watching(client);
    await until(() => first.events.length === 2, 20_000);
    server.addSecret("shop", "a", TLS, { "tls.crt": renewed.pem + key, "tls.key": renewed.key });
    await until(() => first.events.length === 3, 20_000);
    await first.source.stop();
    server.drop("secrets", "shop", "b");
    const second = watching(client, first.dataDir);
    await until(() => second.events.length === 1, 20_000);
    await second.source.stop();
    expect([...first.kinds(), ...second.kinds()]).toEqual([
      "certificate.seen shop/a",
      "certificate.seen shop/b",
      "certificate.renewed shop/a",
      "certificate.gone shop/b",
    ]);
    const book = readFileSync(join(first.dataDir, "certificates.json"), "utf8");
    const said = JSON.stringify([first.events, second.events, first.source.state(), second.source.state()]) + book;
    expect(said).toContain("ledger.shop");
    expect(said).not.toMatch(/canary|PRIVATE|BEGIN/i);
    expect(said).not.toContain(renewed.key.split("\n")[1]?.slice(0, 40));
    expect(JSON.stringify(first.events)).not.toContain("names");
  });

  it("that is refused for three intervals is blind to them, and judges them no more", async () => {
    const { server, client } = await start();
    server.addSecret("shop", "a", TLS, { "tls.crt": chain, "tls.key": key });
    const { source, events, clock } = watching(client);
    await until(() => events.length === 1, 20_000);
    server.fail({ fault: "403", times: 1_000_000, path: "/secrets" });
    await until(() => source.state().state !== "ok", 20_000);
    clock.aheadMs = 3 * MINUTE;
    expect(source.state()).toMatchObject({ state: "down", blind: ["secret"], detail: expect.stringContaining("403") });
    clock.aheadMs = 61 * DAY;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(events).toHaveLength(1);
    server.heal();
    await until(() => events.length === 2, 20_000);
    await source.stop();
    expect(events[1]).toMatchObject({ kind: "certificate.expired", body: { verdict: "critical" } });
  });
});

describe("cert-manager", () => {
  const certificates = (client: KubernetesClient) => lookAtCertManager(client, ["shop"]);
  const at = (days: number): string => new Date(NOW + days * DAY).toISOString();

  it("that is not installed is said to be so: it is neither a fault nor none", async () => {
    const { client } = await start();
    expect(await certificates(client)).toEqual({
      sightings: [],
      unseen: new Map(),
      fault: null,
      note: "cert-manager is not installed here",
    });
  });

  it("tells when each is to be renewed, where it is written to, and which it never issued", async () => {
    const { server, client } = await start({ addOns: ["cert-manager"] });
    const spec = { secretName: "ledger-tls", dnsNames: ["ledger.shop"], commonName: "ledger" };
    const ready = [{ type: "Ready", status: "True", reason: "Ready" }];
    const status = { notBefore: at(-30), notAfter: at(60), renewalTime: at(30), revision: 3, conditions: ready };
    server.addCertificate("shop", "ledger", spec, status);
    const waiting = [{ type: "Ready", status: "False", reason: "DoesNotExist" }];
    server.addCertificate("shop", "new", { secretName: "new-tls" }, { conditions: waiting });
    server.addCertificate("shop", "authority", { secretName: "ca", isCA: true }, { notAfter: at(300) });
    const { sightings, unseen, fault } = await certificates(client);
    expect(fault).toBeNull();
    expect([...unseen]).toEqual([["shop/new-tls", "was never issued: DoesNotExist"]]);
    expect(sightings).toMatchObject([
      { location: "shop/ca", life: { role: "authority", notBefore: null, notAfter: NOW + 300 * DAY } },
      {
        source: "cert-manager",
        location: "shop/ledger-tls",
        fingerprint: null,
        names: ["ledger.shop"],
        life: { notBefore: NOW - 30 * DAY, notAfter: NOW + 60 * DAY, renewAt: NOW + 30 * DAY, role: "leaf" },
        facts: { subject: "CN=ledger", object: "ledger", revision: 3, ready: true },
      },
    ]);
  });

  it("that may not be listed is a fault", async () => {
    const { client } = await start({ addOns: ["cert-manager"], rbac: NOT_OPTED_IN });
    expect(await certificates(client)).toMatchObject({ fault: expect.stringMatching(/^shop: API server: 403/) });
  });
});
