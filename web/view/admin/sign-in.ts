import { markup } from "../html.ts";
import { shape } from "../shape.ts";
import { shell } from "./document.ts";
import type { SignInModel } from "./model.ts";

/** Opening a link changes nothing, because mail scanners open links too; the button spends it. */
export function renderSignIn({ pageName, token, problem }: SignInModel): string {
  const next =
    token === null
      ? markup`<p>Sign-in is by a link that works once. Print one on the machine that holds the operator's key:</p>
<pre><code>npm run -s admin-link</code></pre>`
      : markup`<p>This link works once. Go on to sign in on this browser.</p>
<form method="post" action="/admin/sign-in"><input type="hidden" name="token" value="${token}"><button class="primary">Sign in</button></form>`;
  return shell(
    `Sign in · ${pageName} admin`,
    markup`<main class="door"><p class="soft"><b>${pageName}</b> admin</p><h1>Sign in</h1>
${problem !== null && markup`<p class="fault" role="alert">${shape("major_outage")} ${problem}</p>`}
${next}
<p><a href="/">To the status page</a></p></main>`,
  );
}
