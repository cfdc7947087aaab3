/** The operator's API: the runbook's own calls, for a read token or a session. */
import { SERVICES_MAX } from "../../protocol/limits.ts";
import { boardOf } from "../objects/env.ts";
import { serviceModels } from "./admin-view.ts";
import { historyRoutes } from "./history.ts";
import type { AppContext, Route } from "./table.ts";

async function services(c: AppContext): Promise<Response> {
  const found = serviceModels(await boardOf(c.env).operatorView(), Date.now());
  return c.json({ services: found.slice(0, SERVICES_MAX) }, 200, { "cache-control": "no-store" });
}

/** The runbook's overview: traffic and errors of everything that reports. Percentiles are per service: they never add up. */
async function overview(c: AppContext): Promise<Response> {
  const found = serviceModels(await boardOf(c.env).operatorView(), Date.now());
  const fresh = found.filter((service) => service.fresh);
  const perSecond = fresh.reduce((sum, { requestsPerSecond }) => sum + (requestsPerSecond ?? 0), 0);
  const errors = fresh.reduce(
    (sum, { errorRatio, requestsPerSecond }) => sum + (errorRatio ?? 0) * (requestsPerSecond ?? 0),
    0,
  );
  const body = {
    services: { total: found.length, reporting: fresh.length },
    requestsPerSecond: perSecond,
    errorRatio: perSecond > 0 ? errors / perSecond : null,
  };
  return c.json(body, 200, { "cache-control": "no-store" });
}

export const operatorRoutes: readonly Route[] = [
  { method: "GET", path: "/api/v1/services", policy: "read", handle: services },
  { method: "GET", path: "/api/v1/metrics/overview", policy: "read", handle: overview },
  ...historyRoutes,
];
