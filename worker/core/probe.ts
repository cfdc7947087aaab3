/**
 * What is seen of a component's public address from outside, each minute, and what that says beside the mesh's own
 * evidence. One place on the Internet looks: that it gets no answer is no proof that nobody does, and that it gets one
 * is no proof that the mesh is well. So the outside makes a status worse, and never better.
 */
import type { ExponentialLatency } from "../../protocol/exponential.ts";
import { exponentialOf, mergeExponential } from "../../protocol/exponential.ts";
import type { Quantile } from "../../protocol/latency.ts";
import { quantile } from "../../protocol/latency.ts";
import { FUTURE_MS, OUTSIDE_FRESH_MS, READINGS_MAX } from "../../protocol/limits.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { worse } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { steadyLevel } from "./level.ts";

/** An address that answers later than this, body and all, has not answered. */
export const PROBE_TIMEOUT_MS = 10 * SECOND;
/** An answer that takes longer is slow: one request over the Internet, so more than the mesh's limit for its p95. */
const PROBE_SLOW_MS = 2 * SECOND;

/** Why there was no answer. */
type ProbeFailure = "timeout" | "unreachable";

/** One look. `answer` is the HTTP status; `tookMs` lasts until the answer was read, or until it was given up. */
export interface Probe {
  readonly at: Millis;
  readonly tookMs: number;
  readonly answer: number | ProbeFailure;
}

/** `slow` answers late, `failing` not or wrongly. `unknown`: too little was seen to tell. */
type OutsideState = "well" | "slow" | "failing" | "unknown";

/** What was seen of one address: the last probes, oldest first, at most three, and what they are together. */
export interface Outside {
  readonly url: string;
  readonly state: OutsideState;
  readonly probes: readonly Probe[];
  /** How long good answers took, by the hour of their probes: the newest with any and the one before it, at most. */
  readonly hours: readonly { readonly at: Millis; readonly latency: ExponentialLatency }[];
}

const STATES = ["well", "slow", "failing"] as const satisfies readonly OutsideState[];
/** Its place among them. */
const FAILING = 2;

/**
 * Takes in a probe: raised by two of the last three, cleared by three. After a silence it begins anew, and one bad probe
 * with nothing good before it says nothing.
 */
export function withProbe(before: Outside | null, url: string, probe: Probe): Outside {
  const aheadMs = (before?.probes.at(-1)?.at ?? 0) - probe.at;
  if (before !== null && aheadMs >= 0 && aheadMs <= FUTURE_MS) return before;
  // What is further ahead was seen by a clock that has been set right since.
  const held = before !== null && aheadMs < 0 && isFresh(before, probe.at) ? before : null;
  const probes = [...(held?.probes ?? []), probe].slice(-READINGS_MAX);
  const levels = probes.map(levelOf);
  const level = steadyLevel(Math.max(0, STATES.indexOf(held?.state as (typeof STATES)[number])), levels);
  const isUnsure = level === 0 && levels.some((one) => one > 0) && held?.state !== "well";
  const state = isUnsure ? "unknown" : (STATES[level] ?? "unknown");
  return { url, state, probes, hours: withAnswer(before?.hours ?? [], probe) };
}

/** The times of answers, with one more if it was good: how soon a failure fails says nothing of how soon visitors are served. */
function withAnswer(hours: Outside["hours"], probe: Probe): Outside["hours"] {
  const at = hourOf(probe.at);
  const kept = hours.filter((hour) => hour.at >= at - HOUR);
  if (levelOf(probe) === FAILING) return kept;
  const own = kept.find((hour) => hour.at === at)?.latency;
  const latency = exponentialOf([probe.tookMs]);
  return [
    ...kept.filter((hour) => hour.at !== at),
    { at, latency: own === undefined ? latency : mergeExponential(own, latency) },
  ];
}

function hourOf(at: Millis): Millis {
  return Math.floor(at / HOUR) * HOUR;
}

/** In how long 95 of 100 good answers came, in this hour and the one before; null if there were none. */
export function outsideP95({ hours }: Outside, now: Millis): Quantile | null {
  const recent = hours.filter(({ at }) => at >= hourOf(now) - HOUR).map(({ latency }) => latency);
  return recent.length === 0 ? null : quantile(recent.reduce(mergeExponential), 0.95);
}

/** How long the newest good answer took, ms: how soon a failure fails is no time that a visitor waits. */
export function answeredMs({ probes }: Outside): number | null {
  return probes.findLast((probe) => levelOf(probe) !== FAILING)?.tookMs ?? null;
}

function levelOf({ answer, tookMs }: Probe): number {
  if (typeof answer !== "number" || answer < 200 || answer > 299) return FAILING;
  return tookMs > PROBE_SLOW_MS ? 1 : 0;
}

/** When an address was looked at last, and until when that is good. */
export function freshUntil({ probes }: Outside): Millis {
  return (probes.at(-1)?.at ?? 0) + OUTSIDE_FRESH_MS;
}

function isFresh(outside: Outside, at: Millis): boolean {
  return at < freshUntil(outside);
}

/** `unrefuted`: it did not answer, and nobody looked since. That is no outage any more, but nothing to be green about. */
type Seen = OutsideState | "unrefuted";

