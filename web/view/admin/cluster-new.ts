/** A cluster joins: what its agent needs, with a code that is shown once. */
import { markup } from "../html.ts";
import { moment } from "../english.ts";
import { adminDocument } from "./document.ts";
import { faultOf, invalid } from "./elements.ts";
import type { ClusterNewModel, EnrolmentModel } from "./fleet-model.ts";
import { clusterPath } from "./fleet-parts.ts";
import type { AdminFrame } from "./model.ts";

export function renderClusterNew({ form: { values, faults } }: ClusterNewModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/clusters",
    "Let a cluster join",
    markup`<p class="soft">An agent in the cluster pushes what its mesh sees; nothing here reaches into it. You get its configuration, with a code that works once.</p>
<form class="sheet" method="post" action="/admin/clusters">
${faultOf(faults, null, "fault-form")}
<div class="field"><label for="name">Name</label><input id="name" name="name" required maxlength="63" pattern="[a-z0-9]([a-z0-9\\-]*[a-z0-9])?" autocomplete="off" spellcheck="false" value="${values.name ?? ""}"${invalid(faults, "name", "fault-name", "hint-name")}><small id="hint-name">For example eu-1: a-z, 0-9 and -. Visitors never see it, and it stays.</small>${faultOf(faults, "name", "fault-name")}</div>
<div class="field"><label for="prometheus">Its Prometheus (optional)</label><input id="prometheus" name="prometheus" type="url" maxlength="300" autocomplete="off" placeholder="http://prometheus.monitoring:9090" value="${values.prometheus ?? ""}"${invalid(faults, "prometheus", "fault-prometheus", "hint-prometheus")}><small id="hint-prometheus">As the agent reaches it: where requests, errors and latency come from.</small>${faultOf(faults, "prometheus", "fault-prometheus")}</div>
<div class="field"><label for="namespaces">Namespaces to watch (optional)</label><input id="namespaces" name="namespaces" maxlength="600" autocomplete="off" spellcheck="false" placeholder="shop, payments" value="${values.namespaces ?? ""}"${invalid(faults, "namespaces", "fault-namespaces", "hint-namespaces")}><small id="hint-namespaces">With commas between. The agent may read pods and deployments of these, and no others.</small>${faultOf(faults, "namespaces", "fault-namespaces")}</div>
<p class="actions"><button class="primary">Make its configuration</button> <a href="/admin/clusters">Cancel</a></p></form>`,
  );
}

const HELM = `helm install observatory-agent agent/deploy/chart -n observatory --create-namespace \\
  -f agent.yaml --set image.repository=REGISTRY/observatory-agent`;
const NODE = `npm run agent -- --config agent.yaml --check
npm run agent -- --config agent.yaml`;

/** Shown in answer to the form and nowhere again. */
export function renderEnrolment({ cluster, yaml, expiresAt }: EnrolmentModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/clusters",
    `${cluster} may join`,
    markup`<p class="soft">Its code works once, until ${moment(expiresAt, frame.now, frame.timeZone)}, and is not shown again.</p>
<ol class="todo">
<li><h2>Keep this as agent.yaml</h2><pre tabindex="0" role="region" aria-label="agent.yaml"><code id="agent-yaml">${yaml}</code></pre></li>
<li><h2>Start the agent</h2><p>In the cluster:</p><pre tabindex="0" role="region" aria-label="In the cluster"><code>${HELM}</code></pre><p>On any machine that reaches its Prometheus:</p><pre tabindex="0" role="region" aria-label="On any machine"><code>${NODE}</code></pre></li>
<li><h2>Compare its fingerprint, and let it in</h2><p>The agent makes its own key, prints the key’s fingerprint and waits. <a class="primary" href="${clusterPath(cluster, "keys")}">Go to its keys</a></p></li>
</ol>`,
  );
}
