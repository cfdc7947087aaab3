/** When a certificate should be renewed by itself: told by its source, known of the mesh, or learnt from its renewals. */
import type { CertificateLife, CertificateSource } from "../../protocol/certificate.ts";
import type { Millis } from "../../protocol/time.ts";

/** Istio renews at half of the life (`SECRET_GRACE_PERIOD_RATIO` 0.5). */
const MESH_SHARE = 0.5;
const MESH_SOURCES: ReadonlySet<CertificateSource> = new Set(["istio-agent", "ztunnel"]);
/** Two renewals so near to each other were no accident; a share of the lifetime. */
const AGREE_SHARE = 0.05;

/**
 * From what was learnt: `shares` of the life at which the last two came. The reference takes one renewal for enough; one
 * that a person made early would then be held against the next, so two must agree here.
 */
export function renewalAt(
  source: CertificateSource,
  { notBefore, notAfter }: Pick<CertificateLife, "notBefore" | "notAfter">,
  shares: readonly number[],
): Millis | null {
  if (notBefore === null || notAfter === null) return null;
  const lifetime = notAfter - notBefore;
  if (MESH_SOURCES.has(source)) return notBefore + MESH_SHARE * lifetime;
  const [a, b] = shares;
  if (a === undefined || b === undefined || Math.abs(a - b) > AGREE_SHARE) return null;
  return Math.round(notBefore + Math.max(a, b) * lifetime);
}

/** At which share of its life it was renewed; null where its life is not known, or was over. */
export function renewalShare({ notBefore, notAfter }: CertificateLife, now: Millis): number | null {
  if (notBefore === null || notAfter === null || notAfter <= notBefore || now >= notAfter) return null;
  return Math.max(0, (now - notBefore) / (notAfter - notBefore));
}
