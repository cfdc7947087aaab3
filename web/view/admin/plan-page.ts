/** One maintenance: where it stands, what is to be done next, and what everybody was and will be told. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { shape } from "../shape.ts";
import { adminDocument } from "./document.ts";
import { button, faultOf, invalid, marked, segment, table } from "./elements.ts";
import type { AdminFrame } from "./model.ts";
import { clusterLink, standingMark } from "./parts.ts";
import type { MaintenanceModel } from "./model.ts";
import type { ChecklistModel, CheckModel, ImpactModel, NoticeModel, PlanPageModel } from "./plan-model.ts";
import { phaseMark } from "./plans.ts";
import { length, moment, span } from "../english.ts";

export function renderPlanPage(model: PlanPageModel, frame: AdminFrame): string {
  const { name, isSteered, phase } = model;
  return adminDocument(
    frame,
    "/admin/maintenance",
    name,
    markup`<p id="m-state"${(phase === "in_progress" || phase === "verifying") && trusted(' data-poll="10"')}>${phaseMark(model)}</p>
${bar(model, frame)}
${next(model, frame)}
${model.checks !== null && markup`<h2>Checks</h2>${checks(model.checks)}`}
${facts(model, frame)}
${model.targets.length > 0 && markup`<h2>Clusters</h2>${targets(model, frame)}`}
${isSteered && markup`<h2>Checklist</h2>${checklist(model, frame)}`}
<h2>Notices</h2>
${notices(model.notices, frame)}
${model.impact !== null && markup`<h2>Measured impact</h2>${impact(model.impact)}`}
${model.phase === "scheduled" && change(model)}
${model.phase === "in_progress" && isSteered && extend(model)}`,
  );
}

/** The way of it: done, now, to come. */
function bar({ phase, startsAt, verifyingAt, endedAt, createdAt }: PlanPageModel, { now, timeZone }: AdminFrame): Html {
  if (phase === "cancelled") return markup``;
  const order = ["scheduled", "in_progress", "verifying", "completed"] as const;
  const steps: readonly (readonly [string, number | null])[] = [
    ["Announced", createdAt],
    ["In progress", startsAt],
    ["Verifying", verifyingAt],
    ["Completed", endedAt],
  ];
  const reached = order.indexOf(phase);
  return markup`<ol class="phases">${steps.map(([word, at], i) => markup`<li class="${i < reached || phase === "completed" ? "done" : i === reached ? "now" : "open"}"${i === reached && trusted(' aria-current="step"')}><b>${word}</b><span class="at">${at === null ? "" : moment(at, now, timeZone)}</span></li>`)}</ol>`;
}

/** What a person can do now; one thing first. */
function next(
  { id, phase, isSteered, allClearAt, checks: list, closing, later }: PlanPageModel,
  { now, timeZone }: AdminFrame,
): Html {
  const at = `/admin/maintenance/${segment(id)}`;
  if (!isSteered || phase === "completed" || phase === "cancelled" || phase === "scheduled") return markup``;
  if (phase === "in_progress")
    return markup`<section class="needs"><h2>When the work is done</h2><p>Traffic is restored, and the systems are watched for 30 minutes.</p>${button(`${at}/verify`, "Work is done, verify", {}, "primary")}<h2>When it takes longer</h2><div class="actions">${later.map(({ word, end }) => button(`${at}/move`, word, { end }, "secondary"))}</div></section>`;
  const isClear = allClearAt !== null && now >= allClearAt;
  const said = isClear
    ? marked("operational", "The checks have been good for 30 minutes.")
    : allClearAt !== null
      ? marked(
          "unknown",
          `The checks are good. All clear at ${moment(allClearAt, now, timeZone)} if they stay so, in ${length(allClearAt - now)}.`,
        )
      : marked(
          "degraded_performance",
          (list ?? []).some(({ verdict }) => verdict === "bad")
            ? "Checks fail."
            : "Not all checks can be seen to be good.",
        );
  const who =
    closing === "checks" && !isClear && markup`<p class="soft">The checks give the all-clear by themselves.</p>`;
  return markup`<section class="needs"><h2>All-clear</h2><p>${said}</p>${who}${button(`${at}/complete`, isClear ? "Give the all-clear" : "Complete anyway", {}, isClear ? "primary" : "secondary")}</section>`;
}

const CHECKS: Readonly<Record<CheckModel["verdict"], readonly [string, ComponentStatus]>> = {
  good: ["good", "operational"],
  bad: ["bad", "major_outage"],
  unknown: ["not known", "unknown"],
  none: ["not measured", "unknown"],
};
const CHECK_NAMES: Readonly<Record<string, string>> = {
  overview: "Overview",
  errors: "Error ratio",
  p95: "p95",
  pods: "Pods",
  anomalies: "Anomalies",
};

