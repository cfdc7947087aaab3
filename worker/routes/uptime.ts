/** Uptime for operators: a component's figures with what they are made of, the chain of frozen days, and corrections. */
import * as v from "valibot";
import type { ChainEntry } from "../../protocol/chain.ts";
import { line } from "../../protocol/name.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { rfc3339 } from "../core/calendar.ts";
import type { AmendRefusal } from "../core/freeze.ts";
import { tallyUptime } from "../core/uptime.ts";
import { uptimeReport } from "../core/uptime-report.ts";
import { boardOf } from "../objects/env.ts";
import { seriesOf } from "../store/series.ts";
import { CHAIN_PAGE_ROWS, chainAfter } from "../store/uptime.ts";
import { refuse } from "./answer.ts";
import { withJson } from "./cli.ts";
import { answerAs } from "./described.ts";
import { UptimeAnswer } from "./described-uptime.ts";
import { historyDatabase, refuseUnavailable } from "./history.ts";
import { MomentRequest } from "./moment.ts";
import type { AppContext, Route } from "./table.ts";

const BODY_MAX = 16_384;

/** As the page prints it. */
const UPTIME_RULE =
  "Time in major outage counts in full, partial outage 0.3, degraded performance not at all. Maintenance and time without reports are left out, and shown. Floored, never rounded up. Past days are frozen; a correction shows what stood there before.";

async function uptime(c: AppContext): Promise<Response> {
  const view = await boardOf(c.env).uptimeOf(c.req.param("id") ?? "");
  if (view === null) return refuse(c, "not_found", "There is no such component. Ids are in /api/v2/summary.json.");
  const { component, timeZone, days, frozenDay, head, amendments, slo } = view;
  const now = Date.now();
  const asked = { services: component.services, range: "quarter", now, timeZone } as const;
  const found = await seriesOf(historyDatabase(c), asked);
  // Time comes from the Board, and is there while Postgres is not.
  const points = found.ok ? found.value.points : null;
  return answerAs(c, UptimeAnswer, {
    component: { id: component.id, name: component.name },
    timeZone,
    rule: UPTIME_RULE,
    ...uptimeReport(days, points, frozenDay, { now, timeZone }),
    slo,
    frozen: frozenDay === null ? null : { day: frozenDay, n: head.n, hash: head.hash },
    amendments: amendments.flatMap((entry) => amendmentBody(entry, timeZone)),
  });
}

function amendmentBody({ n, day, at, tallies, correction }: ChainEntry, timeZone: string) {
  if (correction === null) return [];
  const { from, to, status, reason, by } = correction;
  return {
    n,
    day,
    at: rfc3339(at, timeZone),
    from: rfc3339(from, timeZone),
    to: rfc3339(to, timeZone),
    status,
    reason,
    by,
    time: tallyUptime(Object.values(tallies)),
  };
}

/** A page of the chain as Postgres holds it, and how far this page's own memory says that it goes. */
async function chain(c: AppContext): Promise<Response> {
  const after = v.safeParse(After, c.req.query("after"));
  if (!after.success)
    return refuse(c, "request_malformed", "after: must be the number of an entry, 0 for the first page.");
  // Before Postgres is read: what arrives there meanwhile is not missed.
  const { head, waiting } = await boardOf(c.env).uptimeHead();
  const found = await chainAfter(historyDatabase(c), after.output);
  if (!found.ok) return refuseUnavailable(c, found);
  const next = found.value.length < CHAIN_PAGE_ROWS ? null : (found.value.at(-1)?.n ?? null);
  return c.json({ entries: found.value, next, head, waiting }, 200, { "cache-control": "no-store" });
}

const After = v.pipe(v.optional(v.string(), "0"), v.regex(/^\d{1,15}$/), v.transform(Number));

const Amendment = v.pipe(
  v.strictObject({
    component: v.pipe(v.string(), v.regex(/^[0-9a-z]{12}$/, "must be a component's id")),
    from: MomentRequest,
    to: MomentRequest,
    status: v.picklist(COMPONENT_STATUSES, `must be one of ${COMPONENT_STATUSES.join(", ")}`),
    reason: v.pipe(line(500), v.trim(), v.nonEmpty("must not be empty")),
  }),
  v.check(({ from, to }) => from < to, "`from` must be before `to`"),
);

/** What each refusal means, and what to do. */
export const AMEND_REFUSALS: Readonly<Record<AmendRefusal, string>> = {
  unknown_component: "There is no such component. Ids are in /api/v2/summary.json.",
  not_frozen:
    "Only past days that the page shows and that this component was on can be corrected. A day freezes a quarter of an hour after it ends.",
  unchanged: "That is what is written down already.",
  too_many: "There are 500 corrections of the days that the page shows: no more are taken.",
};

const amend = withJson(Amendment, async (c, correction, by) => {
  const amended = await boardOf(c.env).amendUptime({ ...correction, by });
  if (amended.ok) return c.json({ entries: amended.value }, 201);
  const code = amended.failure === "unknown_component" ? "not_found" : "conflict";
  return refuse(c, code, AMEND_REFUSALS[amended.failure]);
});

export const uptimeRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/components/:id/uptime",
    policy: "read",
    scope: "history",
    api: {
      summary: "A component's uptime by day, month and over 30 and 90 days, its target and its corrections",
      answer: UptimeAnswer,
    },
    handle: uptime,
  },
  { method: "GET", path: "/cli/v1/uptime/chain", policy: "cli", handle: chain },
  { method: "POST", path: "/cli/v1/uptime/amendments", policy: "cli", bodyMaxBytes: BODY_MAX, handle: amend },
];
