/** Who may speak for a cluster: keys that wait, keys in use, keys that were taken away. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { length, moment } from "../english.ts";
import { adminDocument } from "./document.ts";
import { age, button, faultOf, invalid, marked, table } from "./elements.ts";
import type { KeyModel, KeysModel } from "./fleet-model.ts";
import { clusterPath, clusterTabs } from "./fleet-parts.ts";
import type { AdminFrame } from "./model.ts";

export function renderKeys(model: KeysModel, frame: AdminFrame): string {
  const { cluster, keys, mayChange } = model;
  // The address of a refused form cannot be asked for.
  const isAnswer = model.form.faults.length > 0;
  const pending = keys.filter(({ state }) => state === "pending");
  return adminDocument(
    frame,
    "/admin/clusters",
    `Keys of ${cluster.name}`,
    markup`${clusterTabs(cluster.name, "Keys")}<div${!isAnswer && trusted(' data-poll="5"')}>${pending.map((key) => asking(key, model, frame))}${faultOf(model.form.faults, null, "fault-form")}
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

const MARKS: Record<Exclude<KeyModel["state"], "pending">, readonly [string, ComponentStatus]> = {
  active: ["in use", "operational"],
  revoked: ["taken away", "major_outage"],
};

function list(model: KeysModel, frame: AdminFrame): Html {
  const { keys, mayChange } = model;
  return table({
    caption: "Keys",
    head: ["Fingerprint", "State", "Since", ...(mayChange ? ["Change"] : [])],
    rows: keys
      // Those that wait have their own place above.
      .filter((key) => key.state !== "pending")
      .toReversed()
      .map((key) => [
        markup`<code class="fingerprint">${key.fingerprint}</code>`,
        state(key, model, frame),
        age(key.createdAt, frame),
        ...(mayChange ? [key.state === "active" ? change(key, model) : "–"] : []),
      ]),
    empty: "No key is in use.",
  });
}

function state(key: KeyModel, { keys }: KeysModel, { now, timeZone }: AdminFrame): Html {
  const { retiresAt, rotateAskedAt, replaces } = key;
  const [word, status] = MARKS[key.state === "active" ? "active" : "revoked"];
  if (retiresAt !== undefined) {
    const isOver = key.state !== "active" || now >= retiresAt;
    return marked(
      isOver ? "unknown" : "under_maintenance",
      isOver ? "replaced" : markup`replaced, and works until ${moment(retiresAt, now, timeZone)}`,
    );
  }
  if (key.state === "active" && rotateAskedAt !== undefined)
    return marked(
      "under_maintenance",
      markup`in use; its agent was asked for another one ${length(now - rotateAskedAt)} ago`,
    );
  const before = keys.find(({ keyId }) => keyId === replaces);
  return marked(
    status,
    word,
    before !== undefined && markup`<br><small>in place of ${before.fingerprint.slice(0, 9)}…</small>`,
  );
}

function change({ keyId, rotateAskedAt, retiresAt }: KeyModel, { cluster, keys, canRotate }: KeysModel): Html {
  const isLast = keys.filter(({ state: one }) => one === "active").length === 1;
  const consequence = isLast
    ? `It is the only one: the components of ${cluster.name} become unknown at once, and maintenance in force there ends by itself at its expiry.`
    : `Another key goes on speaking for ${cluster.name}.`;
  const isReplaced = rotateAskedAt !== undefined || retiresAt !== undefined;
  const replace = canRotate
    ? markup`<p>Its agent makes another key with its next push, and this one still works for a day after that. Agents do so by themselves every 90 days.</p>${button(clusterPath(cluster.name, "rotate"), "Replace this key", { keyId }, "secondary")}`
    : markup`<p>Its agent cannot be asked for another one: it is silent, or of a version before this was known. Let it join anew with a code, then revoke this key.</p>`;
  return markup`${!isReplaced && markup`<details><summary>Replace</summary>${replace}</details>`}<details class="danger"><summary>Revoke</summary><p>Its pushes and its session are refused from now on. ${consequence} An agent that lost its key joins again with a new code.</p>${button(clusterPath(cluster.name, "revoke"), `Revoke this key of ${cluster.name}`, { keyId }, "danger")}</details>`;
}

function newCode({ cluster, keys }: KeysModel): Html {
  const why = keys.some(({ state }) => state === "active")
    ? "For a second agent that stands by, or one that lost its key. The keys in use go on."
    : "For its agent, which waits here until you have compared its fingerprint. Codes that were not used in time mean nothing any more.";
  return markup`<h2>Let an agent join</h2><p class="soft">${why}</p>${button(clusterPath(cluster.name, "code"), "Make a new code", {}, "secondary")}`;
}
