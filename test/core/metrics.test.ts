import { describe, expect, it } from "vitest";
import { DAY, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Certificate } from "../../worker/core/certificate.ts";
import { exposition } from "../../worker/core/exposition.ts";
import { NO_COUNTS } from "../../worker/core/gateway.ts";
import type { MetricsFacts, ToldCluster } from "../../worker/core/metrics.ts";
import { metricFamilies } from "../../worker/core/metrics.ts";
import { NOON, tell } from "../support/facts.ts";

function toldCluster(facts: Partial<ToldCluster> = {}): ToldCluster {
  return { ...tell(NOON, []), services: 7, ...facts };
}

function factsOf(facts: Partial<MetricsFacts> = {}): MetricsFacts {
  return {
    clusters: [toldCluster()],
    components: [],
    watched: { at: NOON - 9_000, certificates: [], anomalies: [] },
    views: { cached: 40, made: 2 },
    board: {
      startedAt: NOON - DAY,
      calls: { hear: 5, alarm: 1 },
      rowsWritten: 9,
      backlog: { waiting: 0, since: null },
    },
    ...facts,
  };
}

/** The lines of samples, by the name of their family and labels. */
function told(facts: Partial<MetricsFacts>, now = NOON): Readonly<Record<string, string>> {
  const lines = exposition(metricFamilies(factsOf(facts), now), "prometheus").split("\n");
  return Object.fromEntries(
    lines
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), line.slice(line.lastIndexOf(" ") + 1)]),
  );
}

const certificate = (leftDays: number, lifetimeDays = 90, cluster = "eu-1"): Certificate => ({
  cluster,
  location: "ledger.data:443",
  fingerprint: "f",
  subject: "CN=ledger",
  issuer: "CN=authority",
  notBefore: NOON + (leftDays - lifetimeDays) * DAY,
  notAfter: NOON + leftDays * DAY,
  chainEndsAt: null,
  chainEndsWith: "",
  seenAt: NOON,
});
const source = (state: "ok" | "stale" | "down") => ({
  sources: { certificates: { state, detail: null, okAt: NOON } },
});
const watched = (...certificates: Certificate[]) => ({ at: NOON, certificates, anomalies: [] });

describe("observatory_mtls_certificates_expiring_7d", () => {
  const name = "observatory_mtls_certificates_expiring_7d";
  it.each<[string, Partial<MetricsFacts>, string]>([
    ["none ends soon", { clusters: [toldCluster(source("ok"))], watched: watched(certificate(40)) }, "0"],
    ["one does", { clusters: [toldCluster(source("ok"))], watched: watched(certificate(5), certificate(40)) }, "1"],
    [
      "a short-lived one does not count",
      { clusters: [toldCluster(source("ok"))], watched: watched(certificate(0.5, 1)) },
      "0",
    ],
    [
      "the source is blind: no number, and never 0",
      { clusters: [toldCluster(source("down"))], watched: watched(certificate(5)) },
      "NaN",
    ],
    ["what it sees has not arrived", { clusters: [toldCluster(source("ok"))] }, "NaN"],
    ["nobody looks", {}, "NaN"],
    [
      "none did when Postgres was reached last, long ago",
      { clusters: [toldCluster(source("ok"))], watched: { ...watched(certificate(40)), at: NOON - 16 * MINUTE } },
      "NaN",
    ],
    [
      "one did, and still does",
      { clusters: [toldCluster(source("ok"))], watched: { ...watched(certificate(5)), at: NOON - 16 * MINUTE } },
      "1",
    ],
    ["Postgres was never reached", { clusters: [toldCluster(source("ok"))], watched: null }, "NaN"],
  ])("%s", (_name, facts, value) => expect(told(facts)[name]).toBe(value));

  it("stands beside how many sources see, and every verdict", () => {
    const clusters = [toldCluster(source("ok")), toldCluster({ ...source("down"), cluster: "us-1" })];
    const found = told({ clusters, watched: watched(certificate(5), certificate(0.5), certificate(40, 90, "us-1")) });
    expect(found).toMatchObject({
      [name]: "2",
      'observatory_certificates{verdict="ok"}': "0",
      'observatory_certificates{verdict="renewal_overdue"}': "0",
      'observatory_certificates{verdict="warning"}': "1",
      'observatory_certificates{verdict="critical"}': "1",
      'observatory_certificates{verdict="unknown"}': "1",
      'observatory_certificate_sources{state="ok"}': "1",
      'observatory_certificate_sources{state="blind"}': "1",
      'observatory_certificate_end_timestamp_seconds{cluster="eu-1",location="ledger.data:443",subject="CN=ledger"}':
        String((NOON + 5 * DAY) / SECOND),
    });
  });
});

it("the horizon of the mesh is the end of its root, as long as somebody sees it", () => {
  const name = 'observatory_trust_anchor_end_timestamp_seconds{cluster="eu-1",subject="CN=root"}';
  const anchor = { subject: "CN=root", notAfter: NOON + 900 * DAY };
  const more = { source: "tls", role: "leaf", renewAt: null, chainBeganAt: null, anchor } as const;
  const seen = watched({ ...certificate(40), more });
  expect(told({ clusters: [toldCluster(source("ok"))], watched: seen })[name]).toBe(String(anchor.notAfter / SECOND));
  expect(told({ clusters: [toldCluster(source("down"))], watched: seen })[name]).toBeUndefined();
});

