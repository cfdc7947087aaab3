/**
 * When to worry about a certificate (`reference/certificates.md` 1). The agent tells by it what has changed, the edge
 * shows by it what is so now: both must come to the same.
 *
 * A rule is relative to the certificate's own lifetime, because "in fewer than 7 days" is always true of one that lives
 * for a day, and with `left` = end − now:
 *
 *   critical          left < min(24 h, lifetime / 10), or expired, or not valid yet
 *   warning           left < min(7 d, lifetime / 3)
 *   renewal_overdue   renews by itself, and should have done so 5 % of its lifetime ago
 *   ok                else
 */
import { DAY, HOUR, MINUTE, type Millis } from "./time.ts";

/** Who told of a certificate: a look at an endpoint, an object of the API server, or a metric of what is named. */
export const CERTIFICATE_SOURCES = [
  "tls",
  "secret",
  "cert-manager",
  "istiod",
  "istio-agent",
  "ztunnel",
  "envoy",
  "cert-manager-metrics",
  "blackbox",
  "x509",
] as const;
export type CertificateSource = (typeof CERTIFICATE_SOURCES)[number];

/** `workload`: one of a mesh's own, which rotate by themselves. `authority`: others end with it. */
export const CERTIFICATE_ROLES = ["leaf", "workload", "authority"] as const;
export type CertificateRole = (typeof CERTIFICATE_ROLES)[number];

export type CertificateVerdict = "ok" | "renewal_overdue" | "warning" | "critical" | "unknown";
/** What the verdict rests on. */
export type CertificateCause = "well" | "overdue" | "ending" | "expired" | "not_yet_valid" | "unreadable";

/** Moments that no calendar knows are null. A `notBefore` of null: the source tells only the end. */
export interface CertificateLife {
  readonly notBefore: Millis | null;
  readonly notAfter: Millis | null;
  /** When it should be renewed by itself; null where nothing does so, or nobody knows when. */
  readonly renewAt: Millis | null;
  readonly role: CertificateRole;
  /** What ends first of the certificates above it; null where there are none. `notBefore` null: it lives as long as the leaf. */
  readonly chain: {
    readonly notBefore: Millis | null;
    readonly notAfter: Millis;
    readonly subject: string;
  } | null;
}

export interface CertificateJudgement {
  readonly verdict: CertificateVerdict;
  readonly cause: CertificateCause;
  readonly reason: string;
}

/** A renewal may come so much later than expected, as a share of the lifetime. */
const OVERDUE_SHARE = 0.05;

/** The worst that can be said of the certificate and of its chain. */
export function judgeCertificate(life: CertificateLife, now: Millis): CertificateJudgement {
  const { notBefore, notAfter, chain } = life;
  if (notAfter === null || (notBefore !== null && notAfter <= notBefore)) {
    return { verdict: "unknown", cause: "unreadable", reason: "its dates cannot be read" };
  }
  const own = judgeDates(notBefore, notAfter, life, now);
  // An authority that outlives the leaf says nothing new, unless its own rule is stricter than the leaf's.
  if (chain === null) return own;
  const began = chain.notBefore ?? (notBefore === null ? null : chain.notAfter - (notAfter - notBefore));
  const above = judgeDates(began, chain.notAfter, { renewAt: null, role: "authority" }, now);
  if (RANK[above.verdict] <= RANK[own.verdict]) return own;
  return chain.subject === "" ? above : { ...above, reason: `${chain.subject}: ${above.reason}` };
}

const RANK = { ok: 0, unknown: 0, renewal_overdue: 1, warning: 2, critical: 3 } as const satisfies Record<
  CertificateVerdict,
  number
>;

function judgeDates(
  notBefore: Millis | null,
  notAfter: Millis,
  { renewAt, role }: Pick<CertificateLife, "renewAt" | "role">,
  now: Millis,
): CertificateJudgement {
  const left = notAfter - now;
  if (notBefore !== null && now < notBefore) return { verdict: "critical", cause: "not_yet_valid", reason: NOT_YET };
  if (left <= 0) return { verdict: "critical", cause: "expired", reason: `it expired ${spanText(-left)} ago` };
  if (notBefore === null) return judgeWithoutLifetime(left, role);
  const lifetime = notAfter - notBefore;
  const life = `${spanText(left)} of ${spanText(lifetime)} left`;
  const [critical, warning] = [Math.min(DAY, lifetime / 10), Math.min(7 * DAY, lifetime / 3)];
  if (left < critical) return { verdict: "critical", cause: "ending", reason: `${life}, limit ${spanText(critical)}` };
  if (left < warning) return { verdict: "warning", cause: "ending", reason: `${life}, limit ${spanText(warning)}` };
  const overdue = renewAt === null ? 0 : now - renewAt;
  if (overdue > OVERDUE_SHARE * lifetime) {
    const reason = `${life}, its renewal is ${spanText(overdue)} overdue`;
    return { verdict: "renewal_overdue", cause: "overdue", reason };
  }
  return { verdict: "ok", cause: "well", reason: life };
}

const NOT_YET = "it is not valid yet";

/** Of a lifetime that nobody told only the extremes can be said, and of a workload's, which always ends soon, only its end. */
function judgeWithoutLifetime(left: number, role: CertificateRole): CertificateJudgement {
  const life = `${spanText(left)} left of a lifetime that is not known yet`;
  if (role !== "workload" && left < DAY)
    return { verdict: "critical", cause: "ending", reason: `${life}, limit ${spanText(DAY)}` };
  return { verdict: "ok", cause: "well", reason: life };
}

/** "5 d", "8.5 h", "20 min": one figure, because the question is of which size it is. */
function spanText(ms: number): string {
  const hours = ms / HOUR;
  if (hours >= 48) return `${Math.floor(hours / 24)} d`;
  return hours >= 1 ? `${Number(hours.toFixed(1))} h` : `${Math.floor(ms / MINUTE)} min`;
}
