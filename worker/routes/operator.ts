/** The operator's API: the runbook's own calls, for a token or a session. */
import * as v from "valibot";
import { SERVICES_MAX } from "../../protocol/limits.ts";
import { ClusterName } from "../../protocol/name.ts";
import { boardOf } from "../objects/env.ts";
import { serviceModels } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import { componentApiRoutes } from "./components.ts";
import { answerAs, Count } from "./described.ts";
import { ServiceAnswer } from "./described-service.ts";
import { historyRoutes } from "./history.ts";
import { metricsRoute } from "./metrics.ts";
import { overviewRoute } from "./overview.ts";
import type { AppContext, Route } from "./table.ts";
import { watchRoutes } from "./watch.ts";

const ServicesQuery = v.object({
  cluster: v.pipe(v.optional(ClusterName), v.description("Of one cluster, which reports no more than are answered")),
});
const ServicesAnswer = v.strictObject({
  total: v.pipe(Count, v.description(`Services asked for; the first ${SERVICES_MAX} are answered`)),
  services: v.array(ServiceAnswer),
});

async function services(c: AppContext): Promise<Response> {
  const query = v.safeParse(ServicesQuery, c.req.query());
  if (!query.success)
    return refuse(c, "request_malformed", "Ask for ?cluster= with a cluster's name, or without it for all.");
  const { cluster } = query.output;
  const view = await boardOf(c.env).operatorView(cluster === undefined ? undefined : [cluster]);
  const found = serviceModels(view, Date.now());
  return answerAs(c, ServicesAnswer, { total: found.length, services: found.slice(0, SERVICES_MAX) });
}

export const operatorRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/services",
    policy: "read",
    scope: "read",
    api: {
      summary: "Every service that reports, as it is now, of one cluster or of all",
      query: ServicesQuery,
      answer: ServicesAnswer,
    },
    handle: services,
  },
  overviewRoute,
  metricsRoute,
  ...watchRoutes,
  ...componentApiRoutes,
  ...historyRoutes,
];
