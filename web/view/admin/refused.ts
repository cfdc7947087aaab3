import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { shape } from "../shape.ts";
import { again } from "./again.ts";
import { shell } from "./document.ts";
import type { AskedModel } from "./doors-model.ts";

/** A form that was not done, where there is no page of its own to show it on again. */
export interface RefusedModel {
  /** HTTP's. */
  readonly status: number;
  readonly title: string;
  /** Says what to do. */
  readonly message: string;
  readonly asked: AskedModel;
}

/** What is no text of anybody's, but how the form says what it is about. */
const MACHINERY = /^(key|revision|act|method|action|fields|link|shownAt|c\..*)$/;
/** Sent again, it may be done. */
const MAY_WORK = [401, 403, 409, 429, 500, 503];

/** Nothing that was typed is lost: it is shown, and can be sent again as it was. */
export function renderRefused({ status, title, message, asked }: RefusedModel): string {
  const typed = asked.fields.filter(([name, value]) => !MACHINERY.test(name) && value.trim() !== "");
  return shell(
    title,
    markup`<main class="door"><h1>${title}</h1>
<p class="fault" role="alert">${shape("major_outage")} ${message}</p>
${
  status === 401 &&
  markup`<p><a href="/admin/sign-in" target="_blank" rel="noopener">Sign in, in another tab</a>, and come back here.</p>`
}${MAY_WORK.includes(status) && again(asked, markup`<p class="actions"><button class="primary">Send it again</button></p>`)}
${typed.length > 0 && markup`<h2>What you typed</h2>${typed.map(field)}`}
<p><a href="/admin">Leave it, and go to the start page</a></p></main>`,
  );
}

function field([name, value]: readonly [string, string], i: number): Html {
  const id = `typed-${i}`;
  return markup`<div class="field"><label for="${id}">${name}</label><textarea id="${id}" readonly rows="${value.length > 200 ? 10 : 2}">
${value}</textarea></div>`;
}
