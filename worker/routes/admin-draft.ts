/** The page of one draft of an incident: its evidence, the form that posts it, and the one that says why it is none. */
import * as v from "valibot";
import { COMPONENT_STATUSES, worst } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { MINUTE, SECOND } from "../../protocol/time.ts";
import { renderDraft } from "../../web/view/admin/draft.ts";
import type { DraftPageModel } from "../../web/view/admin/draft-model.ts";
import { chartValues } from "../core/chart-values.ts";
import type { Component } from "../core/component.ts";
import { splitService } from "../core/component.ts";
import type { DraftView } from "../core/draft.ts";
import { evenPlan } from "../core/series.ts";
import { filled, templatesOf } from "../core/template.ts";
import { THRESHOLDS } from "../core/thresholds.ts";
import { visible } from "../core/visibility.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { openDatabase } from "../store/database.ts";
import { SERIES_SERVICES_MAX, seriesOver } from "../store/series.ts";
import type { Values } from "./admin-incident-form.ts";
import { checked } from "./admin-incident-form.ts";
import { formModel, templateFacts } from "./admin-incident-model.ts";
import type { Looked } from "./admin-incident.ts";
import { freshKey, look, valuesOf } from "./admin-incident.ts";
import { adminPage, FORM_MAX } from "./admin-page.ts";
import { draftModel, frameOf } from "./admin-view.ts";
import { Reason } from "./announce-request.ts";
import { refuse } from "./answer.ts";
import { refuseDraft } from "./drafts.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

/** What is drawn: half an hour before the first bad minute, and an hour of what followed. */
const BEFORE_MS = 30 * MINUTE;
const AFTER_MS = 60 * MINUTE;
/** Components that are drawn, the worst first. */
const CHARTS_MAX = 3;
/** Findings of the graph that are shown. */
const FINDINGS_MAX = 3;
/** An operator waits: what is not known by then is not drawn. */
const TIMEOUT_MS = 3 * SECOND;

const idOf = (c: AppContext): string => c.req.param("id") ?? "";

async function draftPage(
  c: AppContext,
  dismissal: DraftPageModel["dismissal"],
  status: 200 | 400 = 200,
): Promise<Response> {
  const looked = await look(c);
  const { view, all, seen, now } = looked;
  const draft = view.drafts?.find(({ id }) => id === idOf(c));
  if (draft === undefined) return refuse(c, "not_found", "There is no such draft any more. It is older than 30 days.");
  const [findings, charts] = await Promise.all([findingsOf(c, draft, looked), chartsOf(c, draft, looked)]);
  const shown = { values: { ...valuesOfDraft(draft, looked), key: freshKey() }, faults: [], isPreview: false };
  const { decided } = draft;
  const model: DraftPageModel = {
    draft: draftModel(draft, { components: all }, now),
    affected: draft.components.map(({ component, status: to }) => ({
      id: component,
      name: all.find(({ id }) => id === component)?.name ?? component,
      status: to,
      now: seen.get(component) ?? "unknown",
    })),
    alerts: draft.alerts.map(({ name, summary, startedAt, endedAt }) => ({ name, summary, startedAt, endedAt })),
    findings,
    charts,
    form: decided === null ? formModel(view.components, seen, null, shown) : null,
    decided: decided === null ? null : { ...decided, reason: decided.reason ?? null },
    dismissal,
  };
  return adminPage(c, renderDraft(model, frameOf(view, now)), status);
}

/** Affected components, the worst first; one that was taken off the page is none. */
function affectedOf({ components }: DraftView, view: Pick<OperatorView, "components">): readonly Component[] {
  const byWeight = components.toSorted(
    (a, b) => COMPONENT_STATUSES.indexOf(b.status) - COMPONENT_STATUSES.indexOf(a.status),
  );
  return byWeight.flatMap(({ component }) => view.components.find(({ id }) => id === component) ?? []);
}

