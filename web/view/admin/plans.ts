/** `/admin/maintenance`: what is under way, what comes, what recurs, and how well the policy was kept. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { adminDocument } from "./document.ts";
import { faultOf, invalid, marked, segment, table } from "./elements.ts";
import type { AdminFrame } from "./model.ts";
import type { NoticeShareModel, PlanPhase, PlanRowModel, PlansModel, SeriesRowModel } from "./plan-model.ts";
import { moment } from "../english.ts";

export function renderPlans(model: PlansModel, frame: AdminFrame): string {
  const { now, coming, past, series } = model;
  return adminDocument(
    frame,
    "/admin/maintenance",
    "Maintenance",
    markup`<p class="actions"><a class="primary" href="/admin/maintenance/plan">Plan maintenance</a> <a class="secondary" href="/admin/maintenance/new">Start now</a></p>
<p class="soft">In one click: ${ONE_CLICK.map(([schedule, words], i) => markup`${i > 0 && " · "}<a href="/admin/maintenance/plan?schedule=${schedule}">${words}</a>`)}</p>
${now.length > 0 && markup`<h2>Now</h2>${rows("Now", now, frame)}`}
<h2>To come</h2>
${rows("To come", coming, frame)}
<h2>Recurring</h2>
${recurring(series, frame)}
<h2>Notice</h2>
${policy(model)}
<h2>Past</h2>
${rows("Past", past, frame)}`,
  );
}

/** The runbook's schedules. */
export const ONE_CLICK = [
  ["upgrade", "upgrade, Saturday 02:00–04:00 UTC"],
  ["weekly", "database, every Sunday 03:00 UTC"],
  ["monthly", "database, first Sunday of the month 03:00 UTC"],
] as const;

const PHASES: Readonly<Record<PlanPhase, readonly [string, ComponentStatus]>> = {
  scheduled: ["scheduled", "under_maintenance"],
  in_progress: ["in progress", "under_maintenance"],
  verifying: ["verifying", "under_maintenance"],
  completed: ["completed", "operational"],
  cancelled: ["called off", "unknown"],
};

export function phaseMark({ phase, overdue }: Pick<PlanRowModel, "phase" | "overdue">): Html {
  const [word, status] = PHASES[phase];
  return overdue === null
    ? marked(status, word)
    : marked("degraded_performance", `${word}, overdue`, markup`<br><small>${overdue}</small>`);
}

function rows(caption: string, list: readonly PlanRowModel[], { now, timeZone }: AdminFrame): Html {
  return table({
    caption,
    head: ["Maintenance", "State", "From", "Until", "Touches"],
    rows: list.map((one) => [
      markup`<a href="/admin/maintenance/${segment(one.id)}">${one.name}</a>${one.emergency && markup` <small>emergency</small>`}${one.recurs && markup` <small>recurring</small>`}`,
      phaseMark(one),
      moment(one.startsAt, now, timeZone),
      moment(one.endsAt, now, timeZone),
      one.touches,
    ]),
    empty:
      caption === "Past"
        ? "Nothing yet."
        : markup`Nothing. <a href="/admin/maintenance/plan">Plan one</a>, and the system announces it, reminds, begins and watches.`,
  });
}

function recurring(list: readonly SeriesRowModel[], { now, timeZone }: AdminFrame): Html {
  return table({
    caption: "Recurring",
    head: ["Series", "Rule", "Next"],
    rows: list.map(({ id, name, rule, nextAt, endedAt }) => [
      markup`<a href="/admin/maintenance/series/${segment(id)}">${name}</a>`,
      markup`<code>${rule}</code>`,
      endedAt !== null
        ? `ended ${moment(endedAt, now, timeZone)}`
        : nextAt === null
          ? "–"
          : moment(nextAt, now, timeZone),
    ]),
    empty: "Nothing recurs.",
  });
}

function policy({ noticeDays, shares, policy: { values, faults } }: PlansModel): Html {
  return markup`<p>Planned maintenance is announced <b>${noticeDays} ${noticeDays === 1 ? "day" : "days"}</b> before it starts; less only as an emergency. ${shares.map(shareText).join(" ")} Visitors read this on the history page.</p>
<form class="filter" method="post" action="/admin/maintenance/policy"><label for="days">Days of notice</label> <input id="days" name="days" type="number" min="0" max="90" required value="${values.days ?? String(noticeDays)}"${invalid(faults, "days", "fault-days")}> <button class="quiet">Save</button>${faultOf(faults, "days", "fault-days")}</form>`;
}

function shareText({ days, met, of }: NoticeShareModel): string {
  return of === 0 ? `None began in the last ${days} days.` : `${met} of ${of} kept to it in the last ${days} days.`;
}
