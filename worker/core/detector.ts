/**
 * The detectors of anomalies in the clusters: what operators wish of them, and what they say of themselves. What they
 * raise is evidence for people; no status is made of it here or anywhere.
 */
import type {
  DetectorAnswer,
  DetectorCommand,
  DetectorReport,
  DetectorWish,
  Unusual,
} from "../../protocol/detector.ts";
import { LEFT_OUT_MAX, THRESHOLD_MAX, THRESHOLD_MIN } from "../../protocol/detector.ts";
import { FUTURE_MS } from "../../protocol/limits.ts";
import { oneLine } from "../../protocol/name.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";
import type { ClusterIdentity, Component, Evidence, Tell } from "./component.ts";
import { splitService } from "./component.ts";
import type { Incident } from "./incident.ts";
import { resolvedAt } from "./incident.ts";
import { announcedSpan, coversUntil } from "./maintenance.ts";

/** A threshold that an operator set for a cluster. */
export interface ThresholdSetting {
  readonly threshold: number;
  readonly at: Millis;
}

/** What the Board remembers of a cluster's detector besides its threshold, which is a setting of the page. */
export interface DetectorBook {
  readonly wish: DetectorWish;
  /** The newest answer to each kind of question, with who asked. */
  readonly answered: readonly Answered[];
}

interface Answered {
  readonly command: DetectorCommand;
  readonly answer: DetectorAnswer;
}

/** What is learnt from, and what a preview looks at. */
const WEEK_MS = 7 * DAY;
/** A question that was not begun within this is not answered any more: whoever asked has gone. */
const COMMAND_LIFETIME_MS = 30 * MINUTE;
/** Of a name, UTF-16 units. */
const NAME_MAX = 120;

/** Null if it may be set. */
export function thresholdProblem(threshold: number): string | null {
  return threshold >= THRESHOLD_MIN && threshold <= THRESHOLD_MAX
    ? null
    : `Give a score from ${THRESHOLD_MIN} to ${THRESHOLD_MAX}.`;
}

type Said = Pick<Evidence, "maintenances" | "announcements" | "incidents">;

/**
 * The times of the last week that were not usual in a cluster, by what people wrote down: maintenance, and incidents
 * of components, each for their services there. The newest first, and of them `LEFT_OUT_MAX`.
 *
 * @param components those that name a service of this cluster
 */
export function unusualOf(cluster: string, components: readonly Component[], said: Said, now: Millis): Unusual[] {
  const { maintenances, announcements = [], incidents = [] } = said;
  const servicesOf = (ids: ReadonlySet<string>): readonly string[] => {
    const refs = components.flatMap(({ id, services }) => (ids.has(id) ? services.map(splitService) : []));
    return [...new Set(refs.flatMap((ref) => (ref.cluster === cluster ? [ref.service] : [])))];
  };
  const spans = [
    ...maintenances
      .filter((one) => one.cluster === cluster)
      .map((one) => spanOf("maintenance", one.name, one.startsAt, coversUntil(one), [one.service])),
    ...announcements.map((one) => {
      const [from, to] = announcedSpan(one);
      return spanOf("maintenance", one.name, from, to, servicesOf(new Set(one.components)));
    }),
    ...incidents.map((one) =>
      spanOf("incident", one.name, one.startedAt, resolvedAt(one), servicesOf(impairedBy(one))),
    ),
  ];
  return spans
    .flat()
    .filter(({ from, to }) => from < now + DAY && (to === null || (to > from && to > now - WEEK_MS)))
    .toSorted((a, b) => b.from - a.from)
    .slice(0, LEFT_OUT_MAX);
}

function spanOf(
  kind: Unusual["kind"],
  name: string,
  from: Millis,
  to: Millis | null,
  services: readonly string[],
): Unusual[] {
  const short = oneLine(name.slice(0, NAME_MAX));
  return services.map((service) => ({ from, to, service, kind, name: short }));
}

/** Components of which an incident said that they are not well. */
function impairedBy({ updates }: Incident): ReadonlySet<string> {
  const said = updates.flatMap(({ affected }) => affected);
  const isWell = (status: string): boolean => status === "operational" || status === "under_maintenance";
  return new Set(said.filter(({ to }) => !isWell(to)).map(({ component }) => component));
}

/**
 * What to wish from now on: `held` itself if nothing differs. Null if nothing was ever wished. The clock is in its
 * generation, and the agent's own, so that a Board that lost its memory is heard all the same.
 */
export function nextWish(
  held: DetectorWish | null,
  wanted: Pick<DetectorWish, "cluster" | "threshold" | "unusual" | "command">,
  observed: number,
  now: Millis,
): DetectorWish | null {
  const isNothing = wanted.threshold === null && wanted.unusual.length === 0 && wanted.command === null;
  if (held === null && isNothing && observed === 0) return null;
  const isBehind = observed > (held?.generation ?? 0) && observed <= now + FUTURE_MS;
  if (held !== null && !isBehind && textOf(held) === textOf(wanted)) return held;
  const generation = Math.max((held?.generation ?? 0) + 1, now, isBehind ? observed + 1 : 0);
  return { v: 1, generation, ...wanted };
}

