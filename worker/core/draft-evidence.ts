/**
 * Drafts of incidents that the evidence makes: components that are in trouble for minutes, and of which no incident
 * speaks. Those of one likely cause are one draft.
 *
 *   trouble for 3 min ──▶ open ──all well again──▶ over ──trouble within 30 min──▶ open
 *                          └──an operator publishes or dismisses it──▶ decided, and this trouble makes no other
 */
import type { ComponentStatus } from "../../protocol/status.ts";
import { worse } from "../../protocol/status.ts";
import { MINUTE, minuteOf } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import { isTrouble, likelyCauses } from "./cause.ts";
import type { Component } from "./component.ts";
import { componentVerdict } from "./component.ts";
import type { Draft } from "./draft.ts";
import { titleOf } from "./draft.ts";
import { shortHash } from "./hash.ts";
import { affectedNow, isUnresolved } from "./incident.ts";
import type { PageFacts } from "./snapshot.ts";

/** What drafts of the evidence have in place of a cluster, which may have no such name. */
const EVIDENCE = "";
/** Shorter trouble is told by the page itself. */
const LASTING_MS = 3 * MINUTE;
/** Trouble that comes back within as long is the same; what was decided is not asked again. */
const QUIET_MS = 30 * MINUTE;
const CAUSE_MAX = 600;

interface Trouble {
  readonly component: Component;
  readonly status: ComponentStatus;
  readonly why: string | null;
  /** When it began, by the journal. */
  readonly since: Millis;
}

/** What becomes of the drafts that the evidence made: those that are new or have changed. Others are left alone. */
export function evidenceDrafts(drafts: readonly Draft[], facts: PageFacts, now: Millis): readonly Draft[] {
  const troubled = troublesOf(facts, now);
  const lasting = troubled.filter(({ since }) => now - since >= LASTING_MS);
  const mine = drafts.filter(({ cluster }) => cluster === EVIDENCE);
  const after = new Map(mine.map((draft) => [draft.id, ended(draft, troubled, now)]));
  for (const [root, group] of groupsOf(lasting, facts, now)) {
    const isOf = (draft: Draft): boolean => draft.components.some((one) => has(group, one.component));
    const known = [...after.values()].filter(isOf).toSorted((a, b) => b.createdAt - a.createdAt);
    if (known.some((draft) => isSettled(draft, group, now))) continue;
    const open = known.find(({ decided, endedAt }) => decided === null && now - (endedAt ?? now) < QUIET_MS);
    const draft = open === undefined ? opened(root, group, now) : joined(open, group, now);
    after.set(draft.id, draft);
  }
  return [...after.values()].filter((draft) => !drafts.includes(draft));
}

/** Whoever decided it knew of this trouble, or has just decided. */
function isSettled({ decided }: Draft, group: readonly Trouble[], now: Millis): boolean {
  if (decided === null) return false;
  return now - decided.at < QUIET_MS || group.every(({ since }) => since <= decided.at);
}

/** Components that the evidence alone says are in trouble, and that no open incident speaks of. */
function troublesOf(facts: PageFacts, now: Millis): readonly Trouble[] {
  const open = (facts.incidents ?? []).filter(isUnresolved);
  const covered = new Set(open.flatMap((one) => affectedNow(one).map(({ component }) => component)));
  return facts.components.flatMap((component) => {
    if (covered.has(component.id) || component.hidden === true) return [];
    const { status, why } = componentVerdict(component, { ...facts, incidents: [] }, now);
    const changes = facts.changes.get(component.id) ?? [];
    const since = changes[changes.findLastIndex((change) => !isTrouble(change.status)) + 1]?.at;
    return isTrouble(status) && since !== undefined ? [{ component, status, why, since }] : [];
  });
}

/** By their likely cause: the first of those that are in trouble too, or themselves. */
function groupsOf(
  lasting: readonly Trouble[],
  { components, tells }: PageFacts,
  now: Millis,
): ReadonlyMap<string, readonly Trouble[]> {
  const causes = likelyCauses(components, tells, now);
  return Map.groupBy(lasting, ({ component: { id } }) => causes.get(id)?.find((cause) => has(lasting, cause)) ?? id);
}

function has(group: readonly Trouble[], id: string): boolean {
  return group.some(({ component }) => component.id === id);
}

/** Over once all that it speaks of is well, or spoken of by an incident. */
function ended(draft: Draft, troubled: readonly Trouble[], now: Millis): Draft {
  const goesOn = draft.components.some(({ component }) => has(troubled, component));
  if (draft.decided !== null || draft.endedAt !== null || goesOn) return draft;
  return { ...draft, endedAt: now, updatedAt: now };
}

function opened(root: string, group: readonly Trouble[], now: Millis): Draft {
  const startedAt = minuteOf(Math.min(...group.map(({ since }) => since)));
  const components = group.map(({ component, status }) => ({ component: component.id, status }));
  return {
    // The same for whoever opens it, and however often.
    id: shortHash(`evidence ${root} ${startedAt}`),
    cluster: EVIDENCE,
    rule: "evidence",
    title: titleOf(components, { components: namesOf(group) }),
    components,
    startedAt,
    cause: causeOf(root, group),
    alerts: [],
    createdAt: now,
    updatedAt: now,
    endedAt: null,
    decided: null,
  };
}

/** With those that came, each as bad as it ever was: what has recovered is still part of the story. */
function joined(draft: Draft, group: readonly Trouble[], now: Millis): Draft {
  const before = draft.components.map((one) => {
    const status = group.find(({ component }) => component.id === one.component)?.status;
    return status === undefined || worse(one.status, status) === one.status ? one : { ...one, status };
  });
  const news = group
    .filter(({ component }) => !draft.components.some((one) => one.component === component.id))
    .map(({ component, status }) => ({ component: component.id, status }));
  const isSame = news.length === 0 && before.every((one, i) => one === draft.components[i]);
  if (isSame && draft.endedAt === null) return draft;
  return { ...draft, components: [...before, ...news], endedAt: null, updatedAt: now };
}

function namesOf(group: readonly Trouble[]): ReadonlyMap<string, string> {
  return new Map(group.map(({ component }) => [component.id, component.name]));
}

/** "Likely began with Ledger. Ledger: 12 % of requests fail. Checkout: …" */
function causeOf(root: string, group: readonly Trouble[]): string {
  const names = namesOf(group);
  const began = group.length > 1 && names.has(root) ? [`Likely began with ${names.get(root) ?? root}.`] : [];
  const first = group.toSorted((a, b) => Number(b.component.id === root) - Number(a.component.id === root));
  const said = first.map(({ component, status, why }) => `${component.name}: ${why ?? status.replaceAll("_", " ")}`);
  return [...began, ...said].join(" ").slice(0, CAUSE_MAX);
}
