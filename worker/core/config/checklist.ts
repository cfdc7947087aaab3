/** What is ticked off around a planned maintenance; null for the runbook's list. */
import { failure, success } from "../../../protocol/result.ts";
import type { ChecklistItem } from "../checklist.ts";
import type { Section } from "./section.ts";

export const checklistSection: Section<"checklist", readonly ChecklistItem[] | null> = {
  name: "checklist",
  read: ({ page }) => page.checklist ?? null,
  write(state, said) {
    const twice = (said ?? []).findIndex(({ id }, i, all) => all.findIndex((one) => one.id === id) !== i);
    if (twice >= 0) return failure({ path: ["checklist", twice, "id"], message: "this item is there twice" });
    const { checklist: _, ...page } = state.page;
    return success({ ...state, page: { ...page, ...(said !== null && { checklist: said }) } });
  },
  list: { keyOf: ({ id }) => id, nameOf: ({ text }) => text, isOrdered: true },
};