function seenAt(outside: Outside | null, at: Millis): Seen {
  if (outside === null) return "unknown";
  if (isFresh(outside, at)) return outside.state;
  return outside.state === "failing" || outside.state === "slow" ? "unrefuted" : "unknown";
}

interface Said {
  readonly status: ComponentStatus;
  readonly why: string | null;
}

/** How bad it is that one place outside gets no answer, or a late one. */
const OUTSIDE_STATUS = { failing: "partial_outage", slow: "degraded_performance" } as const;

/**
 * What is said of a component whose mesh says `inside`. A planned maintenance may well close the door, so it hides the
 * outside. Where both sides fail the heavier is said, and the words are the mesh's, which knows more.
 */
export function withOutside<S extends Said>(inside: S, outside: Outside | null, at: Millis): S {
  const seen = seenAt(outside, at);
  if (inside.status === "under_maintenance") return inside;
  if (seen === "unrefuted")
    return inside.status === "operational"
      ? { ...inside, status: "unknown", why: "It did not answer from outside, and has not been asked since." }
      : inside;
  if (seen === "failing" || seen === "slow") {
    const status = worse(inside.status, OUTSIDE_STATUS[seen]);
    return status === inside.status ? inside : { ...inside, status, why: outsideWhy(inside, seen) };
  }
  if (seen === "well" && isFailing(inside.status))
    return { ...inside, why: `${inside.why ?? "It fails inside."} From outside it still answers.` };
  return inside;
}

function outsideWhy({ status, why }: Said, seen: "failing" | "slow"): string {
  const outside = seen === "failing" ? "it cannot be reached from outside" : "it answers slowly from outside";
  if (status === "operational") return `It is well inside, but ${outside}.`;
  if (status === "unknown") return `No news from inside, and ${outside}.`;
  return `${why ?? "It fails inside."} And ${outside}.`;
}

function isFailing(status: ComponentStatus): boolean {
  return status === "degraded_performance" || status === "partial_outage" || status === "major_outage";
}

/** For operators: what was seen, with the limit it broke. */
export function outsideReason(outside: Outside | null, at: Millis): string {
  if (outside === null) return "not probed yet";
  const { state, probes } = outside;
  if (!isFresh(outside, at))
    return `no probe for ${OUTSIDE_FRESH_MS / MINUTE} min; the last said: ${newestWords(probes)}`;
  const newest = probes.at(-1);
  const isNoise = newest !== undefined && levelOf(newest) > 0;
  if (state === "well") return `${newestWords(probes)}${isNoise ? ": one bad probe, two make it worse" : ""}`;
  if (state === "unknown")
    return `one bad probe, not enough to tell: ${newestWords(probes.filter((probe) => levelOf(probe) > 0))}`;
  const level = STATES.indexOf(state);
  const bad = probes.filter((probe) => levelOf(probe) >= level);
  const shown = bad.at(-1);
  if (shown === undefined || shown !== probes.at(-1)) return "recovering: not yet three good probes in a row";
  return `${probeWords(shown)}, in ${bad.length} of the last ${probes.length} probes`;
}

/** Which side fails, for operators; null where both are well, or a maintenance covers it. */
export function sidesReason(inside: ComponentStatus, outside: Outside | null, at: Millis): string | null {
  const seen = seenAt(outside, at);
  if (inside === "under_maintenance") return null;
  const bad = seen === "failing" ? "the outside world cannot reach it" : "the outside world waits too long for it";
  if (seen === "failing" || seen === "slow") {
    if (inside === "operational") return `the mesh is healthy, ${bad}`;
    return inside === "unknown" ? `the mesh does not report, and ${bad}` : `the mesh says it fails, and ${bad}`;
  }
  if (seen === "well" && isFailing(inside)) return "the outside answers, the mesh says it fails";
  if (seen === "well" && inside === "unknown") return "the outside answers, but the mesh does not report";
  if (seen === "unrefuted") return "the outside world could not reach it, and has not been asked since";
  return null;
}

function newestWords(probes: readonly Probe[]): string {
  const newest = probes.at(-1);
  return newest === undefined ? "nothing" : probeWords(newest);
}

/** One probe in words: "503 in 120 ms", "no answer in 10 s". */
export function probeWords(probe: Probe): string {
  const { answer, tookMs } = probe;
  if (answer === "timeout") return `no answer in ${PROBE_TIMEOUT_MS / SECOND} s`;
  if (answer === "unreachable") return "cannot be reached";
  const known = ANSWER_WORDS[answer];
  const words =
    answer >= 300 && answer <= 399 ? "a redirect, which is not followed: name the address it leads to" : known;
  const said = words === undefined ? String(answer) : `${answer} (${words})`;
  const slow = levelOf(probe) === 1 ? `, limit ${PROBE_SLOW_MS} ms` : "";
  return `${said} in ${tookMs} ms${slow}`;
}

/**
 * Answers that Cloudflare gives in place of a server that it could not ask (its page "Cloudflare 5xx errors"). 526 is
 * all that a Worker learns of a certificate: its end is not shown to `fetch`.
 */
const ANSWER_WORDS: Readonly<Record<number, string>> = {
  520: "an answer that is no HTTP",
  521: "the server refuses connections",
  522: "no connection in time",
  523: "no route to the server",
  524: "no answer in time",
  525: "the TLS handshake failed",
  526: "its certificate is not valid",
  530: "its name leads nowhere",
};
