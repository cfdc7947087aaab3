/** A cluster's detector of anomalies: what it looks at, from which score on it speaks, and what it would say at another. */
import type { DetectorCommand } from "../../../protocol/detector.ts";
import { THRESHOLD_MAX, THRESHOLD_MIN } from "../../../protocol/detector.ts";
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { length, moment } from "../english.ts";
import type { AnsweredModel, AskedModel, DetectorPageModel, DetectorState } from "./detector-model.ts";
import { adminDocument } from "./document.ts";
import { age, button, faultOf, invalid, marked, segment, table } from "./elements.ts";
import type { AdminFrame } from "./model.ts";
import { clusterTabs } from "./fleet-parts.ts";

const STATES: Readonly<Record<DetectorState, readonly [string, ComponentStatus]>> = {
  watching: ["watching", "operational"],
  learning: ["learning what is usual", "unknown"],
  blind: ["blind", "unknown"],
  off: ["off", "unknown"],
  silent: ["its agent is silent", "unknown"],
  unknown: ["its agent says nothing of anomalies", "unknown"],
};

export function detectorMark(state: DetectorState): Html {
  const [word, status] = STATES[state];
  return marked(status, word);
}

export function renderDetector(model: DetectorPageModel, frame: AdminFrame): string {
  const { cluster, state, detail, judgedTo } = model;
  const [word, status] = STATES[state];
  const facts: [string, Html | string][] = [
    ["State", marked(status, word, detail !== null && markup`<br><small>${detail}</small>`)],
    ["Judged up to", judgedTo === null ? "–" : age(judgedTo, frame)],
    ["Threshold in force", inForce(model, frame)],
    ["Baseline", baselineText(model, frame)],
  ];
  return adminDocument(
    frame,
    "/admin/clusters",
    `Anomalies of ${cluster}`,
    markup`${clusterTabs(cluster, "Anomalies")}<p class="soft">Anomalies are hints where to look. They change no status and tell no visitor.</p>
<dl>${facts.map(([term, fact]) => markup`<div><dt>${term}</dt><dd>${fact}</dd></div>`)}</dl>
${model.asked !== null && asked(model, model.asked, frame)}
<h2>Threshold</h2>
${thresholdForm(model)}
${answersOf(model, frame, ["preview"])}
<h2>Baseline</h2>
${baselineForms(model)}
${answersOf(model, frame, ["retrain", "roll_back"])}
<h2>Not usual</h2>
<p class="soft">Maintenance and incidents of the last seven days. The agent learns nothing from these times, and raises nothing in maintenance.</p>
${unusual(model, frame)}`,
  );
}

function inForce({ threshold, wished, isTaken }: DetectorPageModel, { now, timeZone }: AdminFrame): Html | string {
  if (threshold === null) return wished === null ? "–" : `not known; ${wished.threshold} was set here`;
  const whose = { agent: "the agent’s own", edge: "set here", limited: "limited by agent.yaml" }[threshold.setBy];
  const said = markup`${threshold.threshold}, ${whose}, since ${moment(threshold.since, now, timeZone)}`;
  return isTaken
    ? said
    : markup`${said}<br><small>${wished === null ? "The agent’s own" : wished.threshold} is on its way.</small>`;
}

function baselineText({ baseline, state }: DetectorPageModel, { now, timeZone }: AdminFrame): Html | string {
  if (baseline === null) return state === "learning" ? "none yet: the first takes a day of history" : "–";
  const { version, from, to, services, points, leftOut } = baseline;
  const out = leftOut === 0 ? "" : `, ${count(leftOut, "time")} left out`;
  return `${version}, learnt from ${moment(from, now, timeZone)} to ${moment(to, now, timeZone)}: ${count(services, "service")}, ${count(points, "point")}${out}`;
}

const QUESTIONS: Readonly<Record<DetectorCommand["kind"], string>> = {
  preview: "Preview of another threshold",
  retrain: "Learning anew",
  roll_back: "Rolling back",
};

function asked({ cluster }: DetectorPageModel, question: AskedModel, { now, timeZone }: AdminFrame): Html {
  const { kind, state, askedAt, expiresAt, by, says } = question;
  const again = markup` <a href="${pathOf(cluster)}">Look again</a>`;
  const words = {
    asked: `asked, the agent hears of it with its next push`,
    answering: `the agent is at it${says === null ? "" : `: ${says}`}`,
    silent: `asked, but the agent is silent; the question stands until ${moment(expiresAt, now, timeZone)}`,
    unanswered: "no answer came in time. Look whether the agent runs, and ask again",
  }[state];
  const mark = state === "unanswered" || state === "silent" ? "degraded_performance" : "under_maintenance";
  const head = `${QUESTIONS[kind]}, asked for by ${by} ${length(now - askedAt)} ago: ${words}.`;
  return markup`<p>${marked(mark, head, state === "unanswered" ? "" : again)}</p>`;
}

