/** Certificates that agents saw served, stored or reported, and what operators are told of them. */
import { judgeCertificate } from "../../protocol/certificate.ts";
import type { CertificateRole, CertificateSource, CertificateVerdict } from "../../protocol/certificate.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY } from "../../protocol/time.ts";
import type { Tell } from "./component.ts";

export type { CertificateVerdict } from "../../protocol/certificate.ts";

/** Only these are counted as expiring: shorter-lived ones rotate by themselves, and always end soon. */
const LONG_LIVED_MS = 21 * DAY;
/** An endpoint that ended so long ago is nobody's any more: what is taken out of an agent's file says no goodbye. */
const ENDED_FOR_GOOD_MS = 30 * DAY;
/** A trust anchor is renewed by people, in a maintenance: it is shown as near from here on. */
const ANCHOR_NEAR_MS = 90 * DAY;

/** What a place showed when its agent saw it last. Moments that no calendar knows are null. */
export interface Certificate {
  readonly cluster: string;
  /** host:port, and the name asked for if that is another; or the object's or the workload's name. */
  readonly location: string;
  /** Empty where the source tells none. */
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
  /** Absent in what an earlier version wrote, which knew endpoints alone. */
  readonly more?: CertificateMore;
}

export interface CertificateMore {
  readonly source: CertificateSource;
  readonly role: CertificateRole;
  /** When it should be renewed by itself; null where nobody knows. */
  readonly renewAt: Millis | null;
  /** Of the certificate that ends first in the chain. */
  readonly chainBeganAt: Millis | null;
  /** The root that the chain ends with, where it is shown. */
  readonly anchor: { readonly subject: string; readonly notAfter: Millis } | null;
}

/** A certificate as of a moment. `lifeLeft` is a share of its lifetime, 0 to 1; null if that is not known. */
export interface JudgedCertificate extends Certificate {
  readonly verdict: CertificateVerdict;
  readonly reason: string;
  readonly endsAt: Millis | null;
  readonly lifetimeMs: number | null;
  readonly lifeLeft: number | null;
}

/** Whether somebody looks at a cluster's certificates now. `detail` says what is not seen. */
export interface CertificateSourceState {
  readonly cluster: string;
  readonly state: "ok" | "partly" | "blind";
  readonly detail: string | null;
  readonly okAt: Millis | null;
  /** What of it is not seen now though it was: a source, or a source and a location with a space between. */
  readonly unseen: readonly string[];
}

/** The sources of every cluster that has one, or that had one when its certificates were seen. */
export function certificateSources(
  tells: readonly Pick<Tell, "cluster" | "expiresAt" | "sources">[],
  certificates: readonly Certificate[],
  now: Millis,
): readonly CertificateSourceState[] {
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
): CertificateSourceState {
  const source = sources["certificates"];
  if (source === undefined) return blind(cluster, "its agent looks at no certificates any more");
  const { state, detail, okAt } = source;
  if (now >= expiresAt) return blind(cluster, "its agent is silent", okAt);
  if (state === "down") return blind(cluster, detail, okAt);
  // An endpoint is looked at before its certificate is in the archive: until then nothing is known, and that is not 0.
  if (!hasSeen) return blind(cluster, "what it sees has not arrived in the archive yet", okAt);
  return { cluster, state: state === "ok" ? "ok" : "partly", detail, okAt, unseen: source.blind ?? [] };
}

function blind(cluster: string, detail: string | null, okAt: Millis | null = null): CertificateSourceState {
  return { cluster, state: "blind", detail, okAt, unseen: [] };
}

/** What is said instead of a number where no source sees anything: 0 would read as none. */
export function blindText(sources: number, seenBefore: number): string {
  const nobody = sources === 1 ? "the only source sees nothing now" : `none of ${sources} sources sees anything now`;
  return `nobody knows: ${nobody}, ${seenBefore} certificates were seen before`;
}

/** Every certificate with its verdict, the least life left first. One that nobody sees now is unknown, never well. */
export function judgeCertificates(
  certificates: readonly Certificate[],
  sources: readonly CertificateSourceState[],
  now: Millis,
): readonly JudgedCertificate[] {
  const blind = new Map(sources.map(({ cluster, state, unseen }) => [cluster, state === "blind" || new Set(unseen)]));
  const isUnseen = ({ cluster, location, more }: Certificate): boolean => {
    const places = blind.get(cluster) ?? false;
    const source = more?.source ?? "tls";
    return typeof places === "boolean" ? places : places.has(source) || places.has(`${source} ${location}`);
  };
  return certificates
    .filter(({ notAfter }) => notAfter === null || now - notAfter < ENDED_FOR_GOOD_MS)
    .map((certificate) => judge(certificate, isUnseen(certificate), now))
    .toSorted((a, b) => (a.lifeLeft ?? -1) - (b.lifeLeft ?? -1) || (a.endsAt ?? 0) - (b.endsAt ?? 0));
}

