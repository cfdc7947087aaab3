/**
 * Our profile of RFC 9421 (HTTP Message Signatures). Fixed on purpose: one signature, one list of components, one
 * algorithm, one spelling. General parsers bring header-merging ambiguity; this reads exactly what `signatureHeaders`
 * writes and refuses all else.
 *
 *   Content-Digest:  sha-256=:BASE64:                                  over the raw bytes as sent, RFC 9530
 *   Signature-Input: oe=("@method" "@target-uri" "content-digest" "content-type");created=S;expires=S;keyid="…";alg="ed25519";tag="observatory-agent-v1"
 *   Signature:       oe=:BASE64:
 *
 * Hashing and Ed25519 belong to the callers' platforms; this file only knows the text.
 */
const SIGNATURE_TAG = "observatory-agent-v1";
/** A signature lives at most this long, seconds. */
export const SIGNATURE_LIFETIME_S = 60;

export interface SignedRequest {
  readonly method: string;
  /** The absolute URL as the client sees it, RFC 9421 2.2.2. */
  readonly targetUri: string;
  /** Base64 SHA-256 of the body as sent. */
  readonly digest: string;
  readonly contentType: string;
}

/** `createdS` and `expiresS` are Unix seconds, as RFC 9421 counts. */
export interface SignatureParameters {
  readonly createdS: number;
  readonly expiresS: number;
  readonly keyId: string;
}

const COMPONENTS = '("@method" "@target-uri" "content-digest" "content-type")';
const INPUT = new RegExp(
  `^oe=\\("@method" "@target-uri" "content-digest" "content-type"\\);created=(\\d{1,12});expires=(\\d{1,12});keyid="([A-Za-z0-9_-]{1,64})";alg="ed25519";tag="${SIGNATURE_TAG}"$`,
);

function parametersText(parameters: SignatureParameters): string {
  return `${COMPONENTS};created=${parameters.createdS};expires=${parameters.expiresS};keyid="${parameters.keyId}";alg="ed25519";tag="${SIGNATURE_TAG}"`;
}

export function contentDigest(digest: string): string {
  return `sha-256=:${digest}:`;
}

/** The signature base of RFC 9421 2.5: the bytes that are signed. */
export function signatureBase(request: SignedRequest, parameters: SignatureParameters): string {
  return [
    `"@method": ${request.method}`,
    `"@target-uri": ${request.targetUri}`,
    `"content-digest": ${contentDigest(request.digest)}`,
    `"content-type": ${request.contentType}`,
    `"@signature-params": ${parametersText(parameters)}`,
  ].join("\n");
}

/** The three headers of a signed request; `signature` is base64. */
export function signatureHeaders(
  request: SignedRequest,
  parameters: SignatureParameters,
  signature: string,
): Record<string, string> {
  return {
    "content-digest": contentDigest(request.digest),
    "signature-input": `oe=${parametersText(parameters)}`,
    signature: `oe=:${signature}:`,
  };
}

/** What a request's headers claim of its signature, which is base64. */
export interface SignatureClaim {
  readonly parameters: SignatureParameters;
  readonly signature: string;
}

/** What the headers claim, or null if they are not spelled exactly as above. Says nothing yet about truth. */
export function parseSignature(signatureInput: string | null, signature: string | null): SignatureClaim | null {
  const input = INPUT.exec(signatureInput ?? "");
  const value = /^oe=:([A-Za-z0-9+/]{86}==):$/.exec(signature ?? "");
  if (input === null || value === null) return null;
  const [, createdS, expiresS, keyId] = input;
  return {
    parameters: { createdS: Number(createdS), expiresS: Number(expiresS), keyId: keyId ?? "" },
    signature: value[1] ?? "",
  };
}

/** Whether the times allow it at `nowS`: not from the future, not expired, not longer-lived than allowed. */
export function signatureTimely(parameters: SignatureParameters, nowS: number): boolean {
  const { createdS, expiresS } = parameters;
  return (
    expiresS > createdS && expiresS - createdS <= SIGNATURE_LIFETIME_S && createdS <= nowS + 5 && nowS < expiresS + 5
  );
}
