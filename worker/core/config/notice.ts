/** How many days before a planned maintenance people are told of it; null for the runbook's seven. */
import { success } from "../../../protocol/result.ts";
import type { Section } from "./section.ts";

export const noticeSection: Section<"noticeDays", number | null> = {
  name: "noticeDays",
  read: ({ page }) => page.noticeDays ?? null,
  write(state, days) {
    const { noticeDays: _, ...page } = state.page;
    return success({ ...state, page: { ...page, ...(days !== null && { noticeDays: days }) } });
  },
};
