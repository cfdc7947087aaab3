/** From which score on a cluster's agent raises anomalies, by cluster; the others go by their agents' own. */
import { success } from "../../../protocol/result.ts";
import type { Section } from "./section.ts";

export const anomaliesSection: Section<"anomalies", Readonly<Record<string, number>>> = {
  name: "anomalies",
  read: ({ page }) =>
    Object.fromEntries(Object.entries(page.anomalies ?? {}).map(([cluster, { threshold }]) => [cluster, threshold])),
  write(state, said, { now }) {
    const { anomalies = {}, ...page } = state.page;
    const set = Object.entries(said).map(([cluster, threshold]) => {
      const held = anomalies[cluster];
      return [cluster, held?.threshold === threshold ? held : { threshold, at: now }] as const;
    });
    return success({ ...state, page: { ...page, ...(set.length > 0 && { anomalies: Object.fromEntries(set) }) } });
  },
};
