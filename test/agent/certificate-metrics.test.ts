/** Certificates as a real Prometheus tells them, each metric in its own unit. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Sighting } from "../../agent/core/certificate.ts";
import { certificateQuery, certificatesOf } from "../../agent/core/certificate-metrics.ts";
import { startCertificatesSource } from "../../agent/source/certificates.ts";
import { instant } from "../../agent/source/query.ts";
import type { EventRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { eventually } from "../support/process.ts";
import { startPrometheus } from "../support/prometheus.ts";
import { until } from "./cluster.ts";

const START = Math.floor(Date.now() / SECOND) * SECOND;
/** In Unix seconds, so many days from now. */
const moment = (days: number): number => (START + days * DAY) / SECOND;
const POD = 'namespace="shop",pod="cart-1"';
const EXPOSED = `
citadel_server_root_cert_expiry_timestamp{instance="istiod-1"} ${moment(3_000)}
citadel_server_cert_chain_expiry_seconds{instance="istiod-1"} ${(300 * DAY) / SECOND}
istio_agent_cert_expiry_seconds{${POD},resource_name="default"} ${(20 * HOUR) / SECOND}
istio_agent_cert_expiry_seconds{${POD},resource_name="gone"} -90
istio_cert_expiry_seconds{namespace="istio-system",pod="ztunnel-x",identity="spiffe://mesh/ns/shop/sa/cart"} ${moment(0.5)}
envoy_listener_ssl_certificate_expiration_unix_time_seconds{${POD},envoy_tls_certificate="default"} ${moment(0.9)}
envoy_cluster_ssl_certificate_outbound_expiration_unix_time_seconds{namespace="shop",pod="plain-1"} ${moment(80)}
envoy_server_days_until_first_cert_expiring{${POD}} 0
envoy_server_days_until_first_cert_expiring{namespace="shop",pod="old-1"} 40
envoy_server_days_until_first_cert_expiring{namespace="shop",pod="short-1"} 0
certmanager_certificate_expiration_timestamp_seconds{exported_namespace="shop",namespace="cert-manager",name="ledger"} ${moment(60)}
certmanager_certificate_not_before_timestamp_seconds{exported_namespace="shop",namespace="cert-manager",name="ledger"} ${moment(-30)}
certmanager_certificate_renewal_timestamp_seconds{exported_namespace="shop",namespace="cert-manager",name="ledger"} ${moment(30)}
probe_ssl_last_chain_expiry_timestamp_seconds{instance="https://status.example.com"} ${moment(50)}
x509_cert_not_after{secret_namespace="data",secret_name="pg",subject_CN="pg"} ${moment(10)}
x509_cert_not_before{secret_namespace="data",secret_name="pg",subject_CN="pg"} ${moment(-5)}
`;

const folder = mkdtempSync(join(tmpdir(), "certificate-metrics-"));
let exposed = EXPOSED;
let target: Server;
let prometheus: Awaited<ReturnType<typeof startPrometheus>>;
let found: ReadonlyMap<string, Sighting>;
let rows: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[] = [];

beforeAll(async () => {
  target = createServer(({ url }, response) =>
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(url === "/metrics" ? exposed : ""),
  );
  await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
  const { port } = target.address() as AddressInfo;
  // As with honor_labels: the labels are those that a mesh's scrape configuration gives.
  const job = { job_name: "certificates", honor_labels: true, static_configs: [{ targets: [`127.0.0.1:${port}`] }] };
  prometheus = await startPrometheus(folder, `http://127.0.0.1:${port}/none`, "1s", [job]);
  const looked = async (): Promise<boolean> => {
    const answer = await instant(prometheus.url, certificateQuery(), Date.now(), 5_000);
    if (!answer.ok) throw new Error(answer.failure);
    rows = answer.value.rows;
    return rows.length > 10;
  };
  await eventually(looked, 30_000, "the metrics to be scraped");
  const all = [...certificatesOf(rows, Date.now(), null).values()].flat();
  found = new Map(all.map((one) => [`${one.source} ${one.location}`, one]));
});
afterAll(async () => {
  await prometheus.program.stop();
  target.close();
  rmSync(folder, { recursive: true });
});