function checks(list: readonly CheckModel[]): Html {
  return table({
    caption: "Checks",
    head: ["Check", "State", "Measured", "Wanted"],
    rows: list.map(({ name, verdict, reason, bound }) => {
      const [word, status] = CHECKS[verdict];
      return [CHECK_NAMES[name] ?? name, marked(status, word), reason, bound];
    }),
    empty: "Nothing is checked.",
  });
}

function facts(model: PlanPageModel, { now, timeZone }: AdminFrame): Html {
  const rows: readonly (readonly [string, Html | string])[] = [
    ["Time", span(model.startsAt, model.endsAt, now, timeZone)],
    ["On the page", model.components.length === 0 ? "no component" : model.components.join(", ")],
    ...(model.emergency
      ? ([["Notice", "emergency: later than the policy asks for, and visitors read so"]] as const)
      : []),
    ...(model.reason === null || model.reason === "" ? [] : ([["Reason", model.reason]] as const)),
    ["Planned by", model.by],
    ...(model.series === null
      ? []
      : ([
          ["Series", markup`<a href="/admin/maintenance/series/${segment(model.series)}">one of a series</a>`],
        ] as const)),
    ["Public page", markup`<a href="/maintenance/${segment(model.id)}">what visitors read</a>`],
  ];
  return markup`<dl>${rows.map(([term, fact]) => markup`<div><dt>${term}</dt><dd>${fact}</dd></div>`)}</dl>`;
}

/** What a cluster said of the end: another one than it is asked for until it has taken that in. */
function confirmed(
  { confirmedUntil, endsAt, endedAt, restoredAt }: MaintenanceModel,
  { now, timeZone }: AdminFrame,
): Html | null {
  if (confirmedUntil === null || endedAt !== null || restoredAt !== null) return null;
  const asked = confirmedUntil !== endsAt && `, asked until ${moment(endsAt, now, timeZone)}`;
  return markup`<br><small>confirmed until ${moment(confirmedUntil, now, timeZone)}${asked}</small>`;
}

function targets({ targets: list, confirmed: all, phase }: PlanPageModel, frame: AdminFrame): Html {
  const count = `${all.confirmed} of ${all.of} ${all.of === 1 ? "cluster" : "clusters"} confirmed.`;
  return markup`${phase !== "scheduled" && markup`<p>${count} Visitors read the count, without names.</p>`}${table({
    caption: "Clusters",
    head: ["Deployment", "Cluster", "Change", "Answer"],
    rows: list.map(({ cluster, service, wish, lease }) => [
      lease === null ? service : markup`<a href="/admin/maintenance/${segment(lease.id)}">${service}</a>`,
      clusterLink(cluster),
      wish,
      lease === null
        ? "asked when it starts"
        : markup`${standingMark(lease, frame)}${confirmed(lease, frame)}${lease.result !== null && markup`<br><small>${lease.result.reason}</small>`}`,
    ]),
    empty: "None.",
  })}`;
}

const CHECKLIST_PHASES = [
  ["before", "Before, on Friday"],
  ["during", "During"],
  ["after", "After"],
] as const;

function checklist({ id, checklist: list, phase: now }: PlanPageModel, frame: AdminFrame): Html {
  const isOver = now === "completed" || now === "cancelled";
  return markup`<div class="lists">${CHECKLIST_PHASES.map(
    ([phase, word]) =>
      markup`<section><h3>${word}</h3><ul class="ticks">${list.filter((one) => one.phase === phase).map((one) => item(id, one, isOver, frame))}</ul></section>`,
  )}</div>`;
}

function item(
  id: string,
  { id: name, text, tick }: ChecklistModel,
  isOver: boolean,
  { now, timeZone }: AdminFrame,
): Html {
  const said = markup`<span>${text}${tick !== null && markup`<br><small>${tick.by}, ${moment(tick.at, now, timeZone)}</small>`}</span>`;
  if (isOver) return markup`<li>${shape(tick === null ? "unknown" : "operational")} ${said}</li>`;
  return markup`<li><form method="post" action="/admin/maintenance/${segment(id)}/tick"><input type="hidden" name="item" value="${name}"><input type="hidden" name="done" value="${tick === null ? "yes" : "no"}"><button class="tick" aria-pressed="${tick === null ? "false" : "true"}">${shape(tick === null ? "unknown" : "operational")} ${said}</button></form></li>`;
}

