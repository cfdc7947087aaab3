/**
 * Drafts of incidents: what a rule makes of alerts, for an operator to publish or to dismiss. Visitors see nothing of
 * them: their texts hold names of clusters, workloads and alerts.
 *
 *   alert fires, a rule matches ──▶ open ──its alerts end──▶ over
 *                                    ├────publish──▶ published, and an incident
 *                                    └────dismiss──▶ dismissed
 *
 * One alert is in one draft: that of the first rule that matches it. Alerts of the same rule and cluster join the draft
 * that is open, or whose incident is; what was dismissed stays dismissed, and another alert opens another draft.
 */
import type { ComponentStatus } from "../../protocol/status.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { DAY, minuteOf } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Alert } from "./alert.ts";
import { alertKey, UNCONFIRMED_MS } from "./alert.ts";
import { shortHash } from "./hash.ts";

export const RULES_MAX = 100;
export const RULE_COMPONENTS_MAX = 20;

/** Which alerts mean trouble for visitors, and for which components. */
export interface DraftRule {
  readonly name: string;
  /** Of this cluster only; null for all. */
  readonly cluster: string | null;
  /** Each label must have one of its values; one that ends in * stands for all that begin so. */
  readonly match: Readonly<Record<string, readonly string[]>>;
  readonly components: readonly DraftComponent[];
  /** What the incident is to be called; null for a name made of its components. */
  readonly title: string | null;
}

interface DraftComponent {
  /** Its id. */
  readonly component: string;
  readonly status: ComponentStatus;
}

interface DraftAlert {
  readonly key: string;
  readonly name: string;
  readonly severity: string | null;
  readonly summary: string | null;
  readonly startedAt: Millis;
  /** When it was last told to fire. */
  readonly heardAt: Millis;
  readonly endedAt: Millis | null;
}

export interface Draft {
  readonly id: string;
  /** Whose alerts it is made of; empty of one that the evidence made. */
  readonly cluster: string;
  /** The rule's name. */
  readonly rule: string;
  readonly title: string;
  readonly components: readonly DraftComponent[];
  /** Start of the first bad minute. */
  readonly startedAt: Millis;
  /** What it likely comes from, in words: for operators. */
  readonly cause: string;
  /** Those that began first come first. */
  readonly alerts: readonly DraftAlert[];
  readonly createdAt: Millis;
  readonly updatedAt: Millis;
  /** When the last of its alerts ended; null while one fires. */
  readonly endedAt: Millis | null;
  /** What an operator made of it; null until then. */
  readonly decided: DraftDecision | null;
}

export interface DraftDecision {
  readonly act: "published" | "dismissed";
  /** The incident that it became. */
  readonly incident: string | null;
  readonly by: string;
  readonly at: Millis;
  /** Why it is none, in the words of whoever dismissed it. Absent where nobody said, and in what an earlier version wrote. */
  readonly reason?: string;
}

export type DraftState = "open" | "over" | "published" | "dismissed";

export function draftState({ decided, endedAt }: Pick<Draft, "decided" | "endedAt">): DraftState {
  return decided?.act ?? (endedAt === null ? "open" : "over");
}

/** Since when nobody confirms that its alerts fire; null if somebody does, or if they ended. */
export function unconfirmedSince({ alerts, endedAt }: Draft, now: Millis): Millis | null {
  // What the evidence made has none: its end is seen.
  if (alerts.length === 0) return null;
  const heardAt = alerts.reduce((newest, alert) => Math.max(newest, alert.heardAt), 0);
  return endedAt === null && now - heardAt >= UNCONFIRMED_MS ? heardAt : null;
}

/** Alerts that a draft lists: of what ended the newest. */
const ALERTS_MAX = 600;
/** Drafts that are kept: all that are open, and of the others the newest. */
const DRAFTS_MAX = 200;
const DRAFT_KEPT_MS = 30 * DAY;
const CAUSE_MAX = 600;

