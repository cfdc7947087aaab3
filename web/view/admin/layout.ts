/**
 * Where the nodes of a graph of calls stand: callers left of what they call, in columns, with as few crossings as a few
 * sweeps find. Pure and the same for the same graph, so that a picture which is reloaded does not jump.
 */

/** Calls that stand in the picture. */
export interface Link {
  readonly from: string;
  readonly to: string;
}

interface Place {
  readonly column: number;
  /** From the top of its column. */
  readonly row: number;
}

/** Enough to untangle what people can look at. */
const SWEEPS = 4;

export interface Layout {
  /** From left to right, each from top to bottom: nodes, and the places that calls over several columns pass. */
  readonly columns: readonly (readonly string[])[];
  /** The places that such a call passes, by `routeOf`. */
  readonly routes: ReadonlyMap<string, readonly string[]>;
}

export function routeOf({ from, to }: Link): string {
  return `${from} ${to}`;
}

export function layoutOf(names: readonly string[], links: readonly Link[]): Layout {
  const forward = withoutCircles(names, links);
  const columns = layered(names, forward);
  const at = new Map(columns.flatMap((members, column) => members.map((name) => [name, column] as const)));
  // A line that passes a column needs room there like a node, or it runs beneath one.
  const routes = new Map(forward.map((link) => [routeOf(link), passed(link, at)]));
  const steps = forward.flatMap((link) => {
    const stops = [link.from, ...(routes.get(routeOf(link)) ?? []), link.to];
    return stops.slice(1).map((to, i) => ({ from: stops[i] ?? "", to }));
  });
  const places = [...routes].flatMap(([route, stops]) => {
    const first = at.get(route.slice(0, route.indexOf(" "))) ?? 0;
    return stops.map((stop, i) => ({ stop, column: first + 1 + i }));
  });
  const filled = columns.map((members, column) => [
    ...members,
    ...places.filter((place) => place.column === column).map(({ stop }) => stop),
  ]);
  const everything = filled.flat();
  const callers = neighbours(everything, steps, ({ from, to }) => [to, from]);
  const callees = neighbours(everything, steps, ({ from, to }) => [from, to]);
  let ordered: Layout["columns"] = filled;
  for (let sweep = 0; sweep < SWEEPS; sweep++) ordered = swept(ordered, sweep % 2 === 0 ? callers : callees);
  return { columns: ordered, routes };
}

/** Names for the places between both ends; no node's name has a blank. */
function passed(link: Link, at: ReadonlyMap<string, number>): readonly string[] {
  const between = (at.get(link.to) ?? 0) - (at.get(link.from) ?? 0) - 1;
  return Array.from({ length: Math.max(0, between) }, (_, i) => `${routeOf(link)} ${i}`);
}

function placesOf(columns: Layout["columns"]): ReadonlyMap<string, Place> {
  return new Map(columns.flatMap((names, column) => names.map((name, row) => [name, { column, row }] as const)));
}

/** Leaves out the calls that lead back to who is under way already, beginning with those that nobody calls. */
function withoutCircles(names: readonly string[], links: readonly Link[]): readonly Link[] {
  const callees = neighbours(names, links, ({ from, to }) => [from, to]);
  const called = new Set(links.map(({ to }) => to));
  const state = new Map<string, "open" | "done">();
  const forward: Link[] = [];
  /** Nodes on the way down, each with how many of its callees were looked at. */
  const walk = (start: string): void => {
    const path = [{ name: start, next: 0 }];
    state.set(start, "open");
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const to = callees.get(top.name)?.[top.next++];
      if (to === undefined) {
        state.set(top.name, "done");
        path.pop();
        continue;
      }
      if (state.get(to) === "open") continue;
      forward.push({ from: top.name, to });
      if (state.has(to)) continue;
      state.set(to, "open");
      path.push({ name: to, next: 0 });
    }
  };
  for (const name of [...names.filter((one) => !called.has(one)), ...names]) if (!state.has(name)) walk(name);
  return forward;
}

/** Each node one column right of its last caller. */
function layered(names: readonly string[], forward: readonly Link[]): readonly (readonly string[])[] {
  const callees = neighbours(names, forward, ({ from, to }) => [from, to]);
  const waiting = new Map(names.map((name) => [name, 0]));
  for (const { to } of forward) waiting.set(to, (waiting.get(to) ?? 0) + 1);
  const column = new Map<string, number>();
  const ready = names.filter((name) => waiting.get(name) === 0);
  for (const name of ready) {
    const own = column.get(name) ?? 0;
    column.set(name, own);
    for (const to of callees.get(name) ?? []) {
      column.set(to, Math.max(column.get(to) ?? 0, own + 1));
      const left = (waiting.get(to) ?? 0) - 1;
      waiting.set(to, left);
      // Grows while it is walked through: whoever all callers of are placed comes next.
      if (left === 0) ready.push(to);
    }
  }
  const count = Math.max(0, ...column.values()) + 1;
  return Array.from({ length: names.length === 0 ? 0 : count }, (_, i) =>
    names.filter((name) => column.get(name) === i),
  );
}

/** Orders each column by where its nodes' neighbours stand. */
function swept(
  columns: readonly (readonly string[])[],
  beside: ReadonlyMap<string, readonly string[]>,
): readonly (readonly string[])[] {
  const places = placesOf(columns);
  return columns.map((names) => {
    const centre = (name: string): number => {
      const rows = (beside.get(name) ?? []).map((other) => heightOf(other, columns, places));
      return rows.length === 0
        ? heightOf(name, columns, places)
        : rows.reduce((sum, row) => sum + row, 0) / rows.length;
    };
    return names.toSorted((a, b) => centre(a) - centre(b) || (a < b ? -1 : 1));
  });
}

/** How far down a node stands: columns are centred. */
function heightOf(name: string, columns: readonly (readonly string[])[], places: ReadonlyMap<string, Place>): number {
  const place = places.get(name);
  return place === undefined ? 0 : place.row - (columns[place.column]?.length ?? 0) / 2;
}

function neighbours(
  names: readonly string[],
  links: readonly Link[],
  ends: (link: Link) => readonly [of: string, is: string],
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const link of links) {
    const [of, is] = ends(link);
    found.get(of)?.push(is);
  }
  return found;
}
