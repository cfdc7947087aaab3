/**
 * The runbook's checks after a maintenance: "Monitor for 30 minutes, check metrics, verify anomaly detection". Green
 * needs fresh evidence here too: what nobody sees is not good.
 */
import type { Quantile } from "../../protocol/latency.ts";
import { thresholdVerdict } from "../../protocol/latency.ts";
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Component, Tell, ToldService } from "./component.ts";
import { splitService } from "./component.ts";
import type { Announcement } from "./maintenance.ts";
import type { Reviewed } from "./overview.ts";
import { reviewErrors, trafficOf } from "./overview.ts";
import type { Watching } from "./plan-facts.ts";
import { THRESHOLDS } from "./thresholds.ts";
import type { Watched } from "./watch.ts";

/** `none`: nobody measures that here, and no claim is made of it. */
type CheckVerdict = "good" | "bad" | "unknown" | "none";

export interface Check {
  readonly name: "overview" | "errors" | "p95" | "pods" | "anomalies";
  readonly verdict: CheckVerdict;
  /** The measured value and why it is taken for what it is. */
  readonly reason: string;
  readonly bound: string;
}

export interface CheckFacts {
  readonly components: readonly Component[];
  readonly tells: ReadonlyMap<string, Tell>;
  /** What the archive says of anomalies; null while it cannot be reached. */
  readonly watched: Pick<Watched, "anomalies" | "at"> | null;
}

/** The services that a maintenance touches: its components' and its targets; all there are if it names none. */
export function touchedServices(
  { components: ids, plan }: Announcement,
  components: readonly Component[],
): readonly string[] {
  const named = components.filter(({ id }) => ids.includes(id)).flatMap(({ services }) => services);
  const targets = (plan?.targets ?? []).map(({ cluster, service }) => `${cluster}/${service}`);
  return [...new Set([...named, ...targets])];
}

/** @param since when the work was done: what was raised before is the work's */
export function checksOf(announcement: Announcement, facts: CheckFacts, since: Millis, now: Millis): readonly Check[] {
  const touched = touchedServices(announcement, facts.components);
  const refs = touched.length > 0 ? touched : everything(facts.tells);
  const told = refs.map((ref) => ({ ref, told: freshService(ref, facts.tells, now) }));
  const seen = told.flatMap((one) => one.told ?? []);
  const traffic = trafficOf(seen);
  return [
    reporting(told),
    { name: "errors", ...verdictOf(reviewErrors(traffic)), bound: "below 1 %" },
    latency(traffic.p95),
    pods(told),
    anomalies(refs, facts, since, now),
  ];
}

type ToldRef = { readonly ref: string; readonly told: ToldService | null };

function everything(tells: CheckFacts["tells"]): readonly string[] {
  return [...tells.values()].flatMap(({ cluster, services }) => services.map(({ service }) => `${cluster}/${service}`));
}

function freshService(ref: string, tells: CheckFacts["tells"], now: Millis): ToldService | null {
  const { cluster, service } = splitService(ref);
  const tell = tells.get(cluster);
  if (tell === undefined || now >= tell.expiresAt) return null;
  return tell.services.find((told) => told.service === service) ?? null;
}

function reporting(told: readonly ToldRef[]): Check {
  const silent = told.filter((one) => one.told === null).map(({ ref }) => ref);
  const reason =
    told.length === 0
      ? "no service is reported"
      : silent.length === 0
        ? `${told.length} of ${told.length} services report`
        : `${told.length - silent.length} of ${told.length} services report; not ${listed(silent)}`;
  return {
    name: "overview",
    verdict: told.length > 0 && silent.length === 0 ? "good" : "unknown",
    reason,
    bound: "all of them",
  };
}

function verdictOf({ verdict, reason }: Reviewed): Pick<Check, "verdict" | "reason"> {
  if (verdict === "ok") return { verdict: "good", reason };
  return { verdict: verdict === "alert" || verdict === "warning" ? "bad" : "unknown", reason };
}

