/** Certificates as people read them: of a handshake, or of a file with several of them, which is a chain. */
import { X509Certificate } from "node:crypto";
import type { CertificateRole, CertificateSource } from "../../protocol/certificate.ts";
import { failure, success, type Result } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Sighting } from "../core/certificate.ts";
import { plainLine } from "../core/text.ts";

/** Certificates of one chain that are looked at; longer chains are a peer's mistake or malice. */
export const CHAIN_MAX = 10;
const NAMES_MAX = 50;

/** One certificate and those above it. Moments are Millis, NaN where no calendar knows them. */
export interface Chain {
  /** SHA-256 of the leaf, 64 hex digits. */
  readonly fingerprint: string;
  readonly serial: string;
  readonly subject: string;
  readonly issuer: string;
  readonly keyType: string;
  readonly notBefore: Millis;
  readonly notAfter: Millis;
  readonly selfSigned: boolean;
  readonly isAuthority: boolean;
  /** DNS names and addresses, sorted. */
  readonly names: readonly string[];
  readonly length: number;
  /** Of those above the leaf the one to worry about: not valid yet, or else the first to end. */
  readonly above: { readonly notBefore: Millis; readonly notAfter: Millis; readonly subject: string } | null;
  readonly anchor: { readonly subject: string; readonly notAfter: Millis } | null;
}

/** Leaf first. Null without any. */
export function chainOf(certificates: readonly X509Certificate[], now: Millis): Chain | null {
  const [leaf, ...rest] = certificates;
  if (leaf === undefined) return null;
  const above = rest
    .map((one) => ({ ...datesOf(one), subject: nameText(one.subject) }))
    .filter(({ notBefore, notAfter }) => Number.isFinite(notBefore + notAfter));
  const early = above.find(({ notBefore }) => notBefore > now);
  const first = above.reduce<(typeof above)[number] | null>(
    (a, b) => (a === null || b.notAfter < a.notAfter ? b : a),
    null,
  );
  const root = rest.findLast((one) => one.subject === one.issuer && Number.isFinite(datesOf(one).notAfter));
  return {
    fingerprint: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
    serial: leaf.serialNumber,
    subject: nameText(leaf.subject),
    issuer: nameText(leaf.issuer),
    keyType: keyTypeOf(leaf),
    ...datesOf(leaf),
    selfSigned: leaf.subject === leaf.issuer,
    isAuthority: leaf.ca,
    names: namesOf(leaf.subjectAltName),
    length: certificates.length,
    above: early ?? first,
    anchor: root === undefined ? null : { subject: nameText(root.subject), notAfter: datesOf(root).notAfter },
  };
}

/** Every certificate of a PEM text and nothing else of it; a key beside them is not looked at. */
export function chainOfPem(text: string, now: Millis): Result<Chain, string> {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  try {
    const chain = chainOf(
      blocks.slice(0, CHAIN_MAX).map((block) => new X509Certificate(block)),
      now,
    );
    return chain === null ? failure("holds no certificate") : success(chain);
  } catch {
    // OpenSSL's words may quote what it read.
    return failure("holds a certificate that cannot be read");
  }
}

export function sightingOf(
  source: CertificateSource,
  location: string,
  chain: Chain,
  more: Sighting["facts"] = {},
): Sighting {
  const { serial, subject, issuer, keyType, selfSigned, length } = chain;
  const role: CertificateRole = chain.isAuthority ? "authority" : "leaf";
  return {
    source,
    location: plainLine(location, 256),
    fingerprint: chain.fingerprint,
    life: { ...momentsOf(chain), renewAt: null, role, chain: chain.above },
    anchor: chain.anchor,
    names: chain.names,
    facts: { serial, subject, issuer, keyType, selfSigned, chainLength: length, ...more },
  };
}

function momentsOf({ notBefore, notAfter }: Chain): { notBefore: Millis | null; notAfter: Millis | null } {
  const known = (at: Millis): Millis | null => (Number.isFinite(at) ? at : null);
  return { notBefore: known(notBefore), notAfter: known(notAfter) };
}

function keyTypeOf(certificate: X509Certificate): string {
  try {
    return certificate.publicKey.asymmetricKeyType ?? "unknown";
  } catch {
    // An algorithm of which this OpenSSL has not heard still signs a certificate that ends.
    return "unknown";
  }
}

/** OpenSSL writes `Nov 23 01:00:00 2026 GMT`. */
function datesOf({ validFrom, validTo }: X509Certificate): { notBefore: Millis; notAfter: Millis } {
  return { notBefore: Date.parse(validFrom), notAfter: Date.parse(validTo) };
}

/** Each attribute is a line of its own. */
function nameText(name: string): string {
  return plainLine(name.trim().replaceAll("\n", ", "), 256);
}

/** `DNS:a.b, IP Address:10.0.0.1, URI:spiffe://…` */
function namesOf(text: string | undefined): readonly string[] {
  const names = (text ?? "").split(", ").map((one) => one.replace(/^(DNS|IP Address|URI|email):/, ""));
  return [...new Set(names.filter((name) => name !== ""))].toSorted().slice(0, NAMES_MAX);
}
