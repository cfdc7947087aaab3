/**
 * Certificates that a mesh tells by metric (`reference/certificates.md` 3). One query for all of them: each metric is
 * brought to moments in Prometheus, where the sample's own time is known.
 */
import type { CertificateRole, CertificateSource } from "../../protocol/certificate.ts";
import { DAY, HOUR, SECOND, type Millis } from "../../protocol/time.ts";
import type { Sighting } from "./certificate.ts";
import { plainLine } from "./text.ts";

/** What a metric says of a certificate. `days`: whole days that are left. */
type What = "ends" | "begins" | "renews" | "days";
interface Metric {
  readonly source: CertificateSource;
  readonly what: What;
  readonly role: CertificateRole;
  /** In words, where one place has several. */
  readonly of: string;
  /** A name, or `=~` and a pattern of names. */
  readonly selector: string;
}

const told = (
  source: CertificateSource,
  what: What,
  role: CertificateRole,
  of: string,
  ...names: readonly [string, ...string[]]
): readonly Metric[] => names.map((selector) => ({ source, what, role, of, selector }));

/**
 * Exact names. Whether a value is a moment or what is left is read from the value: `…_seconds` of ztunnel is a moment
 * despite its name, that of istiod and of the istio-agent is not, and nothing that is left reaches 1e9 s, 31 years.
 */
const METRICS: readonly Metric[] = [
  ...told(
    "istiod",
    "ends",
    "authority",
    "root",
    "citadel_server_root_cert_expiry_timestamp",
    "citadel_server_root_cert_expiry_seconds",
  ),
  ...told(
    "istiod",
    "ends",
    "authority",
    "chain",
    "citadel_server_cert_chain_expiry_timestamp",
    "citadel_server_cert_chain_expiry_seconds",
  ),
  ...told("istio-agent", "ends", "workload", "", "istio_agent_cert_expiry_seconds"),
  ...told("ztunnel", "ends", "workload", "", "istio_cert_expiry_seconds"),
  ...told(
    "envoy",
    "ends",
    "workload",
    "",
    "=~envoy_(listener|cluster)_ssl_certificate_(.+_)?expiration_unix_time_seconds",
  ),
  ...told("envoy", "days", "workload", "", "envoy_server_days_until_first_cert_expiring"),
  ...told(
    "cert-manager-metrics",
    "ends",
    "leaf",
    "",
    "certmanager_certificate_expiration_timestamp_seconds",
    "certmanager_certificate_not_after_timestamp_seconds",
  ),
  ...told("cert-manager-metrics", "begins", "leaf", "", "certmanager_certificate_not_before_timestamp_seconds"),
  ...told("cert-manager-metrics", "renews", "leaf", "", "certmanager_certificate_renewal_timestamp_seconds"),
  ...told("blackbox", "ends", "leaf", "", "probe_ssl_last_chain_expiry_timestamp_seconds"),
  ...told("x509", "ends", "leaf", "", "x509_cert_not_after"),
  ...told("x509", "begins", "leaf", "", "x509_cert_not_before"),
];
export const METRIC_SOURCES: readonly CertificateSource[] = [...new Set(METRICS.map(({ source }) => source))];

/** What tells one certificate from another; all else that a Prometheus adds is left there. */
const LABELS = [
  "namespace",
  "exported_namespace",
  "kubernetes_namespace",
  "pod",
  "kubernetes_pod_name",
  "instance",
  "name",
  "resource_name",
  "identity",
  "envoy_tls_certificate",
  "secret_namespace",
  "secret_name",
  "filepath",
  "subject_CN",
] as const;
/** An end that is told in whole days moves by as much. */
const DAYS_SAME_MS = 25 * HOUR;
/** Below this many days the gauge of whole days says nothing: of a certificate that lives for a day it is always 0. */
const DAYS_MIN = 2;
/** Larger values are moments, in Unix seconds. */
const MOMENT_MIN = 1e9;

/** One row a certificate, its value in Unix seconds, but of `days` in days; `what` is the metric's index. */
export function certificateQuery(): string {
  const all = METRICS.map(({ selector, what }, index) => {
    const vector = selector.startsWith("=~") ? `{__name__=~"${selector.slice(2)}"}` : selector;
    // `timestamp` takes away names, and of a pattern's names several may have the same labels.
    const value =
      what === "days" || selector.startsWith("=~")
        ? vector
        : `${vector} > ${MOMENT_MIN} or timestamp(${vector}) + (${vector} <= ${MOMENT_MIN})`;
    return `label_replace(${value}, "what", "${index}", "", "")`;
  });
  return `min by (what, ${LABELS.join(", ")}) (${all.join(" or ")})`;
}

