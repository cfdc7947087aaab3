/** What Postgres remembers, for operators: a component's numbers over time, and events page by page. */
import * as v from "valibot";
import { ClusterName } from "../../protocol/name.ts";
import { ALERT_KINDS, EVENT_KINDS } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import { rfc3339 } from "../core/calendar.ts";
import { asCorrected } from "../core/freeze.ts";
import { RANGES } from "../core/series.ts";
import type { SeriesPoint } from "../core/series.ts";
import { requestUptime, spansOf, timeUptime } from "../core/uptime.ts";
import { boardOf } from "../objects/env.ts";
import { openDatabase } from "../store/database.ts";
import type { Database, StoreResult } from "../store/database.ts";
import type { EventCursor, StoredEvent } from "../store/events.ts";
import { EVENTS_MAX, recentEvents } from "../store/events.ts";
import { statusChanges } from "../store/queries.ts";
import { seriesOf } from "../store/series.ts";
import { refuse } from "./answer.ts";
import { answerAs, Count, QuantileAnswer, Ratio, Timestamp } from "./described.ts";
import { RequestUptimeAnswer, TimeUptimeAnswer } from "./described-uptime.ts";
import { wholeNumber } from "./query.ts";
import type { AppContext, Route } from "./table.ts";

/** A sleeping database needs some hundred ms to wake; whoever waits here can ask again. */
const TIMEOUT_MS = 5 * SECOND;
const EVENTS_DEFAULT = 50;

export function historyDatabase(c: AppContext, timeoutMs = TIMEOUT_MS): Database {
  return openDatabase({ url: c.env.DATABASE_URL, fetchEndpoint: c.env.NEON_FETCH_ENDPOINT, timeoutMs });
}

/** History waits for Postgres; nothing else does. */
export function refuseUnavailable(
  c: AppContext,
  { code, message }: Extract<StoreResult<never>, { ok: false }>,
): Response {
  console.warn(JSON.stringify({ event: "history_failed", code, message }));
  return refuse(
    c,
    "unavailable",
    code === "unavailable"
      ? "Postgres cannot be reached, and history is kept there. Ask again in a few seconds; what is now is at /api/v1/services."
      : "Postgres refused to answer: its schema may be older than this version, or a right is missing. Run `npm run migrate`, then ask again.",
  );
}

const SeriesQuery = v.object({ range: v.optional(v.picklist(RANGES), "day") });

const SeriesAnswer = v.strictObject({
  component: v.strictObject({ id: v.string(), name: v.string() }),
  range: v.picklist(RANGES),
  timeZone: v.string(),
  from: Timestamp,
  to: Timestamp,
  stepSeconds: Count,
  uptime: v.strictObject({ time: TimeUptimeAnswer, requests: RequestUptimeAnswer }),
  points: v.array(
    v.strictObject({
      from: Timestamp,
      to: Timestamp,
      gap: v.pipe(v.boolean(), v.description("An agent declared that it lost facts of this time")),
      requests: v.nullable(Count),
      errors: v.nullable(Count),
      coverage: v.pipe(Ratio, v.description("Share of the services' time that was seen")),
      p50: QuantileAnswer,
      p95: QuantileAnswer,
      p99: QuantileAnswer,
    }),
  ),
});

async function series(c: AppContext): Promise<Response> {
  const query = v.safeParse(SeriesQuery, c.req.query());
  if (!query.success)
    return refuse(c, "request_malformed", `Ask for ?range= with one of ${RANGES.join(", ")}; without it, day.`);
  const { components, page } = await boardOf(c.env).operatorView([]);
  const component = components.find(({ id }) => id === c.req.param("id"));
  if (component === undefined)
    return refuse(c, "not_found", "There is no such component. Ids are in /api/v2/summary.json.");
  const { timeZone } = page;
  // A Board of the release before, while a deploy goes out, knows of no corrections.
  const corrections = boardOf(c.env)
    .uptimeOf(component.id)
    .then((view) => view?.amendments ?? [])
    .catch(() => []);
  const now = Date.now();
  const { range } = query.output;
  const found = await seriesOf(historyDatabase(c), { services: component.services, range, now, timeZone });
  if (!found.ok) return refuseUnavailable(c, found);
  const { plan, points } = found.value;
  const to = Math.min(plan.to, now);
  const changes = await statusChanges(historyDatabase(c), { component: component.id, from: plan.from, to });
  if (!changes.ok) return refuseUnavailable(c, changes);
  const spans = asCorrected(spansOf(changes.value, to), await corrections);
  return answerAs(c, SeriesAnswer, {
    component: { id: component.id, name: component.name },
    range,
    timeZone,
    from: rfc3339(plan.from, timeZone),
    to: rfc3339(to, timeZone),
    stepSeconds: plan.stepMs / SECOND,
    uptime: { time: timeUptime(spans, { from: plan.from, to }), requests: requestUptime(points) },
    points: points.map((point) => pointBody(point, timeZone)),
  });
}

