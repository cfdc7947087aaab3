/** One's own account: passkeys and sessions. */
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { adminDocument } from "./document.ts";
import type { AccountModel, LoginModel, PasskeyModel } from "./doors-model.ts";
import { age, button, faultOf, hostOf, invalid, segment, table } from "./elements.ts";
import type { AdminFrame } from "./model.ts";
import { ROLE_WORDS } from "./people.ts";

export function renderAccount(model: AccountModel, frame: AdminFrame): string {
  const { name, role, isPerson } = model;
  return adminDocument(
    frame,
    "/admin/account",
    "Your account",
    markup`<p>${isPerson ? markup`You are <b>${name}</b>, ` : "You are signed in by a link of the operator’s key, "}with the role <b>${role}</b>: ${ROLE_WORDS[role]}.</p>
${faultOf(model.faults, null, "fault-form")}
${isPerson ? passkeys(model, frame) : claim(model)}
<h2>Where you are signed in</h2>
${sessions(model.logins, frame)}`,
  );
}

/** Whoever set the page up: what they do from here on carries their name, and they need the operator's key no more. */
function claim({ values, faults }: AccountModel): Html {
  return markup`<section class="needs after"><h2>Give yourself a name</h2><p>The audit then names you, and you can sign in with a passkey instead of a link.</p>
<form class="sheet after" method="post" action="/admin/account/claim"><div class="field"><label for="name">Your name</label><input id="name" name="name" required maxlength="60" autocomplete="name" value="${values.name ?? ""}"${invalid(faults, "name", "fault-name")}>${faultOf(faults, "name", "fault-name")}</div>
<p class="actions"><button class="primary">Make it my account</button></p></form></section>`;
}

function passkeys(model: AccountModel, frame: AdminFrame): Html {
  const { passkeys: held, canAddPasskey, passkeysAt, passkeysWork, values, faults } = model;
  const list = table({
    caption: "Your passkeys",
    head: ["Passkey", "Added", "Last used", "Change"],
    rows: held.map((passkey) => row(passkey, frame)),
    empty:
      "You have none yet. A passkey signs you in with your fingerprint, face or screen lock, and confirms what could do harm.",
  });
  return markup`<h2>Passkeys</h2>${list}
${
  canAddPasskey &&
  markup`<div id="passkey-door" class="sheet after" hidden><div class="field"><label for="passkey-name">Name of a new passkey</label><input id="passkey-name" maxlength="60" autocomplete="off" placeholder="This laptop" value="${values.name ?? ""}"></div>
<p class="actions"><button type="button" class="primary" data-passkey="register">Add a passkey</button></p></div><p class="fault" id="passkey-fault" role="alert"></p><noscript><p class="soft">Adding a passkey needs JavaScript; everything else here does not.</p></noscript>`
}${
    passkeysAt !== null &&
    markup`<p class="soft">Passkeys need a name: <a href="${passkeysAt}/admin/sign-in">open this page as ${hostOf(passkeysAt)}</a>, and add one there.</p>`
  }
${!passkeysWork && passkeysAt === null && markup`<p class="soft">Passkeys are not set up for this address: its name belongs into <code>ADMIN_HOSTS</code> of <code>wrangler.toml</code>.</p>`}
<p class="soft">Lost one? Whoever holds the operator’s key lets you in again: <code>npm run -s admin-link -- --as NAME</code>. Then remove it here.</p>${faultOf(faults, "passkey", "fault-passkey")}`;
}

function row({ id, name, createdAt, usedAt }: PasskeyModel, frame: AdminFrame) {
  const path = `/admin/account/passkeys/${segment(id)}`;
  return [
    name,
    age(createdAt, frame),
    usedAt === null ? "never" : age(usedAt, frame),
    markup`<div class="shown"><details><summary>Rename<span class="vh"> ${name}</span></summary><form class="publish" method="post" action="${path}/name"><label><span>New name</span><input name="name" required maxlength="60" value="${name}"></label><button class="quiet">Keep</button></form></details>${button(`${path}/remove`, "Remove", {}, "quiet danger")}</div>`,
  ];
}

const DOORS: Record<LoginModel["door"], string> = {
  link: "a one-time link",
  passkey: "a passkey",
  access: "Cloudflare Access",
};

function sessions(logins: readonly LoginModel[], frame: AdminFrame): Html {
  const rows = logins.map(({ id, device, door, createdAt, seenAt, isThis }) => [
    isThis ? markup`${device} <b>(this one)</b>` : device,
    DOORS[door],
    age(createdAt, frame),
    age(seenAt, frame),
    isThis
      ? button("/admin/sign-out", "Sign out")
      : button(`/admin/account/sessions/${segment(id)}/end`, "End", {}, "quiet danger"),
  ]);
  const list = table({
    caption: "Your sessions",
    head: ["Browser", "Came by", "Since", "Last seen", "End"],
    rows,
    empty: "This session was begun by an earlier version of the page. It is over by itself within 12 h.",
  });
  return markup`${list}${logins.length > 1 && markup`<p class="actions">${button("/admin/account/sessions/end-others", "End all others", {}, "secondary")}</p>`}`;
}
