/** Components in the order of the page; each under the id that programs and addresses know it by. */
import { failure, success } from "../../../protocol/result.ts";
import type { Result } from "../../../protocol/result.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { Component, LaterFields } from "../component.ts";
import { COMPONENTS_MAX, LATER_FIELDS } from "../component.ts";
import { inPageOrder } from "../order.ts";
import { chosenBy, isPattern, written } from "../selector.ts";
import type { ConfigFault, Making, Section } from "./section.ts";
import { present } from "./section.ts";

export interface ComponentSaid extends LaterFields {
  /** Absent: that of the component of this group and name, or a new one. */
  readonly id?: string;
  readonly name: string;
  readonly group?: string;
  readonly description?: string;
  /** By their full names, or what chooses them. */
  readonly services: readonly string[];
  readonly rule: Component["rule"];
  /** From when on it is known. Absent: as it is, or now. */
  readonly since?: Millis;
  /** When it was changed last, if that was later: of one that is made anew, so that it reads the same. */
  readonly updated?: Millis;
}

export const componentsSection: Section<"components", readonly ComponentSaid[]> = {
  name: "components",
  read: ({ components }) => inPageOrder(components).map(saidOf),
  write(state, said, making) {
    if (said.length > COMPONENTS_MAX)
      return failure({ path: ["components"], message: `a page has at most ${COMPONENTS_MAX}` });
    const made: Component[] = [];
    for (const [i, one] of said.entries()) {
      const component = componentFrom(one, state.components, made, making);
      if (!component.ok) return failure({ ...component.failure, path: ["components", i, ...component.failure.path] });
      made.push(component.value);
    }
    const placed = made.map((one, i) => ({ ...one, position: i + 1 }));
    const order = inPageOrder(placed);
    const before = inPageOrder(state.components);
    const isSame = order.length === before.length && order.every(({ id }, i) => id === before[i]?.id);
    const positions = new Map(state.components.map(({ id, position }) => [id, position]));
    const components = order.map((one, i) => ({ ...one, position: isSame ? (positions.get(one.id) ?? 0) : i + 1 }));
    return success({ ...state, components });
  },
  list: {
    keyOf: ({ id, group = "", name }) => id ?? `${group} / ${name}`,
    nameOf: ({ group, name }) => (group === undefined ? name : `${group} / ${name}`),
    isOrdered: true,
    silent: ["updated"],
  },
};

function saidOf(component: Component): ComponentSaid {
  const { id, name, group, description, services, selector, rule, createdAt, updatedAt } = component;
  return present({
    id,
    name,
    group: group ?? undefined,
    description: description ?? undefined,
    services: selector ?? services,
    rule,
    ...laterOf(component),
    since: createdAt,
    updated: updatedAt > createdAt ? updatedAt : undefined,
  });
}

function laterOf(fields: LaterFields): LaterFields {
  return present(Object.fromEntries(LATER_FIELDS.map((field) => [field, fields[field]])));
}

function componentFrom(
  said: ComponentSaid,
  held: readonly Component[],
  made: readonly Component[],
  { now, freshId, reported }: Making,
): Result<Component, ConfigFault> {
  const { name, group = null, description = null, services, rule, since } = said;
  const alike = (one: Component): boolean => one.name === name && one.group === group;
  if (made.some(alike)) return failure({ path: ["name"], message: `this group has another component named "${name}"` });
  if (made.some(({ id }) => id === said.id)) return failure({ path: ["id"], message: "another component has this id" });
  if (since !== undefined && since > now) return failure({ path: ["since"], message: "must have passed" });
  const known = held.find((one) => (said.id === undefined ? alike(one) : one.id === said.id));
  const component: Component = {
    name,
    group,
    description,
    ...(services.some(isPattern) ? { ...chosenFor(services, known, reported, now), selector: services } : { services }),
    rule,
    ...laterOf(said),
    id: known?.id ?? said.id ?? freshId(),
    position: 0,
    createdAt: since ?? known?.createdAt ?? now,
    updatedAt: known === undefined ? Math.min(now, said.updated ?? since ?? now) : now,
  };
  return success(known !== undefined && isAlike(known, component) ? known : component);
}

function isAlike(a: Component, b: Component): boolean {
  const [one, other] = [a, b].map((component) => JSON.stringify({ ...saidOf(component), updated: 0 }));
  return one === other;
}

function chosenFor(
  services: readonly string[],
  known: Component | undefined,
  reported: Making["reported"],
  now: Millis,
): Pick<Component, "services" | "gone"> {
  // What is held of the same selector stays: a file that says the same changes nothing.
  const held = known?.selector?.join() === services.join() ? known : { services: [] };
  return written(chosenBy(services, held, reported, now));
}
