/** A component's own page, by range, and the charts' numbers for programs that know Statuspage's. */
import { CHART_RANGES, renderComponent } from "../../web/view/component.ts";
import type { ChartRange } from "../core/chart-values.ts";
import type { DisplayPeriod } from "../core/metrics-display.ts";
import { DISPLAY_PERIODS, displayDocument } from "../core/metrics-display.ts";
import { htmlPage, jsonDocument } from "./renderings.ts";
import type { Render } from "./serve.ts";
import { serve } from "./serve.ts";
import type { AppContext, Route } from "./table.ts";

function componentPage(component: string, range: ChartRange): Render {
  const needs: Render["needs"] = {
    log: true,
    charts: ({ components }) => (components.some(({ id }) => id === component) ? { component, range } : null),
  };
  return htmlPage((view) => renderComponent({ ...view, component, range }), needs, "component");
}

function display(id: string, period: DisplayPeriod): Render {
  return jsonDocument(({ snapshot, charts, now }) => displayDocument(snapshot, id, period, charts, now), {
    charts({ metrics = [] }) {
      const metric = metrics.find((one) => one.id === id);
      return metric === undefined ? null : { component: metric.component, range: period };
    },
  });
}

function idOf(c: AppContext): string {
  return c.req.param("id") ?? "";
}

const periods = Object.keys(DISPLAY_PERIODS) as readonly DisplayPeriod[];

export const componentPageRoutes: readonly Route[] = [
  ...CHART_RANGES.map((range): Route => ({
    method: "GET",
    path: `/components/:id${range === "day" ? "" : `/${range}`}`,
    policy: "public",
    isSpoken: true,
    handle: (c) => serve(c, componentPage(idOf(c), range)),
  })),
  ...periods.map((period): Route => ({
    method: "GET",
    path: `/metrics-display/:id/${period}.json`,
    policy: "public",
    handle: (c) => serve(c, display(idOf(c), period)),
  })),
];
