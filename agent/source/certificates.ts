/**
 * Certificates that live TLS endpoints serve: the only place that sees "renewed, but the pod still serves the old one"
 * (`reference/certificates.md` 4).
 */
import { createHash } from "node:crypto";
import { isIP } from "node:net";
import * as tls from "node:tls";
import * as v from "valibot";
import type { SourceState } from "../../protocol/push.ts";
import type { EventRecord } from "../../protocol/record.ts";
import { HOUR, MINUTE, type Millis } from "../../protocol/time.ts";
import { failure, success, type Result } from "../../protocol/result.ts";
import { plainLine } from "../core/text.ts";

/** Time limit of one handshake, ms. */
const PROBE_TIMEOUT_MS = 5_000;
/** Handshakes at once. */
const PARALLEL_MAX = 10;
/** Certificates of one chain that are looked at; longer chains are a peer's mistake or malice. */
const CHAIN_MAX = 10;
const ENDPOINTS_MAX = 1_000;
/** Probes of an interval are spread over this share of it, so that not all endpoints are asked at the same moment. */
const JITTER_SHARE = 0.1;
const INTERVAL_DEFAULT_MS = HOUR;
const INTERVAL_MIN_MS = 1_000;
const INTERVAL_MAX_MS = 24 * HOUR;

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