export interface DraftFacts {
  readonly rules: readonly DraftRule[];
  /** Public names by id. */
  readonly components: ReadonlyMap<string, string>;
  /** Those that visitors do not know: what becomes the name of an incident leaves them out. */
  readonly hidden?: ReadonlySet<string>;
  /** Incidents that are not resolved. */
  readonly unresolved: ReadonlySet<string>;
}

/**
 * What becomes of a cluster's drafts by what its alerts are now: those that are new or have changed.
 *
 * @param drafts of this cluster
 * @param told the latest episode of each alert of this cluster
 */
export function draftsAfter(
  drafts: readonly Draft[],
  cluster: string,
  told: readonly Alert[],
  facts: DraftFacts,
  now: Millis,
): readonly Draft[] {
  const byKey = new Map(told.map((alert) => [alertKey(alert), alert]));
  const byFingerprint = new Map(told.map((alert) => [alert.fingerprint, alert]));
  const after = new Map(drafts.map((draft) => [draft.id, renewed(draft, byKey, byFingerprint, now)]));
  const drafted = new Set(drafts.flatMap(({ alerts }) => alerts.map(({ key }) => key)));
  for (const alert of told) {
    const rule = facts.rules.find((one) => matches(one, cluster, alert));
    if (rule === undefined || alert.ended !== null || drafted.has(alertKey(alert))) continue;
    const joined = [...after.values()].find((draft) => draft.rule === rule.name && isJoinable(draft, facts));
    const draft = joined === undefined ? opened(rule, cluster, alert, facts, now) : withAlert(joined, alert, now);
    after.set(draft.id, draft);
  }
  return [...after.values()].filter((draft) => !drafts.includes(draft));
}

/** A draft as lists show it: with few of its alerts, and how many there are. */
export interface DraftView extends Draft {
  readonly firing: number;
  readonly ended: number;
}

/** Alerts that a list shows of each draft, those that fire first. */
const LISTED_MAX = 10;

export function draftView(draft: Draft): DraftView {
  const firing = draft.alerts.filter(({ endedAt }) => endedAt === null);
  const ended = draft.alerts.filter(({ endedAt }) => endedAt !== null);
  const alerts = [...firing, ...ended].slice(0, LISTED_MAX);
  return { ...draft, alerts, firing: firing.length, ended: ended.length };
}

/** Those to forget: nothing that is open, and of the others what is old or too much. */
export function draftsToForget(drafts: readonly Draft[], now: Millis): readonly Draft[] {
  const closed = drafts.filter((draft) => draftState(draft) !== "open").toSorted((a, b) => b.updatedAt - a.updatedAt);
  return closed.filter((draft, i) => i >= DRAFTS_MAX || now - draft.updatedAt > DRAFT_KEPT_MS);
}

export function matches(
  { cluster: of, match }: DraftRule,
  cluster: string,
  { labels }: Pick<Alert, "labels">,
): boolean {
  if (of !== null && of !== cluster) return false;
  return Object.entries(match).every(([label, values]) => {
    // Not `labels[label]`: a label that an object has by itself is none of the alert's.
    const held = Object.hasOwn(labels, label) ? (labels[label] ?? "") : "";
    return values.some((value) => (value.endsWith("*") ? held.startsWith(value.slice(0, -1)) : held === value));
  });
}

function isJoinable(draft: Draft, { unresolved }: DraftFacts): boolean {
  if (draft.decided === null) return draft.endedAt === null;
  return draft.decided.incident !== null && unresolved.has(draft.decided.incident);
}

function opened(rule: DraftRule, cluster: string, alert: Alert, facts: DraftFacts, now: Millis): Draft {
  const components = rule.components.filter(({ component }) => facts.components.has(component));
  return rewritten(
    {
      // The same for whoever opens it, and however often.
      id: shortHash(`${cluster} ${rule.name} ${alertKey(alert)}`),
      cluster,
      rule: rule.name,
      title: rule.title ?? titleOf(components, facts),
      components,
      startedAt: now,
      cause: "",
      alerts: [draftAlert(alert)],
      createdAt: now,
      updatedAt: now,
      endedAt: null,
      decided: null,
    },
    now,
  );
}