describe("observatory_anomaly_detections_total", () => {
  it("has no series while no detector ever reported: nobody counts, and nobody says 0", () => {
    const found = told({});
    expect(Object.keys(found).filter((name) => name.startsWith("observatory_anomaly_detections"))).toEqual([]);
    expect(found["observatory_anomaly_detectors"]).toBe("0");
    expect(told({ watched: null })["observatory_anomaly_detectors"]).toBe("NaN");
  });

  it.each([
    ["watched", "watching", NOON + DAY, "1"],
    ["looked at by nobody", "off", NOON + DAY, "0"],
    ["silent", "watching", NOON, "0"],
  ] as const)(
    "a cluster that is %s is told as that, though nothing was ever raised",
    (_name, state, expiresAt, expected) => {
      const detector = { state } as NonNullable<MetricsFacts["clusters"][number]["detector"]>;
      const clusters = [toldCluster({ detector, expiresAt })];
      const found = told({ clusters, watched: { at: NOON, certificates: [], anomalies: [] } });
      expect(found["observatory_anomaly_detectors"]).toBe(expected);
    },
  );

  it("counts what was raised of each service", () => {
    const anomalies = [
      { cluster: "eu-1", service: "shop/cart", raised: 3, newestAt: NOON },
      { cluster: "eu-1", service: "shop/checkout", raised: 1, newestAt: NOON },
    ];
    expect(told({ watched: { at: NOON - 9_000, certificates: [], anomalies } })).toMatchObject({
      'observatory_anomaly_detections_total{cluster="eu-1",service="shop/cart"}': "3",
      'observatory_anomaly_detections_total{cluster="eu-1",service="shop/checkout"}': "1",
      observatory_anomaly_detectors: "1",
      observatory_watch_age_seconds: "9",
    });
  });
});

describe("the gateway's own", () => {
  const gateway = {
    ...NO_COUNTS,
    pushes: 12,
    refused: { gap: 2 },
    records: 400,
    rejected: 3,
    flushes: 4,
    flushFailures: 1,
    alarms: 6,
  };
  it("numbers are those that the cluster told last", () =>
    expect(
      told({ clusters: [toldCluster({ gateway, backlog: { waiting: 30, since: NOON - 45_000 } })] }),
    ).toMatchObject({
      'observatory_pushes_total{cluster="eu-1"}': "12",
      'observatory_push_refusals_total{cluster="eu-1",code="gap"}': "2",
      'observatory_records_total{cluster="eu-1"}': "400",
      'observatory_records_rejected_total{cluster="eu-1"}': "3",
      'observatory_flushes_total{cluster="eu-1"}': "4",
      'observatory_flush_failures_total{cluster="eu-1"}': "1",
      'observatory_cluster_alarms_total{cluster="eu-1"}': "6",
      'observatory_outbox_records{cluster="eu-1"}': "30",
      'observatory_flush_lag_seconds{cluster="eu-1"}': "45",
      'observatory_page_views_total{cache="hit"}': "40",
      'observatory_page_views_total{cache="miss"}': "2",
      'observatory_board_calls_total{method="alarm"}': "1",
      observatory_board_flush_lag_seconds: "0",
    }));

  it("counters of a cluster of the release before are absent, not zero", () =>
    expect(Object.keys(told({})).filter((name) => name.startsWith("observatory_pushes"))).toEqual([]));

  it("a cluster is up until its evidence expires", () => {
    const { expiresAt } = toldCluster();
    expect(told({}, expiresAt - 1)['observatory_cluster_up{cluster="eu-1"}']).toBe("1");
    expect(told({}, expiresAt)['observatory_cluster_up{cluster="eu-1"}']).toBe("0");
  });

  it("a source is up no longer than its agent is heard", () => {
    const clusters = [toldCluster(source("ok"))];
    const { expiresAt } = toldCluster();
    const name = 'observatory_source_up{cluster="eu-1",source="certificates"}';
    expect([told({ clusters }, expiresAt - 1)[name], told({ clusters }, expiresAt)[name]]).toEqual(["1", "0"]);
  });
});

describe("the text", () => {
  const families = [
    {
      name: "a_things",
      type: "counter",
      help: "Of \\ and\nlines.",
      samples: [{ labels: { name: 'a "b" \\ c\nd' }, value: 1.5 }],
    },
    {
      name: "b_seconds",
      type: "gauge",
      help: "Seconds.",
      samples: [{ value: Number.NaN }, { labels: { le: "x" }, value: Number.POSITIVE_INFINITY }],
    },
    { name: "c_empty", type: "counter", help: "None.", samples: [] },
  ] as const;
  it("for Prometheus calls a counter as its samples are called", () =>
    expect(exposition(families, "prometheus")).toBe(
      `# HELP a_things_total Of \\\\ and\\nlines.\n# TYPE a_things_total counter\na_things_total{name="a \\"b\\" \\\\ c\\nd"} 1.5\n` +
        `# HELP b_seconds Seconds.\n# TYPE b_seconds gauge\nb_seconds NaN\nb_seconds{le="x"} +Inf\n` +
        `# HELP c_empty_total None.\n# TYPE c_empty_total counter\n`,
    ));
  it("as OpenMetrics names the family without it, and says where it ends", () => {
    const text = exposition(families, "openmetrics");
    expect(text).toContain("# TYPE a_things counter\na_things_total{");
    expect(text.endsWith("# TYPE c_empty counter\n# EOF\n")).toBe(true);
  });
  it("names no family twice, and every label of a component as visitors know it", () => {
    const families = metricFamilies(factsOf(), NOON).map(({ name }) => name);
    expect(new Set(families).size).toBe(families.length);
    const components = [{ id: "c1", name: "Checkout", group: null, status: "unknown" as const }];
    expect(
      told({ components })['observatory_component_status{id="c1",name="Checkout",group="",status="unknown"}'],
    ).toBe("1");
  });
});