const EndpointSchema: v.GenericSchema<unknown, Endpoint> = v.union([
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

const UNITS = { s: 1_000, m: MINUTE, h: HOUR } as const;
const IntervalSchema = v.pipe(
  v.string(),
  v.regex(/^\d{1,5}[smh]$/, "must be a length such as 30s, 10m or 1h"),
  v.transform((text) => Number(text.slice(0, -1)) * UNITS[text.slice(-1) as keyof typeof UNITS]),
  v.minValue(INTERVAL_MIN_MS, "must be at least 1s"),
  v.maxValue(INTERVAL_MAX_MS, "must be at most 24h"),
);

/** `sources.certificates` of agent.yaml; `intervalMs` comes out of `interval: 1h`. */
export const CertificatesConfigSchema = v.pipe(
  v.strictObject({
    interval: v.optional(IntervalSchema),
    endpoints: v.pipe(v.array(EndpointSchema), v.minLength(1), v.maxLength(ENDPOINTS_MAX)),
  }),
  v.transform(({ interval, endpoints }) => ({ intervalMs: interval ?? INTERVAL_DEFAULT_MS, endpoints })),
);

/** What an endpoint serves. Moments are Millis. */
export interface ServedCertificate {
  /** SHA-256 of the leaf, 64 hex digits. */
  readonly fingerprint: string;
  readonly serial: string;
  readonly subject: string;
  readonly issuer: string;
  readonly notBefore: Millis;
  readonly notAfter: Millis;
  readonly selfSigned: boolean;
  /** Why the chain is not trusted or does not fit the name; null if it is fine. */
  readonly authorizationError: string | null;
  readonly chainLength: number;
  /** The earliest end in the chain, the leaf included, and whose it is. */
  readonly chainEarliestNotAfter: Millis;
  readonly chainEarliestSubject: string;
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
  if (leaf?.fingerprint256 === undefined)
    return failure({ kind: "no_certificate", message: "the handshake showed no certificate" });
  const chain = chainOf(leaf);
  const earliest = chain.reduce((a, b) => (momentOf(b.valid_to) < momentOf(a.valid_to) ? b : a));
  const problem = socket.authorizationError as Error | string | null | undefined;
  return success({
    fingerprint: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
    serial: leaf.serialNumber,
    subject: nameText(leaf.subject),
    issuer: nameText(leaf.issuer),
    notBefore: momentOf(leaf.valid_from),
    notAfter: momentOf(leaf.valid_to),
    selfSigned: leaf.issuerCertificate === leaf || nameText(leaf.subject) === nameText(leaf.issuer),
    authorizationError: problem === null || problem === undefined ? null : problemText(problem),
    chainLength: chain.length,
    chainEarliestNotAfter: momentOf(earliest.valid_to),
    chainEarliestSubject: nameText(earliest.subject),
  });
}

/** Leaf first. The last one points to itself, or to nothing where the peer sent an incomplete chain. */
function chainOf(leaf: tls.DetailedPeerCertificate): readonly tls.DetailedPeerCertificate[] {
  const chain = [leaf];
  let at = leaf.issuerCertificate as tls.DetailedPeerCertificate | undefined;
  while (at?.fingerprint256 !== undefined && chain.length < CHAIN_MAX && !chain.includes(at)) {
    chain.push(at);
    at = at.issuerCertificate as tls.DetailedPeerCertificate | undefined;
  }
  return chain;
}

/** OpenSSL writes `Nov 23 01:00:00 2026 GMT`. */
function momentOf(text: string): Millis {
  return Date.parse(text);
}

function nameText(name: tls.Certificate | undefined): string {
  const text = Object.entries(name ?? {})
    .map(([key, value]) => `${key}=${Array.isArray(value) ? value.join("+") : String(value)}`)
    .join(", ");
  return plainLine(text, 256);
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

export interface CertificatesOptions {
  readonly endpoints: readonly Endpoint[];
  readonly intervalMs: number;
  readonly cluster: string;
  readonly now: () => Millis;
  readonly onEvent: (event: EventRecord) => void;
}

export interface CertificatesSource {
  state(): SourceState;
  stop(): Promise<void>;
}

interface Series {
  readonly certificate: ServedCertificate | null;
  /** When a certificate was last seen; null before the first. */
  readonly okAt: Millis | null;
  /** Why the last probe saw none; null if it did. */
  readonly fault: string | null;
}

/**
 * Probes all endpoints now and every interval. What was seen is kept in memory only: after a restart the same
 * certificates are reported again under the same event ids, which costs nothing.
 */
export function startCertificatesSource(options: CertificatesOptions): CertificatesSource {
  const series = new Map<string, Series>();
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  const round = async (): Promise<void> => {
    const waiting = [...options.endpoints];
    const worker = async (): Promise<void> => {
      for (let endpoint = waiting.shift(); endpoint !== undefined && !stopped; endpoint = waiting.shift()) {
        // A series is emptied by nothing but its next look: a failed probe keeps the certificate it had.
        const result = await probeEndpoint(endpoint);
        if (!stopped) look(options, series, locationOf(endpoint), result);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL_MAX }, worker));
    if (stopped) return;
    const delayMs = options.intervalMs * (1 - JITTER_SHARE * Math.random());
    timer = setTimeout(() => (running = round()), delayMs);
  };
  let running = round();
  return {
    state: () => stateOf(options, series),
    stop: async () => {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      await running;
    },
  };
}

function look(
  options: CertificatesOptions,
  series: Map<string, Series>,
  location: string,
  result: Result<ServedCertificate, ProbeFailure>,
): void {
  const last = series.get(location);
  const at = options.now();
  if (!result.ok) {
    const fault = `${result.failure.kind}: ${result.failure.message}`;
    series.set(location, { certificate: last?.certificate ?? null, okAt: last?.okAt ?? null, fault });
    return;
  }
  const certificate = result.value;
  const former = last?.certificate ?? null;
  series.set(location, { certificate, okAt: at, fault: null });
  if (former?.fingerprint !== certificate.fingerprint)
    options.onEvent(eventOf(options.cluster, location, certificate, former, at));
}

function eventOf(
  cluster: string,
  location: string,
  certificate: ServedCertificate,
  former: ServedCertificate | null,
  at: Millis,
): EventRecord {
  const kind = former === null ? "certificate.seen" : "certificate.renewed";
  const { chainEarliestNotAfter, notBefore, notAfter, ...facts } = certificate;
  return {
    kind,
    id: createHash("sha256")
      .update([cluster, kind, location, certificate.fingerprint].join("\0"))
      .digest("hex")
      .slice(0, 32),
    at,
    subject: plainLine(location, 256),
    body: {
      location: plainLine(location, 256),
      source: "tls",
      ...facts,
      notBefore: rfc3339(notBefore),
      notAfter: rfc3339(notAfter),
      chainEarliestNotAfter: rfc3339(chainEarliestNotAfter),
      lifetimeHours: Math.round(((notAfter - notBefore) / HOUR) * 100) / 100,
      ...(former === null ? {} : { formerFingerprint: former.fingerprint, formerNotAfter: rfc3339(former.notAfter) }),
    },
  };
}

/** A date that OpenSSL writes but no calendar knows is null, as the wire has it, not a crash. */
function rfc3339(at: Millis): string | null {
  return Number.isFinite(at) ? new Date(at).toISOString() : null;
}

/** A blind source is not good news: one endpoint that cannot be seen is said, and all of them is `down`. */
function stateOf(options: CertificatesOptions, series: ReadonlyMap<string, Series>): SourceState {
  const seen = [...series];
  const faults = seen.filter(([, { fault }]) => fault !== null);
  const okAt = seen.reduce<Millis | null>(
    (latest, [, one]) => (one.okAt === null ? latest : Math.max(latest ?? 0, one.okAt)),
    null,
  );
  if (seen.length < options.endpoints.length && faults.length === 0) {
    return {
      state: okAt === null ? "down" : "stale",
      detail: `${seen.length} of ${options.endpoints.length} endpoints looked at so far`,
      okAt,
    };
  }
  if (faults.length === 0) return { state: "ok", detail: null, okAt };
  const listed = faults.slice(0, 3).map(([location, { fault }]) => `${location} ${fault}`);
  const detail = plainLine(`${faults.length} of ${options.endpoints.length} not seen: ${listed.join("; ")}`, 300);
  return { state: faults.length < options.endpoints.length ? "stale" : "down", detail, okAt };
}
