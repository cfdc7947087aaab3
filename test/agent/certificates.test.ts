import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tls from "node:tls";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { startCertificatesSource, type CertificatesOptions } from "../../agent/source/certificates.ts";
import { CertificatesConfigSchema } from "../../agent/source/certificates-config.ts";
import { probeEndpoint, type Endpoint } from "../../agent/source/endpoints.ts";
import { RecordSchema, type EventRecord } from "../../protocol/record.ts";
import { DAY } from "../../protocol/time.ts";
import { hex, issue, NOW, type Issued } from "./authority.ts";
import { until } from "./cluster.ts";

const servers: Server[] = [];
async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on("error", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

function serve(chain: readonly Issued[], options: tls.TlsOptions = {}): Promise<number> {
  const server = tls.createServer(
    { cert: chain.map((one) => one.pem).join("\n"), key: chain[0]?.key ?? "", ...options },
    (socket) => socket.on("error", () => {}),
  );
  server.on("tlsClientError", () => {});
  return listen(server);
}

async function seen(port: number, serverName = "ledger.shop") {
  const result = await probeEndpoint({ host: "127.0.0.1", port, serverName }, 2_000);
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

let root: Issued;
let leaf: Issued;
beforeAll(async () => {
  root = await issue("root", -10, 3_650, null, true);
  leaf = await issue("ledger.shop", -1, 5, root);
});
afterAll(() => {
  for (const server of servers) server.close();
});

describe("a live endpoint", () => {
  it("shows its certificate, whose end is known to the second", async () => {
    const certificate = await seen(await serve([leaf, root]));
    expect(certificate).toMatchObject({
      subject: "CN=ledger.shop",
      issuer: "CN=root",
      selfSigned: false,
      keyType: "ec",
      names: ["ledger.shop"],
      length: 2,
    });
    expect(certificate).toMatchObject({
      notBefore: NOW - DAY,
      notAfter: NOW + 5 * DAY,
      above: { subject: "CN=root", notAfter: NOW + 3_650 * DAY },
      anchor: { subject: "CN=root", notAfter: NOW + 3_650 * DAY },
    });
    expect(certificate.fingerprint).toBe(await hex(leaf));
    expect(certificate.authorizationError).toBe("SELF_SIGNED_CERT_IN_CHAIN");
  });

  it.each<[string, number, number]>([
    ["has expired", -10, -1],
    ["is not valid yet", 1, 10],
  ])("shows one that %s", async (_name, from, to) => {
    const certificate = await seen(await serve([await issue("ledger.shop", from, to, root)]));
    expect(certificate).toMatchObject({ notBefore: NOW + from * DAY, notAfter: NOW + to * DAY });
    expect(certificate.authorizationError).not.toBeNull();
  });

  it("shows one that signed itself", async () => {
    const certificate = await seen(await serve([await issue("ledger.shop", -1, 90, null)]));
    expect(certificate).toMatchObject({ selfSigned: true, authorizationError: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  });

  it("shows an expired intermediate under a fresh leaf, and says whose end it is", async () => {
    const intermediate = await issue("intermediate", -100, -2, root, true);
    const certificate = await seen(await serve([await issue("ledger.shop", -1, 90, intermediate), intermediate]));
    expect(certificate).toMatchObject({
      notAfter: NOW + 90 * DAY,
      above: { subject: "CN=intermediate", notBefore: NOW - 100 * DAY, notAfter: NOW - 2 * DAY },
      anchor: null,
    });
  });

  it("shows an intermediate that is not valid yet before one that ends first", async () => {
    const early = await issue("early", 3, 300, root, true);
    const certificate = await seen(await serve([await issue("ledger.shop", -1, 90, early), early, root]));
    expect(certificate.above).toMatchObject({ subject: "CN=early", notBefore: NOW + 3 * DAY });
  });

  it("shows two certificates for two names on one port", async () => {
    const other = await issue("orders.shop", -1, 30, root);
    const contexts = new Map(
      [leaf, other].map((one) => [
        one.certificate.subject.slice(3),
        tls.createSecureContext({ cert: one.pem, key: one.key }),
      ]),
    );
    const port = await serve([leaf], { SNICallback: (name, done) => done(null, contexts.get(name)) });
    expect((await seen(port, "ledger.shop")).fingerprint).toBe(await hex(leaf));
    expect((await seen(port, "orders.shop")).fingerprint).toBe(await hex(other));
  });

  it("shows a certificate for another name as such", async () => {
    const port = await serve([leaf]);
    expect((await seen(port, "wrong.shop")).subject).toBe("CN=ledger.shop");
  });

  it.each<[string, tls.SecureVersion]>([
    ["TLS 1.2", "TLSv1.2"],
    ["TLS 1.3", "TLSv1.3"],
  ])("that demands a client certificate over %s still shows its own", async (_name, version) => {
    const port = await serve([leaf], {
      requestCert: true,
      rejectUnauthorized: true,
      ca: root.pem,
      minVersion: version,
      maxVersion: version,
    });
    expect((await seen(port)).fingerprint).toBe(await hex(leaf));
  });
});

describe("an endpoint that shows nothing", () => {
  it("never answers: a time limit, not an expiry", async () => {
    const port = await listen(createServer(() => {}));
    const startedAt = performance.now();
    expect(await probeEndpoint({ host: "127.0.0.1", port }, 300)).toMatchObject({
      ok: false,
      failure: { kind: "timeout" },
    });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  it("is refused", async () => {
    const server = createServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await probeEndpoint({ host: "127.0.0.1", port }, 2_000)).toMatchObject({
      ok: false,
      failure: { kind: "refused" },
    });
  });

  it("closes at once", async () => {
    const port = await listen(createServer((socket) => socket.destroy()));
    expect(await probeEndpoint({ host: "127.0.0.1", port }, 2_000)).toMatchObject({
      ok: false,
      failure: { kind: "reset" },
    });
  });

  it("speaks something else", async () => {
    const port = await listen(
      createServer((socket) => void socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n")),
    );
    expect(await probeEndpoint({ host: "127.0.0.1", port }, 2_000)).toMatchObject({
      ok: false,
      failure: { kind: "not_tls" },
    });
  });
});

/** The source over these endpoints, in a folder of its own, and what it told. */
function watching(endpoints: readonly Endpoint[], over: Partial<CertificatesOptions> = {}, intervalMs = 30) {
  const events: EventRecord[] = [];
  const dataDir = mkdtempSync(join(tmpdir(), "certificates-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  const config = {
    ...v.parse(CertificatesConfigSchema, { mesh: {} }),
    mesh: null,
    endpoints: [...endpoints],
    intervalMs,
  };
  const options: CertificatesOptions = {
    config,
    cluster: "eu-1",
    dataDir,
    client: null,
    prometheusUrl: null,
    now: () => Date.now(),
    isConfirmed: () => true,
    onEvent: (event) => void events.push(event),
    ...over,
  };
  return { options, events, source: startCertificatesSource(options) };
}

describe("the source", () => {
  it("reports first sight, then a renewal, and nothing twice, also not after a restart", async () => {
    const renewed = await issue("ledger.shop", 0, 60, root);
    let current = leaf;
    const context = (): tls.SecureContext => tls.createSecureContext({ cert: current.pem, key: current.key });
    const port = await serve([leaf], { SNICallback: (_name, done) => done(null, context()) });
    const endpoints = [{ host: "127.0.0.1", port, serverName: "ledger.shop" }];
    const { options, events, source } = watching(endpoints);
    await until(() => events.length === 1, 20_000);
    await new Promise((resolve) => setTimeout(resolve, 120));
    current = renewed;
    await until(() => events.length === 2, 20_000);
    expect(source.state()).toMatchObject({ state: "ok", detail: null });
    await source.stop();
    expect(events.map(({ kind }) => kind)).toEqual(["certificate.seen", "certificate.renewed"]);
    for (const event of events) expect(v.safeParse(RecordSchema, event).issues).toBeUndefined();
    const location = `127.0.0.1:${port} (ledger.shop)`;
    expect(events[0]?.body).toMatchObject({
      location,
      source: "tls",
      fingerprint: await hex(leaf),
      notAfter: new Date(NOW + 5 * DAY).toISOString(),
      lifetimeHours: 144,
    });
    expect(events[1]?.body).toMatchObject({
      formerFingerprint: await hex(leaf),
      notAfter: new Date(NOW + 60 * DAY).toISOString(),
    });
    const again: EventRecord[] = [];
    const second = startCertificatesSource({ ...options, onEvent: (event) => void again.push(event) });
    await until(() => second.state().state === "ok", 20_000);
    await second.stop();
    expect(again).toEqual([]);
    // Without its book it tells all of it again, and the edge knows it by its id.
    const third = watching(endpoints);
    current = leaf;
    await until(() => third.events.length > 0, 20_000);
    await third.source.stop();
    expect(third.events[0]?.id).toBe(events[0]?.id);
  });

  it("that cannot see one endpoint is stale and says which, then blind to it, and down when it sees none", async () => {
    const dead = await listen(createServer((socket) => socket.destroy()));
    const server = await serve([leaf]);
    let aheadMs = 0;
    const now = (): number => Date.now() + aheadMs;
    const half = watching(
      [
        { host: "127.0.0.1", port: server },
        { host: "127.0.0.1", port: dead },
      ],
      { now },
      60_000,
    );
    await until(() => half.source.state().detail?.includes("1 not seen") === true, 20_000);
    expect(half.source.state()).toMatchObject({ state: "stale", detail: expect.stringContaining(`${dead} reset`) });
    expect(half.source.state().blind).toBeUndefined();
    aheadMs = 3 * 60_000 + 1;
    expect(half.source.state().blind).toEqual([`tls 127.0.0.1:${dead}`]);
    await half.source.stop();
    const none = watching([{ host: "127.0.0.1", port: dead }]);
    await until(() => none.source.state().detail?.includes("not seen") === true, 20_000);
    expect(none.source.state()).toMatchObject({ state: "down", okAt: null });
    await none.source.stop();
  });

  it("judges nothing by a clock that nobody has confirmed", async () => {
    const expired = await serve([await issue("ledger.shop", -10, -1, root)]);
    let isConfirmed = false;
    const { events, source } = watching([{ host: "127.0.0.1", port: expired }], { isConfirmed: () => isConfirmed });
    await until(() => events.length === 1 && source.state().state === "ok", 20_000);
    isConfirmed = true;
    await until(() => events.length === 2, 20_000);
    await source.stop();
    expect(events.map(({ kind }) => kind)).toEqual(["certificate.seen", "certificate.expired"]);
  });
});

describe("the configuration", () => {
  it("reads hosts, addresses and names", () =>
    expect(
      v.parse(CertificatesConfigSchema, {
        interval: "10m",
        endpoints: ["ledger.shop:443", "[::1]:9443", { host: "10.0.0.1", port: 443, serverName: "a.b" }],
      }),
    ).toEqual({
      mesh: null,
      certManager: [],
      secrets: [],
      intervalMs: 600_000,
      endpoints: [
        { host: "ledger.shop", port: 443 },
        { host: "::1", port: 9443 },
        { host: "10.0.0.1", port: 443, serverName: "a.b" },
      ],
    }));

  it.each([["ledger.shop"], ["ledger.shop:0"], ["ledger.shop:70000"], ["a b:443"], [":443"]])(
    "refuses %s",
    (endpoint) => expect(v.safeParse(CertificatesConfigSchema, { endpoints: [endpoint] }).success).toBe(false),
  );

  it("asks at least for one thing, an hour apart, and knows no lifetime that nobody has told", () => {
    expect(v.safeParse(CertificatesConfigSchema, {}).issues?.[0]?.message).toMatch(/add at least one of endpoints/);
    expect(v.parse(CertificatesConfigSchema, { mesh: {} })).toMatchObject({
      intervalMs: 3_600_000,
      mesh: { workloadLifetimeMs: null },
    });
    expect(v.parse(CertificatesConfigSchema, { mesh: { workloadLifetime: "24h" } })).toMatchObject({
      mesh: { workloadLifetimeMs: DAY },
    });
  });
});
