/** The page of a component's uptime, and the form that corrects frozen days. */
import * as v from "valibot";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { line } from "../../protocol/name.ts";
import { SECOND } from "../../protocol/time.ts";
import type { Fault, SloModel } from "../../web/view/admin/model.ts";
import type { AmendmentModel, UptimeFigureModel, UptimePageModel } from "../../web/view/admin/uptime-model.ts";
import { renderUptime } from "../../web/view/admin/uptime.ts";
import { tallyUptime } from "../core/uptime.ts";
import type { UptimeReport } from "../core/uptime-report.ts";
import { uptimeReport } from "../core/uptime-report.ts";
import type { UptimeView } from "../objects/board-uptime.ts";
import { boardOf } from "../objects/env.ts";
import { openDatabase } from "../store/database.ts";
import { seriesOf } from "../store/series.ts";
import { adminPage, FORM_MAX, formMoment, formOf } from "./admin-page.ts";
import { frameOf } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";
import { AMEND_REFUSALS } from "./uptime.ts";

/** The page does not wait longer for a part that it can do without. */
const TIMEOUT_MS = 3 * SECOND;

const EMPTY: UptimePageModel["form"] = { values: {}, faults: [] };

async function uptimePage(c: AppContext, form: UptimePageModel["form"], status: 200 | 400 | 409): Promise<Response> {
  const board = boardOf(c.env);
  const [view, page] = await Promise.all([board.uptimeOf(c.req.param("id") ?? ""), board.operatorView([])]);
  if (view === null) return refuse(c, "not_found", "There is no such component any more.");
  const now = Date.now();
  const { component, timeZone, days, frozenDay, head } = view;
  const database = openDatabase({
    url: c.env.DATABASE_URL,
    fetchEndpoint: c.env.NEON_FETCH_ENDPOINT,
    timeoutMs: TIMEOUT_MS,
  });
  const found = await seriesOf(database, { services: component.services, range: "quarter", now, timeZone });
  const report = uptimeReport(days, found.ok ? found.value.points : null, frozenDay, { now, timeZone });
  const model: UptimePageModel = {
    id: component.id,
    name: component.name,
    figures: figuresOf(report),
    slo: sloModel(view),
    frozen: frozenDay === null ? null : { day: frozenDay, n: head.n, hash: head.hash },
    amendments: amendmentModels(view),
    form,
  };
  return adminPage(c, renderUptime(model, frameOf(page, now)), status);
}

export function sloModel({ component, slo }: UptimeView): SloModel | null {
  return slo === null ? null : { ...slo, isPublic: component.slo?.isPublic ?? false };
}

/** Today, 30 and 90 days, and the months, newest first. */
function figuresOf({ days, last30Days, last90Days, months }: UptimeReport): readonly UptimeFigureModel[] {
  const today = days.at(-1);
  return [
    ...(today === undefined ? [] : [{ ...today, label: "today", from: today.day, to: today.day }]),
    ...(last30Days === null ? [] : [{ ...last30Days, label: "30 days" }]),
    ...(last90Days === null ? [] : [{ ...last90Days, label: "90 days" }]),
    ...months.toReversed().map((month) => ({ ...month, label: month.month })),
  ];
}

function amendmentModels({ days, amendments }: UptimeView): readonly AmendmentModel[] {
  return amendments.toReversed().flatMap(({ n, day, at, tallies, correction }) => {
    const was = days.find((tally) => tally.day === day)?.was;
    if (correction === null) return [];
    const { from, to, status, reason, by } = correction;
    const ratio = tallyUptime(Object.values(tallies)).ratio;
    return {
      n,
      day,
      at,
      from,
      to,
      status,
      reason,
      by,
      ratio,
      was: was === undefined ? null : tallyUptime([was]).ratio,
    };
  });
}

const AmendmentForm = v.object({
  from: formMoment,
  to: formMoment,
  status: v.picklist(COMPONENT_STATUSES, "Choose what it really was."),
  reason: v.pipe(line(500), v.trim(), v.nonEmpty("Say why.")),
});

async function amend(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const values: UptimePageModel["form"]["values"] = Object.fromEntries(formOf(body));
  const refused = (faults: readonly Fault[], status: 400 | 409): Promise<Response> =>
    uptimePage(c, { values, faults }, status);
  const parsed = v.safeParse(AmendmentForm, values);
  if (!parsed.success)
    return refused(
      parsed.issues.map((issue) => ({ field: v.getDotPath(issue), message: issue.message })),
      400,
    );
  const { from, to } = parsed.output;
  if (from >= to) return refused([{ field: "to", message: "Give a moment after the first." }], 400);
  const component = c.req.param("id") ?? "";
  const amended = await boardOf(c.env).amendUptime({ ...parsed.output, component, by: visitor.by ?? "unknown" });
  if (amended.ok) return c.redirect(`/admin/components/${component}/uptime`, 303);
  return refused([{ field: null, message: AMEND_REFUSALS[amended.failure] }], 409);
}

export const adminUptimeRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/admin/components/:id/uptime",
    policy: "admin",
    role: "viewer",
    handle: (c) => uptimePage(c, EMPTY, 200),
  },
  {
    method: "POST",
    path: "/admin/components/:id/uptime",
    policy: "admin",
    role: "owner",
    stepUp: true,
    bodyMaxBytes: FORM_MAX,
    handle: amend,
  },
];
