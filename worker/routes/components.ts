/** Components for operators' programs: what is said of each and why, cluster by cluster. */
import * as v from "valibot";
import type { PageSnapshot } from "../../protocol/page.ts";
import type { Component } from "../core/component.ts";
import { matrixOf } from "../core/matrix.ts";
import { RULES } from "../core/rule.ts";
import { THRESHOLDS } from "../core/thresholds.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import { evidenceOf, memberModel, outsideModel, readByVisitors } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import { answerAs, Count, Moment, QuantileAnswer, Ratio } from "./described.ts";
import { ReasonAnswer, ServiceAnswer, StatusAnswer } from "./described-service.ts";
import type { AppContext, Route } from "./table.ts";

const ComponentEntries = {
  id: v.string(),
  name: v.string(),
  group: v.nullable(v.string()),
  status: StatusAnswer,
  reason: ReasonAnswer,
  why: v.pipe(v.nullable(v.string()), v.description("What visitors read")),
  rule: v.picklist(RULES),
  quorum: v.pipe(v.nullable(v.number()), v.description("With rule quorum: how many must be well")),
  thresholds: v.pipe(
    v.strictObject({
      errorRatioDegraded: Ratio,
      errorRatioPartial: Ratio,
      errorRatioMajor: Ratio,
      p95Ms: Count,
      requestsMin: Count,
    }),
    v.description("The limits it is judged by: its own, else the page's, else the runbook's"),
  ),
  disagreement: v.pipe(
    v.nullable(v.string()),
    v.description(
      "What its clusters say where they do not say the same: eu-1 says operational, us-1 says major outage",
    ),
  ),
  outside: v.pipe(
    v.nullable(
      v.strictObject({
        url: v.string(),
        state: v.picklist(["well", "slow", "failing", "unknown"]),
        reason: ReasonAnswer,
        p95: QuantileAnswer,
        probes: v.pipe(
          v.array(v.strictObject({ at: Moment, words: v.string() })),
          v.description("The last probes, oldest first"),
        ),
      }),
    ),
    v.description("Its public address, asked from outside each minute; null: it has none"),
  ),
  clusters: v.array(
    v.strictObject({
      cluster: v.string(),
      status: StatusAnswer,
      reason: ReasonAnswer,
      trafficShare: v.pipe(v.nullable(Ratio), v.description("Of the component's usual traffic; null: not known")),
      heardAt: v.nullable(Moment),
    }),
  ),
};

const ComponentsAnswer = v.strictObject({ components: v.array(v.strictObject(ComponentEntries)) });
const ComponentAnswer = v.strictObject({ ...ComponentEntries, services: v.array(ServiceAnswer) });

function componentBody(component: Component, view: OperatorView, page: PageSnapshot, now: number) {
  const { id, name, group, rule, quorum = null } = component;
  const thresholds = { ...THRESHOLDS, ...view.page.thresholds, ...component.thresholds };
  const evidence = evidenceOf(view);
  const outside = outsideModel(component, evidence, now);
  const matrix = matrixOf(component, evidence, now);
  const why = readByVisitors(page.components, id, now) ?? matrix.why;
  return { id, name, group, rule, quorum, thresholds, outside, ...matrix, why };
}

async function components(c: AppContext): Promise<Response> {
  const [view, page] = await Promise.all([boardOf(c.env).operatorView(), boardOf(c.env).snapshot()]);
  const now = Date.now();
  return answerAs(c, ComponentsAnswer, {
    components: view.components.map((one) => componentBody(one, view, page, now)),
  });
}

async function component(c: AppContext): Promise<Response> {
  const [view, page] = await Promise.all([boardOf(c.env).operatorView(), boardOf(c.env).snapshot()]);
  const found = view.components.find(({ id }) => id === c.req.param("id"));
  if (found === undefined) return refuse(c, "not_found", "There is no such component.");
  const now = Date.now();
  const services = found.services.map((ref) => memberModel(found, ref, view, now));
  return answerAs(c, ComponentAnswer, { ...componentBody(found, view, page, now), services });
}

export const componentApiRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/components",
    policy: "read",
    scope: "read",
    api: { summary: "Every component: what is said of it, why, and what each cluster says", answer: ComponentsAnswer },
    handle: components,
  },
  {
    method: "GET",
    path: "/api/v1/components/:id",
    policy: "read",
    scope: "read",
    api: { summary: "One component, with the services behind it", answer: ComponentAnswer },
    handle: component,
  },
];
