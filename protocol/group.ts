/** Groups of components within each other: one called "Platform / Data" stands in "Platform". */

/** Groups within each other; what is deeper is one name. */
const LEVELS_MAX = 3;
const SEPARATOR = " / ";

/** The names of a group's levels, outermost first; never empty. */
export function groupLevels(group: string): readonly string[] {
  const names = group.split(SEPARATOR).filter((name) => name.trim() !== "");
  if (names.length === 0) return [group];
  return [
    ...names.slice(0, LEVELS_MAX - 1),
    ...[names.slice(LEVELS_MAX - 1).join(SEPARATOR)].filter((name) => name !== ""),
  ];
}

export function groupName(levels: readonly string[]): string {
  return levels.join(SEPARATOR);
}
