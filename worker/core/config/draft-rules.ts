/** Which alerts make drafts of incidents. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import { failure, success } from "../../../protocol/result.ts";
import { componentNamed } from "../announce.ts";
import type { DraftRule } from "../draft.ts";
import { referTo, refusalWords } from "./refer.ts";
import type { Section } from "./section.ts";

export interface DraftRuleSaid {
  readonly name: string;
  /** Absent: every cluster's. */
  readonly cluster?: string;
  readonly match: Readonly<Record<string, readonly string[]>>;
  readonly components: readonly { readonly component: string; readonly status: ComponentStatus }[];
  readonly title?: string;
}

export const draftRulesSection: Section<"draftRules", readonly DraftRuleSaid[]> = {
  name: "draftRules",
  read: ({ page, components }) =>
    (page.draftRules ?? []).map(({ name, cluster, match, components: meant, title }) => ({
      name,
      ...(cluster !== null && { cluster }),
      match,
      components: meant.flatMap(({ component, status }) => {
        const named = referTo(component, components);
        return named === null ? [] : [{ component: named, status }];
      }),
      ...(title !== null && { title }),
    })),
  write(state, said) {
    const rules: DraftRule[] = [];
    for (const [i, { name, cluster = null, match, components, title = null }] of said.entries()) {
      const named: DraftRule["components"][number][] = [];
      for (const [n, { component, status }] of components.entries()) {
        const found = componentNamed(component, state.components);
        if (!found.ok)
          return failure({ path: ["draftRules", i, "components", n], message: refusalWords(found.failure) });
        named.push({ component: found.value.id, status });
      }
      rules.push({ name, cluster, match, components: named, title });
    }
    const { draftRules: _, ...page } = state.page;
    return success({ ...state, page: { ...page, ...(rules.length > 0 && { draftRules: rules }) } });
  },
  list: { keyOf: ({ name }) => name, nameOf: ({ name }) => name, isOrdered: true },
};
