/** What every component is judged by that has no limits of its own. */
import { success } from "../../../protocol/result.ts";
import type { Thresholds } from "../thresholds.ts";
import type { Section } from "./section.ts";

export const limitsSection: Section<"limits", Partial<Thresholds>> = {
  name: "limits",
  read: ({ page }) => page.thresholds ?? {},
  write(state, limits) {
    const { thresholds: _, ...page } = state.page;
    const isSet = Object.keys(limits).length > 0;
    return success({ ...state, page: { ...page, ...(isSet && { thresholds: limits }) } });
  },
};
