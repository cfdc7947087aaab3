/** The form that plans a maintenance, once or as a series: read, checked, and filled in. */
import * as v from "valibot";
import { LEASE_REPLICAS_MAX } from "../../protocol/lease.ts";
import { line } from "../../protocol/name.ts";
import { DAY, HOUR } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import type { PlanField } from "../../web/view/admin/plan-model.ts";
import type { AnnounceRefusal } from "../core/announce.ts";
import { isTimeZone, momentOf } from "../core/calendar.ts";
import { splitService } from "../core/component.ts";
import type { AnnouncementChange } from "../core/announce-maintenance.ts";
import type { PlanRequest } from "../core/plan.ts";
import type { PlanTarget } from "../core/plan-facts.ts";
import { MONTHLY_FIRST_SUNDAY, occurrences, wallMoment, wallText, WEEKLY_SUNDAY } from "../core/recurrence.ts";
import type { Series, SeriesRequest } from "../core/schedule.ts";
import { unix } from "./admin-incident-form.ts";
import { MarkdownText } from "./announce-request.ts";
import { ServiceRef } from "./component-request.ts";

type PlanValues = Readonly<Partial<Record<PlanField, string>>>;

/** What a form holds: fields, and what is chosen of components and deployments. */
export interface PlanForm {
  readonly values: PlanValues;
  /** Ids. */
  readonly components: readonly string[];
  /** What is wished of each deployment, cluster/namespace/name: "announce", or a number of replicas. */
  readonly targets: ReadonlyMap<string, string>;
}

type MoveField = "start" | "hours" | "end" | "emergency";
const MOMENT_WANTED = "Give date and time, in UTC.";
const HOURS_WANTED = "Give hours as a number, for example 2 or 0.5.";
const FIELDS = ["name", "body", "reason", "start", "zone", "hours", "repeat", "rule", "closing", "emergency"] as const;
const CHOSEN_MAX = 100;
export const TARGETS_MAX = 20;
export const PLAN_HOURS_MAX = 2_208;

/** By the schemas that the command line has: what travels to pages, feeds, clusters and Postgres is the same. */
const Said = v.object({
  name: line(255),
  body: v.pipe(MarkdownText, v.maxLength(5_000, "must be at most 5,000 characters")),
  reason: line(500),
});

export function planFormOf(form: URLSearchParams): PlanForm {
  const values = Object.fromEntries(FIELDS.map((field) => [field, unix(form.get(field) ?? "").trim()]));
  const targets = [...form].flatMap(([key, wish]) =>
    key.startsWith("target:") && wish !== "" ? [[key.slice("target:".length), wish] as const] : [],
  );
  return { values, components: form.getAll("component").slice(0, CHOSEN_MAX), targets: new Map(targets) };
}

/** The runbook's schedules, each at the next moment that the policy allows. */
export function prefilled(schedule: string | undefined, noticeMs: Millis, pageZone: string, now: Millis): PlanForm {
  const next = (rule: string, start: string): string => {
    const [at = now + noticeMs] = occurrences({ rule, start, timeZone: "Etc/UTC" }, now + noticeMs, Infinity, 1);
    return wallText(at, "Etc/UTC");
  };
  const utc = { zone: "Etc/UTC", closing: "person" } as const;
  const database = {
    ...utc,
    name: "Database maintenance",
    body: "Some requests may take longer.",
    reason: "VACUUM, REINDEX, statistics",
    hours: "1",
  };
  const values: PlanValues =
    schedule === "upgrade"
      ? {
          ...utc,
          name: "Upgrade",
          reason: "planned upgrade",
          hours: "2",
          repeat: "once",
          start: next("FREQ=WEEKLY;BYDAY=SA", "2026-01-03T02:00"),
        }
      : schedule === "weekly"
        ? { ...database, repeat: "weekly", start: next(WEEKLY_SUNDAY, "2026-01-04T03:00") }
        : schedule === "monthly"
          ? { ...database, repeat: "monthly", start: next(MONTHLY_FIRST_SUNDAY, "2026-01-04T03:00") }
          : { zone: pageZone, repeat: "once", closing: "person", hours: "2" };
  return { values, components: [], targets: new Map() };
}

/** A series as its form shows it. */
export function seriesForm(series: Series): PlanForm {
  const { name, body, reason, start, timeZone: zone, lengthMs, rule, closing, components, targets } = series;
  const values = {
    name,
    body: body ?? "",
    reason,
    start,
    zone,
    hours: String(lengthMs / HOUR),
    repeat: "rule",
    rule,
    closing,
  };
  const wishes = targets.map(
    (one) => [`${one.cluster}/${one.service}`, one.mode === "scale" ? String(one.replicas) : "announce"] as const,
  );
  return { values, components, targets: new Map(wishes) };
}

export type PlanAsked =
  | { readonly kind: "once"; readonly request: PlanRequest }
  | { readonly kind: "series"; readonly request: SeriesRequest }
  | { readonly kind: "faulty"; readonly faults: readonly Fault[] };

