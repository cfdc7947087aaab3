/** Alert rules as forms: what they are, what another one would have met, and the detectors of anomalies beside them. */
import * as v from "valibot";
import { ClusterName, line } from "../../protocol/name.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, SECOND } from "../../protocol/time.ts";
import { RULE_STATUSES, renderAlerts } from "../../web/view/admin/alerts.ts";
import type { AlarmCount, AlertField, AlertsModel } from "../../web/view/admin/alerts-model.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import { includesRole } from "../core/access.ts";
import { labelsIn } from "../core/alert.ts";
import { detectorOf } from "../core/detector.ts";
import type { DraftRule } from "../core/draft.ts";
import { matches, RULES_MAX } from "../core/draft.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import type { EventCursor, StoredEvent } from "../store/events.ts";
import { EVENTS_MAX, recentEvents } from "../store/events.ts";
import { tellOf } from "./admin-cluster-model.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { frameOf } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import { Match } from "./drafts.ts";
import { historyDatabase } from "./history.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

const TIMEOUT_MS = 3 * SECOND;
const LOOKED_AT_MS = 7 * DAY;
/** Pages of alarms that are read for a count, and alarms of a preview that are named. */
const PAGES_MAX = 5;
const NAMED_MAX = 5;

type Values = AlertsModel["form"]["values"];
interface Shown {
  readonly values: Values;
  readonly faults: readonly Fault[];
  /** The rule that a preview is of. */
  readonly tried: DraftRule | null;
}
const NOTHING: Shown = { values: {}, faults: [], tried: null };

async function alertsPage(
  c: AppContext,
  { visitor }: RouteRequest,
  { values, faults, tried }: Shown,
  status: 200 | 400 | 409,
): Promise<Response> {
  const board = boardOf(c.env);
  const now = Date.now();
  const [view, rules, alarms] = await Promise.all([
    board.operatorView([]),
    board.draftRules(null, visitor.by ?? "unknown"),
    alarmsSince(c, now - LOOKED_AT_MS),
  ]);
  const model: AlertsModel = {
    rules: (rules.ok ? rules.value : []).map((rule) => ({
      ...rule,
      components: rule.components.map((one) => ({ name: nameOf(view, one.component), status: one.status })),
      alarms: countOf(rule, alarms),
    })),
    form: { values, faults },
    preview: tried === null ? null : { alarms: countOf(tried, alarms), newest: newestOf(tried, alarms) },
    clusters: view.clusters.map(({ cluster }) => cluster),
    components: view.components.map(({ id }) => ({ id, name: nameOf(view, id) })),
    detectors: view.clusters.map(({ cluster }) => {
      const { state, threshold } = detectorOf(cluster, tellOf(view, cluster), now);
      return { cluster, state, threshold: threshold?.threshold ?? null };
    }),
    mayChange: visitor.role !== null && includesRole(visitor.role, "operator"),
  };
  return adminPage(c, renderAlerts(model, frameOf(view, now)), status);
}

function nameOf({ components }: OperatorView, id: string): string {
  const found = components.find((one) => one.id === id);
  if (found === undefined) return id;
  return found.group === null ? found.name : `${found.group} / ${found.name}`;
}

// ── alarms of the last days ─────────────────────────────────────────────────────────────────────────────────────────

interface Alarms {
  readonly events: readonly StoredEvent[];
  readonly isAll: boolean;
}

