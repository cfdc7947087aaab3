/**
 * The one public projection: everything public is made from what this file lets through. Fields are named one by one,
 * so that a fact that joins a component later stays private until somebody writes it down here.
 */
import { quantileOf } from "../../protocol/latency.ts";
import type {
  ArchiveState,
  LiveComponent,
  Outlook,
  OutsideLook,
  PageChange,
  PageComponent,
  PageIncident,
  PageLog,
  PageMaintenance,
  PageNotice,
  PageMetric,
  PageSnapshot,
} from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import {
  announcedMark,
  isShown,
  judgedBy,
  publicIncident,
  publicMaintenances,
  shownMaintenances,
} from "./announced.ts";
import { causeSentences, isTrouble, likelyCauses } from "./cause.ts";
import type { Brand } from "./brand.ts";
import type { ChecklistItem } from "./checklist.ts";
import type { Component, Evidence, StatusChange, ToldService } from "./component.ts";
import {
  OUTLOOK_MAX,
  changesUntil,
  freshServices,
  latenciesOf,
  outlook,
  outsideOf,
  splitService,
} from "./component.ts";
import type { MetricChoice } from "./day.ts";
import type { ThresholdSetting } from "./detector.ts";
import type { DraftRule } from "./draft.ts";
import type { FrozenDays } from "./freeze.ts";
import { NOTHING_FROZEN } from "./freeze.ts";
import { dayTallies, recentDays } from "./history.ts";
import type { MergedIncident } from "./incident.ts";
import { newestFirst, shownIncidents } from "./incident.ts";
import { NOTICE_DAYS, noticeShare } from "./notice-policy.ts";
import { inPageOrder } from "./order.ts";
import { answeredMs, freshUntil } from "./probe.ts";
import { publicSlo, SLO_DAYS } from "./slo.ts";
import type { Template } from "./template.ts";
import type { Thresholds } from "./thresholds.ts";
import { publicFacts } from "./visibility.ts";

export interface PageSettings {
  readonly id: string;
  readonly name: string;
  readonly timeZone: string;
  readonly createdAt: Millis;
  /** Limits of every component that has none of its own. Absent: the runbook's, and in what an earlier version wrote. */
  readonly thresholds?: Partial<Thresholds>;
  /** The charts of the first view, at most `METRICS_MAX`. Absent: three of the whole page, and in what an earlier version wrote. */
  readonly metrics?: readonly MetricChoice[];
  /** How an operator made the page theirs. Absent: not at all, and in what an earlier version wrote. */
  readonly brand?: Brand;
  /** Which alerts make drafts of incidents. Absent: none do, and in what an earlier version wrote. */
  readonly draftRules?: readonly DraftRule[];
  /** How many days before it starts a planned maintenance must be announced. Absent: the runbook's, and in what an earlier version wrote. */
  readonly noticeDays?: number;
  /** From which score on a cluster's agent raises anomalies, by cluster. Absent: its own, and in what an earlier version wrote. */
  readonly anomalies?: Readonly<Record<string, ThresholdSetting>>;
  /** What is ticked off around a planned maintenance. Absent: the runbook's list, and in what an earlier version wrote. */
  readonly checklist?: readonly ChecklistItem[];
  /** Services that are not to be published, or what chooses them. Absent: none, and in what an earlier version wrote. */
  readonly ignored?: readonly string[];
  /** Texts to begin an incident with, for operators. Absent: ours, and in what an earlier version wrote. */
  readonly incidentTemplates?: readonly Template[];
}

/** All that a Board holds that can reach the page. */
export interface PageFacts extends Evidence {
  readonly version: number;
  readonly page: PageSettings;
  readonly components: readonly Component[];
  /** Of each component, oldest first. */
  readonly changes: ReadonlyMap<string, readonly StatusChange[]>;
  /** Past days as they were frozen; absent if none is. */
  readonly frozen?: FrozenDays;
  readonly archive: ArchiveState;
  /** Incidents that are part of others now. Absent: none. */
  readonly merged?: readonly MergedIncident[];
  /** By when visitors are promised more of an incident. Absent: nothing is promised. */
  readonly promises?: ReadonlyMap<string, Millis>;
  /** What its charts show; open pages hear of them with the whole page only. */
  readonly metrics?: readonly PageMetric[];
}

