/** Which charts the first view has: the operator's choice. */
import * as v from "valibot";
import { line } from "../../protocol/name.ts";
import { METRICS_MAX } from "../core/day.ts";
import { boardOf } from "../objects/env.ts";
import { refuseAnnouncement } from "./announce.ts";
import { withJson } from "./cli.ts";
import type { Route } from "./table.ts";

export const ChartsSchema = v.strictObject({
  charts: v.nullable(
    v.pipe(
      v.array(
        v.strictObject({
          kind: v.picklist(["p95", "error_ratio", "request_rate"]),
          component: v.optional(v.nullable(line(200)), null),
          name: v.optional(v.union([v.literal(""), line(60)]), ""),
        }),
      ),
      v.maxLength(METRICS_MAX, `at most ${METRICS_MAX} charts fit the first view`),
    ),
  ),
});

export const chartsCliRoute: Route = {
  method: "PUT",
  path: "/cli/v1/charts",
  policy: "cli",
  bodyMaxBytes: 16_384,
  handle: withJson(ChartsSchema, async (c, { charts }, by) => {
    const chosen = await boardOf(c.env).chooseCharts(charts, by);
    return chosen.ok ? c.json({ charts: chosen.value }) : refuseAnnouncement(c, chosen.failure);
  }),
};
