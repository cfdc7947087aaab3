/** People, for owners: who may sign in, and what they may do. */
import * as v from "valibot";
import { line } from "../../protocol/name.ts";
import type { PeopleModel } from "../../web/view/admin/doors-model.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import { renderPeople } from "../../web/view/admin/people.ts";
import { includesRole, ROLES } from "../core/access.ts";
import type { PeopleRefusal } from "../core/people.ts";
import { NAME_MAX, PEOPLE_MAX } from "../core/people.ts";
import type { Secret } from "../objects/board-doors.ts";
import type { PeopleAct } from "../objects/board-people.ts";
import { boardOf } from "../objects/env.ts";
import { accessOf, addressHash } from "./access-token.ts";
import { passkeysAt } from "./admin-doors.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { frameOf } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

export const PEOPLE_SAID: Record<PeopleRefusal, string> = {
  unknown: "There is nobody of this name any more.",
  name_taken: "Somebody has this name. Choose another.",
  name_unusable: "Give a name as others know them.",
  address_taken: "Somebody else is known by this address.",
  last_owner: "Nobody else is an owner: make somebody one first.",
  too_many: `A page has at most ${PEOPLE_MAX} people.`,
  replayed: "This was done already.",
  stale: "The session is over. Sign in again.",
};
const FIELDS: Partial<Record<PeopleRefusal, string>> = {
  name_taken: "name",
  name_unusable: "name",
  address_taken: "address",
};

type Said = Pick<PeopleModel, "values" | "faults" | "made">;
const NOTHING: Said = { values: {}, faults: [], made: null };

async function peoplePage(
  c: AppContext,
  { visitor }: RouteRequest,
  said: Said,
  status: 200 | 201 | 400 | 409,
): Promise<Response> {
  const board = boardOf(c.env);
  const [people, view] = await Promise.all([board.people(), board.operatorView([])]);
  const model: PeopleModel = {
    ...said,
    access: accessOf(c.env) !== null,
    mayChange: visitor.role !== null && includesRole(visitor.role, "owner"),
    people: people.map(({ id, name, role, passkeys, addressHash: known }) => ({
      id,
      name,
      role,
      passkeys: passkeys.length,
      isKnownToAccess: known !== null,
      isSelf: name === visitor.by,
    })),
  };
  return adminPage(c, renderPeople(model, frameOf(view, Date.now())), status);
}

/** The address of a link's secret: where passkeys work, if this is not it. */
export function linkUrl(c: AppContext, { token }: Secret): string {
  return `${passkeysAt(c) ?? new URL(c.req.url).origin}/admin/sign-in?token=${token}`;
}

const AddForm = v.object({
  name: v.pipe(v.string(), v.trim(), v.nonEmpty("Give a name."), line(NAME_MAX)),
  role: v.picklist(ROLES, "Choose a role."),
  address: v.union([v.literal(""), v.pipe(v.string(), v.trim(), v.maxLength(254), v.email("Give an e-mail address."))]),
});

async function add(c: AppContext, request: RouteRequest): Promise<Response> {
  const values: PeopleModel["values"] = Object.fromEntries(formOf(request.body));
  const form = v.safeParse(AddForm, { name: "", role: "", address: "", ...values });
  if (!form.success) {
    const faults = form.issues.map((issue): Fault => ({ field: v.getDotPath(issue), message: issue.message }));
    return peoplePage(c, request, { ...NOTHING, values, faults }, 400);
  }
  const { name, role, address } = form.output;
  const known = address === "" || accessOf(c.env) === null ? null : await addressHash(c.env, address);
  return run(c, request, { kind: "add", name, role, addressHash: known }, values);
}

async function run(
  c: AppContext,
  request: RouteRequest,
  act: PeopleAct,
  values: PeopleModel["values"] = {},
): Promise<Response> {
  const done = await boardOf(c.env).changePeople(act, request.visitor.by ?? "unknown");
  if (!done.ok && done.failure === "unknown") return refuse(c, "not_found", PEOPLE_SAID.unknown);
  if (!done.ok) {
    const fault = {
      field: act.kind === "add" ? (FIELDS[done.failure] ?? null) : null,
      message: PEOPLE_SAID[done.failure],
    };
    return peoplePage(c, request, { ...NOTHING, values, faults: [fault] }, 409);
  }
  const { person, link } = done.value;
  if (link === null) return c.redirect("/admin/people", 303);
  // Shown here and nowhere again: only its hash is kept.
  const made = { name: person.name, url: linkUrl(c, link), expiresAt: link.expiresAt };
  return peoplePage(c, request, { ...NOTHING, made }, 201);
}

async function changeRole(c: AppContext, request: RouteRequest): Promise<Response> {
  const role = v.safeParse(v.picklist(ROLES), formOf(request.body).get("role"));
  if (!role.success) return refuse(c, "request_malformed", "Choose one of the roles.");
  return run(c, request, { kind: "change", id: c.req.param("id") ?? "", role: role.output });
}

/** An empty field takes the address away. */
async function changeAddress(c: AppContext, request: RouteRequest): Promise<Response> {
  const address = v.safeParse(AddForm.entries.address, formOf(request.body).get("address"));
  if (!address.success) return refuse(c, "request_malformed", "Give an e-mail address, or nothing.");
  const known = address.output === "" ? null : await addressHash(c.env, address.output);
  return run(c, request, { kind: "change", id: c.req.param("id") ?? "", addressHash: known });
}

const owner = { policy: "admin", role: "owner", bodyMaxBytes: FORM_MAX, stepUp: true } as const;

export const peopleRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/admin/people",
    policy: "admin",
    role: "viewer",
    handle: (c, request) => peoplePage(c, request, NOTHING, 200),
  },
  { method: "POST", path: "/admin/people", ...owner, handle: add },
  { method: "POST", path: "/admin/people/:id/role", ...owner, handle: changeRole },
  {
    method: "POST",
    path: "/admin/people/:id/address",
    ...owner,
    isOffered: (env) => accessOf(env) !== null,
    handle: changeAddress,
  },
  {
    method: "POST",
    path: "/admin/people/:id/invite",
    ...owner,
    handle: (c, request) => run(c, request, { kind: "invite", id: c.req.param("id") ?? "" }),
  },
  {
    method: "POST",
    path: "/admin/people/:id/remove",
    ...owner,
    handle: (c, request) => run(c, request, { kind: "remove", id: c.req.param("id") ?? "" }),
  },
];
