/** Drafts of incidents, which alerts made: the operator's hand on them, from the command line and from the admin. */
import * as v from "valibot";
import { ClusterName, line } from "../../protocol/name.ts";
import type { Announcing } from "../core/announce.ts";
import type { DraftRule, DraftView } from "../core/draft.ts";
import { draftState, RULE_COMPONENTS_MAX, RULES_MAX, unconfirmedSince } from "../core/draft.ts";
import type { Incident } from "../core/incident.ts";
import type { DraftRefusal } from "../objects/board-drafts.ts";
import { boardOf } from "../objects/env.ts";
import { DraftPublishSchema, Reason, RuleComponents } from "./announce-request.ts";
import { refuse } from "./answer.ts";
import { refuseAnnouncement } from "./announce.ts";
import { withJson } from "./cli.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

const BODY_MAX = 262_144;
const LABELS_MAX = 10;
const VALUES_MAX = 50;

const word = v.pipe(line(200), v.trim(), v.nonEmpty("must not be empty"));
/** Which labels an alarm must have. */
export const Match = v.pipe(
  v.record(
    v.pipe(v.string(), v.regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,99}$/, "must be a label's name")),
    v.union([
      v.pipe(
        word,
        v.transform((value) => [value]),
      ),
      v.pipe(v.array(word), v.minLength(1, "must name a value"), v.maxLength(VALUES_MAX, `at most ${VALUES_MAX}`)),
    ]),
  ),
  v.check((match) => Object.keys(match).length > 0, "must name a label: without one every alert would match"),
  v.check((match) => Object.keys(match).length <= LABELS_MAX, `at most ${LABELS_MAX} labels`),
);

/** A list of rules, as the command line and a file of the page have it. */
function rulesOf<Rule extends v.GenericSchema<unknown, { readonly name: string }>>(rule: Rule) {
  return v.pipe(
    v.array(rule),
    v.maxLength(RULES_MAX, `at most ${RULES_MAX}`),
    v.check((rules) => new Set(rules.map(({ name }) => name)).size === rules.length, "two rules have one name"),
  );
}

const RuleEntries = {
  name: word,
  match: Match,
  components: v.pipe(RuleComponents, v.maxLength(RULE_COMPONENTS_MAX, `at most ${RULE_COMPONENTS_MAX}`)),
};

const RulesSchema = v.strictObject({
  rules: rulesOf(
    v.strictObject({
      ...RuleEntries,
      cluster: v.optional(v.nullable(ClusterName), null),
      components: v.pipe(RuleEntries.components, v.minLength(1, "must name a component")),
      title: v.optional(v.nullable(word), null),
    }),
  ),
});

/** Absent is "every cluster's" and "named by its components"; a rule whose components are gone has none. */
export const RulesSaid = rulesOf(
  v.strictObject({ ...RuleEntries, cluster: v.exactOptional(ClusterName), title: v.exactOptional(word) }),
);

const iso = (at: number): string => new Date(at).toISOString();

function draftAnswer(draft: DraftView, now: number) {
  const { id, cluster, rule, title, components, startedAt, cause, endedAt, decided, firing, ended } = draft;
  const unconfirmed = unconfirmedSince(draft, now);
  return {
    id,
    state: draftState(draft),
    title,
    components,
    startedAt: iso(startedAt),
    endedAt: endedAt === null ? null : iso(endedAt),
    /** Nobody confirms since then that its alerts fire. */
    unconfirmedSince: unconfirmed === null ? null : iso(unconfirmed),
    cause,
    cluster,
    rule,
    firing,
    ended,
    incident: decided?.incident ?? null,
    ...(decided?.reason !== undefined && { reason: decided.reason }),
  };
}

function answerRules(c: AppContext, set: Announcing<readonly DraftRule[]>): Response {
  return set.ok ? c.json({ rules: set.value }) : refuseAnnouncement(c, set.failure);
}

const putRules = withJson(RulesSchema, async (c, { rules }, by) =>
  answerRules(c, await boardOf(c.env).draftRules(rules, by)),
);

async function getRules(c: AppContext, { visitor }: RouteRequest): Promise<Response> {
  return answerRules(c, await boardOf(c.env).draftRules(null, visitor.by ?? "unknown"));
}

async function list(c: AppContext): Promise<Response> {
  const now = Date.now();
  return c.json({ drafts: (await boardOf(c.env).drafts()).map((draft) => draftAnswer(draft, now)) });
}

const idOf = (c: AppContext): string => c.req.param("id") ?? "";

export function refuseDraft(c: AppContext, { code, draft }: DraftRefusal): Response {
  if (code === "unknown" || draft === null)
    return refuse(c, "not_found", `There is no draft "${idOf(c)}". List them: npm run -s drafts -- list`);
  const incident = draft.decided?.incident ?? null;
  return refuse(
    c,
    "conflict",
    incident === null ? "It was dismissed already." : `It was published already, as the incident ${incident}.`,
  );
}

const publish = withJson(DraftPublishSchema, async (c, request, by) => {
  const done = await boardOf(c.env).publishDraft(idOf(c), request, by);
  if (!done.ok) return refuseDraft(c, done.failure);
  if (!done.value.ok) return refuseAnnouncement(c, done.value.failure);
  return c.json({ incident: shown(done.value.value) }, 201);
});

function shown({ id, name, startedAt }: Incident) {
  return { id, name, startedAt: iso(startedAt) };
}

/** Absent: a command line of the release before says none. */
const Dismissal = v.strictObject({ reason: v.exactOptional(Reason) });

const dismiss = withJson(Dismissal, async (c, { reason }, by) => {
  const done = await boardOf(c.env).dismissDraft(idOf(c), by, reason);
  return done.ok ? c.json({ id: done.value.id, state: draftState(done.value) }) : refuseDraft(c, done.failure);
});

const written = { policy: "cli", bodyMaxBytes: BODY_MAX } as const;

export const draftRoutes: readonly Route[] = [
  { method: "GET", path: "/cli/v1/draft-rules", policy: "cli", handle: getRules },
  { method: "PUT", path: "/cli/v1/draft-rules", ...written, handle: putRules },
  { method: "GET", path: "/cli/v1/drafts", policy: "cli", handle: list },
  { method: "POST", path: "/cli/v1/drafts/:id/publish", ...written, handle: publish },
  { method: "POST", path: "/cli/v1/drafts/:id/dismiss", ...written, handle: dismiss },
];
