/** `/metrics`: what a Prometheus scrapes. One call of the Board, and no Cluster is woken for it. */
import { EXPOSITION_TYPES, exposition } from "../core/exposition.ts";
import { metricFamilies } from "../core/metrics.ts";
import { boardOf } from "../objects/env.ts";
import type { AppContext, Route } from "./table.ts";

async function metrics(c: AppContext): Promise<Response> {
  const families = metricFamilies(await boardOf(c.env).metrics(), Date.now());
  const format = /application\/openmetrics-text/.test(c.req.header("accept") ?? "") ? "openmetrics" : "prometheus";
  return new Response(exposition(families, format), {
    headers: {
      "content-type": EXPOSITION_TYPES[format],
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      vary: "accept",
    },
  });
}

export const metricsRoute: Route = {
  method: "GET",
  path: "/metrics",
  policy: "read",
  scope: "metrics",
  api: {
    summary: "Metrics of the mesh's certificates and anomalies, of the page, and of the gateway itself, for Prometheus",
    answer: null,
  },
  handle: metrics,
};
