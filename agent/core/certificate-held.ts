/** "Renewed, but the pod still serves the old one": seen only by comparing what is served with what is stored. */
import type { CertificateSource } from "../../protocol/certificate.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Place, Sighting } from "./certificate.ts";

/** A kubelet needs up to two minutes to bring a changed Secret into a pod, and what serves it some more, ms. */
const GRACE_MS = 15 * MINUTE;
const STORED: ReadonlySet<CertificateSource> = new Set(["secret", "cert-manager"]);

/**
 * The place that holds a newer certificate for the names of one that is served; null if none does, if several places
 * hold such names, so that nobody knows which of them is served, or if there was no time yet to serve it.
 */
export function heldNewer(served: Place, places: readonly Place[]): Sighting | null {
  const { source, names, life } = served.sighting;
  const began = life.notBefore;
  if (source !== "tls" || names.length === 0 || began === null) return null;
  const own = names.join("\0");
  const held = places.filter(({ sighting }) => STORED.has(sighting.source) && sighting.names.join("\0") === own);
  const [first] = held;
  // cert-manager's word and the Secret that it wrote are one place.
  if (first === undefined || held.some(({ sighting }) => sighting.location !== first.sighting.location)) return null;
  const newer = held.every(
    ({ sighting, since }) => (sighting.life.notBefore ?? 0) > began && served.seenAt - since >= GRACE_MS,
  );
  return newer ? first.sighting : null;
}
