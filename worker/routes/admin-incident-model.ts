/** From what the Board knows to what the admin's pages of incidents are made of. */
import type { PageSnapshot } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { COMPONENT_STATUSES, isWorse, worst } from "../../protocol/status.ts";
import { MINUTE, SECOND } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type {
  AdminUpdateModel,
  AffectedChoice,
  IncidentFormModel,
  IncidentPageModel,
  IncidentsModel,
  IncidentSummary,
  PostmortemModel,
} from "../../web/view/admin/incident-model.ts";
import type { Fault, FormModel } from "../../web/view/admin/model.ts";
import { moment, statusWord } from "../../web/view/english.ts";
import { addedRows } from "../core/added.ts";
import { isTrouble } from "../core/cause.ts";
import type { Component } from "../core/component.ts";
import { DELETABLE_MS, isYoung } from "../core/correct.ts";
import type { Incident, IncidentUpdate } from "../core/incident.ts";
import {
  affectedNow,
  incidentImpact,
  incidentStatus,
  isUnresolved,
  newestFirst,
  resolvedAt,
} from "../core/incident.ts";
import type { Reminder } from "../core/reminder.ts";
import type { TemplateFacts } from "../core/template.ts";
import type { OperatorView } from "../objects/operator-view.ts";

/** Past incidents a page. */
const PAGE_LENGTH = 25;
/** A row that waits for as long is worth a word: others leave within a second. */
const UNARCHIVED_MS = 3 * SECOND;

type Values = Readonly<Record<string, string>>;
type Held = Pick<OperatorView, "components" | "incidents" | "reminders" | "unarchived">;

/** What visitors see of each component now, by id. */
export function seenNow({ components }: Pick<PageSnapshot, "components">, now: Millis): Map<string, ComponentStatus> {
  return new Map(components.map((one) => [one.id, outlookAt(one, now).status]));
}

function summaryOf(incident: Incident, { components, reminders = [] }: Held): IncidentSummary {
  const { id, name, startedAt, updates } = incident;
  const reminder = reminders.find((one) => one.incident === id);
  return {
    id,
    name,
    status: incidentStatus(incident),
    impact: incidentImpact(incident),
    startedAt,
    resolvedAt: resolvedAt(incident),
    saidAt: Math.max(startedAt, ...updates.map(({ createdAt }) => createdAt)),
    components: affectedNow(incident).map(({ component, name: then }) => nameOf(component, components) ?? then),
    reminder:
      reminder === undefined
        ? null
        : { at: reminder.at, isPublic: reminder.isPublic, by: reminder.by, minutes: minutesOf(reminder) },
  };
}

function minutesOf({ at, setAt }: Reminder): number {
  return Math.max(1, Math.round((at - setAt) / MINUTE));
}

function nameOf(id: string, components: readonly Component[]): string | undefined {
  return components.find((one) => one.id === id)?.name;
}

export function openSummaries(view: Held): readonly IncidentSummary[] {
  return newestFirst(view.incidents ?? [])
    .filter(isUnresolved)
    .map((one) => summaryOf(one, view));
}

/** Those whose newest state has waited for Postgres for longer than a row usually does. */
function unarchivedOf({ incidents = [], unarchived = {} }: Held, now: Millis): IncidentsModel["unarchived"] {
  const late = Object.entries(unarchived).filter(([, since]) => now - since >= UNARCHIVED_MS);
  if (late.length === 0) return null;
  const names = late.map(([id]) => incidents.find((one) => one.id === id)?.name ?? "one that is gone from the page");
  return { names, since: Math.min(...late.map(([, since]) => since)) };
}

export function incidentsModel(view: Held, wanted: number, now: Millis): IncidentsModel {
  const past = newestFirst(view.incidents ?? []).filter((one) => !isUnresolved(one));
  const pages = Math.max(1, Math.ceil(past.length / PAGE_LENGTH));
  const page = Math.min(Math.max(1, wanted), pages);
  const shown = past.slice((page - 1) * PAGE_LENGTH, page * PAGE_LENGTH);
  const unarchived = unarchivedOf(view, now);
  return { unarchived, open: openSummaries(view), past: shown.map((one) => summaryOf(one, view)), page, pages };
}

/** Components in trouble of which no open incident speaks. */
export function uncoveredOf(view: Held, seen: ReadonlyMap<string, ComponentStatus>): readonly Component[] {
  const covered = new Set(
    (view.incidents ?? []).filter(isUnresolved).flatMap((one) => affectedNow(one).map(({ component }) => component)),
  );
  return view.components.filter(({ id }) => isTrouble(seen.get(id) ?? "unknown") && !covered.has(id));
}

