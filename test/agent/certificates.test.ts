import "reflect-metadata";
import { createServer, type AddressInfo, type Server } from "node:net";
import * as tls from "node:tls";
import * as x509 from "@peculiar/x509";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CertificatesConfigSchema, probeEndpoint, startCertificatesSource } from "../../agent/source/certificates.ts";
import { RecordSchema, type EventRecord } from "../../protocol/record.ts";
import { DAY } from "../../protocol/time.ts";
import { until } from "./cluster.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const NOW = Math.floor(Date.now() / 1_000) * 1_000;

interface Issued {
  readonly certificate: x509.X509Certificate;
  readonly keys: CryptoKeyPair;
  readonly pem: string;
  readonly key: string;
}

let serial = 1;
async function issue(
  name: string,
  fromDays: number,
  toDays: number,
  issuer: Issued | null,
  ca = false,
): Promise<Issued> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: (serial++).toString(16).padStart(4, "0"),
    subject: `CN=${name}`,
    issuer: issuer?.certificate.subject ?? `CN=${name}`,
    notBefore: new Date(NOW + fromDays * DAY),
    notAfter: new Date(NOW + toDays * DAY),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(ca),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }]),
    ],
  });
  const key = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    certificate,
    keys,
    pem: certificate.toString("pem"),
    key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`,
  };
}

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

const hex = async (issued: Issued): Promise<string> =>
  Buffer.from(await issued.certificate.getThumbprint("SHA-256")).toString("hex");

describe("a live endpoint", () => {
  it("shows its certificate, whose end is known to the second", async () => {
    const certificate = await seen(await serve([leaf, root]));
    expect(certificate).toMatchObject({
      subject: "CN=ledger.shop",
      issuer: "CN=root",
      selfSigned: false,
      chainLength: 2,
    });
    expect(certificate).toMatchObject({
      notBefore: NOW - DAY,
      notAfter: NOW + 5 * DAY,
      chainEarliestNotAfter: NOW + 5 * DAY,
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
      chainEarliestNotAfter: NOW - 2 * DAY,
      chainEarliestSubject: "CN=intermediate",
    });
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

describe("the source", () => {
  it("reports first sight, then a renewal, and nothing in between; the ids outlive a restart", async () => {
    const events: EventRecord[] = [];
    const renewed = await issue("ledger.shop", 0, 60, root);
    let current = leaf;
    const context = (): tls.SecureContext => tls.createSecureContext({ cert: current.pem, key: current.key });
    const port = await serve([leaf], { SNICallback: (_name, done) => done(null, context()) });
    const options = {
      endpoints: [{ host: "127.0.0.1", port, serverName: "ledger.shop" }],
      intervalMs: 30,
      cluster: "eu-1",
      now: () => Date.now(),
    };
    const source = startCertificatesSource({ ...options, onEvent: (event) => void events.push(event) });
    await until(() => events.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 120));
    current = renewed;
    await until(() => events.length === 2);
    await source.stop();
    expect(source.state()).toMatchObject({ state: "ok", detail: null });
    expect(events.map(({ kind }) => kind)).toEqual(["certificate.seen", "certificate.renewed"]);
    for (const event of events) expect(v.safeParse(RecordSchema, event).issues).toBeUndefined();
    expect(events[0]?.body).toMatchObject({
      location: `127.0.0.1:${port} (ledger.shop)`,
      fingerprint: await hex(leaf),
      notAfter: new Date(NOW + 5 * DAY).toISOString(),
      lifetimeHours: 144,
    });
    expect(events[1]?.body).toMatchObject({
      formerFingerprint: await hex(leaf),
      notAfter: new Date(NOW + 60 * DAY).toISOString(),
    });
    current = leaf;
    const again: EventRecord[] = [];
    const second = startCertificatesSource({ ...options, onEvent: (event) => void again.push(event) });
    await until(() => again.length === 1);
    await second.stop();
    expect(again[0]?.id).toBe(events[0]?.id);
  });

  it("that cannot see one endpoint is stale and says which, and down when it sees none", async () => {
    const dead = await listen(createServer((socket) => socket.destroy()));
    const port = await serve([leaf]);
    const options = { intervalMs: 60_000, cluster: "eu-1", now: () => Date.now(), onEvent: () => {} };
    const half = startCertificatesSource({
      ...options,
      endpoints: [
        { host: "127.0.0.1", port },
        { host: "127.0.0.1", port: dead },
      ],
    });
    await until(() => half.state().state === "stale" && half.state().detail?.includes("not seen") === true);
    expect(half.state().detail).toContain(`127.0.0.1:${dead} reset`);
    await half.stop();
    const none = startCertificatesSource({ ...options, endpoints: [{ host: "127.0.0.1", port: dead }] });
    await until(() => none.state().detail?.includes("not seen") === true);
    expect(none.state()).toMatchObject({ state: "down", okAt: null });
    await none.stop();
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
});
