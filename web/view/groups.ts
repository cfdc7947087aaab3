/**
 * Components by group. A group called "Platform / Data" is one within another; each is a <details>, so it opens and
 * closes without a script.
 */
import { groupLevels } from "../../protocol/group.ts";
import type { PageComponent } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";

export interface Group {
  /** Of this level; null for components that have no group. */
  readonly name: string | null;
  /** Indexes of the components that stand in it, and of all that stand in it and in the groups within it. */
  readonly own: readonly number[];
  readonly all: readonly number[];
  readonly groups: readonly Group[];
}

/** A page with more components begins with the groups closed that are well. */
const OPEN_MAX = 40;

/** Groups in the order of their first component. */
export function groupsOf(components: readonly Pick<PageComponent, "group">[]): readonly Group[] {
  const paths = components.map(({ group }) => (group === null ? [null] : groupLevels(group)));
  return groupsAt(
    paths,
    paths.map((_, i) => i),
    0,
  );
}

function groupsAt(
  paths: readonly (readonly (string | null)[])[],
  indexes: readonly number[],
  level: number,
): readonly Group[] {
  const inside = indexes.filter((i) => (paths[i]?.length ?? 0) > level);
  const names = [...new Set(inside.map((i) => paths[i]?.[level] ?? null))];
  return names.map((name) => {
    const all = inside.filter((i) => (paths[i]?.[level] ?? null) === name);
    const own = all.filter((i) => paths[i]?.length === level + 1);
    return { name, own, all, groups: groupsAt(paths, all, level + 1) };
  });
}

/** Every group, outer ones before those within: by this order the script knows them. */
export function flatGroups(groups: readonly Group[]): readonly Group[] {
  return groups.flatMap((group) => [group, ...flatGroups(group.groups)]);
}

/** Whether a group stands open at first: where something is wrong, and everywhere while the page is short. */
export function isOpen(group: Group, components: readonly Pick<PageComponent, "outlook">[], now: Millis): boolean {
  if (components.length <= OPEN_MAX) return true;
  return group.all.some((i) => outlookAt(components[i] ?? { outlook: [] }, now).status !== "operational");
}
