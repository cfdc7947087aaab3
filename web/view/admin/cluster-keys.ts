/** Who may speak for a cluster: keys that wait, keys in use, keys that were taken away. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { adminDocument } from "./document.ts";
import { age, button, faultOf, invalid, marked, table } from "./elements.ts";
import type { KeyModel, KeysModel } from "./fleet-model.ts";
import { clusterPath, clusterTabs } from "./fleet-parts.ts";
import type { AdminFrame } from "./model.ts";

export function renderKeys(model: KeysModel, frame: AdminFrame): string {
  const { cluster, keys, mayChange } = model;
  const pending = keys.filter(({ state }) => state === "pending");
  return adminDocument(
    frame,
    "/admin/clusters",
    `Keys of ${cluster.name}`,
    markup`${clusterTabs(cluster.name, "Keys")}<div data-poll="5">${pending.map((key) => asking(key, model, frame))}${faultOf(model.form.faults, null, "fault-form")}
${list(model, frame)}
${mayChange ? newCode(model) : markup`<p class="soft">Owners let agents in and take keys away.</p>`}</div>`,
  );
}

/** An agent that wants to speak. Whoever caught the code may be at the door: so the agent's own word decides. */
function asking({ keyId, fingerprint, createdAt }: KeyModel, model: KeysModel, frame: AdminFrame): Html {
  const { cluster, mayChange, form } = model;
  const isMine = form.values.keyId === keyId;
  const faults = isMine ? form.faults : [];
  const id = `fingerprint-${keyId}`;
  const head = markup`<section class="needs"><h2>An agent asks to speak for ${cluster.name}</h2><p>Since ${age(createdAt, frame)}, with the key</p><p><code>${fingerprint}</code></p>`;
  if (!mayChange)
    return markup`${head}<p class="soft">An owner compares it with what the agent prints, and lets it in.</p></section>`;
  return markup`${head}
<p>Let it in only if the agent itself says the same. It prints its fingerprint when it starts, and with <code>--check</code>:</p>
<pre tabindex="0" role="region" aria-label="Where the agent prints it"><code>kubectl -n observatory logs deploy/observatory-agent | grep fingerprint
npm run agent -- --config agent.yaml --check</code></pre>
<form class="sheet" method="post" action="${clusterPath(cluster.name, "accept")}"><input type="hidden" name="keyId" value="${keyId}">
<div class="field"><label for="${id}">What the agent prints</label><input id="${id}" name="fingerprint" required maxlength="200" autocomplete="off" spellcheck="false" value="${isMine ? (form.values.fingerprint ?? "") : ""}"${invalid(faults, "fingerprint", `fault-${id}`, `hint-${id}`)}><small id="hint-${id}">All of it, or its first four groups.</small>${faultOf(faults, "fingerprint", `fault-${id}`)}</div>
<p class="actions"><button class="primary">Let it in</button></p></form>
${button(clusterPath(cluster.name, "revoke"), "It is not ours: turn it away", { keyId }, "quiet danger")}</section>
`;
}

const MARKS: Record<KeyModel["state"], readonly [string, ComponentStatus]> = {
  active: ["in use", "operational"],
  pending: ["waits", "unknown"],
  revoked: ["taken away", "major_outage"],
};

function list({ cluster, keys, mayChange }: KeysModel, frame: AdminFrame): Html {
  const active = keys.filter(({ state }) => state === "active").length;
  return table({
    caption: "Keys",
    head: ["Fingerprint", "State", "Since", ...(mayChange ? ["Change"] : [])],
    rows: keys
      .toReversed()
      .map((key) => [
        markup`<code class="fingerprint">${key.fingerprint}</code>`,
        marked(MARKS[key.state][1], MARKS[key.state][0]),
        age(key.createdAt, frame),
        ...(mayChange ? [key.state === "active" ? revocation(cluster.name, key, active === 1) : ""] : []),
      ]),
    empty: "No agent has come yet with a key of its own.",
  });
}

function revocation(cluster: string, { keyId }: KeyModel, isLast: boolean): Html {
  const consequence = isLast
    ? `It is the only one: the components of ${cluster} become unknown at once, and maintenance in force there ends by itself at its expiry.`
    : `Another agent goes on speaking for ${cluster}.`;
  return markup`<details class="danger"><summary>Revoke</summary><p>Its pushes and its session are refused from now on. ${consequence} An agent that lost its key joins again with a new code.</p>${button(clusterPath(cluster, "revoke"), `Revoke this key of ${cluster}`, { keyId }, "danger")}</details>`;
}

function newCode({ cluster, keys }: KeysModel): Html {
  const why = keys.some(({ state }) => state === "active")
    ? "For a second agent that stands by, or one that lost its key. The keys in use go on."
    : "For its agent, which waits here until you have compared its fingerprint. Codes that were not used in time mean nothing any more.";
  return markup`<h2>Let an agent join</h2><p class="soft">${why}</p>${button(clusterPath(cluster.name, "code"), "Make a new code", {}, "secondary")}`;
}
