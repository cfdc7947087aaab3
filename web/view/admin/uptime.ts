/** A component's uptime for its operators: figures, what is left of a target, frozen days, and their corrections. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import { COMPONENT_STATUSES } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { adminDocument } from "./document.ts";
import { age, faultOf, invalid, marked, segment, table } from "./elements.ts";
import type { AdminFrame, SloModel } from "./model.ts";
import type { AmendmentField, AmendmentModel, UptimeFigureModel, UptimePageModel } from "./uptime-model.ts";
import { length, ratioText, span, statusWord, uptimeText } from "../english.ts";

export function renderUptime(model: UptimePageModel, frame: AdminFrame): string {
  const { id, name, slo } = model;
  return adminDocument(
    frame,
    "/admin/components",
    `Uptime of ${name}`,
    markup`<p class="soft"><a href="/admin/components/${segment(id)}">${name}</a>. Major outages count in full, partial ones 0.3, degraded time not at all; maintenance and time without reports are left out. Floored; days of ${frame.timeZone}.</p>
${slo !== null && markup`<section class="needs"><h2>Target</h2>${target(slo)}${burn(slo)}</section>`}
<h2>Figures</h2>
${figures(model.figures)}
<h2>Frozen days</h2>
${frozen(model)}
<h2>Corrections</h2>
${corrections(model.amendments, frame)}
${form(model)}`,
  );
}

const SLO_MARKS: Readonly<Record<SloModel["verdict"], ComponentStatus>> = {
  met: "operational",
  burning: "degraded_performance",
  missed: "major_outage",
  unknown: "unknown",
};

/** "99.9 % over 30 days: 58 % of the budget is left. 18 min of 43 min are lost." */
export function target(slo: SloModel): Html {
  const { target: wanted, verdict, reason, allowedMs, lostMs } = slo;
  return marked(
    SLO_MARKS[verdict],
    markup`<b>${percent(wanted)}</b> over 30 days: ${reason}. ${length(lostMs)} of ${length(allowedMs)} are lost.`,
  );
}

function burn({ burn: { hour, sixHours } }: SloModel): Html {
  const word = (rate: number | null): string => (rate === null ? "not known" : rate.toFixed(1));
  return markup`<p class="soft">Burn rate ${word(hour)} over 1 h, ${word(sixHours)} over 6 h: at 1 the budget lasts exactly 30 days.</p>`;
}

/** Not floored: a target is as somebody typed it. */
function percent(ratio: number): string {
  return `${Number((ratio * 100).toFixed(5))} %`;
}

function figures(list: readonly UptimeFigureModel[]): Html {
  const rows = list.map(({ label, from, to, time, requests }) => [
    markup`<span title="${from} to ${to}">${label}</span>`,
    markup`<b>${shown(time.ratio)}</b>`,
    lengthText(time.majorMs),
    lengthText(time.partialMs),
    lengthText(time.degradedMs),
    lengthText(time.maintenanceMs),
    lengthText(time.unknownMs),
    requests === null
      ? markup`<span class="soft">archive not reached</span>`
      : markup`<b>${shown(requests.ratio)}</b>${requests.errors > 0 && markup` <small>${ratioText(requests.errors / requests.requests)} failed</small>`}`,
  ]);
  return table({
    caption: "Uptime",
    head: ["Over", "By time", "Major outage", "Partial outage", "Degraded", "Maintenance", "No report", "By requests"],
    rows,
    empty: "Nothing was observed yet.",
  });
}

function shown(ratio: number | null): string {
  return ratio === null ? "no data" : uptimeText(ratio);
}

function lengthText(ms: number): string {
  return ms === 0 ? "–" : length(ms);
}

function frozen({ frozen: mark }: UptimePageModel): Html {
  if (mark === null)
    return markup`<p class="empty">None yet. A day freezes a quarter of an hour after it ends, and is never written again.</p>`;
  return markup`<p>Days up to ${mark.day} are frozen. Entry ${mark.n} of the chain stands for all of them: <code>${mark.hash}</code></p><p class="soft"><code>npm run -s uptime:verify</code> counts every hash anew; write one down to be able to prove later that nothing before it was changed.</p>`;
}

function corrections(list: readonly AmendmentModel[], frame: AdminFrame): Html {
  return table({
    caption: "Corrections",
    head: ["Day", "Was", "Is", "What it really was", "Why", "By", "Entry"],
    rows: list.map(({ n, day, at, from, to, status, reason, by, was, ratio }) => [
      day,
      shown(was),
      shown(ratio),
      markup`${marked(status, statusWord(status))}<br><small>${span(from, to, frame.now, frame.timeZone)}</small>`,
      reason,
      markup`${by}<br><small>${age(at, frame)}</small>`,
      String(n),
    ]),
    empty: "No day was corrected.",
  });
}

function form({ id, form: { values, faults }, frozen: mark }: UptimePageModel): Html | null {
  if (mark === null) return null;
  const options = COMPONENT_STATUSES.map(
    (status) =>
      markup`<option value="${status}"${status === (values.status ?? "operational") && trusted(" selected")}>${statusWord(status)}</option>`,
  );
  const field = (name: AmendmentField, label: string, control: Html, hint?: string): Html =>
    markup`<div class="field"><label for="${name}">${label}</label>${control}${hint !== undefined && markup`<small id="hint-${name}">${hint}</small>`}${faultOf(faults, name, `fault-${name}`)}</div>`;
  const time = (name: "from" | "to"): Html =>
    markup`<input id="${name}" name="${name}" type="datetime-local" required value="${values[name] ?? ""}"${invalid(faults, name, `fault-${name}`, name === "to" ? "hint-to" : null)}>`;
  return markup`<details${faults.length > 0 && trusted(" open")}><summary>Correct a past day</summary>
<form class="sheet" method="post" action="/admin/components/${segment(id)}/uptime">
<p>Nothing is overwritten: the day is shown as corrected, with what stood there before.</p>
${faultOf(faults, null, "fault-form")}
${field("from", "From (UTC)", time("from"))}
${field("to", "To (UTC)", time("to"), `At most to the end of ${mark.day}.`)}
${field("status", "It really was", markup`<select id="status" name="status"${invalid(faults, "status", "fault-status")}>${options}</select>`)}
${field("reason", "Why", markup`<input id="reason" name="reason" required maxlength="500" value="${values.reason ?? ""}"${invalid(faults, "reason", "fault-reason", "hint-reason")}>`, "For operators: visitors do not read it.")}
<p class="actions"><button class="primary">Correct</button></p></form></details>`;
}
