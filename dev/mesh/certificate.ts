/** The demo's own certificates: an authority that lives as long as the process, and a leaf that is about to expire. */
// tsyringe, inside x509, refuses to load without it.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { DAY, type Millis } from "../../protocol/time.ts";

/** Five days: inside the runbook's "expiring in 7 days". */
const CERTIFICATE_LIFE_MS = 5 * DAY;
const SPENT_MS = 85 * DAY;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** All PEM. */
export interface ServerIdentity {
  readonly key: string;
  readonly certificate: string;
  readonly authority: string;
  readonly expiresAt: Millis;
}

/** A key and a certificate for a workload on 127.0.0.1, valid for five more days of its ninety. */
export async function makeIdentity(service: { namespace: string; name: string }, now: Millis): Promise<ServerIdentity> {
  const authorityKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const leafKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const notBefore = new Date(now - SPENT_MS);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=Demo mesh authority",
    notBefore,
    notAfter: new Date(now + 365 * DAY),
    signingAlgorithm: ALGORITHM,
    keys: authorityKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const host = `${service.name}.${service.namespace}`;
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: now.toString(16).padStart(16, "0"),
    subject: `CN=${host}.svc`,
    issuer: authority.subject,
    notBefore,
    notAfter: new Date(now + CERTIFICATE_LIFE_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: leafKeys.publicKey,
    signingKey: authorityKeys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: host },
        { type: "dns", value: `${host}.svc.cluster.local` },
        { type: "ip", value: "127.0.0.1" },
        { type: "url", value: `spiffe://cluster.local/ns/${service.namespace}/sa/${service.name}` },
      ]),
    ],
  });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", leafKeys.privateKey), "PRIVATE KEY");
  return {
    key,
    certificate: leaf.toString("pem"),
    authority: authority.toString("pem"),
    expiresAt: leaf.notAfter.getTime(),
  };
}