/** What would be said: the first template that begins with as bad a state, of the components that visitors know. */
function valuesOfDraft(draft: DraftView, { view, now }: Looked): Values {
  const statuses = draft.components.map(({ status }) => status);
  const names = visible(affectedOf(draft, view)).map(({ name }) => name);
  const facts = templateFacts(view, { names, statuses, since: draft.startedAt }, now);
  const template = templatesOf(view.page).find(
    ({ affected, status }) => affected === worst(statuses) && status === "investigating",
  );
  return {
    draft: draft.id,
    name: draft.title,
    body: template === undefined || names.length === 0 ? "We are looking into it." : filled(template.body, facts),
    at: new Date(draft.startedAt).toISOString().slice(0, 16),
    ...Object.fromEntries(draft.components.map(({ component, status }) => [`c.${component}`, status])),
  };
}

// ── evidence ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What the graph of calls says of the services behind it, as it is now. */
async function findingsOf(c: AppContext, draft: DraftView, { view }: Looked): Promise<DraftPageModel["findings"]> {
  const services = new Set(affectedOf(draft, view).flatMap((one) => one.services));
  const clusters = new Set([...services].map((ref) => splitService(ref).cluster));
  const { graphs } = await boardOf(c.env).graphs(clusters.size === 1 ? ([...clusters][0] ?? null) : null);
  const found = graphs.flatMap(({ cluster, findings }) =>
    findings
      .filter(({ causes, symptoms }) => [...causes, ...symptoms].some((name) => services.has(`${cluster}/${name}`)))
      .map(({ causes, symptoms, evidence }) => ({ cluster, causes, symptoms, evidence })),
  );
  return found.slice(0, FINDINGS_MAX);
}

/** The archive's minutes around the first bad one; null where it cannot be reached. */
async function chartsOf(c: AppContext, draft: DraftView, { view, now }: Looked): Promise<DraftPageModel["charts"]> {
  const { DATABASE_URL: url, NEON_FETCH_ENDPOINT: fetchEndpoint } = c.env;
  const { page } = view;
  const database = openDatabase({ url, fetchEndpoint, timeoutMs: TIMEOUT_MS });
  const end: Millis = Math.min(now, draft.startedAt + AFTER_MS);
  const plan = evenPlan(end, MINUTE, Math.max(2, Math.ceil((end - draft.startedAt + BEFORE_MS) / MINUTE)));
  const drawn = affectedOf(draft, view)
    .filter(({ services }) => services.length > 0 && services.length <= SERIES_SERVICES_MAX)
    .slice(0, CHARTS_MAX);
  const found = await Promise.all(
    drawn.map(async ({ name, services, thresholds }) => {
      const { p95Ms, errorRatioDegraded: errorRatio } = { ...THRESHOLDS, ...page.thresholds, ...thresholds };
      const series = await seriesOver(database, { services, plan, now, timeZone: page.timeZone });
      if (!series.ok) return null;
      return { name, values: chartValues(plan, series.value.points, now), limits: { p95Ms, errorRatio } };
    }),
  );
  return found.every((one) => one !== null) ? found : null;
}

// ── dismissal ───────────────────────────────────────────────────────────────────────────────────────────────────────

async function dismiss(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const { reason = "" } = valuesOf(body);
  const parsed = checked(v.object({ reason: Reason }), { reason });
  if (!parsed.ok) return draftPage(c, { reason, faults: parsed.failure }, 400);
  const done = await boardOf(c.env).dismissDraft(idOf(c), visitor.by ?? "unknown", parsed.value.reason);
  return done.ok ? c.redirect("/admin", 303) : refuseDraft(c, done.failure);
}

const NOTHING_TYPED = { reason: "", faults: [] };

export const adminDraftRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/admin/drafts/:id",
    policy: "admin",
    role: "viewer",
    handle: (c) => draftPage(c, NOTHING_TYPED),
  },
  {
    method: "POST",
    path: "/admin/drafts/:id/dismiss",
    policy: "admin",
    role: "responder",
    bodyMaxBytes: FORM_MAX,
    handle: dismiss,
  },
];
