/** Who may sign in, and what they may do. */
import type { Html } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { adminDocument } from "./document.ts";
import type { PeopleModel, PersonModel, RoleName } from "./doors-model.ts";
import { ROLES } from "./doors-model.ts";
import { button, faultOf, invalid, segment, table } from "./elements.ts";
import type { AdminFrame } from "./model.ts";
import { moment } from "../english.ts";

/** Each may do what those before it may. */
export const ROLE_WORDS: Record<RoleName, string> = {
  viewer: "reads everything",
  responder: "works on incidents",
  operator: "runs maintenance, components and the page",
  owner: "may do everything, people and keys included",
};

export function renderPeople(model: PeopleModel, frame: AdminFrame): string {
  const { people, made, faults, access, mayChange } = model;
  const list = table({
    caption: "People who may sign in",
    head: ["Name", "Role", "Passkeys", ...(access ? ["Cloudflare Access"] : []), ...(mayChange ? ["Change"] : [])],
    rows: people.map((person) => [
      person.isSelf ? markup`${person.name} <b>(you)</b>` : person.name,
      mayChange ? role(person) : markup`${person.role} <small>${ROLE_WORDS[person.role]}</small>`,
      String(person.passkeys),
      ...(access ? [mayChange ? address(person) : person.isKnownToAccess ? "knows" : "does not know"] : []),
      ...(mayChange ? [change(person)] : []),
    ]),
    empty: "Nobody has an account yet: everybody comes by a link of the operator’s key, and may do everything.",
  });
  const rest = mayChange
    ? markup`<h2>Invite somebody</h2>${form(model)}`
    : markup`<p class="soft">Owners invite people, change their roles and remove them.</p>`;
  return adminDocument(
    frame,
    "/admin/people",
    "People",
    markup`${made !== null && link(made, frame)}${faultOf(faults, null, "fault-form")}<div class="after">${list}</div>
${rest}`,
  );
}

function change({ id }: PersonModel): Html {
  const path = `/admin/people/${segment(id)}`;
  return markup`<div class="shown">${button(`${path}/invite`, "New link")}${button(`${path}/remove`, "Remove", {}, "quiet danger")}</div>`;
}

function link({ name, url, expiresAt }: NonNullable<PeopleModel["made"]>, frame: AdminFrame): Html {
  return markup`<section class="needs" role="status"><h2>A link for ${name}</h2><p>Give it to them by a way that only they read. It signs one browser in, once, until ${moment(expiresAt, frame.now, frame.timeZone)}, and is not shown again.</p><pre><code>${url}</code></pre></section>`;
}

function role({ id, name, role: held }: PersonModel): Html {
  const field = `role-${id}`;
  return markup`<form class="publish" method="post" action="/admin/people/${segment(id)}/role"><label class="vh" for="${field}">Role of ${name}</label><select id="${field}" name="role">${options(held)}</select><button class="quiet">Change</button></form>`;
}

function address({ id, name, isKnownToAccess }: PersonModel): Html {
  const field = `address-${id}`;
  return markup`<details><summary>${isKnownToAccess ? "knows" : "does not know"}<span class="vh"> ${name}: change</span></summary><form class="publish" method="post" action="/admin/people/${segment(id)}/address"><label class="vh" for="${field}">Address of ${name}</label><input id="${field}" name="address" type="email" maxlength="254" autocomplete="off" placeholder="nothing takes it away"><button class="quiet">Change</button></form></details>`;
}

function options(held: RoleName): Html[] {
  return ROLES.map((role) => markup`<option value="${role}"${role === held && trusted(" selected")}>${role}</option>`);
}

function form({ values, faults, access }: PeopleModel): Html {
  const wanted = values.role ?? "responder";
  const roles = ROLES.map(
    (role) =>
      markup`<label class="choice"><input type="radio" name="role" value="${role}"${role === wanted && trusted(" checked")}> <span>${role} <small>${ROLE_WORDS[role]}</small></span></label>`,
  );
  return markup`<form class="sheet" method="post" action="/admin/people">
<div class="field"><label for="name">Name</label><input id="name" name="name" required maxlength="60" autocomplete="off" value="${values.name ?? ""}"${invalid(faults, "name", "fault-name", "hint-name")}><small id="hint-name">As the audit names them. Visitors never see it.</small>${faultOf(faults, "name", "fault-name")}</div>
<fieldset><legend>Role</legend>${roles}${faultOf(faults, "role", "fault-role")}</fieldset>
${
  access &&
  markup`<div class="field"><label for="address">E-mail address at Cloudflare Access (optional)</label><input id="address" name="address" type="email" maxlength="254" autocomplete="off" value="${values.address ?? ""}"${invalid(faults, "address", "fault-address", "hint-address")}><small id="hint-address">Only a keyed hash of it is kept: it lets Access’ door open for them.</small>${faultOf(faults, "address", "fault-address")}</div>`
}
<p class="actions"><button class="primary">Make an invitation</button></p></form>`;
}
