/** Which alarms become drafts of incidents, and from which score on anomalies are raised: each with what it would have done. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { statusWord } from "../english.ts";
import type { AlarmCount, AlertField, AlertRuleModel, AlertsModel } from "./alerts-model.ts";
import { detectorMark } from "./detector.ts";
import { adminDocument } from "./document.ts";
import { age, button, faultOf, invalid, marked, table } from "./elements.ts";
import { clusterPath } from "./fleet-parts.ts";
import type { AdminFrame } from "./model.ts";
import { clusterLink } from "./parts.ts";

/** What a rule may say of a component. */
export const RULE_STATUSES = [
  "degraded_performance",
  "partial_outage",
  "major_outage",
] as const satisfies readonly ComponentStatus[];

export function renderAlerts(model: AlertsModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/alerts",
    "Alert rules",
    markup`<p class="soft">An alarm that meets a rule makes a draft of an incident. Visitors see nothing of it until somebody publishes it.</p>
${rules(model)}
${model.mayChange && markup`<h2>Another rule</h2>${form(model, frame)}`}
<h2>Anomalies</h2>
<p class="soft">The agents’ own hints. A threshold has a preview of the last seven days on the page of its cluster.</p>
${detectors(model)}`,
  );
}

function rules({ rules: list, mayChange }: AlertsModel): Html {
  return table({
    caption: "Rules",
    head: ["Rule", "Meets alarms with", "Means", "Last 7 days", ...(mayChange ? ["Change"] : [])],
    rows: list.map((rule) => [
      rule.name,
      labels(rule),
      markup`<ul>${rule.components.map(({ name, status }) => markup`<li>${marked(status, `${name}: ${statusWord(status)}`)}</li>`)}</ul>`,
      countText(rule.alarms),
      ...(mayChange ? [button("/admin/alerts/remove", "Remove", { name: rule.name }, "quiet danger")] : []),
    ]),
    empty: "No rule yet: alarms are kept as events, and make no draft.",
  });
}

function labels({ match, cluster }: Pick<AlertRuleModel, "match" | "cluster">): Html {
  const lines = Object.entries(match).map(
    ([label, values]) => markup`<li><code>${label}=${values.join(",")}</code></li>`,
  );
  return markup`<ul>${lines}${cluster !== null && markup`<li>of ${clusterLink(cluster)}</li>`}</ul>`;
}

function countText(alarms: AlarmCount | null): string {
  if (alarms === null) return "not known: Postgres does not answer";
  const { met, seen, isAll } = alarms;
  return isAll ? `${met} of ${seen} alarms` : `${met} of the newest ${seen} alarms`;
}

function form({ form: { values, faults }, preview, clusters, components }: AlertsModel, frame: AdminFrame): Html {
  const fault = (field: AlertField) => faultOf(faults, field, `fault-${field}`);
  const option = (value: string, word: string, chosen: string | undefined): Html =>
    markup`<option value="${value}"${value === chosen && trusted(" selected")}>${word}</option>`;
  const status = values.status ?? "partial_outage";
  return markup`<form class="sheet" method="post" action="/admin/alerts">
${faultOf(faults, null, "fault-form")}
<div class="field"><label for="name">Name</label><input id="name" name="name" required maxlength="200" autocomplete="off" value="${values.name ?? ""}"${invalid(faults, "name", "fault-name", "hint-name")}><small id="hint-name">Alarms of one rule in one cluster are one draft.</small>${fault("name")}</div>
<div class="field"><label for="labels">Labels of the alarm</label><textarea id="labels" name="labels" rows="3" required maxlength="4000" spellcheck="false" placeholder="severity=critical,page"${invalid(faults, "labels", "fault-labels", "hint-labels")}>${values.labels ?? ""}</textarea><small id="hint-labels">One a line, all of which it must have: label=value, with commas between values of which one is enough, and * at the end of one for all that begin so.</small>${fault("labels")}</div>
<div class="field"><label for="cluster">Cluster</label><select id="cluster" name="cluster"><option value="">all</option>${clusters.map((name) => option(name, name, values.cluster))}</select>${fault("cluster")}</div>
<div class="pair"><div class="field"><label for="component">Component</label><select id="component" name="component" required${invalid(faults, "component", "fault-component")}><option value="">choose</option>${components.map(({ id, name }) => option(id, name, values.component))}</select>${fault("component")}</div>
<div class="field"><label for="status">What it means for it</label><select id="status" name="status">${RULE_STATUSES.map((one) => option(one, statusWord(one), status))}</select>${fault("status")}</div></div>
${preview !== null && previewed(preview, frame)}
<p class="actions"><button class="primary">Add this rule</button> <button class="secondary" formaction="/admin/alerts/preview" formnovalidate>Preview the last 7 days</button></p></form>`;
}

function previewed({ alarms, newest }: NonNullable<AlertsModel["preview"]>, frame: AdminFrame): Html {
  return markup`<div class="preview" role="status"><p><b>It would have met ${countText(alarms)}</b></p>${
    newest.length > 0 &&
    markup`<ul>${newest.map(({ at, cluster, name, says }) => markup`<li>${name} in ${cluster}, ${age(at, frame)}<br><small>${says}</small></li>`)}</ul>`
  }</div>`;
}

function detectors({ detectors: list }: AlertsModel): Html {
  return table({
    caption: "Anomalies by cluster",
    head: ["Cluster", "State", "Threshold", "Preview"],
    rows: list.map(({ cluster, state, threshold }) => [
      clusterLink(cluster),
      detectorMark(state),
      threshold === null ? "–" : String(threshold),
      markup`<a href="${clusterPath(cluster, "anomalies")}">Try another<span class="vh"> for ${cluster}</span></a>`,
    ]),
    empty: markup`No cluster yet. <a href="/admin/clusters">Clusters</a>`,
  });
}