function judge(certificate: Certificate, isUnseen: boolean, now: Millis): JudgedCertificate {
  const { notBefore, notAfter, chainEndsAt, chainEndsWith, more } = certificate;
  const { renewAt = null, role = "leaf", chainBeganAt = null } = more ?? {};
  const endsAt = notAfter === null ? null : Math.min(notAfter, chainEndsAt ?? notAfter);
  const lifetimeMs = notAfter === null || notBefore === null || notAfter <= notBefore ? null : notAfter - notBefore;
  const lifeLeft =
    endsAt === null || lifetimeMs === null ? null : Math.min(1, Math.max(0, (endsAt - now) / lifetimeMs));
  const facts = { ...certificate, endsAt, lifetimeMs, lifeLeft };
  if (isUnseen) return { ...facts, verdict: "unknown", reason: "its source sees nothing: it may have been renewed" };
  const hasChain = chainEndsAt !== null && notAfter !== null && chainEndsAt !== notAfter;
  const chain = hasChain ? { notBefore: chainBeganAt, notAfter: chainEndsAt, subject: chainEndsWith } : null;
  const { verdict, reason } = judgeCertificate({ notBefore, notAfter, renewAt, role, chain }, now);
  return { ...facts, verdict, reason };
}

/** The runbook's set: long-lived ones that end within `withinMs`, expired ones included; and what is not in it, and why. */
export interface Expiring {
  readonly certificates: readonly JudgedCertificate[];
  /** Would end within `withinMs`, as they always do: judged by their share of life. */
  readonly shortLived: readonly JudgedCertificate[];
  /** Nobody sees them now, or they end soon and nobody knows for how long they have lived. */
  readonly unknown: readonly JudgedCertificate[];
}

export function expiring(judged: readonly JudgedCertificate[], withinMs: number, now: Millis): Expiring {
  const known = judged.filter(({ verdict }) => verdict !== "unknown");
  const soon = known.filter(({ endsAt }) => endsAt !== null && endsAt - now < withinMs);
  const isLong = ({ lifetimeMs }: JudgedCertificate): boolean => lifetimeMs !== null && lifetimeMs > LONG_LIVED_MS;
  const isShort = ({ lifetimeMs, more }: JudgedCertificate): boolean =>
    lifetimeMs === null ? more?.role === "workload" : lifetimeMs <= LONG_LIVED_MS;
  return {
    certificates: soon.filter(isLong),
    shortLived: soon.filter(isShort),
    unknown: [
      ...judged.filter(({ verdict }) => verdict === "unknown"),
      ...soon.filter((one) => !isLong(one) && !isShort(one)),
    ],
  };
}

/** A root that everything below it ends with: the horizon of a mesh. */
export interface TrustAnchor {
  readonly cluster: string;
  readonly subject: string;
  readonly endsAt: Millis;
  /** Where it was seen first of all that show it. */
  readonly location: string;
  /** Less than 90 days: time to plan its renewal, which is a maintenance. */
  readonly isNear: boolean;
}

/** The roots that are seen, each once a cluster, the first to end first. */
export function trustAnchors(judged: readonly JudgedCertificate[], now: Millis): readonly TrustAnchor[] {
  const anchors = new Map<string, TrustAnchor>();
  for (const { cluster, location, subject, notAfter, more, verdict } of judged) {
    const own = more?.role === "authority" && notAfter !== null ? { subject, notAfter } : null;
    const anchor = more?.anchor ?? own;
    if (anchor === null || verdict === "unknown") continue;
    const key = `${cluster}\0${anchor.subject}\0${anchor.notAfter}`;
    const isNear = anchor.notAfter - now < ANCHOR_NEAR_MS;
    if (!anchors.has(key))
      anchors.set(key, { cluster, subject: anchor.subject, endsAt: anchor.notAfter, location, isNear });
  }
  return [...anchors.values()].toSorted((a, b) => a.endsAt - b.endsAt);
}