/** Held against what the runbook alerts at: what is above its goal may be usual here. */
function latency(p95: Quantile | null): Check {
  const limitMs = THRESHOLDS.p95Ms;
  const check = { name: "p95", bound: `at most ${limitMs} ms` } as const;
  if (p95 === null) return { ...check, verdict: "unknown", reason: "no latencies were seen" };
  // Counted in two schemes: neither may hide what the other shows.
  const verdicts = [p95, ...(p95.also === undefined ? [] : [p95.also])].map((one) => thresholdVerdict(one, limitMs));
  const verdict = verdicts.includes("breached") ? "bad" : verdicts.every((one) => one === "met") ? "good" : "unknown";
  const hi = p95.hi === null ? "∞" : String(Number(p95.hi.toPrecision(3)));
  const hint = verdict === "unknown" ? `: cannot tell, add ${limitMs} to statsHistogramBuckets` : "";
  return { ...check, verdict, reason: `p95 lies in (${Number(p95.lo.toPrecision(3))}, ${hi}] ms${hint}` };
}

function pods(told: readonly ToldRef[]): Check {
  const bound = "all of them ready";
  const counted = told.flatMap(({ ref, told: one }) => {
    const replicas = one?.replicas ?? null;
    return replicas === null ? [] : [{ ref, ...replicas }];
  });
  if (counted.length === 0) return { name: "pods", verdict: "none", reason: "no agent watches pods there", bound };
  const unready = counted.filter(({ ready, desired }) => desired === 0 || ready < desired);
  const [ready, desired] = [sum(counted.map((one) => one.ready)), sum(counted.map((one) => one.desired))];
  const which = unready.map((one) => `${one.ref} (${one.ready} of ${one.desired})`);
  const reason = `${ready} of ${desired} pods ready${which.length === 0 ? "" : `; not ${listed(which)}`}`;
  return { name: "pods", verdict: unready.length === 0 ? "good" : "bad", reason, bound };
}

function anomalies(refs: readonly string[], { tells, watched }: CheckFacts, since: Millis, now: Millis): Check {
  const bound = "none since the work was done";
  const check = (verdict: CheckVerdict, reason: string): Check => ({ name: "anomalies", verdict, reason, bound });
  const detectors = [...new Set(refs.map((ref) => splitService(ref).cluster))].filter(
    (cluster) => tells.get(cluster)?.detector !== undefined,
  );
  if (detectors.length === 0) return check("none", "no agent looks for anomalies there");
  // Facts take their time on the way to the archive; an old copy proves nothing.
  if (watched === null || now - watched.at > OLD_MS) return check("unknown", "the archive cannot be reached");
  const raised = watched.anomalies.filter(
    ({ cluster, service, newestAt }) => newestAt >= since && refs.includes(`${cluster}/${service}`),
  );
  if (raised.length === 0) return check("good", "none");
  return check("bad", `raised of ${listed(raised.map(({ cluster, service }) => `${cluster}/${service}`))}`);
}

const OLD_MS = 5 * MINUTE;
const LISTED_MAX = 3;

function listed(names: readonly string[]): string {
  const more = names.length - LISTED_MAX;
  return `${names.slice(0, LISTED_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** Looked at every minute; after a gap of more than these nobody knows how it was meanwhile. */
const GAP_MS = 5 * MINUTE;

/** How the checks have been, with what they say now. */
export function watchedOn(
  announcement: Announcement,
  before: Watching | null,
  checks: readonly Check[],
  since: Millis,
  now: Millis,
): Watching {
  const failing = checks.filter(({ verdict }) => verdict === "bad" || verdict === "unknown");
  const isGood = failing.length === 0;
  // One of an earlier turn, one that skipped minutes, and one from a clock that was set back are no evidence.
  const goesOn =
    before !== null &&
    before.since >= since &&
    before.isGood === isGood &&
    now >= before.at &&
    now - before.at <= GAP_MS;
  return {
    maintenance: announcement.id,
    at: now,
    isGood,
    since: goesOn ? before.since : now,
    failing: failing.map(({ name, reason }) => `${name}: ${reason}`).join("; "),
  };
}