function pathOf(cluster: string): string {
  return `/admin/clusters/${segment(cluster)}/anomalies`;
}

function thresholdForm({ cluster, wished, threshold, form }: DetectorPageModel): Html {
  const value = form.values.threshold ?? String(wished?.threshold ?? threshold?.threshold ?? "");
  return markup`<form class="sheet" method="post" action="${pathOf(cluster)}">
${faultOf(form.faults, null, "fault-form")}
<div class="field"><label for="threshold">Raise from this score on, ${THRESHOLD_MIN} to ${THRESHOLD_MAX}</label><input id="threshold" name="threshold" type="number" inputmode="decimal" step="0.01" min="${THRESHOLD_MIN}" max="${THRESHOLD_MAX}" required value="${value}"${invalid(form.faults, "threshold", "fault-threshold", "hint-threshold")}><small id="hint-threshold">0.85 is what deviates as one in 525 points before it did; 0.90, as one in 759.</small>${faultOf(form.faults, "threshold", "fault-threshold")}</div>
<p class="actions"><button class="secondary" formaction="${pathOf(cluster)}/preview">Preview the last 7 days</button> <button class="primary">Set</button>${wished !== null && markup` <button class="quiet" formaction="${pathOf(cluster)}/own" formnovalidate>Leave it to agent.yaml</button>`}</p></form>`;
}

function baselineForms({ cluster, baseline }: DetectorPageModel): Html {
  return markup`<p class="soft">The agent learns from the last seven days once a day by itself. The new baseline takes the old one’s place when it is complete, and the old one is kept.</p>
<div class="actions">${button(`${pathOf(cluster)}/retrain`, "Learn anew now", {}, "secondary")}${baseline !== null && button(`${pathOf(cluster)}/roll-back`, "Put the former one back")}</div>`;
}

const ANSWERS: Readonly<Record<AnsweredModel["state"], readonly [string, ComponentStatus]>> = {
  running: ["under way", "under_maintenance"],
  done: ["done", "operational"],
  no_data: ["too little data", "unknown"],
  forbidden: ["not allowed", "degraded_performance"],
  expired: ["too late", "degraded_performance"],
  failed: ["failed", "major_outage"],
};

function answersOf(
  { answered }: DetectorPageModel,
  frame: AdminFrame,
  kinds: readonly DetectorCommand["kind"][],
): readonly Html[] {
  return answered
    .filter(({ kind }) => kinds.includes(kind))
    .toSorted((a, b) => b.at - a.at)
    .map((one) => answer(one, frame));
}

function answer(one: AnsweredModel, frame: AdminFrame): Html {
  const { kind, state, at, by, says, preview } = one;
  const [word, status] = ANSWERS[state];
  const said =
    preview === null
      ? markup`${QUESTIONS[kind]}: ${word}`
      : markup`${preview.threshold} would have raised <b>${preview.would} instead of ${preview.did}</b> in the last 7 days`;
  const against = preview === null ? "" : `${preview.against} was in force. `;
  return markup`<p>${marked(status, said, markup`<br><small>${against}Asked for by ${by}, answered at ${age(at, frame)}: ${says}.</small>`)}</p>
${
  preview !== null &&
  preview.subjects.length > 0 &&
  table({
    caption: "By service",
    head: ["Service", `At ${preview.threshold}`, `At ${preview.against}`],
    rows: preview.subjects.map(({ subject, would, did }) => [
      subject === "mesh" ? "the whole mesh" : subject,
      markup`<span class="number">${would}</span>`,
      markup`<span class="number">${did}</span>`,
    ]),
    empty: "",
  })
}`;
}

function unusual({ unusual: list }: DetectorPageModel, { now, timeZone }: AdminFrame): Html {
  return table({
    caption: "Times that were not usual",
    head: ["What", "Of", "From", "Until"],
    rows: list.map(({ kind, name, service, from, to }) => [
      `${kind === "incident" ? "Incident" : "Maintenance"}: ${name}`,
      service ?? "all services",
      moment(from, now, timeZone),
      to === null ? "still on" : moment(to, now, timeZone),
    ]),
    empty: "None: what was announced of components counts here for their services in this cluster.",
  });
}

/** Units that agree with their number. */
function count(n: number, one: string): string {
  return `${n.toLocaleString("en-US")} ${one}${n === 1 ? "" : "s"}`;
}