/** Those that may be spoken of, the unwell first; `chosen` is what the form says of each. */
function choicesOf(
  components: readonly Component[],
  seen: ReadonlyMap<string, ComponentStatus>,
  incident: Incident | null,
  chosen: ReadonlyMap<string, ComponentStatus>,
): readonly AffectedChoice[] {
  const said = new Map(
    (incident === null ? [] : affectedNow(incident)).map(({ component, to }) => [component, to] as const),
  );
  const choices = components.map(({ id, name, group }) => ({
    id,
    name,
    group,
    now: seen.get(id) ?? "unknown",
    said: said.get(id) ?? null,
    chosen: chosen.get(id) ?? null,
  }));
  const weight = ({ said: before, chosen: to, now }: AffectedChoice): number =>
    before !== null || to !== null ? 2 : isTrouble(now) ? 1 : 0;
  return choices.toSorted((a, b) => weight(b) - weight(a) || Number(isWorse(b.now, a.now)));
}

/** What a template is filled in with: visitors know the components by these names. @param since when it began */
export function templateFacts(
  { page }: Pick<OperatorView, "page">,
  said: { readonly names: readonly string[]; readonly statuses: readonly ComponentStatus[]; readonly since: Millis },
  now: Millis,
): TemplateFacts {
  return {
    component: said.names.length === 0 ? "The service" : said.names.join(", "),
    time: moment(said.since, now, page.timeZone),
    page: page.name,
    status: statusWord(worst(said.statuses)).toLowerCase(),
  };
}

/** The fields `c.ID` of a form. */
export function chosenOf(values: Values): ReadonlyMap<string, ComponentStatus> {
  return new Map(
    Object.entries(values).flatMap(([name, value]) => {
      const status = COMPONENT_STATUSES.find((one) => one === value);
      return name.startsWith("c.") && status !== undefined ? [[name.slice(2), status] as const] : [];
    }),
  );
}

export interface Shown {
  readonly values: Values;
  readonly faults: readonly Fault[];
  /** Whether somebody asked how it would read. */
  readonly isPreview: boolean;
}

export function formModel(
  components: readonly Component[],
  seen: ReadonlyMap<string, ComponentStatus>,
  incident: Incident | null,
  { values, faults, isPreview }: Shown,
): IncidentFormModel {
  return {
    components: choicesOf(components, seen, incident, chosenOf(values)),
    added: addedRows(values),
    impactSoFar: incident === null ? "none" : incidentImpact({ ...incident, impact: null }),
    values,
    faults,
    preview: isPreview ? (values["body"] ?? "") : null,
  };
}

export function updateModel(update: IncidentUpdate): AdminUpdateModel {
  const { id, status, body, by, displayAt, createdAt, updatedAt, affected } = update;
  return {
    id,
    status,
    body,
    by,
    displayAt,
    createdAt,
    updatedAt,
    affected: affected.map(({ name, from, to }) => ({ name, from, to })),
  };
}

/** What the update form begins with: where things are now, and that somebody is reminded on. */
export function updateValues(incident: Incident, { reminders = [] }: Held, key: string): Values {
  const status = incidentStatus(incident);
  const reminder = reminders.find((one) => one.incident === incident.id);
  return {
    key,
    revision: String(incident.writtenAt),
    name: incident.name,
    status: status === "postmortem" ? "resolved" : status,
    impact: incident.impact ?? "",
    impactReason: incident.impactReason ?? "",
    ...(reminder !== undefined && {
      remind: String(minutesOf(reminder)),
      ...(reminder.isPublic && { promise: "yes" }),
    }),
  };
}

export function incidentPageModel(
  incident: Incident,
  view: OperatorView,
  form: IncidentFormModel,
  {
    conflict,
    postmortem,
  }: {
    readonly conflict: number | null;
    readonly postmortem: (FormModel<"body" | "revision"> & Partial<PostmortemModel>) | null;
  },
  now: Millis,
): IncidentPageModel {
  const { id, impact, impactReason, writtenAt } = incident;
  const since = view.unarchived?.[id];
  const updates = incident.updates.map(updateModel).toReversed();
  const others = newestFirst(view.incidents ?? []).filter(
    (one) => one.id !== id && isUnresolved(one) === isUnresolved(incident),
  );
  return {
    ...summaryOf(incident, view),
    isByHand: impact !== null,
    impactReason: impactReason ?? null,
    revision: writtenAt,
    updates,
    form,
    conflict: conflict === null ? null : { theirs: updates.filter(({ updatedAt }) => updatedAt > conflict) },
    unarchivedSince: since === undefined || now - since < UNARCHIVED_MS ? null : since,
    deletableUntil: isYoung(incident, now) ? incident.createdAt + DELETABLE_MS : null,
    others: others.slice(0, 50).map(({ id: of, name }) => ({ id: of, name })),
    postmortem: isUnresolved(incident) ? null : postmortemModel(incident, postmortem),
  };
}

function postmortemModel(
  { postmortem: draft, writtenAt }: Incident,
  typed: (FormModel<"body" | "revision"> & Partial<PostmortemModel>) | null,
): PostmortemModel {
  return {
    values: { body: draft?.body ?? "", revision: String(writtenAt) },
    faults: [],
    saved: draft === undefined ? null : { by: draft.by, at: draft.at },
    conflict: null,
    preview: null,
    ...typed,
  };
}
