/** The page of a cluster's detector of anomalies: its threshold, what another one would raise, and its baseline. */
import * as v from "valibot";
import { ClusterName } from "../../protocol/name.ts";
import { renderDetector } from "../../web/view/admin/detector.ts";
import type { AskedModel, DetectorPageModel } from "../../web/view/admin/detector-model.ts";
import type { Question } from "../core/detector.ts";
import { thresholdProblem } from "../core/detector.ts";
import type { DetectorPage } from "../objects/board-detectors.ts";
import { boardOf } from "../objects/env.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { frameOf } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

type Form = DetectorPageModel["form"];
const EMPTY: Form = { values: {}, faults: [] };
const NO_CLUSTER = "There is no such cluster.";
const REFUSALS = {
  deaf: "The agent of this cluster does not say that it looks for anomalies, so nobody can be asked. Its version may be too old, or it was never heard.",
  busy: "A question is under way. Wait for its answer.",
} as const;

async function detectorPage(c: AppContext, form: Form, status: 200 | 400 | 409): Promise<Response> {
  const cluster = v.safeParse(ClusterName, c.req.param("cluster"));
  const board = boardOf(c.env);
  const [page, view] = cluster.success
    ? await Promise.all([board.detectorPage(cluster.output), board.operatorView([])])
    : [null, null];
  if (page === null) return refuse(c, "not_found", NO_CLUSTER);
  const now = Date.now();
  return adminPage(c, renderDetector(modelOf(page, form, now), frameOf(view, now)), status);
}

function modelOf(page: DetectorPage, form: Form, now: number): DetectorPageModel {
  const { view, wished, generation, observed, answered, unusual } = page;
  return {
    ...view,
    wished,
    isTaken: generation === null || (observed ?? 0) >= generation,
    asked: askedOf(page, now),
    answered: answered.map(({ command, answer }) => {
      const { kind, state, at, says, preview = null } = answer;
      return { kind, state, at, says, preview, askedAt: command.askedAt, by: command.by };
    }),
    unusual,
    form,
  };
}

function askedOf({ view, command, answer }: DetectorPage, now: number): AskedModel | null {
  if (command === null) return null;
  const { kind, askedAt, expiresAt, by } = command;
  const isSilent = view.state === "silent";
  const state =
    answer !== null && !isSilent ? "answering" : now >= expiresAt ? "unanswered" : isSilent ? "silent" : "asked";
  return { kind, state, askedAt, expiresAt, by, says: answer?.says ?? null };
}

function backTo(c: AppContext): Response {
  return c.redirect(`/admin/clusters/${c.req.param("cluster") ?? ""}/anomalies`, 303);
}

/** The score that was typed, or the page with what is wrong with it. */
async function typedThreshold(c: AppContext, body: Uint8Array): Promise<number | Response> {
  const text = formOf(body).get("threshold")?.trim().slice(0, 20) ?? "";
  const threshold = /^\d?([.,]\d{1,4})?$/.test(text) && text !== "" ? Number(text.replace(",", ".")) : Number.NaN;
  const problem = thresholdProblem(threshold);
  if (problem === null) return threshold;
  return detectorPage(c, { values: { threshold: text }, faults: [{ field: "threshold", message: problem }] }, 400);
}

async function setThreshold(c: AppContext, { body, visitor }: RouteRequest): Promise<Response> {
  const threshold = await typedThreshold(c, body);
  if (threshold instanceof Response) return threshold;
  return keepThreshold(c, threshold, visitor.by);
}

async function keepThreshold(c: AppContext, threshold: number | null, by: string | null): Promise<Response> {
  const isSet = await boardOf(c.env).setAnomalyThreshold(c.req.param("cluster") ?? "", threshold, by ?? "unknown");
  return isSet ? backTo(c) : refuse(c, "not_found", NO_CLUSTER);
}

async function preview(c: AppContext, request: RouteRequest): Promise<Response> {
  const threshold = await typedThreshold(c, request.body);
  return threshold instanceof Response ? threshold : ask(c, { kind: "preview", threshold }, request);
}

async function ask(c: AppContext, question: Question, { body, visitor }: RouteRequest): Promise<Response> {
  const asked = await boardOf(c.env).askDetector(c.req.param("cluster") ?? "", question, visitor.by ?? "unknown");
  if (asked.ok) return backTo(c);
  if (asked.failure === "not_found") return refuse(c, "not_found", NO_CLUSTER);
  const values = question.kind === "preview" ? { threshold: formOf(body).get("threshold") ?? "" } : {};
  return detectorPage(c, { values, faults: [{ field: null, message: REFUSALS[asked.failure] }] }, 409);
}

const PATH = "/admin/clusters/:cluster/anomalies";

export const adminDetectorRoutes: readonly Route[] = [
  { method: "GET", path: PATH, policy: "admin", role: "viewer", handle: (c) => detectorPage(c, EMPTY, 200) },
  { method: "POST", path: PATH, policy: "admin", role: "operator", bodyMaxBytes: FORM_MAX, handle: setThreshold },
  {
    method: "POST",
    path: `${PATH}/own`,
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: (c, { visitor }) => keepThreshold(c, null, visitor.by),
  },
  {
    method: "POST",
    path: `${PATH}/preview`,
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: preview,
  },
  {
    method: "POST",
    path: `${PATH}/retrain`,
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: (c, request) => ask(c, { kind: "retrain" }, request),
  },
  {
    method: "POST",
    path: `${PATH}/roll-back`,
    policy: "admin",
    role: "operator",
    bodyMaxBytes: FORM_MAX,
    handle: (c, request) => ask(c, { kind: "roll_back" }, request),
  },
];