export function readPlan({ values, components, targets }: PlanForm): PlanAsked {
  const faults: Fault[] = [];
  const fault = (field: PlanField | "targets", message: string): void => void faults.push({ field, message });
  const { name = "", body = "", reason = "", zone = "Etc/UTC", repeat = "once" } = values;
  if (name === "") fault("name", "Say in a few words what is done; visitors read it.");
  const said = v.safeParse(Said, { name, body, reason });
  for (const issue of said.success ? [] : said.issues)
    faults.push({ field: v.getDotPath(issue), message: `It ${issue.message}.` });
  const wall = wallMoment(values.start ?? "");
  if (wall === null) fault("start", "Give date and time.");
  if (!isTimeZone(zone)) fault("start", "Choose a time zone.");
  const hours = hoursOf(values.hours ?? "");
  if (hours === null) fault("hours", HOURS_WANTED);
  const wished = targetsOf(targets);
  if (wished === null) fault("targets", "Choose what each deployment is asked for.");
  if (![...targets.keys()].every((ref) => v.is(ServiceRef, ref))) fault("targets", "Choose deployments of the list.");
  if (targets.size > TARGETS_MAX) fault("targets", `At most ${TARGETS_MAX} deployments.`);
  if (targets.size > 0 && reason === "") fault("reason", "Say why; the clusters' owners read it beside the change.");
  if (faults.length > 0 || wall === null || hours === null || wished === null) return { kind: "faulty", faults };
  const closing = values.closing === "checks" ? "checks" : "person";
  const lengthMs = Math.round(hours * HOUR);
  const facts = { name, ...(body !== "" && { body }), reason, components, targets: wished, closing } as const;
  if (repeat !== "once") {
    const start = values.start ?? "";
    return {
      kind: "series",
      request: { ...facts, lengthMs, start, timeZone: zone, rule: ruleOf(repeat, values.rule ?? "", wall) },
    };
  }
  const startsAt = momentOf(wall, zone);
  const emergency = values.emergency === "yes";
  return { kind: "once", request: { ...facts, startsAt, endsAt: startsAt + lengthMs, emergency } };
}

/** Another time for a maintenance: another end of one that is under way, or start and length of one to come. */
export function readMove(form: URLSearchParams): {
  readonly values: Readonly<Partial<Record<MoveField, string>>>;
  readonly faults: readonly Fault[];
  readonly request: AnnouncementChange | null;
} {
  const end = form.get("end");
  if (end !== null) {
    const endsAt = wallMoment(end);
    if (endsAt === null) return faultyMove({ end }, [{ field: "end", message: MOMENT_WANTED }]);
    return { values: { end }, faults: [], request: { endsAt } };
  }
  const emergency = form.get("emergency") === "yes";
  const values = {
    start: form.get("start") ?? "",
    hours: form.get("hours") ?? "",
    ...(emergency && { emergency: "yes" }),
  };
  const [startsAt, hours] = [wallMoment(values.start), hoursOf(values.hours)];
  if (startsAt !== null && hours !== null)
    return { values, faults: [], request: { startsAt, endsAt: startsAt + Math.round(hours * HOUR), emergency } };
  return faultyMove(values, [
    ...(startsAt === null ? [{ field: "start", message: MOMENT_WANTED }] : []),
    ...(hours === null ? [{ field: "hours", message: HOURS_WANTED }] : []),
  ]);
}

function faultyMove(values: Readonly<Partial<Record<MoveField, string>>>, faults: readonly Fault[]) {
  return { values, faults, request: null };
}

/** "2", "0.5" or "0,5"; null for what is no length of a maintenance. */
function hoursOf(text: string): number | null {
  if (!/^\d{1,4}([.,]\d{1,3})?$/.test(text)) return null;
  const hours = Number(text.replace(",", "."));
  return hours > 0 && hours <= PLAN_HOURS_MAX ? hours : null;
}

function targetsOf(wishes: PlanForm["targets"]): readonly PlanTarget[] | null {
  const found: PlanTarget[] = [];
  for (const [ref, wish] of wishes) {
    const replicas = /^\d{1,4}$/.test(wish) ? Number(wish) : null;
    if (wish !== "announce" && (replicas === null || replicas > LEASE_REPLICAS_MAX)) return null;
    found.push({ ...splitService(ref), mode: replicas === null ? "announce" : "scale", replicas });
  }
  return found;
}

const WEEKDAYS = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"] as const;

/** "Every week" and "every month" mean the weekday of the first time. */
function ruleOf(repeat: string, rule: string, wall: Millis): string {
  if (repeat === "rule") return rule.replace(/^RRULE:/i, "").toUpperCase();
  // 1970-01-01 was a Thursday.
  const day = WEEKDAYS[(Math.floor(wall / DAY) + 4) % 7] ?? "SU";
  if (repeat === "weekly") return `FREQ=WEEKLY;BYDAY=${day}`;
  const nth = Math.ceil(Number(wallText(wall, "Etc/UTC").slice(8, 10)) / 7);
  // A fifth one is not in every month; the last one is.
  return `FREQ=MONTHLY;BYDAY=${nth > 4 ? -1 : nth}${day}`;
}

/** What was refused, beside the field that it is about. */
export function refusalFault({ code, which }: AnnounceRefusal): Fault {
  switch (code) {
    case "notice":
      return {
        field: "emergency",
        message: `It starts in less than ${which}. Choose a later time, or call it an emergency.`,
      };
    case "order":
      return { field: "start", message: `That cannot be: ${which}.` };
    case "rule":
      return { field: "rule", message: which };
    case "unknown_component":
    case "ambiguous_component":
      return { field: "components", message: "One of them is not on the page any more. Choose again." };
    case "too_many":
      return { field: null, message: `There are too many ${which}: end some of them first.` };
    case "is_over":
      return { field: null, message: "It is over." };
    case "unknown":
    case "too_long":
    case "in_future":
    case "busy":
    case "stale":
    case "last_update":
    case "too_old":
      return { field: null, message: `It cannot be done: ${which}.` };
  }
}