/** Counts and latencies stand beside each other; where nothing was seen each of them is null. Latencies are in ms. */
function pointBody({ from, to, gap, seen }: SeriesPoint, timeZone: string) {
  const nothing = { requests: null, errors: null, coverage: 0, p50: null, p95: null, p99: null };
  return { from: rfc3339(from, timeZone), to: rfc3339(to, timeZone), gap, ...(seen ?? nothing) };
}

const KINDS = [...EVENT_KINDS, ...ALERT_KINDS, "gap"] as const;

const EventsQuery = v.object({
  kind: v.optional(
    v.pipe(
      v.string(),
      v.transform((text) => text.split(",")),
      v.array(v.picklist(KINDS, `must be one or more of ${KINDS.join(", ")}, with commas between them`)),
    ),
  ),
  cluster: v.optional(ClusterName),
  before: v.optional(
    v.pipe(
      v.string(),
      v.transform(cursorOf),
      v.check((cursor) => cursor !== null, "must be `next` of the page before, or a moment as 2026-11-23T01:02:00Z"),
      v.transform((cursor) => cursor ?? undefined),
    ),
  ),
  limit: wholeNumber(1, EVENTS_MAX, EVENTS_DEFAULT),
});

const EventsAnswer = v.strictObject({
  events: v.array(
    v.strictObject({
      cluster: v.string(),
      id: v.string(),
      kind: v.picklist(KINDS),
      subject: v.pipe(v.nullable(v.string()), v.description("null for a gap")),
      at: Timestamp,
      body: v.record(v.string(), v.unknown()),
    }),
  ),
  next: v.pipe(v.nullable(v.string()), v.description("`before` of the next page; null with the last")),
});

async function events(c: AppContext): Promise<Response> {
  const query = v.safeParse(EventsQuery, c.req.query());
  if (!query.success) {
    const [issue] = query.issues;
    return refuse(c, "request_malformed", `${v.getDotPath(issue)?.split(".")[0]}: ${issue.message}.`);
  }
  const { kind: kinds, cluster, before, limit } = query.output;
  const found = await recentEvents(historyDatabase(c), { kinds, cluster, before, limit });
  if (!found.ok) return refuseUnavailable(c, found);
  const last = found.value.at(-1);
  const next = last === undefined || found.value.length < limit ? null : cursorText(last);
  // Written from records whose kinds were checked.
  const events = found.value.map((event) => ({
    ...event,
    kind: event.kind as (typeof KINDS)[number],
    at: rfc3339(event.at, "Etc/UTC"),
  }));
  return answerAs(c, EventsAnswer, { events, next });
}

/** `1795392000000~eu-1~0123…`: the moment, the cluster and the id of a page's last event. */
export function cursorText({ at, cluster, id }: StoredEvent): string {
  return `${at}~${cluster}~${id}`;
}

/** A cursor, or a moment, which is before all events of itself. Null if it is neither. */
export function cursorOf(text: string): EventCursor | null {
  const [, at, cluster, id] = /^(\d{1,14})~([a-z0-9-]{1,63})~([0-9a-f]{1,64})$/.exec(text) ?? [];
  if (at !== undefined && cluster !== undefined && id !== undefined) return { at: Number(at), cluster, id };
  const moment: Millis = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(moment) ? null : { at: moment, cluster: "", id: "" };
}

export const historyRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/components/:id/series",
    policy: "read",
    scope: "history",
    api: { summary: "A component's numbers over time", query: SeriesQuery, answer: SeriesAnswer },
    handle: series,
  },
  {
    method: "GET",
    path: "/api/v1/events",
    policy: "read",
    scope: "history",
    api: { summary: "What happened, newest first", query: EventsQuery, answer: EventsAnswer },
    handle: events,
  },
];
