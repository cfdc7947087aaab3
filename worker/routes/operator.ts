/** The operator's API: the runbook's own calls, for a token or a session. */
import * as v from "valibot";
import { SERVICES_MAX } from "../../protocol/limits.ts";
import { boardOf } from "../objects/env.ts";
import { serviceModels } from "./admin-view.ts";
import { componentApiRoutes } from "./components.ts";
import { answerAs } from "./described.ts";
import { ServiceAnswer } from "./described-service.ts";
import { historyRoutes } from "./history.ts";
import { metricsRoute } from "./metrics.ts";
import { overviewRoute } from "./overview.ts";
import type { AppContext, Route } from "./table.ts";
import { watchRoutes } from "./watch.ts";

const ServicesAnswer = v.strictObject({ services: v.array(ServiceAnswer) });

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
  metricsRoute,
  ...watchRoutes,
  ...componentApiRoutes,
  ...historyRoutes,
];
