/**
 * Where components and groups stand on the page. Only components have a place: a group stands where its first component
 * does, one called "Region / Cluster" within "Region", and what has no group stands together like one. So a move is a
 * new order of all components, and each group is a run of it.
 */
import { groupLevels, groupName } from "../../protocol/group.ts";
import type { Component } from "./component.ts";

type Placed = Pick<Component, "id" | "name" | "group" | "position">;

/** One place up or down among those beside it, or in front of another: `before` null is the last place. */
export type Move =
  | { readonly component: string; readonly by: "up" | "down" }
  | { readonly component: string; readonly group: string | null; readonly before: string | null }
  | { readonly group: string | null; readonly by: "up" | "down" }
  | { readonly group: string | null; readonly beside: { readonly before: string | null } | null };

/** The levels that a component stands in; what has no group stands beside the outermost groups. */
function levelsOf({ group }: Pick<Placed, "group">): readonly (string | null)[] {
  return group === null ? [null] : groupLevels(group);
}

/** Whether a component stands in a group or in one within it. */
function isIn(component: Pick<Placed, "group">, group: string | null): boolean {
  const levels = levelsOf(component);
  return levelsOf({ group }).every((name, i) => levels[i] === name);
}

/** A group with what stands in it: what is its own stands before the groups within it. `name` is the whole name. */
export interface Branch<One> {
  readonly name: string | null;
  readonly own: readonly One[];
  readonly groups: readonly Branch<One>[];
}

/** The page from top to bottom. */
export function pageTree<One extends Placed>(components: readonly One[]): readonly Branch<One>[] {
  const sorted = components.toSorted((a, b) => a.position - b.position || a.name.localeCompare(b.name, "en"));
  return branches(sorted, 0);
}

function branches<One extends Placed>(components: readonly One[], level: number): readonly Branch<One>[] {
  const groups = Map.groupBy(components, (one) => nameTo(levelsOf(one), level));
  return [...groups].map(([name, all]) => {
    const own = all.filter((one) => levelsOf(one).length === level + 1);
    const within = all.filter((one) => levelsOf(one).length > level + 1);
    return { name, own, groups: branches(within, level + 1) };
  });
}

/** All components as visitors see them from top to bottom. */
export function inPageOrder<One extends Placed>(components: readonly One[]): readonly One[] {
  const flat = (tree: readonly Branch<One>[]): readonly One[] =>
    tree.flatMap(({ own, groups }) => [...own, ...flat(groups)]);
  return flat(pageTree(components));
}

/** The components in their order after a move; null if there is no such thing, or no such place. */
export function moved<One extends Placed>(components: readonly One[], move: Move): readonly One[] | null {
  const order = inPageOrder(components);
  if ("component" in move) {
    const found = order.find(({ id }) => id === move.component);
    if (found === undefined) return null;
    return "by" in move ? stepped(order, found, move.by) : placed(order, found, move);
  }
  if (!order.some((one) => isIn(one, move.group))) return null;
  return "by" in move ? groupStepped(order, move.group, move.by) : groupPlaced(order, move.group, move.beside);
}

function stepped<One extends Placed>(order: readonly One[], found: One, by: "up" | "down"): readonly One[] {
  const own = order.filter(({ group }) => group === found.group);
  const other = own[own.indexOf(found) + (by === "up" ? -1 : 1)];
  return order.map((one) => (one === found ? (other ?? found) : one === other ? found : one));
}

function placed<One extends Placed>(
  order: readonly One[],
  found: One,
  { group, before }: { readonly group: string | null; readonly before: string | null },
): readonly One[] | null {
  if (before === found.id) return order;
  const others = order.filter((one) => one !== found);
  const own = others.filter((one) => one.group === group);
  const next = own.find(({ id }) => id === before);
  if (before !== null && next === undefined) return null;
  const last = own.at(-1);
  const first = others.findIndex((one) => isIn(one, group));
  const at = next ? others.indexOf(next) : last ? others.indexOf(last) + 1 : first < 0 ? others.length : first;
  // A group that is new within another stands with that one, wherever it was put.
  const put = [...others.slice(0, at), { ...found, group }, ...others.slice(at)];
  return inPageOrder(put.map((one, position) => ({ ...one, position })));
}

/** The groups that stand beside one, in order, with itself: by their whole names. */
export function groupsBeside(order: readonly Placed[], group: string | null): readonly (string | null)[] {
  const level = levelsOf({ group }).length - 1;
  const parent = levelsOf({ group }).slice(0, level);
  const beside = order.filter(
    (one) => levelsOf(one).length > level && parent.every((name, i) => levelsOf(one)[i] === name),
  );
  return [...new Set(beside.map((one) => nameTo(levelsOf(one), level)))];
}

function nameTo(levels: readonly (string | null)[], level: number): string | null {
  const names = levels.slice(0, level + 1).filter((name) => name !== null);
  return names.length === 0 ? null : groupName(names);
}

function groupStepped<One extends Placed>(order: readonly One[], group: string | null, by: "up" | "down") {
  const beside = groupsBeside(order, group);
  const at = beside.indexOf(group) + (by === "up" ? -1 : 2);
  if (at < 0 || at > beside.length) return order;
  const before = beside[at];
  return groupPlaced(order, group, before === undefined ? null : { before });
}

/** Puts the run of a group in front of that of another beside it, or behind all of them. */
function groupPlaced<One extends Placed>(
  order: readonly One[],
  group: string | null,
  beside: { readonly before: string | null } | null,
): readonly One[] | null {
  const names = groupsBeside(order, group);
  if (beside !== null && !names.includes(beside.before)) return null;
  // Alone there is no other place.
  if (names.length < 2 || beside?.before === group) return order;
  const run = order.filter((one) => isIn(one, group));
  const others = order.filter((one) => !run.includes(one));
  const last = names.findLast((name) => name !== group);
  const at =
    beside === null
      ? others.findLastIndex((one) => last !== undefined && isIn(one, last)) + 1
      : others.findIndex((one) => isIn(one, beside.before));
  return [...others.slice(0, at), ...run, ...others.slice(at)];
}

/** Components after a group got another name, with the groups within it; null takes that level away. */
export function renamed<One extends Placed>(
  components: readonly One[],
  from: string,
  to: string | null,
): readonly One[] {
  const depth = groupLevels(from).length;
  return components.map((one) => {
    if (one.group === null || !isIn(one, from)) return one;
    const levels = [...(to === null ? [] : groupLevels(to)), ...groupLevels(one.group).slice(depth)];
    return { ...one, group: levels.length === 0 ? null : groupName(levels) };
  });
}
