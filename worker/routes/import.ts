/** What `npm run import` writes of another page. Moments are RFC 3339, ids and texts as they stood there. */
import * as v from "valibot";
import { line } from "../../protocol/name.ts";
import { INCIDENT_STATUSES, MAINTENANCE_STATUSES } from "../../protocol/page.ts";
import { COMPONENT_STATUSES, INDICATORS } from "../../protocol/status.ts";
import type { ImportRefusal } from "../objects/board-import.ts";
import { boardOf } from "../objects/env.ts";
import { MarkdownText } from "./announce-request.ts";
import { refuse } from "./answer.ts";
import { withJson } from "./cli.ts";
import { Name } from "./component-request.ts";
import { MomentRequest } from "./moment.ts";
import type { AppContext, Route } from "./table.ts";

/** A few long incidents, or hundreds of short ones. */
const BODY_MAX = 2_097_152;

const Id = v.pipe(v.string(), v.regex(/^[0-9a-z]{12}$/, "must be 12 lower-case letters and digits"));
const Status = v.picklist(COMPONENT_STATUSES);

const Components = v.strictObject({
  components: v.pipe(
    v.array(
      v.strictObject({
        id: line(255),
        name: Name,
        group: v.nullable(Name),
        description: v.nullable(line(1_000)),
        createdAt: MomentRequest,
      }),
    ),
    v.maxLength(1_000),
  ),
});

function updatesOf<const Statuses extends readonly string[]>(statuses: Statuses) {
  const update = v.strictObject({
    id: Id,
    status: v.picklist(statuses),
    body: MarkdownText,
    createdAt: MomentRequest,
    updatedAt: MomentRequest,
    displayAt: MomentRequest,
    affected: v.pipe(
      v.array(v.strictObject({ component: line(255), name: line(255), from: Status, to: Status })),
      v.maxLength(1_000),
    ),
  });
  return v.pipe(v.array(update), v.maxLength(500));
}

const Announced = v.strictObject({
  incidents: v.pipe(
    v.array(
      v.strictObject({
        id: Id,
        name: Name,
        impact: v.picklist(INDICATORS),
        createdAt: MomentRequest,
        updatedAt: MomentRequest,
        startedAt: MomentRequest,
        updates: v.pipe(updatesOf(INCIDENT_STATUSES), v.minLength(1)),
      }),
    ),
    v.maxLength(500),
  ),
  maintenances: v.pipe(
    v.array(
      v.pipe(
        v.strictObject({
          id: Id,
          name: Name,
          createdAt: MomentRequest,
          updatedAt: MomentRequest,
          startsAt: MomentRequest,
          endsAt: MomentRequest,
          endedAt: v.nullable(MomentRequest),
          components: v.pipe(v.array(line(255)), v.maxLength(1_000)),
          updates: updatesOf(MAINTENANCE_STATUSES),
        }),
        v.check(({ startsAt, endsAt }) => startsAt < endsAt, "must end after it begins"),
      ),
    ),
    v.maxLength(500),
  ),
});

const putComponents = withJson(Components, async (c, { components }, by) => {
  const put = await boardOf(c.env).importComponents(components, by);
  if (put.ok) return c.json({ components: put.value });
  return refuse(c, "conflict", "A page has at most 1,000 components.");
});

const putAnnounced = withJson(Announced, async (c, announced, by) => {
  const put = await boardOf(c.env).importAnnounced(announced, by);
  return put.ok ? c.json(put.value) : refuseImport(c, put.failure);
});

function refuseImport(c: AppContext, { code, which }: ImportRefusal): Response {
  switch (code) {
    case "too_long":
      return refuse(c, "request_too_large", `"${which}" is too long to be kept: shorten its updates there.`);
    case "too_many":
      return refuse(c, "conflict", `There would be too many ${which} that are not over: end some of them first.`);
  }
}

export const importRoutes: readonly Route[] = [
  { method: "PUT", path: "/cli/v1/import/components", policy: "cli", bodyMaxBytes: BODY_MAX, handle: putComponents },
  { method: "PUT", path: "/cli/v1/import/announced", policy: "cli", bodyMaxBytes: BODY_MAX, handle: putAnnounced },
];
