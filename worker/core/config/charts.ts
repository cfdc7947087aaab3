/** The charts of the first view; null for those that it has by itself. */
import { failure, success } from "../../../protocol/result.ts";
import type { MetricKind } from "../../../protocol/page.ts";
import type { MetricChoice } from "../day.ts";
import { chosenMetrics, DEFAULT_METRICS } from "../day.ts";
import { referTo, refusalWords } from "./refer.ts";
import type { Section } from "./section.ts";
import { present } from "./section.ts";

export interface ChartSaid {
  /** Programs know the chart by it. Absent: that of the same chart, or a new one. */
  readonly id?: string;
  readonly kind: MetricKind;
  /** By "group / name" or id; absent: all of the page. */
  readonly component?: string;
  readonly name?: string;
}

export const chartsSection: Section<"charts", readonly ChartSaid[] | null> = {
  name: "charts",
  read: ({ page, components }) =>
    page.metrics?.flatMap(({ id, kind, component, name }) => {
      const of = component === null ? undefined : referTo(component, components);
      // Of a component that is gone nothing is drawn.
      return of === null ? [] : [present({ id, kind, component: of, name: name === "" ? undefined : name })];
    }) ?? null,
  write(state, said, { freshId }) {
    const { metrics = DEFAULT_METRICS, ...page } = state.page;
    if (said === null) return success({ ...state, page });
    const made: MetricChoice[] = [];
    for (const [i, { id, kind, component = null, name = "" }] of said.entries()) {
      const chosen = chosenMetrics([{ kind, component, name }], metrics, state.components, freshId);
      if (!chosen.ok) return failure({ path: ["charts", i, "component"], message: refusalWords(chosen.failure) });
      const [choice] = chosen.value;
      if (choice === undefined) continue;
      const own = { ...choice, id: id ?? choice.id };
      if (made.some((one) => one.id === own.id))
        return failure({ path: ["charts", i], message: "this chart is there twice" });
      made.push(own);
    }
    return success({ ...state, page: { ...page, metrics: made } });
  },
};
