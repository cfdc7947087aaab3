/**
 * Certificates that agents saw served, and when to worry (`reference/certificates.md` 1): a rule relative to the
 * certificate's own lifetime, because "in fewer than 7 days" is always true of one that lives for a day.
 */
import type { Millis } from "../../protocol/time.ts";
import { DAY } from "../../protocol/time.ts";
import type { Tell } from "./component.ts";

/** Only these are counted as expiring: shorter-lived ones rotate by themselves, and always end soon. */
const LONG_LIVED_MS = 21 * DAY;
/** An endpoint that ended so long ago is nobody's any more: what is taken out of an agent's file says no goodbye. */
const ENDED_FOR_GOOD_MS = 30 * DAY;

/** What an endpoint served when its agent saw that last. Moments that no calendar knows are null. */
export interface Certificate {
  readonly cluster: string;
  /** host:port, and the name asked for if that is another. */
  readonly location: string;
  readonly fingerprint: string;
  readonly subject: string;
  readonly issuer: string;
  readonly notBefore: Millis | null;
  readonly notAfter: Millis | null;
  /** The earliest end in its chain, the leaf's included, and whose it is. */
  readonly chainEndsAt: Millis | null;
  readonly chainEndsWith: string;
  /** When this fingerprint was first seen there. */
  readonly seenAt: Millis;
}

export type CertificateVerdict = "ok" | "warning" | "critical" | "unknown";

/** A certificate as of a moment. `lifeLeft` is a share of its lifetime, 0 to 1; null if that is not known. */
export interface JudgedCertificate extends Certificate {
  readonly verdict: CertificateVerdict;
  readonly reason: string;
  readonly endsAt: Millis | null;
  readonly lifetimeMs: number | null;
  readonly lifeLeft: number | null;
}

/** Whether somebody looks at a cluster's certificates now. `detail` says what is not seen. */
export interface CertificateSource {
  readonly cluster: string;
  readonly state: "ok" | "partly" | "blind";
  readonly detail: string | null;
  readonly okAt: Millis | null;
}

/** The sources of every cluster that has one, or that had one when its certificates were seen. */
export function certificateSources(
  tells: readonly Pick<Tell, "cluster" | "expiresAt" | "sources">[],
  certificates: readonly Certificate[],
  now: Millis,
): readonly CertificateSource[] {
  const seen = new Set(certificates.map(({ cluster }) => cluster));
  const watching = tells.filter(({ cluster, sources }) => sources["certificates"] !== undefined || seen.has(cluster));
  const gone = [...seen].filter((cluster) => !tells.some((tell) => tell.cluster === cluster));
  return [
    ...watching.map((tell) => sourceOf(tell, seen.has(tell.cluster), now)),
    ...gone.map((cluster) => blind(cluster, "nothing was heard of its agent")),
  ].toSorted((a, b) => (a.cluster < b.cluster ? -1 : 1));
}

function sourceOf(
  { cluster, expiresAt, sources }: Pick<Tell, "cluster" | "expiresAt" | "sources">,
  hasSeen: boolean,
  now: Millis,
): CertificateSource {
  const source = sources["certificates"];
  if (source === undefined) return blind(cluster, "its agent looks at no certificates any more");
  const { state, detail, okAt } = source;
  if (now >= expiresAt) return blind(cluster, "its agent is silent", okAt);
  if (state === "down") return blind(cluster, detail, okAt);
  // An endpoint is looked at before its certificate is in the archive: until then nothing is known, and that is not 0.
  if (!hasSeen) return blind(cluster, "what it sees has not arrived in the archive yet", okAt);
  return { cluster, state: state === "ok" ? "ok" : "partly", detail, okAt };
}

function blind(cluster: string, detail: string | null, okAt: Millis | null = null): CertificateSource {
  return { cluster, state: "blind", detail, okAt };
}

/** What is said instead of a number where no source sees anything: 0 would read as none. */
export function blindText(sources: number, seenBefore: number): string {
  const nobody = sources === 1 ? "the only source sees nothing now" : `none of ${sources} sources sees anything now`;
  return `nobody knows: ${nobody}, ${seenBefore} certificates were seen before`;
}