const NOTICES: Readonly<Record<string, string>> = {
  announced: "Announced",
  moved: "Moved to another time",
  remind_7d: "Reminder, 7 days before",
  remind_24h: "Reminder, 24 hours before",
  remind_1h: "Reminder, 1 hour before",
  started: "Started",
  overdue: "Takes longer than planned",
  verifying: "Work done, verifying",
  completed: "Completed",
  cancelled: "Called off",
};

function notices(list: readonly NoticeModel[], { now, timeZone }: AdminFrame): Html {
  return table({
    caption: "Notices",
    head: ["Notice", "Due", "State"],
    rows: list.map(({ phase, dueAt, at, isSkipped }) => [
      NOTICES[phase] ?? phase,
      moment(dueAt, now, timeZone, true),
      at === null
        ? markup`<span class="soft">${phase === "overdue" ? "only if it does" : "to come"}</span>`
        : isSkipped
          ? markup`<span class="soft">skipped: its moment had passed, a newer one went out</span>`
          : marked("operational", `recorded ${moment(at, now, timeZone, true)}`),
    ]),
    empty: "No notices were kept when it was announced.",
  });
}

function impact({ requests, failed, p95Ms, usual, unknown }: ImpactModel): Html {
  if (unknown !== null) return markup`<p class="soft">Not known: ${unknown}.</p>`;
  const count = (value: number | null): string =>
    value === null ? "not known" : Math.round(value).toLocaleString("en-GB");
  const between = ([least, most]: readonly [number, number]): string =>
    `${Math.round(least)} to ${Math.round(most)} ms`;
  const ms = (value: number | null): string => (value === null ? "not known" : `${Math.round(value)} ms`);
  return markup`${table({
    caption: "Measured impact",
    head: ["Measure", "During", "Usual at that time"],
    rows: [
      ["Requests", count(requests), usual === null ? "not known" : count(usual.requests)],
      ["Failed", count(failed), usual === null ? "not known" : count(usual.failed)],
      ["p95", ms(p95Ms), usual === null || usual.p95Ms === null ? "not known" : between(usual.p95Ms)],
    ],
    empty: "",
  })}<p class="soft">${usual === null ? "No history of the same time of the four weeks before." : `Usual: the same time of the last ${usual.weeks} ${usual.weeks === 1 ? "week" : "weeks"} that have history.`}</p>`;
}

/** More time while it is under way, or less: its leases follow. */
function extend({ id, targets: list, move: { values, faults } }: PlanPageModel): Html {
  const at = `/admin/maintenance/${segment(id)}/move`;
  const follows = list.length > 0 && " The clusters are asked to hold their deployments until then, and say so above.";
  return markup`<h2>Another end</h2><p class="soft">Visitors read the new time, and what is covered is covered until then.${follows}</p>
<form class="sheet" method="post" action="${at}">${faultOf(faults, null, "fault-form")}
<div class="field"><label for="end">Ends (UTC)</label><input id="end" name="end" type="datetime-local" required value="${values.end ?? ""}"${invalid(faults, "end", "fault-end")}>${faultOf(faults, "end", "fault-end")}</div>
<p class="actions"><button class="secondary">Change the end</button></p></form>`;
}

function change({ id, isSteered, noticeDays, move: { values, faults } }: PlanPageModel): Html {
  const at = `/admin/maintenance/${segment(id)}`;
  const mark = (name: "start" | "hours" | "emergency"): Html | null => invalid(faults, name, `fault-${name}`);
  return markup`${
    isSteered &&
    markup`<h2>Another time</h2>
<form class="sheet" method="post" action="${at}/move">${faultOf(faults, null, "fault-form")}
<div class="field"><label for="start">Starts (UTC)</label><input id="start" name="start" type="datetime-local" required value="${values.start ?? ""}"${mark("start")}>${faultOf(faults, "start", "fault-start")}</div>
<div class="field"><label for="hours">Hours</label><input id="hours" name="hours" inputmode="decimal" required value="${values.hours ?? ""}"${mark("hours")}>${faultOf(faults, "hours", "fault-hours")}</div>
<label class="choice"><input type="checkbox" name="emergency" value="yes"${values.emergency === "yes" && trusted(" checked")}${mark("emergency")}> <span><b>Emergency</b> <small>Told less than ${noticeDays} ${noticeDays === 1 ? "day" : "days"} before. Visitors read so.</small></span></label>${faultOf(faults, "emergency", "fault-emergency")}
<p class="actions"><button class="secondary">Move</button></p></form>`
  }
<h2>Call it off</h2><p class="soft">Whoever was told of it is told so, and calendars keep it as cancelled.</p>${button(`${at}/cancel`, "Call it off", {}, "quiet danger")}`;
}
