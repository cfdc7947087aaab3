/** The operator's API: the runbook's own calls, for a token or a session. */
import * as v from "valibot";
import { SERVICES_MAX } from "../../protocol/limits.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { boardOf } from "../objects/env.ts";
import { serviceModels } from "./admin-view.ts";
import { answerAs, Count, Moment, QuantileAnswer, Ratio } from "./described.ts";
import { historyRoutes } from "./history.ts";
import { overviewRoute } from "./overview.ts";
import type { AppContext, Route } from "./table.ts";
import { watchRoutes } from "./watch.ts";

const Replicas = v.strictObject({ ready: v.number(), desired: v.number() });

const ServicesAnswer = v.strictObject({
  services: v.array(
    v.strictObject({
      cluster: v.string(),
      service: v.pipe(v.string(), v.description("namespace/name")),
      fresh: v.pipe(v.boolean(), v.description("false: its cluster is silent, and the numbers are old")),
      heardAt: v.nullable(Moment),
      status: v.pipe(v.picklist(COMPONENT_STATUSES), v.description("unknown once its evidence has expired")),
      reason: v.string(),
      p95: QuantileAnswer,
      errorRatio: v.nullable(Ratio),
      requestsPerSecond: v.nullable(Count),
      replicas: v.nullable(Replicas),
      published: v.pipe(
        v.array(v.strictObject({ id: v.string(), name: v.string(), group: v.nullable(v.string()) })),
        v.description("The components that visitors see it as"),
      ),
    }),
  ),
});

async function services(c: AppContext): Promise<Response> {
  const found = serviceModels(await boardOf(c.env).operatorView(), Date.now());
  return answerAs(c, ServicesAnswer, { services: found.slice(0, SERVICES_MAX) });
}

export const operatorRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/services",
    policy: "read",
    scope: "read",
    api: { summary: "Every service that reports, as it is now", answer: ServicesAnswer },
    handle: services,
  },
  overviewRoute,
  ...watchRoutes,
  ...historyRoutes,
];
