/**
 * What is told to receivers outside: one step of one thing, in words that visitors read too. Made when the step is
 * written down, so that what is told later is what was said then. Nothing in it that the public page would not show.
 */
import type { Indicator } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { HOUR, SECOND } from "../../protocol/time.ts";
import type { Component } from "./component.ts";
import type { Incident } from "./incident.ts";
import { affectedNow, incidentImpact, isUnresolved } from "./incident.ts";
import type { Announced, Announcement } from "./maintenance.ts";
import type { Notice } from "./notices.ts";
import type { PageSettings } from "./snapshot.ts";
import { publicFacts } from "./visibility.ts";

/** What receivers can ask for. */
export const TOPICS = ["incident", "maintenance"] as const;
export type Topic = (typeof TOPICS)[number];

/** UTF-16 units of what was said; the page has the rest. Slack's bound for a section, with room for what stands around it. */
const TEXT_MAX = 2_800;
/** Components by name; the page has the others. */
const COMPONENTS_MAX = 50;

export interface Message {
  /** The step: "incident:ID:UPDATE", or a maintenance's notice. One receiver gets it under one key, however often. */
  readonly key: string;
  /** What it is a step of: "incident:ID", "maintenance:ID". Receivers thread and resolve by it. */
  readonly subject: string;
  /** `test` is somebody's try of a channel: it goes out once, and is kept nowhere. */
  readonly topic: Topic | "test";
  /** An incident's status, or a notice's phase. */
  readonly step: string;
  readonly isFirst: boolean;
  /** Whether nothing more is to come of it. */
  readonly isOver: boolean;
  readonly impact: Indicator;
  readonly title: string;
  /** Null where nothing was said. */
  readonly text: string | null;
  /** Names that visitors see. */
  readonly components: readonly string[];
  /** When it was said, or became due. */
  readonly at: Millis;
  /** Of a maintenance; null of anything else. */
  readonly window: { readonly startsAt: Millis; readonly endsAt: Millis } | null;
  readonly page: {
    readonly name: string;
    /** Where it stands for visitors; null if nobody said. */ readonly url: string | null;
  };
  /** Where to read on; null where the page has no address. */
  readonly url: string | null;
}

export interface MessageFacts {
  readonly page: PageSettings;
  readonly components: readonly Component[];
}

/** What the last update of an incident tells; null where it is about nothing that visitors see. */
export function incidentMessage(incident: Incident, { page, components }: MessageFacts): Message | null {
  const [shown] = publicFacts({ components, maintenances: [], incidents: [incident] }).incidents;
  const update = shown?.updates.at(-1);
  if (shown === undefined || update === undefined || isHistory(shown, update.displayAt)) return null;
  return {
    key: `incident:${shown.id}:${update.id}`,
    subject: `incident:${shown.id}`,
    topic: "incident",
    step: update.status,
    isFirst: shown.updates.length === 1,
    isOver: !isUnresolved(shown),
    impact: incidentImpact(shown),
    title: shown.name,
    text: shortened(update.body),
    components: affectedNow(shown)
      .map(({ name }) => name)
      .slice(0, COMPONENTS_MAX),
    at: update.displayAt,
    window: null,
    ...placeOf(page, `/incidents/${shown.id}`),
  };
}

/** One that was over long before it was written down wakes nobody. */
function isHistory(incident: Incident, at: Millis): boolean {
  // Written down with its end it has two words of one moment, each later than the one before it.
  const isNew = incident.writtenAt - incident.createdAt < SECOND;
  return isNew && !isUnresolved(incident) && at < incident.writtenAt - HOUR;
}

/** What a notice tells of a maintenance; null where it is told to nobody, or about nothing that visitors see. */
export function noticeMessage(
  notice: Notice,
  of: Announced & Partial<Pick<Announcement, "components">>,
  { page, components }: MessageFacts,
): Message | null {
  if (notice.outcome !== "out") return null;
  const named = of.components ?? [];
  const names = components.filter(({ id, hidden }) => named.includes(id) && hidden !== true).map(({ name }) => name);
  if (named.length > 0 && names.length === 0) return null;
  return {
    key: `maintenance:${notice.key}`,
    subject: `maintenance:${notice.maintenance}`,
    topic: "maintenance",
    step: notice.phase,
    isFirst: notice.phase === "announced",
    isOver: notice.phase === "completed" || notice.phase === "cancelled",
    impact: "maintenance",
    title: notice.name,
    // Why it is overdue is the operators' to know: it names what they check.
    text: notice.phase === "overdue" ? null : shortened(notice.detail ?? ""),
    components: names.slice(0, COMPONENTS_MAX),
    at: notice.dueAt,
    window: { startsAt: notice.startsAt, endsAt: notice.endsAt },
    ...placeOf(page, `/maintenance/${notice.maintenance}`),
  };
}

/** What the button sends that tries a channel. */
export function testMessage(id: string, page: PageSettings, by: string, now: Millis): Message {
  return {
    key: `test:${id}`,
    subject: `test:${id}`,
    topic: "test",
    step: "test",
    isFirst: true,
    isOver: true,
    impact: "none",
    title: "Test",
    text: `${by} tries this channel. Nothing has happened.`,
    components: [],
    at: now,
    window: null,
    ...placeOf(page, "/"),
  };
}

function placeOf({ name, brand }: PageSettings, path: string): Pick<Message, "page" | "url"> {
  const origin = brand?.origin ?? null;
  return { page: { name, url: origin }, url: origin === null ? null : origin.replace(/\/$/, "") + path };
}

function shortened(text: string): string | null {
  const whole = text.trim();
  if (whole === "") return null;
  return whole.length > TEXT_MAX ? `${whole.slice(0, TEXT_MAX).toWellFormed()}…` : whole;
}
