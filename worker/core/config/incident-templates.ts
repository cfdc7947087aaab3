/** Texts to begin an incident with; null for ours. */
import { failure, success } from "../../../protocol/result.ts";
import type { Template } from "../template.ts";
import { templatesOf } from "../template.ts";
import type { Section } from "./section.ts";

/** Programs know it by its id. Absent: that of the same title, or a new one. */
export type IncidentTemplateSaid = Omit<Template, "id"> & { readonly id?: string };

export const incidentTemplatesSection: Section<"incidentTemplates", readonly IncidentTemplateSaid[] | null> = {
  name: "incidentTemplates",
  read: ({ page }) => page.incidentTemplates ?? null,
  write(state, said, { freshId }) {
    const held = templatesOf(state.page);
    const { incidentTemplates: _, ...page } = state.page;
    if (said === null) return success({ ...state, page });
    const made: Template[] = [];
    for (const [i, { id, title, name, status, affected, body }] of said.entries()) {
      const own = id ?? held.find((one) => one.title === title)?.id ?? freshId();
      if (made.some((one) => one.id === own || one.title === title))
        return failure({ path: ["incidentTemplates", i], message: "this template is there twice" });
      made.push({ id: own, title, name, status, affected, body });
    }
    return success({ ...state, page: { ...page, incidentTemplates: made } });
  },
  list: { keyOf: ({ id, title }) => id ?? title, nameOf: ({ title }) => title, isOrdered: true },
};