describe("one query for all metrics", () => {
  it.each<[string, number, Partial<Sighting["life"]>]>([
    ["istiod istiod-1/root", 3_000 * DAY, { role: "authority", notBefore: null }],
    ["istiod istiod-1/chain", 300 * DAY, { role: "authority" }],
    ["istio-agent shop/cart-1/default", 20 * HOUR, { role: "workload", notBefore: null }],
    ["istio-agent shop/cart-1/gone", -90 * SECOND, { role: "workload" }],
    ["ztunnel istio-system/ztunnel-x/spiffe://mesh/ns/shop/sa/cart", 12 * HOUR, { role: "workload" }],
    ["envoy shop/cart-1/default", 0.9 * DAY, { role: "workload" }],
    ["envoy shop/plain-1", 80 * DAY, { role: "workload" }],
    ["envoy shop/old-1", 41 * DAY, { role: "workload" }],
    ["cert-manager-metrics shop/ledger", 60 * DAY, { notBefore: START - 30 * DAY, renewAt: START + 30 * DAY }],
    ["blackbox https://status.example.com", 50 * DAY, { role: "leaf", notBefore: null }],
    ["x509 data/pg/pg", 10 * DAY, { notBefore: START - 5 * DAY }],
  ])("tells the end of %s", (place, leftMs, life) => {
    const one = found.get(place);
    expect(one?.life).toMatchObject(life);
    // What is left was so at the sample's own time, which is some seconds after the start.
    expect(Math.abs((one?.life.notAfter ?? 0) - (START + leftMs))).toBeLessThan(MINUTE);
  });

  it("tells nothing of whole days below two, and not twice what is told to the second", () => {
    expect(found.get("envoy shop/short-1")?.life.notAfter).toBeNull();
    expect([...found.keys()].filter((place) => place.startsWith("envoy")).toSorted()).toEqual([
      "envoy shop/cart-1/default",
      "envoy shop/old-1",
      "envoy shop/plain-1",
      "envoy shop/short-1",
    ]);
  });

  it("is short enough for every proxy on the way", () =>
    expect(encodeURIComponent(certificateQuery()).length).toBeLessThan(6_000));

  it("gives workloads the lifetime that somebody has said, and longer where more is left", () => {
    const at = Date.now();
    const begin = (source: string, days: number): number => {
      const [one] = [...certificatesOf(rows, at, days * DAY)].find(([name]) => name === source)?.[1] ?? [];
      return ((one?.life.notBefore ?? 0) - START) / DAY;
    };
    expect(begin("ztunnel", 1)).toBeCloseTo(-0.5, 2);
    expect(begin("ztunnel", 0.25)).toBeCloseTo((at - START) / DAY, 5);
  });
});

it("the source of the mesh tells what it sees, and is blind once nothing is told any more", async () => {
  const events: EventRecord[] = [];
  let aheadMs = 0;
  const dataDir = mkdtempSync(join(folder, "data-"));
  const source = startCertificatesSource({
    config: { intervalMs: HOUR, endpoints: [], mesh: { workloadLifetimeMs: DAY }, certManager: [], secrets: [] },
    cluster: "eu-1",
    dataDir,
    client: null,
    prometheusUrl: prometheus.url,
    now: () => Date.now() + aheadMs,
    isConfirmed: () => true,
    onEvent: (event) => void events.push(event),
    paceMs: 200,
  });
  await until(
    () => source.state().state === "ok",
    20_000,
    () => source.state(),
  );
  const kinds = (start: string): readonly string[] =>
    events.map(({ kind, subject }) => `${kind} ${subject}`).filter((text) => text.startsWith(start));
  expect(kinds("mesh_certificate.seen shop/cart-1")).toHaveLength(3);
  expect(kinds("certificate.expired")).toEqual(["certificate.expired shop/cart-1/gone"]);
  expect(kinds("certificate.seen")).toContain("certificate.seen istiod-1/root");
  // Its pods are gone, Prometheus says so at once, and ztunnel goes on.
  exposed = EXPOSED.replace(/^istio_agent.*\n/gm, "");
  await until(
    () => source.state().detail?.includes("istio-agent") === true,
    20_000,
    () => source.state(),
  );
  aheadMs = MINUTE;
  await until(
    () => source.state().blind !== undefined,
    20_000,
    () => source.state(),
  );
  expect(source.state()).toMatchObject({ state: "stale", blind: ["istio-agent"] });
  expect(kinds("mesh_certificate.gone")).toEqual([]);
  await source.stop();
});
