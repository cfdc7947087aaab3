import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { shape } from "../shape.ts";
import { shell } from "./document.ts";
import type { SignInModel } from "./doors-model.ts";
import { hostOf } from "./elements.ts";

/** Opening a link changes nothing, because mail scanners open links too; the button spends it. */
export function renderSignIn(model: SignInModel): string {
  const { pageName, token, problem } = model;
  const next = token === null ? markup`${doors(model)}${byLink(model)}` : spend(token);
  return shell(
    `Sign in · ${pageName} admin`,
    markup`<main class="door"><p class="soft"><b>${pageName}</b> admin</p><h1>Sign in</h1>
${problem !== null && markup`<p class="fault" role="alert">${shape("major_outage")} ${problem}</p>`}
${next}
<p><a href="/">To the status page</a></p></main>`,
  );
}

function spend(token: string): Html {
  return markup`<p>This link works once. Go on to sign in on this browser.</p>
<form method="post" action="/admin/sign-in"><input type="hidden" name="token" value="${token}"><button class="primary">Sign in</button></form>`;
}

function doors({ passkeys, passkeysAt, access }: SignInModel): Html {
  return markup`${
    access &&
    markup`<form method="post" action="/admin/sign-in/access"><button class="primary">Go on with Cloudflare Access</button></form>`
  }${
    passkeys &&
    markup`<p id="passkey-door" hidden><button type="button" class="${access ? "secondary" : "primary"}" data-passkey="sign-in">Sign in with a passkey</button></p><p class="fault" id="passkey-fault" role="alert"></p>`
  }${
    passkeysAt !== null &&
    markup`<p>Passkeys need a name: <a href="${passkeysAt}/admin/sign-in">open this page as ${hostOf(passkeysAt)}</a> to sign in with yours.</p>`
  }`;
}

function byLink({ passkeys, access }: SignInModel): Html {
  const isOther = passkeys || access;
  return markup`${isOther && markup`<h2>By a link</h2>`}<p>${isOther ? "No passkey yet, or lost it? " : ""}Ask an owner of this page for a link that works once, or print one on the machine that holds the operator’s key:</p>
<pre><code>npm run -s admin-link -- --as NAME</code></pre>`;
}
