import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { shape } from "../shape.ts";
import { again } from "./again.ts";
import { shell } from "./document.ts";
import type { StepUpModel } from "./doors-model.ts";
import { hostOf } from "./elements.ts";

/** Between what was asked for and doing it: whoever asked proves who they are, and then it goes on as it was sent. */
export function renderStepUp(model: StepUpModel): string {
  const { pageName, isConfirmed } = model;
  return shell(
    `Confirm · ${pageName} admin`,
    markup`<main class="door"><p class="soft"><b>${pageName}</b> admin</p>
${isConfirmed ? confirmed(model) : asking(model)}
<p><a href="/admin">Leave it, and go to the start page</a></p></main>`,
  );
}

function confirmed({ asked }: StepUpModel): Html {
  return markup`<h1>Confirmed</h1><p>Nothing was done yet. Go on with what you asked for.</p>
${again(asked, markup`<button class="primary">Go on</button>`)}`;
}

function asking(model: StepUpModel): Html {
  const { asked, passkeys, passkeysAt, problem } = model;
  return markup`<h1>Confirm that it is you</h1>
<p>What you asked for needs a proof of the last five minutes. Nothing was done yet, and nothing that you typed is lost.</p>
${problem !== null && markup`<p class="fault" role="alert">${shape("major_outage")} ${problem}</p>`}
${
  passkeys > 0 &&
  markup`${again(asked, null)}<p id="passkey-door" hidden><button type="button" class="primary" data-passkey="step-up">Confirm with a passkey</button></p><p class="fault" id="passkey-fault" role="alert"></p>`
}${passkeysAt !== null && markup`<p>Your passkeys work at <b>${hostOf(passkeysAt)}</b>, under which this page is open too.</p>`}
${byLink(model)}`;
}

function byLink({ asked, by, isPerson, passkeys }: StepUpModel): Html {
  const whose = isPerson ? ` -- --as ${shellWord(by)}` : "";
  return markup`<h2>${passkeys > 0 ? "Without a passkey: by a fresh link" : "By a fresh link"}</h2>
<p>Print one on the machine that holds the operator’s key, and put it here. Do not open it.</p>
<pre><code>npm run -s admin-link${whose}</code></pre>
<form class="sheet" method="post" action="/admin/step-up/link"><input type="hidden" name="method" value="${asked.method}"><input type="hidden" name="action" value="${asked.action}"><input type="hidden" name="fields" value="${JSON.stringify(asked.fields)}">
<div class="field"><label for="link">The link</label><input id="link" name="link" required autocomplete="off" spellcheck="false"></div>
<p class="actions"><button class="${passkeys > 0 ? "secondary" : "primary"}">Confirm with the link</button></p></form>`;
}

/** A name as a shell takes it for one word and nothing else, whatever is in it. */
function shellWord(name: string): string {
  return /^[\w-]+$/.test(name) ? name : `'${name.replaceAll("'", String.raw`'\''`)}'`;
}