interface Row {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** `workloadLifetimeMs`: what the mesh's own certificates live for, where somebody has said so. */
export function certificatesOf(
  rows: readonly Row[],
  at: Millis,
  workloadLifetimeMs: number | null,
): ReadonlyMap<CertificateSource, readonly Sighting[]> {
  const places = new Map<string, Told>();
  const told = rows.flatMap((row) => {
    const metric = METRICS[Number(row.labels["what"] ?? Number.NaN)];
    return metric === undefined || !Number.isFinite(row.value) ? [] : [{ ...row, told: metric }];
  });
  const exact = new Set(
    told.flatMap(({ told: { source, what }, labels }) => (isEnvoyEnd(source, what) ? [podOf(labels)] : [])),
  );
  for (const { labels, value, told: metric } of told) {
    // Envoy's days are of a certificate that is told to the second beside them.
    if (metric.what === "days" && exact.has(podOf(labels))) continue;
    const location = locationOf(metric, labels);
    const key = `${metric.source}\0${location}`;
    const place = places.get(key) ?? { metric, location, labels };
    // Of two metrics of one thing the earlier end counts.
    places.set(key, { ...place, [metric.what]: Math.min(value, place[metric.what] ?? value) });
  }
  const found = new Map<CertificateSource, Sighting[]>();
  for (const place of places.values()) {
    const sighting = sightingOf(place, at, workloadLifetimeMs);
    if (sighting === null) continue;
    const all = found.get(sighting.source) ?? [];
    all.push(sighting);
    found.set(sighting.source, all);
  }
  return found;
}

type Told = { readonly metric: Metric; readonly location: string; readonly labels: Row["labels"] } & {
  readonly [key in What]?: number;
};

/** Null where a place tells when something begins or is renewed, and not when it ends. */
function sightingOf(place: Told, at: Millis, workloadLifetimeMs: number | null): Sighting | null {
  const { metric: told, location, labels } = place;
  const byDay = place.ends === undefined;
  const notAfter = byDay ? endByDays(place.days, at) : Math.round((place.ends ?? 0) * SECOND);
  if (byDay && place.days === undefined) return null;
  const begins = place.begins === undefined ? null : place.begins * SECOND;
  const configured = told.role === "workload" && notAfter !== null ? workloadLifetimeMs : null;
  // Longer than what was said, it lives at least for what is left of it.
  const assumed = configured === null || notAfter === null ? null : Math.min(notAfter - configured, at);
  return {
    source: told.source,
    location,
    fingerprint: null,
    life: {
      notBefore: begins ?? (byDay ? null : assumed),
      notAfter,
      renewAt: place.renews === undefined ? null : place.renews * SECOND,
      role: told.role,
      chain: null,
    },
    anchor: null,
    names: [],
    facts: { subject: plainLine(subjectOf(told, labels) || location, 256) },
    ...(byDay ? { sameEndMs: DAYS_SAME_MS } : {}),
  };
}

/** The end of the day that it says, so that it never ends before its time; null where days are too coarse. */
function endByDays(days: number | undefined, at: Millis): Millis | null {
  return days === undefined || days < DAYS_MIN ? null : at + (days + 1) * DAY;
}

function subjectOf({ source, of }: Metric, labels: Row["labels"]): string {
  const { identity, resource_name: resource, envoy_tls_certificate: certificate, subject_CN: common } = labels;
  if (source === "istiod") return `istiod's ${of}`;
  return identity ?? resource ?? certificate ?? (common === undefined ? "" : `CN=${common}`);
}

function isEnvoyEnd(source: CertificateSource, what: What): boolean {
  return source === "envoy" && what === "ends";
}

function textOf(labels: Row["labels"], ...names: readonly (typeof LABELS)[number][]): string {
  return names.map((name) => labels[name] ?? "").find((value) => value !== "") ?? "";
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("/");
}

function podOf(labels: Row["labels"]): string {
  const namespace = textOf(labels, "kubernetes_namespace", "namespace");
  return joined(namespace, textOf(labels, "kubernetes_pod_name", "pod", "instance"));
}

/** What people would look for: a workload's pod, an object, an address. */
function locationOf({ source, of }: Metric, labels: Row["labels"]): string {
  return plainLine(placeOf(source, of, labels) || source, 256);
}

function placeOf(source: CertificateSource, of: string, labels: Row["labels"]): string {
  switch (source) {
    case "cert-manager-metrics":
      return joined(textOf(labels, "exported_namespace", "namespace"), textOf(labels, "name"));
    case "blackbox":
      return textOf(labels, "instance");
    case "x509": {
      const secret = joined(textOf(labels, "secret_namespace"), textOf(labels, "secret_name"));
      const holder = secret === "" ? joined(podOf(labels), textOf(labels, "filepath")) : secret;
      return joined(holder, textOf(labels, "subject_CN"));
    }
    default:
      return joined(podOf(labels), of, textOf(labels, "identity", "resource_name", "envoy_tls_certificate"));
  }
}