/** Null if Postgres cannot be reached: rules need it for nothing but their counts. */
async function alarmsSince(c: AppContext, from: Millis): Promise<Alarms | null> {
  const database = historyDatabase(c, TIMEOUT_MS);
  const events: StoredEvent[] = [];
  for (let page = 0, before: EventCursor | undefined; page < PAGES_MAX; page++) {
    const found = await recentEvents(database, { kinds: ["alert.fired"], from, before, limit: EVENTS_MAX });
    if (!found.ok) return null;
    events.push(...found.value);
    if (found.value.length < EVENTS_MAX) return { events, isAll: true };
    before = found.value.at(-1);
  }
  return { events, isAll: false };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function metBy(rule: DraftRule, { events }: Alarms): readonly StoredEvent[] {
  return events.filter(({ cluster, body }) => matches(rule, cluster, { labels: labelsIn(textOf(body["labels"])) }));
}

function countOf(rule: DraftRule, alarms: Alarms | null): AlarmCount | null {
  if (alarms === null) return null;
  return { met: metBy(rule, alarms).length, seen: alarms.events.length, isAll: alarms.isAll };
}

function newestOf(rule: DraftRule, alarms: Alarms | null): NonNullable<AlertsModel["preview"]>["newest"] {
  if (alarms === null) return [];
  return metBy(rule, alarms)
    .slice(0, NAMED_MAX)
    .map(({ at, cluster, subject, body }) => ({ at, cluster, name: subject ?? "", says: textOf(body["says"]) }));
}

// ── forms ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const LABELS_WANTED = "Give at least one label, one a line, as severity=critical or severity=critical,page.";

const RuleForm = v.object({
  name: v.pipe(line(200), v.trim(), v.nonEmpty("Give it a name.")),
  cluster: v.pipe(
    v.union([v.literal(""), ClusterName], "Choose a cluster, or all."),
    v.transform((name) => (name === "" ? null : name)),
  ),
  labels: Match,
  component: v.pipe(v.string(), v.nonEmpty("Choose what it is about.")),
  status: v.picklist(RULE_STATUSES, "Choose what it means."),
});

/** "severity=critical,page", one a line; null where a line is none. */
function matchIn(text: string): Record<string, string[]> | null {
  const lines = text
    .split(/\r?\n/)
    .map((one) => one.trim())
    .filter((one) => one !== "");
  const parts = lines.map((one) => /^([^=]+)=(.*)$/.exec(one));
  if (parts.some((part) => part === null)) return null;
  return Object.fromEntries(
    parts.map((part) => [part?.[1]?.trim() ?? "", (part?.[2] ?? "").split(",").map((value) => value.trim())]),
  );
}

function formRule(body: Uint8Array): {
  readonly values: Values;
  readonly rule: DraftRule | null;
  readonly faults: readonly Fault[];
} {
  const values: Partial<Record<AlertField, string>> = Object.fromEntries(formOf(body));
  const match = matchIn(values.labels ?? "");
  const typed = { name: "", cluster: "", component: "", status: "", ...values, labels: match ?? {} };
  const parsed = v.safeParse(RuleForm, typed);
  if (parsed.success) {
    const { labels, component, status, ...named } = parsed.output;
    return { values, rule: { ...named, match: labels, components: [{ component, status }], title: null }, faults: [] };
  }
  const faults = parsed.issues.map((issue): Fault => {
    const field = v.getDotPath(issue)?.split(".")[0] ?? null;
    return { field, message: field === "labels" ? LABELS_WANTED : issue.message };
  });
  return { values, rule: null, faults };
}

/** Says what a rule would have met. What it would be called, and of what, need not be said for that. */
async function preview(c: AppContext, request: RouteRequest): Promise<Response> {
  const { values, faults } = formRule(request.body);
  const own = faults.filter(({ field }) => field === "labels");
  if (own.length > 0) return alertsPage(c, request, { values, faults: own, tried: null }, 400);
  const cluster = (values.cluster ?? "") === "" ? null : (values.cluster ?? null);
  const match = v.parse(Match, matchIn(values.labels ?? ""));
  return alertsPage(
    c,
    request,
    { values, faults: [], tried: { name: "", cluster, match, components: [], title: null } },
    200,
  );
}

async function add(c: AppContext, request: RouteRequest): Promise<Response> {
  const { values, rule, faults } = formRule(request.body);
  if (rule === null) return alertsPage(c, request, { values, faults, tried: null }, 400);
  const board = boardOf(c.env);
  const by = request.visitor.by ?? "unknown";
  const held = await board.draftRules(null, by);
  const rules = held.ok ? held.value : [];
  const fault =
    rules.length >= RULES_MAX
      ? { field: null, message: `There are ${RULES_MAX} rules already. Remove one first.` }
      : rules.some(({ name }) => name === rule.name)
        ? { field: "name", message: "There is a rule of this name. Choose another, or remove that one." }
        : null;
  if (fault !== null) return alertsPage(c, request, { values, faults: [fault], tried: null }, 409);
  const set = await board.draftRules([...rules, rule], by);
  if (set.ok) return c.redirect("/admin/alerts", 303);
  const message = "There is no such component any more. Choose another.";
  return alertsPage(c, request, { values, faults: [{ field: "component", message }], tried: null }, 409);
}

async function remove(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const board = boardOf(c.env);
  const by = visitor.by ?? "unknown";
  const name = formOf(body).get("name") ?? "";
  const held = await board.draftRules(null, by);
  const rules = held.ok ? held.value : [];
  const rest = rules.filter((rule) => rule.name !== name);
  if (rest.length === rules.length) return refuse(c, "not_found", "There is no such rule any more.");
  const set = await board.draftRules(rest, by);
  return set.ok
    ? c.redirect("/admin/alerts", 303)
    : refuse(
        c,
        "conflict",
        "Another rule speaks of a component that is gone: set the rules with a file, by npm run -s drafts.",
      );
}

const operator = { method: "POST", policy: "admin", role: "operator", bodyMaxBytes: FORM_MAX } as const;

export const alertRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/admin/alerts",
    policy: "admin",
    role: "viewer",
    handle: (c, request) => alertsPage(c, request, NOTHING, 200),
  },
  { ...operator, path: "/admin/alerts", handle: add },
  { ...operator, path: "/admin/alerts/preview", handle: preview },
  { ...operator, path: "/admin/alerts/remove", handle: remove },
];
