/** `/admin/drafts/:id`: what the system saw, what it would say, and one button that says it. */
import type { Values } from "../../../protocol/charts.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { Chart } from "../chart.ts";
import { plot, valueText } from "../chart.ts";
import { length, moment, statusWord } from "../english.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { shape } from "../shape.ts";
import type { Locale } from "../words/locale.ts";
import { localeOf } from "../words/locale.ts";
import { adminDocument } from "./document.ts";
import type { DraftPageModel } from "./draft-model.ts";
import { lasting } from "./drafts.ts";
import { age, faultOf, invalid, marked, segment } from "./elements.ts";
import { incidentForm } from "./incident-form.ts";
import type { AdminFrame } from "./model.ts";
import { clusterLink } from "./parts.ts";

/** Why a draft was none, most of the time. */
const REASONS = ["Visitors notice nothing of it", "Planned work", "A false alarm", "Another incident speaks of it"];

export function renderDraft(model: DraftPageModel, frame: AdminFrame): string {
  const { draft, form, decided } = model;
  return adminDocument(
    frame,
    "/admin/incidents",
    draft.title,
    markup`${decided === null ? standing(model, frame) : decision(decided, frame)}
${cause(model, frame)}
${charts(model, frame)}
${form !== null && markup`<h2 id="post">What visitors would read</h2>${incidentForm(form, { action: "/admin/incidents", isNew: true, button: "Post this incident", cancel: "/admin" })}`}
${decided === null && dismissal(model)}`,
  );
}

function standing({ draft, affected }: DraftPageModel, frame: AdminFrame): Html {
  const { endedAt, cluster, startedAt } = draft;
  const where = cluster === "" ? "Since " : markup`In ${clusterLink(cluster)}, since `;
  const changed = affected.filter(({ now, status }) => now !== status);
  return markup`<p class="lead">${marked(endedAt === null ? "partial_outage" : "operational", markup`${where}${age(startedAt, frame)}`)}</p>
<p>A draft: visitors see nothing of it until you post it. ${lasting(draft, frame)}</p>
<ul class="turns">${affected.map(({ name, status }) => markup`<li>${shape(status)} ${name}: ${statusWord(status)}</li>`)}</ul>
${changed.length > 0 && markup`<p class="soft">By now: ${changed.map(({ name, now }, i) => markup`${i > 0 && ", "}${name} ${statusWord(now).toLowerCase()}`)}.</p>`}`;
}

function decision(decided: NonNullable<DraftPageModel["decided"]>, frame: AdminFrame): Html {
  const { act, incident, by, at, reason } = decided;
  if (act === "published")
    return markup`<p class="lead">${marked("operational", markup`Posted by ${by}, ${age(at, frame)}`)}</p>
<p class="actions">${incident !== null && markup`<a class="primary" href="/admin/incidents/${segment(incident)}">Go to the incident</a>`}</p>`;
  return markup`<p class="lead">${marked("unknown", markup`Dismissed by ${by}, ${age(at, frame)}`)}</p>
<p>${reason === null ? "Nobody said why." : markup`Because: ${reason}`}</p>`;
}

// ── evidence ────────────────────────────────────────────────────────────────────────────────────────────────────────

function cause({ draft, findings, alerts }: DraftPageModel, frame: AdminFrame): Html {
  const items = findings.map(
    ({ cluster, causes, symptoms, evidence }) =>
      markup`<li><b>${causes.join(", ")}</b> ${symptoms.length > 0 ? "is the likely cause" : "is in trouble by itself"}. ${evidence}${symptoms.length > 0 && markup` <span class="soft">In trouble by it: ${symptoms.join(", ")}.</span>`} <a href="/admin/topology?cluster=${segment(cluster)}">Who calls whom in ${cluster}</a></li>`,
  );
  const fired = alerts.map(
    ({ name, summary: words, startedAt, endedAt }) =>
      markup`<li>${shape(endedAt === null ? "partial_outage" : "operational")} <b>${name}</b>${words !== null && `: ${words}`} <span class="soft">${age(startedAt, frame)}${endedAt !== null && `, over after ${length(endedAt - startedAt)}`}</span></li>`,
  );
  return markup`<h2>Where it likely comes from</h2><p>${draft.cause === "" ? "Nothing says so." : draft.cause}</p>
${items.length > 0 && markup`<p class="soft">What calls say now:</p><ul>${items}</ul>`}${fired.length > 0 && markup`<ul>${fired}</ul>`}`;
}

