/** The archive: what waits for Postgres, and sending again what a restored one lost. */
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { adminDocument } from "./document.ts";
import { age, faultOf, invalid, marked } from "./elements.ts";
import type { AdminFrame, ArchiveModel, ArchivePageModel, ReflushModel } from "./model.ts";
import { clusterLink } from "./parts.ts";
import { length, moment } from "../english.ts";

export function renderArchive(model: ArchivePageModel, frame: AdminFrame): string {
  const { archive, reflush } = model;
  return adminDocument(
    frame,
    "/admin/archive",
    "Archive",
    markup`${archive === null ? marked("operational", "Every fact that should be in Postgres is there.") : delayText(archive, frame)}
<h2>After Postgres was restored</h2>
${reflush !== null && progress(reflush, frame)}
${form(model)}`,
  );
}

/** Clusters named one by one; more than these say the same. */
const DELAYS_SHOWN = 5;

/** What is not archived, where it waits, and what to look at. */
export function delayText({ delays, failure }: ArchiveModel, frame: AdminFrame): Html {
  const since = Math.min(...delays.map((delay) => delay.since));
  const places = delays.slice(0, DELAYS_SHOWN).map(({ cluster, waiting, since: from }) => {
    const place = cluster === null ? "this page" : clusterLink(cluster);
    return markup`<li>${place}: ${waiting} ${waiting === 1 ? "fact" : "facts"}, the oldest since ${moment(from, frame.now, frame.timeZone)}</li>`;
  });
  const rest = delays.length - places.length;
  return marked(
    "degraded_performance",
    markup`Not archived since ${moment(since, frame.now, frame.timeZone)}. Nothing is lost: what waits is sent when Postgres takes it, and the live page does not need it.<ul>${places}${rest > 0 && markup`<li>and ${rest} more</li>`}</ul>${failure === null ? "The page's own facts went through: look at the log of the clusters above." : markup`Postgres said: <code>${failure}</code><br>See whether the database runs and what its provider reports; the secret <code>DATABASE_URL</code> names it.`}`,
  );
}

/** Units that agree with their number. */
function count(n: number, one: string): string {
  return `${n} ${one}${n === 1 ? "" : "s"}`;
}

function progress(reflush: ReflushModel, frame: AdminFrame): Html {
  const { since, by, startedAt, finishedAt, own, facts, asked, pending, unreachable } = reflush;
  const sent = `${count(own, "fact")} of this page and ${count(facts, "fact")} of ${count(asked - unreachable.length, "cluster")}`;
  const head = markup`Since ${moment(since, frame.now, frame.timeZone)}, asked for by ${by} at ${age(startedAt, frame)}: ${sent}`;
  const failed = unreachable.map(
    ({ cluster, reason }) => markup`<li>${clusterLink(cluster)} could not be reached: ${reason}</li>`,
  );
  const state =
    finishedAt === null
      ? marked(
          "under_maintenance",
          head,
          `, ${count(pending.length, "cluster")} to go. `,
          markup`<a href="/admin/archive">Look again</a>`,
        )
      : marked(
          unreachable.length === 0 ? "operational" : "degraded_performance",
          head,
          ` sent again, done in ${length(finishedAt - startedAt)}.`,
        );
  return markup`<section class="needs"><h3>Last time</h3>${state}${failed.length > 0 && markup`<ul>${failed}</ul><p>Ask again for each of them when it is back: it keeps its events for 48 h, and nothing is stored twice.</p>`}</section>`;
}

function form({ clusters, values, faults }: ArchivePageModel): Html {
  const options = clusters.map(
    (name) => markup`<option value="${name}"${name === values.cluster && trusted(" selected")}>${name}</option>`,
  );
  return markup`<form class="sheet" method="post" action="/admin/archive/reflush">
<p>If Postgres was set back to an earlier time, what it had taken since then is sent again: all that this page holds, what it sent within 48 h, and each cluster's events of 48 h. Windows that an agent has freed are gone with the database; the page shows them as a gap. Doing it twice, or without need, changes nothing.</p>
${faultOf(faults, null, "fault-form")}
<div class="field"><label for="since">Restored to (UTC)</label><input id="since" name="since" type="datetime-local" required value="${values.since ?? ""}"${invalid(faults, "since", "fault-since", "hint-since")}><small id="hint-since">The moment whose state Postgres has now. Earlier is safe.</small>${faultOf(faults, "since", "fault-since")}</div>
<div class="field"><label for="cluster">Cluster</label><select id="cluster" name="cluster"${invalid(faults, "cluster", "fault-cluster")}><option value="">All, and this page</option>${options}</select>${faultOf(faults, "cluster", "fault-cluster")}</div>
<p class="actions"><button class="primary">Send again</button></p></form>`;
}
