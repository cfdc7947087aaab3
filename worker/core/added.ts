/** Components that an operator named by typing: where a page has too many to list them all in a form. */
import type { ComponentStatus } from "../../protocol/status.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { AFFECTED_MAX, componentNamed } from "./announce.ts";
import type { Component } from "./component.ts";

type Values = Readonly<Record<string, string>>;

interface Row {
  readonly name: string;
  readonly status: ComponentStatus;
}

/** The rows of a form that name something: `add.N` a component, `add.N.status` how it is. */
export function addedRows(values: Values): readonly Row[] {
  return Array.from({ length: AFFECTED_MAX }, (_, i) => i).flatMap((i) => {
    const name = values[`add.${i}`]?.trim() ?? "";
    const status = COMPONENT_STATUSES.find((one) => one === values[`add.${i}.status`]) ?? "partial_outage";
    return name === "" ? [] : [{ name, status }];
  });
}

/** The form with each row that names a component as that component's field, `c.ID`; rows that name none stay rows. */
export function withAdded(
  values: Values,
  components: readonly Component[],
): { readonly values: Values; readonly unknown: readonly string[] } {
  const kept = Object.fromEntries(Object.entries(values).filter(([name]) => !name.startsWith("add.")));
  const unknown: string[] = [];
  for (const { name, status } of addedRows(values)) {
    const found = named(name, components);
    if (found !== null) {
      kept[`c.${found.id}`] = status;
      continue;
    }
    kept[`add.${unknown.length}`] = name;
    kept[`add.${unknown.length}.status`] = status;
    unknown.push(name);
  }
  return { values: kept, unknown };
}

/** What is proposed of one without a group is its name, which one in a group may have too. */
function named(ref: string, components: readonly Component[]): Component | null {
  const alone = components.find(({ group, name }) => group === null && name === ref);
  if (alone !== undefined) return alone;
  const found = componentNamed(ref, components);
  return found.ok ? found.value : null;
}
