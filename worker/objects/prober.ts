/** Asks every component's public address from outside, each minute, and tells the Board what came of it in one call. */
import type { Probe } from "../core/probe.ts";
import { PROBE_TIMEOUT_MS } from "../core/probe.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import type { Env } from "./env.ts";
import { boardOf } from "./env.ts";
import { publicAddress, safeFetch } from "./safe-fetch.ts";

/** A Worker has six outgoing connections at a time (`reference/platform.md`), and calls to objects need one. */
const PROBES_AT_ONCE = 5;
/** No probe begins later in its minute: the next minute asks first who was asked longest ago. */
const ROUND_MS = 45 * SECOND;
/** Enough to see that an answer flows; nobody reads it. */
const BODY_BYTES_MAX = 65_536;

const HEADERS = { "user-agent": "ObservatoryEdge/1 (status probe)", accept: "*/*" };

/** What one address answered. */
export interface Probed {
  readonly url: string;
  readonly probe: Probe;
}

/** One round. Never throws: a Board that cannot be asked, or is of a release that knows no probes, is asked again next minute. */
export async function probeOutside(env: Env): Promise<void> {
  try {
    const urls = await boardOf(env).addressesToProbe();
    if (urls.length === 0) return;
    await boardOf(env).probed(await probeAll(urls, env.PROBE_LOOPBACK === "1"));
  } catch (error) {
    console.warn(JSON.stringify({ event: "probes_failed", error: String(error) }));
  }
}

async function probeAll(urls: readonly string[], loopback: boolean): Promise<readonly Probed[]> {
  let endsAt = Date.now() + ROUND_MS;
  const results: Probed[] = [];
  const waiting = urls.values();
  // Each worker takes the next address that waits until the round is over.
  const worker = async (): Promise<void> => {
    for (const url of waiting) {
      if (Date.now() >= endsAt) return;
      const probe = await probeOf(url, loopback, Date.now());
      // Whoever comes next would not be asked either.
      if (probe === "not_asked") endsAt = 0;
      else if (probe !== null) results.push({ url, probe });
    }
  };
  await Promise.all(Array.from({ length: PROBES_AT_ONCE }, worker));
  return results;
}

/** Null if the address may not be asked, which says nothing of what is there; `not_asked` if no other can be asked now, too. */
async function probeOf(url: string, loopback: boolean, at: Millis): Promise<Probe | "not_asked" | null> {
  // Looked at again although it was when it was written down: what is stored was let in by older rules.
  const address = publicAddress(url, { loopback, own: null });
  if (!address.ok) {
    console.warn(JSON.stringify({ event: "probe_refused", url, reason: address.failure }));
    return null;
  }
  const bounds = { timeoutMs: PROBE_TIMEOUT_MS, bytesMax: BODY_BYTES_MAX, headers: HEADERS };
  const answered = await safeFetch(address.value, bounds);
  if (answered.ok) return { at, tookMs: Date.now() - at, answer: answered.value.status };
  if (answered.failure !== "not_asked") return { at, tookMs: Date.now() - at, answer: answered.failure };
  console.warn(
    JSON.stringify({ event: "probes_cut_off", reason: "too many subrequests: the rest is asked next minute" }),
  );
  return "not_asked";
}
