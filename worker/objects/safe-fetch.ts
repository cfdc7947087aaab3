/**
 * The one way to an address that somebody typed in: `reference/security.md` 7. A Worker has no private network behind it
 * and cannot resolve names, so what is left to refuse is all that is not plainly a public site by its name, and every
 * redirect, which is an address that nobody looked at.
 */
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import { joined } from "./body.ts";

/** Longer ones are no address that people publish, characters. */
export const ADDRESS_MAX = 500;

export interface AddressScope {
  /** On a laptop and in tests only: http and any port of this machine are allowed, too. */
  readonly loopback: boolean;
  /** Our own host, where it is known: asking it would be asking ourselves. */
  readonly own: string | null;
}

/** Names without an address of their own on the Internet: RFC 6761, 6762, 8375, 7686, and what networks use inside. */
const INNER_DOMAINS =
  "localhost local internal intranet private corp lan home svc arpa test example invalid onion localdomain workgroup".split(
    " ",
  );
/** Names that lead to whatever address is written in them, or to this machine, in public DNS. */
const WILDCARD_DOMAINS =
  "nip.io sslip.io xip.io traefik.me localtest.me lvh.me vcap.me lacolhost.com localho.st yoogle.com 1u.ms rbndr.us".split(
    " ",
  );
/** Our own address there would be among them, and a page's components have names of their own. */
const OWN_DOMAIN = "workers.dev";

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

/** The address to ask, or what is wrong with it, as the end of a sentence that begins with the address. */
export function publicAddress(text: string, { loopback, own }: AddressScope): Result<URL, string> {
  const url = text.length <= ADDRESS_MAX ? URL.parse(text) : null;
  if (url === null || url.href.length > ADDRESS_MAX)
    return failure(`must be an address such as https://shop.example.com/health, at most ${ADDRESS_MAX} characters`);
  url.hash = "";
  const { protocol, hostname, port } = url;
  if (url.username !== "" || url.password !== "") return failure("must not carry a user name or a password");
  if (loopback && LOOPBACK.includes(hostname) && ["http:", "https:"].includes(protocol)) return success(url);
  if (protocol !== "https:") return failure("must begin with https://");
  // The parser leaves out 443, which is the scheme's own.
  if (port !== "") return failure("must not name a port: only 443 is asked");
  // The parser turned every spelling of an IPv4 address into the dotted one: octal, hexadecimal, a plain number.
  if (hostname.startsWith("[") || /^[\d.]+$/.test(hostname)) return failure("must have a name, not an IP address");
  if (!isPublicName(hostname)) return failure("must have a name that is public on the Internet");
  if (hostname === own || isWithin(hostname, OWN_DOMAIN)) return failure("must not be this page's own");
  return success(url);
}

function isPublicName(hostname: string): boolean {
  if (!hostname.includes(".") || hostname.endsWith(".")) return false;
  return [...INNER_DOMAINS, ...WILDCARD_DOMAINS].every((domain) => !isWithin(hostname, domain));
}

function isWithin(hostname: string, domain: string): boolean {
  return hostname === domain || hostname.endsWith(`.${domain}`);
}

export interface FetchBounds {
  /** For all of it: connecting, waiting, reading. */
  readonly timeoutMs: number;
  /** What is read of the body before it is left alone. */
  readonly bytesMax: number;
  readonly headers: Readonly<Record<string, string>>;
  /** What is posted. Absent: nothing, and the address is only asked. */
  readonly body?: string;
}

/** `not_asked`: this Worker may ask no more in this run, which says nothing of the address. */
export type FetchFailure = "timeout" | "unreachable" | "not_asked";

/** What an address answered. */
export interface Fetched {
  readonly status: number;
  readonly headers: Headers;
  /** Its beginning, at most `bytesMax`. */
  readonly body: Uint8Array;
}

/**
 * Asks an address that `publicAddress` let through, and reads the beginning of what it answers. An answer that breaks off
 * or never comes to its end is none; one that is longer than anybody reads is. A redirect is an answer like any other.
 */
export async function safeFetch(
  address: URL,
  { timeoutMs, bytesMax, headers, body }: FetchBounds,
): Promise<Result<Fetched, FetchFailure>> {
  const { signal, release } = limit(timeoutMs);
  const asked = { ...(body !== undefined && { method: "POST", body }), headers, signal };
  try {
    // oxlint-disable-next-line no-restricted-globals -- the one place that may
    const response = await fetch(address, { redirect: "manual", cache: "no-store", ...asked });
    const beginning = await readUpTo(response.body, bytesMax, signal);
    return success({ status: response.status, headers: response.headers, body: beginning });
  } catch (error) {
    return failure(signal.aborted ? "timeout" : isOwnLimit(error) ? "not_asked" : "unreachable");
  } finally {
    release();
  }
}

/** A signal's own timeout goes on when all is done, and keeps an object from sleeping that long. */
function limit(timeoutMs: number): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  return { signal: controller.signal, release: () => clearTimeout(timer) };
}

/** The runtime's words (Cloudflare's "Errors and exceptions"), which has no other sign: 50 a run on the free plan. */
function isOwnLimit(error: unknown): boolean {
  return error instanceof Error && error.message.includes("Too many subrequests");
}

async function readUpTo(
  body: ReadableStream<Uint8Array> | null,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  const reader = body.getReader();
  let size = 0;
  while (size < bytesMax) {
    signal.throwIfAborted();
    const { done, value } = await reader.read();
    if (done) return joined(chunks, size);
    chunks.push(value);
    size += value.byteLength;
  }
  await reader.cancel();
  return joined(chunks, size).subarray(0, bytesMax);
}
