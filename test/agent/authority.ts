/** Certificates made for a test, with their keys. */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { DAY } from "../../protocol/time.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** Certificates know no parts of a second. */
export const NOW = Math.floor(Date.now() / 1_000) * 1_000;

export interface Issued {
  readonly certificate: x509.X509Certificate;
  readonly keys: CryptoKeyPair;
  readonly pem: string;
  readonly key: string;
}

let serial = 1;
/** Signed by `issuer`, or by itself. */
export async function issue(
  name: string,
  fromDays: number,
  toDays: number,
  issuer: Issued | null,
  ca = false,
): Promise<Issued> {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: (serial++).toString(16).padStart(4, "0"),
    subject: `CN=${name}`,
    issuer: issuer?.certificate.subject ?? `CN=${name}`,
    notBefore: new Date(NOW + fromDays * DAY),
    notAfter: new Date(NOW + toDays * DAY),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(ca),
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }]),
    ],
  });
  const key = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return {
    certificate,
    keys,
    pem: certificate.toString("pem"),
    key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`,
  };
}

export const hex = async (issued: Issued): Promise<string> =>
  Buffer.from(await issued.certificate.getThumbprint("SHA-256")).toString("hex");
