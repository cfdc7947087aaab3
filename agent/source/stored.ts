/**
 * Certificates that the cluster stores: TLS Secrets, which is opt-in because to list them is to read their keys, and
 * cert-manager's own word, which needs no key (`reference/certificates.md` 5).
 */
import * as v from "valibot";
import { failure, success, type Result } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Sighting } from "../core/certificate.ts";
import { plainLine } from "../core/text.ts";
import type { KubernetesClient } from "../kubernetes/client.ts";
import type { Resource } from "../kubernetes/objects.ts";
import { isStatus, refusalText } from "../kubernetes/refusal.ts";
import { chainOfPem, sightingOf, type Chain } from "./x509.ts";

/** A page of Secrets stays below half a megabyte, bytes. */
const PAGE_BYTES = 400_000;
/** Of the first page; even with keys and chains of 40 KB a Secret it is below that. */
const PAGE_LIMIT = 10;
const NEVER_ISSUED = "was never issued";

type Client = Pick<KubernetesClient, "list" | "groupVersion">;

/** What a look brought. `fault`: why it brought not all; `unseen`: places that cannot be read, and why. */
export interface Stored {
  readonly sightings: readonly Sighting[];
  readonly unseen: ReadonlyMap<string, string>;
  readonly fault: string | null;
  /** Worth knowing, and no fault. */
  readonly note: string | null;
}

interface TlsSecret {
  readonly name: string;
  readonly chain: Result<Chain, string>;
}

/** Of a Secret only its certificate is looked at. Nothing else of it outlives the page that it came in. */
function secretsAt(now: Millis): Resource<TlsSecret> {
  const schema = v.pipe(
    v.object({
      metadata: v.object({ name: v.string() }),
      data: v.optional(v.nullable(v.object({ "tls.crt": v.optional(v.nullable(v.string()), "") })), {}),
    }),
    v.transform(({ metadata, data }): TlsSecret => {
      const pem = Buffer.from(data?.["tls.crt"] ?? "", "base64").toString("latin1");
      return { name: metadata.name, chain: chainOfPem(pem, now) };
    }),
  );
  const select = { fieldSelector: "type=kubernetes.io/tls" };
  return { group: "api/v1", plural: "secrets", schema, select, pageLimit: PAGE_LIMIT, pageBytes: PAGE_BYTES };
}

export async function lookAtSecrets(client: Client, namespaces: readonly string[], now: () => Millis): Promise<Stored> {
  const sightings: Sighting[] = [];
  const unseen = new Map<string, string>();
  for (const namespace of namespaces) {
    const listed = await client.list(secretsAt(now()), namespace);
    // What was read before it is not all: said of the whole source, which keeps what it knew.
    if (!listed.ok) return { sightings, unseen, fault: `${namespace}: ${refusalText(listed.failure)}`, note: null };
    for (const { name, chain } of listed.value.items) {
      const location = plainLine(`${namespace}/${name}`, 256);
      if (chain.ok) sightings.push(sightingOf("secret", location, chain.value));
      else unseen.set(location, `tls.crt ${chain.failure}`);
    }
  }
  return { sightings, unseen, fault: null, note: null };
}

const GROUP = "cert-manager.io";
const VERSIONS = ["v1"] as const;
const Text = v.optional(v.nullable(v.string()), "");
const Names = v.optional(v.nullable(v.array(v.string())), []);
const CertificateSchema = v.object({
  metadata: v.object({ name: v.string() }),
  spec: v.object({
    secretName: v.string(),
    commonName: Text,
    dnsNames: Names,
    ipAddresses: Names,
    uris: Names,
    emailAddresses: Names,
    isCA: v.optional(v.nullable(v.boolean()), false),
  }),
  status: v.optional(
    v.nullable(
      v.object({
        notBefore: Text,
        notAfter: Text,
        renewalTime: Text,
        revision: v.optional(v.nullable(v.number()), 0),
        conditions: v.optional(
          v.nullable(v.array(v.object({ type: v.string(), status: v.string(), reason: Text }))),
          [],
        ),
      }),
    ),
    {},
  ),
});
type Issued = v.InferOutput<typeof CertificateSchema>;

/** The Certificates of cert-manager. That it is not installed is a word of its own, and neither none nor a fault. */
export async function lookAtCertManager(client: Client, namespaces: readonly string[]): Promise<Stored> {
  const none = { sightings: [], unseen: new Map<string, string>() };
  const version = await client.groupVersion(GROUP, VERSIONS);
  if (!version.ok) return { ...none, fault: refusalText(version.failure), note: null };
  if (version.value === null) return { ...none, fault: null, note: "cert-manager is not installed here" };
  const resource = { group: `apis/${GROUP}/${version.value}`, plural: "certificates", schema: CertificateSchema };
  const found: Sighting[] = [];
  const unseen = new Map<string, string>();
  for (const namespace of namespaces) {
    const listed = await client.list(resource, namespace);
    if (!listed.ok) {
      // The group is there and this kind of it is not: as where it was removed by hand.
      const why = isStatus(listed.failure, 404) ? "has no certificates to ask for" : refusalText(listed.failure);
      return { sightings: found, unseen, fault: `${namespace}: ${why}`, note: null };
    }
    for (const issued of listed.value.items) {
      const seen = issuedSighting(namespace, issued);
      if (seen.ok) found.push(seen.value);
      else unseen.set(plainLine(`${namespace}/${issued.spec.secretName}`, 256), seen.failure);
    }
  }
  return { sightings: found, unseen, fault: null, note: null };
}

/** Its place is the Secret that it is written to, so that it meets what reads that. */
function issuedSighting(namespace: string, { metadata, spec, status }: Issued): Result<Sighting, string> {
  const { notBefore, notAfter, renewalTime, revision, conditions } = status ?? {};
  const ready = (conditions ?? []).find(({ type }) => type === "Ready");
  const ends = momentOf(notAfter);
  if (ends === null) {
    const why = ready?.reason ?? "";
    return failure(plainLine(why === "" ? NEVER_ISSUED : `${NEVER_ISSUED}: ${why}`, 200));
  }
  const names = [spec.dnsNames, spec.ipAddresses, spec.uris, spec.emailAddresses].flatMap((list) => list ?? []);
  return success({
    source: "cert-manager",
    location: plainLine(`${namespace}/${spec.secretName}`, 256),
    fingerprint: null,
    life: {
      notBefore: momentOf(notBefore),
      notAfter: ends,
      renewAt: momentOf(renewalTime),
      role: spec.isCA === true ? "authority" : "leaf",
      chain: null,
    },
    anchor: null,
    names: [...new Set(names)].toSorted(),
    facts: {
      subject: plainLine(
        spec.commonName === null || spec.commonName === "" ? metadata.name : `CN=${spec.commonName}`,
        256,
      ),
      object: plainLine(metadata.name, 256),
      revision: revision ?? 0,
      ready: ready === undefined ? null : ready.status === "True",
      readyReason: plainLine(ready?.reason ?? "", 64),
    },
  });
}

function momentOf(text: string | null | undefined): Millis | null {
  const at = Date.parse(text ?? "");
  return Number.isNaN(at) ? null : at;
}