function textOf({ threshold, unusual, command }: Pick<DetectorWish, "threshold" | "unusual" | "command">): string {
  return JSON.stringify([threshold, unusual, command]);
}

/** What an operator asks a detector. */
export type Question =
  | { readonly kind: "preview"; readonly threshold: number }
  | { readonly kind: "retrain" | "roll_back" };

export function commandOf(question: Question, id: string, by: string, now: Millis): DetectorCommand {
  return { ...question, id, askedAt: now, expiresAt: now + COMMAND_LIFETIME_MS, by };
}

/** Whether a question is under way: one is answered at a time. */
export function isAsked(command: DetectorCommand | null, tell: TellOf | null, now: Millis): boolean {
  if (command === null) return false;
  const answer = tell?.detector?.answer;
  const isBeingAnswered = answer?.id === command.id && answer.state === "running" && now < (tell?.expiresAt ?? 0);
  return now < command.expiresAt || isBeingAnswered;
}

/** Takes a finished answer in; the same book if there is none, or it is to nothing that was asked. */
export function withAnswer(book: DetectorBook, answer: DetectorAnswer | null): DetectorBook {
  const { command } = book.wish;
  if (command === null || answer === null || answer.id !== command.id || answer.state === "running") return book;
  const others = book.answered.filter(({ answer: { kind } }) => kind !== answer.kind);
  return { wish: { ...book.wish, command: null }, answered: [...others, { command, answer }] };
}

type TellOf = Pick<Tell, "cluster" | "heardAt" | "expiresAt" | "detector">;

/** A cluster's detector as operators see it. `silent`: its agent is; `unknown`: its agent says nothing of one. */
export interface DetectorView extends Pick<DetectorReport, "detail" | "baseline" | "judgedTo"> {
  readonly cluster: string;
  readonly state: DetectorReport["state"] | "silent" | "unknown";
  /** In force, by the agent's last word; null if it never said. */
  readonly threshold: Pick<DetectorReport, "threshold" | "since" | "setBy"> | null;
  readonly heardAt: Millis | null;
}

const NOTHING = { detail: null, baseline: null, judgedTo: null, threshold: null } as const;

/** Of each cluster for which somebody may speak. */
export function detectorsOf(
  clusters: readonly Pick<ClusterIdentity, "cluster" | "keys">[],
  tells: readonly TellOf[],
  now: Millis,
): readonly DetectorView[] {
  const speaking = clusters.filter(({ keys }) => keys.some(({ state }) => state === "active"));
  return speaking.map(({ cluster }) =>
    detectorOf(cluster, tells.find((tell) => tell.cluster === cluster) ?? null, now),
  );
}

export function detectorOf(cluster: string, tell: TellOf | null, now: Millis): DetectorView {
  const report = tell?.detector;
  const heardAt = tell?.heardAt ?? null;
  const isSilent = tell === null || now >= tell.expiresAt;
  if (report === undefined) return { ...NOTHING, cluster, heardAt, state: isSilent ? "silent" : "unknown" };
  const { state, detail, baseline, judgedTo, threshold, since, setBy } = report;
  const said = { detail, baseline, judgedTo, threshold: { threshold, since, setBy } };
  return { ...said, cluster, heardAt, state: isSilent ? "silent" : state };
}

/** What a list of anomalies says: that nobody looks is not the same as none. */
export function anomaliesSaid(
  raised: number,
  open: number,
  detectors: readonly DetectorView[],
): { readonly status: "reported" | "none" | "partly" | "unknown"; readonly note: string } {
  const watching = detectors.filter(({ state }) => state === "watching").length;
  const of = detectors.length;
  const look = of === 1 && watching === 1 ? "the cluster is watched" : `${watching} of ${of} clusters are watched now`;
  if (raised > 0) return { status: "reported", note: `${raised} newest, ${open} of them open; ${look}` };
  if (watching === 0)
    return { status: "unknown", note: `Nobody looks for anomalies${whyNot(detectors)}: this is not the same as none` };
  return { status: watching === of ? "none" : "partly", note: `none was raised; ${look}` };
}

function whyNot(detectors: readonly DetectorView[]): string {
  const reasons = detectors.map(({ cluster, state, detail }) => `${cluster} ${detail ?? STATE_WORDS[state]}`);
  return reasons.length === 0 ? "" : ` (${reasons.slice(0, REASONS_MAX).join("; ")})`;
}

/** Clusters whose reasons are given. */
const REASONS_MAX = 3;
const STATE_WORDS: Readonly<Record<DetectorView["state"], string>> = {
  watching: "is watched",
  learning: "learns its first baseline",
  blind: "has nothing to judge",
  off: "does not look",
  silent: "is silent",
  unknown: "has an agent of before",
};