function charts({ charts: list, draft }: DraftPageModel, frame: AdminFrame): Html {
  const { now, timeZone } = frame;
  const head = markup`<h2>Around the first bad minute</h2>`;
  if (list === null)
    return markup`${head}<p class="empty">Postgres cannot be reached, and the numbers are there. The draft can be posted without them.</p>`;
  const shown = list.filter(({ values }) => values.perSecond.some((value) => value !== null));
  if (shown.length === 0)
    return markup`${head}<p class="empty">The archive has no numbers of that time yet. New minutes come within half a minute.</p>`;
  const figures = shown.flatMap(({ name, values, limits }) => {
    const { from, stepMs, p95, lo, hi, errorRatio } = values;
    const to = from + errorRatio.length * stepMs;
    const shades = [{ kind: "incident" as const, from: draft.startedAt, to: Math.min(draft.endedAt ?? now, to) }];
    const common = { from, stepMs, shades };
    return [
      figure(
        {
          ...common,
          name: `${name}: failing requests`,
          unit: "%",
          lines: [{ name: "", values: errorRatio }],
          limit: limits.errorRatio,
        },
        frame,
      ),
      figure(
        {
          ...common,
          name: `${name}: response time, p95`,
          unit: "ms",
          lines: [{ name: "", values: p95 }],
          band: { lo, hi },
          limit: limits.p95Ms,
        },
        frame,
      ),
    ];
  });
  return markup`${head}<div class="charts">${figures}</div><p class="soft">Shaded from the first bad minute on, ${moment(draft.startedAt, now, timeZone)}.</p>`;
}

/** Nothing where nothing of it was seen: a mesh may tell no latencies. */
function figure(chart: Chart, { now, timeZone }: AdminFrame): Html | null {
  const [values = []] = chart.lines.map((line) => line.values);
  if (values.every((value) => value === null)) return null;
  const locale = localeOf("en", timeZone);
  const said = saidOf(chart, values, now, locale);
  const end = chart.from + values.length * chart.stepMs;
  return markup`<figure><h3>${chart.name}</h3>${plot(chart, `${chart.name}: ${said}`, locale)}<figcaption>${moment(chart.from, now, timeZone)} to ${moment(end, now, timeZone)}: ${said}</figcaption></figure>`;
}

/** What was worst and when, and how long nothing was seen: the picture ends in the past, so it says nothing of now. */
function saidOf({ from, stepMs, unit }: Chart, values: Values, now: Millis, locale: Locale): string {
  const highest = Math.max(...values.map((value) => value ?? 0));
  const at = moment(from + values.indexOf(highest) * stepMs, now, locale.timeZone);
  const gaps = values.filter((value) => value === null).length;
  return `highest ${valueText(highest, unit, locale)} at ${at}${gaps > 0 ? `; no data for ${length(gaps * stepMs)}` : ""}`;
}

// ── dismissal ───────────────────────────────────────────────────────────────────────────────────────────────────────

function dismissal({ draft, dismissal: { reason, faults } }: DraftPageModel): Html {
  const options = REASONS.map((one) => markup`<option value="${one}">`);
  return markup`<details class="more" id="dismiss"${faults.length > 0 && trusted(" open")}><summary>It is no incident</summary><form class="sheet" method="post" action="/admin/drafts/${segment(draft.id)}/dismiss">
<div class="field"><label for="reason">Why not</label><input id="reason" name="reason" required maxlength="500" list="reasons" autocomplete="off" value="${reason}"${invalid(faults, "reason", "fault-reason", "hint-reason")}><datalist id="reasons">${options}</datalist><small id="hint-reason">For operators, in the audit. This trouble makes no other draft.</small>${faultOf(faults, "reason", "fault-reason")}</div>
<p><button class="secondary">Dismiss this draft</button></p></form></details>`;
}
