/** Services that are nobody's business: they do not wait to be published. */
import { success } from "../../../protocol/result.ts";
import type { Section } from "./section.ts";

export const ignoredSection: Section<"ignored", readonly string[]> = {
  name: "ignored",
  read: ({ page }) => page.ignored ?? [],
  write(state, said) {
    const { ignored: _, ...page } = state.page;
    const ignored = [...new Set(said)];
    return success({ ...state, page: { ...page, ...(ignored.length > 0 && { ignored }) } });
  },
  list: { keyOf: (one) => one, nameOf: (one) => one, isOrdered: false },
};