/** In visitors' words: it is what the incident will be called. */
export function titleOf(
  components: readonly DraftComponent[],
  facts: Pick<DraftFacts, "components"> & Partial<DraftFacts>,
): string {
  const known = components.filter(({ component }) => facts.hidden?.has(component) !== true);
  const names = (known.length === 0 ? components : known).map(
    ({ component }) => facts.components.get(component) ?? component,
  );
  const worst = COMPONENT_STATUSES.filter((one) => components.some(({ status }) => status === one)).at(-1);
  const words = worst === undefined ? "" : `: ${worst.replaceAll("_", " ")}`;
  return names.length === 0
    ? "Trouble"
    : `${names.slice(0, 3).join(", ")}${names.length > 3 ? " and others" : ""}${words}`;
}

function withAlert(draft: Draft, alert: Alert, now: Millis): Draft {
  return rewritten({ ...draft, alerts: [...draft.alerts, draftAlert(alert)] }, now);
}

function draftAlert(alert: Alert): DraftAlert {
  const { name, severity, summary, startsAt, heardAt, ended } = alert;
  return { key: alertKey(alert), name, severity, summary, startedAt: startsAt, heardAt, endedAt: ended?.at ?? null };
}

/** With what is known of its alerts now. One of which nothing is known any more, or that fires anew, ended. */
function renewed(
  draft: Draft,
  byKey: ReadonlyMap<string, Alert>,
  byFingerprint: ReadonlyMap<string, Alert>,
  now: Millis,
): Draft {
  let changed = false;
  const alerts = draft.alerts.map((one): DraftAlert => {
    if (one.endedAt !== null) return one;
    const alert = byKey.get(one.key);
    const next = byFingerprint.get(one.key.slice(0, FINGERPRINT_LENGTH));
    const endedAt = alert === undefined ? Math.min(next?.startsAt ?? now, now) : (alert.ended?.at ?? null);
    const heardAt = alert?.heardAt ?? one.heardAt;
    if (endedAt === one.endedAt && heardAt === one.heardAt) return one;
    changed = true;
    return { ...one, endedAt, heardAt };
  });
  return changed ? rewritten({ ...draft, alerts }, now) : draft;
}

const FINGERPRINT_LENGTH = 16;

/** What follows from its alerts. Where it begins moves to the earliest of them. */
function rewritten(draft: Draft, now: Millis): Draft {
  const sorted = draft.alerts.toSorted((a, b) => a.startedAt - b.startedAt);
  const firing = sorted.filter(({ endedAt }) => endedAt === null);
  const ended = sorted.filter((alert) => alert.endedAt !== null);
  const alerts = sorted.length <= ALERTS_MAX ? sorted : [...ended.slice(firing.length - ALERTS_MAX), ...firing];
  const [first] = sorted;
  const startedAt = Math.min(draft.startedAt, minuteOf(first?.startedAt ?? now));
  const lastEnd = ended.reduce((last, { endedAt }) => Math.max(last, endedAt ?? 0), 0);
  return {
    ...draft,
    alerts,
    startedAt,
    cause: causeOf(sorted),
    updatedAt: now,
    endedAt: firing.length > 0 ? null : lastEnd,
  };
}

/** What began first is the likeliest cause of the rest. */
function causeOf(alerts: readonly DraftAlert[]): string {
  const [first, ...more] = alerts;
  if (first === undefined) return "";
  const words = first.summary === null ? first.name : `${first.name}: ${first.summary}`;
  const names = [...new Set(more.map(({ name }) => name))].filter((name) => name !== first.name);
  const rest = names.length === 0 ? "" : `; then ${names.slice(0, 5).join(", ")}`;
  return `Began with ${words}${rest}${more.length > 0 ? ` (${alerts.length} alerts)` : ""}`.slice(0, CAUSE_MAX);
}