export function publicSnapshot(held: PageFacts, now: Millis): PageSnapshot {
  const facts = publicFacts(held);
  const { page } = facts;
  const judged = judgedBy(facts, now);
  return {
    version: facts.version,
    generatedAt: now,
    page: { id: page.id, name: page.name, timeZone: page.timeZone, createdAt: page.createdAt },
    components: withCauses(
      inPageOrder(facts.components).map((component) => publicComponent(component, judged, now)),
      facts,
      now,
    ),
    maintenances: shownMaintenances(facts, now),
    announced: announcedMark(facts),
    incidents: shownIncidents(facts.incidents ?? [], now).map((incident) => publicIncident(incident, facts.components)),
    archive: { delayedSince: facts.archive.delayedSince, isRestoring: facts.archive.isRestoring },
    ...frozenMark(facts),
    ...publicMetrics(facts),
    ...publicBrand(page),
  };
}

/** Without the name, which is the page's. */
function publicBrand({ brand }: PageSettings): Pick<PageSnapshot, "brand"> {
  if (brand === undefined) return {};
  const { logo, accent, links, variables, origin } = brand;
  return {
    brand: {
      ...(logo !== undefined && { logo }),
      ...(accent !== undefined && { accent: { light: accent.light, dark: accent.dark } }),
      ...(links !== undefined && { links: links.map(({ name, url }) => ({ name, url })) }),
      ...(variables !== undefined && { variables }),
      ...(origin !== undefined && { origin }),
    },
  };
}

/** Numbers of components whose numbers visitors see anyway; one that is gone has none. */
function publicMetrics({ metrics = [], components }: PageFacts): Pick<PageSnapshot, "metrics"> {
  const open = components.filter(({ withheld }) => withheld?.includes("numbers") !== true);
  const shown = metrics.filter(({ component }) => component === null || open.some(({ id }) => id === component));
  if (shown.length === 0) return {};
  return {
    metrics: shown.map(({ id, name, kind, component, from, stepMs, values, lo, hi, limit }) => ({
      id,
      name,
      kind,
      component,
      from,
      stepMs,
      values,
      ...(lo !== undefined && hi !== undefined && { lo, hi }),
      ...(limit !== undefined && { limit }),
    })),
  };
}

/** Of each kind; `PageLog`. */
const LOG_MAX = 500;

/** All that people announced, as far back as the Board keeps it. */
export function publicLog(held: PageFacts, now: Millis): PageLog {
  const facts = publicFacts(held);
  const { merged = [], promises } = facts;
  return {
    version: facts.version,
    incidents: newestFirst(facts.incidents ?? [])
      .slice(0, LOG_MAX)
      .map((incident) => withPromise(publicIncident(incident, facts.components), promises)),
    maintenances: publicMaintenances(facts, now)
      .toSorted((a, b) => b.startsAt - a.startsAt)
      .slice(0, LOG_MAX),
    ...(merged.length > 0 && { merged: Object.fromEntries(merged.map(({ id, into }) => [id, into])) }),
    notice: publicNotice(facts, now),
  };
}

/** Also of leases that stand alone: started at once, they are what the promise is about. */
function publicNotice({ page, announcements = [], maintenances, components }: PageFacts, now: Millis): PageNotice {
  const alone = maintenances.filter(({ announcement }) => announcement === undefined);
  const seen = [...announcements, ...alone].filter((one) => isShown(one, components));
  return { days: page.noticeDays ?? NOTICE_DAYS, shares: [90, 365].map((days) => noticeShare(seen, days, now)) };
}

/** In the log alone: the first view has no room for it. */
function withPromise(incident: PageIncident, promises: PageFacts["promises"]): PageIncident {
  const nextUpdateBy = promises?.get(incident.id);
  return nextUpdateBy === undefined ? incident : { ...incident, nextUpdateBy };
}

function frozenMark({ frozen }: PageFacts): Pick<PageSnapshot, "frozen"> {
  const last = frozen?.days.at(-1);
  return frozen === undefined || last === undefined ? {} : { frozen: { day: last.day, hash: frozen.head.hash } };
}

/** The same without what an open page already has. */
export function publicChange(held: PageFacts, now: Millis): PageChange {
  const facts = publicFacts(held);
  const judged = judgedBy(facts, now);
  return {
    version: facts.version,
    generatedAt: now,
    components: withCauses(
      inPageOrder(facts.components).map((component) => liveComponent(component, judged, now)),
      facts,
      now,
    ),
    maintenances: shownMaintenances(facts, now).map(withoutUpdates),
    announced: announcedMark(facts),
    archive: { delayedSince: facts.archive.delayedSince, isRestoring: facts.archive.isRestoring },
  };
}

/** What was said of it is in the page, which is asked for when somebody says more. */
function withoutUpdates(maintenance: PageMaintenance): PageMaintenance {
  const { updates: _, ...rest } = maintenance;
  return rest;
}

