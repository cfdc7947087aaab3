/** One request to one receiver: opens its secret, asks its address, and reads no more of the answer than a few words. */
import type { Delivery, Verdict } from "../core/notify-delivery.ts";
import type { ChannelKind, Credentials, Receiver } from "../core/notify-receiver.ts";
import { keysAt } from "../core/notify-receiver.ts";
import { CHANNELS } from "../notify/channels.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import type { Env } from "./env.ts";
import type { FetchFailure } from "./safe-fetch.ts";
import { publicAddress, safeFetch } from "./safe-fetch.ts";
import type { Sealer } from "./sealing.ts";

/** Standard Webhooks advises 15 to 30 s. */
export const ATTEMPT_TIMEOUT_MS = 15 * SECOND;
/** Enough for the words that Slack and PagerDuty answer. */
const ANSWER_BYTES_MAX = 4_096;
const USER_AGENT = "ObservatoryEdge/1 (notices)";

const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

/** `not_asked`: this object may ask no more in this run, which says nothing of the receiver. */
export type Attempted = Verdict | "not_asked";

export function placeOf(id: string): string {
  return `outbox/receiver/${id}/credentials`;
}

type AddressRefusal = { readonly code: "address"; readonly message: string };

/** The address, if a channel of that kind may be asked there; else what is wrong with it. */
export function addressFor(kind: ChannelKind, url: string, env: Env, own: string | null): Result<URL, AddressRefusal> {
  const loopback = env.PROBE_LOOPBACK === "1";
  const address = publicAddress(url, { loopback, own });
  if (!address.ok) return failure({ code: "address", message: address.failure });
  const { hosts } = CHANNELS[kind];
  const { hostname } = address.value;
  const isThere = hosts?.some((host) => (host.startsWith("*.") ? hostname.endsWith(host.slice(1)) : hostname === host));
  if (hosts === null || isThere === true || (loopback && LOOPBACK.includes(hostname))) return success(address.value);
  return failure({ code: "address", message: `must be at ${hosts.join(" or ")}` });
}

/** Null if what is kept cannot be opened. */
export async function credentialsOf(sealer: Sealer | null, id: string, sealed: string): Promise<Credentials | null> {
  const opened = sealer === null ? null : await sealer.open(sealed, placeOf(id));
  // Sealed by ourselves.
  return opened === null ? null : (JSON.parse(opened) as Credentials);
}

/** Never throws: what fails here is tried again like what fails there. */
export async function attempt(
  env: Env,
  receiver: Receiver,
  credentials: Credentials | null,
  { id, message }: Pick<Delivery, "id" | "message">,
  now: Millis,
): Promise<Attempted> {
  if (credentials === null)
    return retry("its secret cannot be opened: SEALING_KEY is not the one that it was sealed with");
  // Looked at again although it was when it was typed: what is kept was let in by older rules.
  const address = addressFor(receiver.kind, credentials.url, env, null);
  if (!address.ok) return { outcome: "refused", said: `the address ${address.failure.message}` };
  const channel = CHANNELS[receiver.kind];
  const { headers, body } = await channel.request(message, { id, at: now, keys: keysAt(credentials, now) });
  const timeoutMs = Number(env.NOTICE_TIMEOUT_MS ?? ATTEMPT_TIMEOUT_MS);
  const answered = await safeFetch(address.value, {
    timeoutMs,
    bytesMax: ANSWER_BYTES_MAX,
    headers: { ...headers, "user-agent": USER_AGENT },
    body,
  });
  if (!answered.ok) return answered.failure === "not_asked" ? "not_asked" : retry(FAILED[answered.failure]);
  const { status, headers: told, body: beginning } = answered.value;
  const text = new TextDecoder().decode(beginning);
  return channel.verdict({ status, retryAfterMs: lengthOf(told.get("retry-after"), now), text });
}

const FAILED: Record<Exclude<FetchFailure, "not_asked">, string> = {
  timeout: `no whole answer within ${ATTEMPT_TIMEOUT_MS / SECOND} s`,
  unreachable: "the connection failed",
};

function retry(said: string): Verdict {
  return { outcome: "retry", said, waitMs: null };
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function lengthOf(header: string | null, now: Millis): Millis | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header)) return Number(header) * SECOND;
  const until = Date.parse(header);
  return Number.isNaN(until) ? null : Math.max(0, until - now);
}
