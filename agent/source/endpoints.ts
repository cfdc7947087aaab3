/**
 * Certificates that live TLS endpoints serve: the only place that sees "renewed, but the pod still serves the old one"
 * (`reference/certificates.md` 4).
 */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import * as tls from "node:tls";
import * as v from "valibot";
import { failure, success, type Result } from "../../protocol/result.ts";
import type { Sighting } from "../core/certificate.ts";
import { plainLine } from "../core/text.ts";
import { CHAIN_MAX, chainOf, sightingOf, type Chain } from "./x509.ts";

/** Time limit of one handshake, ms. */
const PROBE_TIMEOUT_MS = 5_000;
/** Handshakes at once. */
const PARALLEL_MAX = 10;
const Port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
const Host = v.pipe(
  v.string(),
  v.regex(/^[a-zA-Z0-9:]([a-zA-Z0-9.:-]{0,251}[a-zA-Z0-9:])?$/, "must be a host name or an address"),
);

/** Where certificates come and go. `serverName` is sent as SNI: one address may serve many certificates. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly serverName?: string | undefined;
}

export const EndpointSchema: v.GenericSchema<unknown, Endpoint> = v.union([
  v.pipe(
    v.string(),
    v.regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/, "must be host:port"),
    v.transform((text) => {
      const at = text.lastIndexOf(":");
      return { host: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
    }),
    v.strictObject({ host: Host, port: Port }),
  ),
  v.strictObject({ host: Host, port: Port, serverName: v.optional(Host) }),
]);

/** What an endpoint serves, and why its chain is not trusted or does not fit the name; null if it is fine. */
export interface ServedCertificate extends Chain {
  readonly authorizationError: string | null;
}

/** Why nothing is known of a certificate. None of these says anything about its expiry. */
export interface ProbeFailure {
  readonly kind:
    | "refused"
    | "timeout"
    | "reset"
    | "unresolved"
    | "no_shared_protocol"
    | "not_tls"
    | "no_certificate"
    | "failed";
  readonly message: string;
}

/** How an endpoint is written in events and states: the location of its series. */
export function locationOf(endpoint: Endpoint): string {
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  const { serverName } = endpoint;
  return `${host}:${endpoint.port}${serverName === undefined || serverName === endpoint.host ? "" : ` (${serverName})`}`;
}

/**
 * One handshake. A server that demands a client certificate has shown its own before it refuses, so what counts is
 * whether the certificate was seen, not how the connection ended.
 */
export function probeEndpoint(
  endpoint: Endpoint,
  timeoutMs: number = PROBE_TIMEOUT_MS,
): Promise<Result<ServedCertificate, ProbeFailure>> {
  const { promise, resolve } = Promise.withResolvers<Result<ServedCertificate, ProbeFailure>>();
  const name = endpoint.serverName ?? endpoint.host;
  const socket = tls.connect({
    host: endpoint.host,
    port: endpoint.port,
    // An address is no SNI (RFC 6066 3); the certificate is then checked against the host.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    // Untrusted is a finding, not a failure to look.
    rejectUnauthorized: false,
    // An old endpoint's certificate is still one that expires.
    minVersion: "TLSv1",
    ALPNProtocols: ["h2", "http/1.1", "istio"],
  });
  const end = (result: Result<ServedCertificate, ProbeFailure>): void => {
    clearTimeout(timer);
    resolve(result);
    socket.destroy();
  };
  const timer = setTimeout(
    () => end(failure({ kind: "timeout", message: `no handshake within ${timeoutMs / 1_000} s` })),
    timeoutMs,
  );
  socket.once("secureConnect", () => end(read(socket)));
  // In TLS 1.2 the demand for a client certificate fails the handshake, but the server's own has been read by then.
  socket.on("error", (error: NodeJS.ErrnoException) => {
    const seen = read(socket);
    end(seen.ok ? seen : failure(failureOf(error)));
  });
  socket.once("close", () => end(failure({ kind: "reset", message: "closed during the handshake" })));
  return promise;
}

function read(socket: tls.TLSSocket): Result<ServedCertificate, ProbeFailure> {
  // Empty or null before a certificate was seen; the types know neither.
  const leaf = socket.getPeerCertificate(true) as tls.DetailedPeerCertificate | null;
  const none = failure({ kind: "no_certificate", message: "the handshake showed no certificate" } as const);
  if (leaf?.fingerprint256 === undefined) return none;
  const chain = chainOf(
    presented(leaf).map(({ raw }) => new X509Certificate(raw)),
    Date.now(),
  );
  const problem = socket.authorizationError as Error | string | null | undefined;
  const authorizationError = problem === null || problem === undefined ? null : problemText(problem);
  return chain === null ? none : success({ ...chain, authorizationError });
}

/** Leaf first. The last one points to itself, or to nothing where the peer sent an incomplete chain. */
function presented(leaf: tls.DetailedPeerCertificate): readonly tls.DetailedPeerCertificate[] {
  const chain = [leaf];
  let at = leaf.issuerCertificate as tls.DetailedPeerCertificate | undefined;
  while (at?.fingerprint256 !== undefined && chain.length < CHAIN_MAX && !chain.includes(at)) {
    chain.push(at);
    at = at.issuerCertificate as tls.DetailedPeerCertificate | undefined;
  }
  return chain;
}

function problemText(problem: Error | string): string {
  if (typeof problem === "string") return plainLine(problem, 256);
  return plainLine((problem as NodeJS.ErrnoException).code ?? problem.message, 256);
}

function failureOf(error: NodeJS.ErrnoException): ProbeFailure {
  const code = error.code ?? "";
  const message = plainLine(error.message === "" ? code : error.message, 200);
  if (code === "ECONNREFUSED") return { kind: "refused", message: "connection refused" };
  if (code === "ETIMEDOUT") return { kind: "timeout", message };
  if (code === "ECONNRESET" || code === "EPIPE")
    return { kind: "reset", message: "connection reset during the handshake" };
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return { kind: "unresolved", message };
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || code === "ERR_SSL_PACKET_LENGTH_TOO_LONG")
    return { kind: "not_tls", message: "does not speak TLS" };
  if (
    /UNSUPPORTED_PROTOCOL|PROTOCOL_VERSION|NO_SHARED_CIPHER|NO_PROTOCOLS|HANDSHAKE_FAILURE|NO_APPLICATION_PROTOCOL/.test(
      code,
    )
  ) {
    return { kind: "no_shared_protocol", message };
  }
  return { kind: "failed", message };
}

/** What all endpoints show now: a certificate each, or why none was seen. */
export async function lookAtEndpoints(
  endpoints: readonly Endpoint[],
  isStopped: () => boolean,
): Promise<{ readonly sightings: readonly Sighting[]; readonly unseen: ReadonlyMap<string, string> }> {
  const sightings: Sighting[] = [];
  const unseen = new Map<string, string>();
  const waiting = [...endpoints];
  const worker = async (): Promise<void> => {
    for (let endpoint = waiting.shift(); endpoint !== undefined && !isStopped(); endpoint = waiting.shift()) {
      const location = plainLine(locationOf(endpoint), 256);
      const probed = await probeEndpoint(endpoint);
      if (!probed.ok) unseen.set(location, `${probed.failure.kind}: ${probed.failure.message}`);
      else {
        const { authorizationError } = probed.value;
        sightings.push(sightingOf("tls", location, probed.value, { authorizationError }));
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_MAX }, worker));
  return { sightings, unseen };
}