/** Adds to what is said of trouble where it likely comes from, by the names that visitors know. */
function withCauses<Shown extends LiveComponent>(
  shown: readonly Shown[],
  facts: PageFacts,
  now: Millis,
): readonly Shown[] {
  const causes = likelyCauses(facts.components, facts.tells, now);
  if (causes.size === 0) return shown;
  const sentences = causeSentences(causes, shown, now);
  return shown.map((component) => {
    const sentence = sentences.get(component.id);
    if (sentence === undefined) return component;
    const outlook = component.outlook.map((entry) =>
      isTrouble(entry.status) ? { ...entry, why: joined(entry.why, sentence) } : entry,
    );
    return { ...component, outlook };
  });
}

/** An incident's name, unlike all that we say, may end without a full stop. */
function joined(why: string | null, sentence: string): string {
  return why === null ? sentence : `${why}${/[.!?。]$/.test(why) ? "" : "."} ${sentence}`;
}

function publicComponent(component: Component, facts: PageFacts, now: Millis): PageComponent {
  const changes = changesOf(component, facts, now);
  const { slo, withheld = [], startsOn = "" } = component;
  const { timeZone } = facts.page;
  const all = dayTallies(component.id, changes, facts.frozen ?? NOTHING_FROZEN, now, timeZone);
  const days = withheld.includes("uptime") ? [] : all.filter(({ day }) => day >= startsOn);
  const target =
    slo === undefined || withheld.includes("uptime") ? null : publicSlo(slo, recentDays(days, SLO_DAYS, now, timeZone));
  return {
    ...liveComponent(component, facts, now),
    description: component.description,
    group: component.group,
    createdAt: component.createdAt,
    updatedAt: Math.max(component.updatedAt, changes.at(-1)?.at ?? 0),
    days,
    ...(target === null ? {} : { slo: target }),
    ...(withheld.length > 0 && { withheld: [...withheld] }),
    ...(startsOn !== "" && { startsOn }),
  };
}

/** The journal with what became true since its last entry: nobody writes it down when evidence merely expires. */
function changesOf(component: Component, facts: PageFacts, now: Millis): readonly StatusChange[] {
  const written = facts.changes.get(component.id) ?? [];
  return [...written, ...changesUntil(component, facts, written.at(-1) ?? null, now)];
}

function liveComponent(component: Component, facts: PageFacts, now: Millis): LiveComponent {
  // Without numbers it is shown as one that nobody counts the requests of.
  const isSilent = component.withheld?.includes("numbers") === true;
  const fresh = isSilent ? [] : freshServices(component, facts.tells, now);
  return {
    id: component.id,
    name: component.name,
    outlook: closed(outlook(component, facts, changesOf(component, facts, now).at(-1) ?? null, now)),
    heardAt: heardAt(component, facts),
    // Counts are merged, then read once: percentiles are never averaged.
    p95: quantileOf(fresh.flatMap(latenciesOf), 0.95),
    ...trafficOf(fresh),
    ...(component.url === undefined || isSilent ? {} : { outside: outsideLook(component, facts) }),
  };
}

/** Where a long list was cut off, nobody may take its last entry for the end of the story. */
function closed(said: readonly Outlook[]): readonly Outlook[] {
  const last = said.at(-1);
  if (last === undefined || said.length < OUTLOOK_MAX) return said;
  return [...said.slice(0, -1), { from: last.from, status: "unknown", since: last.from, why: null }];
}

/** Not the address: what it answers is public, where it is asked need not be. */
function outsideLook(component: Component, facts: Evidence): OutsideLook {
  const outside = outsideOf(component, facts);
  if (outside === null || outside.state === "unknown") return { until: 0, words: "unknown" };
  const tookMs = answeredMs(outside);
  const words = outside.state === "failing" || tookMs === null ? "failing" : `${tookMs} ms`;
  return { until: freshUntil(outside), words };
}

/** The oldest of the newest reports: a component is as old as the cluster that has been silent longest. */
function heardAt(component: Component, { tells }: Evidence): Millis | null {
  const heard = component.services.map((ref) => tells.get(splitService(ref).cluster)?.heardAt ?? null);
  const moments = heard.filter((at) => at !== null);
  return moments.length === 0 ? null : Math.min(...moments);
}

function trafficOf(services: readonly ToldService[]): Pick<LiveComponent, "errorRatio" | "requestsPerSecond"> {
  const traffic = services.map((told) => told.traffic).filter((counts) => counts !== null);
  if (traffic.length === 0) return { errorRatio: null, requestsPerSecond: null };
  const requests = traffic.reduce((sum, counts) => sum + counts.requests, 0);
  const errors = traffic.reduce((sum, counts) => sum + counts.errors, 0);
  const perSecond = traffic.reduce((sum, counts) => sum + (counts.requests * SECOND) / counts.spanMs, 0);
  return { errorRatio: requests > 0 ? errors / requests : null, requestsPerSecond: perSecond };
}