/** Every certificate with its verdict, the least life left first. One whose source is blind is unknown, never well. */
export function judgeCertificates(
  certificates: readonly Certificate[],
  sources: readonly CertificateSource[],
  now: Millis,
): readonly JudgedCertificate[] {
  const isBlind = new Set(sources.filter(({ state }) => state === "blind").map(({ cluster }) => cluster));
  return certificates
    .filter(({ notAfter }) => notAfter === null || now - notAfter < ENDED_FOR_GOOD_MS)
    .map((certificate) => judge(certificate, isBlind.has(certificate.cluster), now))
    .toSorted((a, b) => (a.lifeLeft ?? -1) - (b.lifeLeft ?? -1) || (a.endsAt ?? 0) - (b.endsAt ?? 0));
}

function judge(certificate: Certificate, isBlind: boolean, now: Millis): JudgedCertificate {
  const { notBefore, notAfter, chainEndsAt } = certificate;
  const endsAt = notAfter === null ? null : Math.min(notAfter, chainEndsAt ?? notAfter);
  const lifetimeMs = notAfter === null || notBefore === null || notAfter <= notBefore ? null : notAfter - notBefore;
  const lifeLeft =
    endsAt === null || lifetimeMs === null ? null : Math.min(1, Math.max(0, (endsAt - now) / lifetimeMs));
  const facts = { ...certificate, endsAt, lifetimeMs, lifeLeft };
  if (isBlind) return { ...facts, verdict: "unknown", reason: "its source sees nothing: it may have been renewed" };
  if (endsAt === null || notBefore === null || lifetimeMs === null)
    return { ...facts, verdict: "unknown", reason: "its dates cannot be read" };
  return { ...facts, ...verdictOf({ notBefore, endsAt, lifetimeMs }, now) };
}

function verdictOf(
  {
    notBefore,
    endsAt,
    lifetimeMs,
  }: { readonly notBefore: Millis; readonly endsAt: Millis; readonly lifetimeMs: number },
  now: Millis,
): { readonly verdict: CertificateVerdict; readonly reason: string } {
  const left = endsAt - now;
  const life = `${spanText(left)} of ${spanText(lifetimeMs)} left`;
  if (now < notBefore) return { verdict: "critical", reason: "it is not valid yet" };
  if (left <= 0) return { verdict: "critical", reason: `it expired ${spanText(-left)} ago` };
  const [critical, warning] = [Math.min(DAY, lifetimeMs / 10), Math.min(7 * DAY, lifetimeMs / 3)];
  if (left < critical) return { verdict: "critical", reason: `${life}, limit ${spanText(critical)}` };
  if (left < warning) return { verdict: "warning", reason: `${life}, limit ${spanText(warning)}` };
  return { verdict: "ok", reason: life };
}

/** The runbook's set: long-lived ones that end within `withinMs`, expired ones included; and what is not in it, and why. */
export interface Expiring {
  readonly certificates: readonly JudgedCertificate[];
  /** Would end within `withinMs`, as they always do: judged by their share of life. */
  readonly shortLived: readonly JudgedCertificate[];
  readonly unknown: readonly JudgedCertificate[];
}

export function expiring(judged: readonly JudgedCertificate[], withinMs: number, now: Millis): Expiring {
  const known = judged.filter(({ verdict }) => verdict !== "unknown");
  const soon = known.filter(({ endsAt }) => endsAt !== null && endsAt - now < withinMs);
  const isLong = ({ lifetimeMs }: JudgedCertificate): boolean => lifetimeMs !== null && lifetimeMs > LONG_LIVED_MS;
  return {
    certificates: soon.filter(isLong),
    shortLived: soon.filter((one) => !isLong(one)),
    unknown: judged.filter(({ verdict }) => verdict === "unknown"),
  };
}

/** "5 d", "8.5 h", "20 min": one figure, because the question is of which size it is. */
function spanText(ms: number): string {
  const hours = ms / (DAY / 24);
  if (hours >= 48) return `${Math.floor(hours / 24)} d`;
  return hours >= 1 ? `${Number(hours.toFixed(1))} h` : `${Math.floor(hours * 60)} min`;
}
