/** The picture of who calls whom, as SVG. It says nothing that the table beside it does not say in words. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { shape } from "../shape.ts";
import { layoutOf, routeOf } from "./layout.ts";
import type { Layout } from "./layout.ts";
import type { GraphEdgeModel, GraphModel, GraphNodeModel } from "./model.ts";
import { rateText } from "../english.ts";

/** More boxes than these are a pattern, not a picture. */
export const DRAWN_MAX = 40;

const BOX = { width: 176, height: 58, across: 60, down: 18 } as const;
/** Around the picture. */
const MARGIN = 8;
/** Where text begins beside a mark, and where there is none. */
const TEXT = { marked: 28, unmarked: 12 } as const;
/** Characters of a name, and of the smaller line beneath it, that fit a box beside a mark. */
const NAME_MAX = 18;
const FACTS_MAX = 22;
/** The runbook's limits: calls that fail more are drawn and labelled as failing. */
const FAILING = 0.01;
const FAILING_MUCH = 0.05;

/** What is drawn of a graph: everything if it is small, else what is in trouble, its neighbours, and the busiest. */
export function drawnNodes({ nodes, edges }: Pick<GraphModel, "nodes" | "edges">): readonly GraphNodeModel[] {
  const joined = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const shown = nodes.filter(({ name }) => joined.has(name));
  if (shown.length <= DRAWN_MAX) return shown;
  const troubled = new Set(shown.filter(isTroubled).map(({ name }) => name));
  const beside = new Set(
    edges.filter(({ from, to }) => troubled.has(from) || troubled.has(to)).flatMap(({ from, to }) => [from, to]),
  );
  const weight = ({ name, requestsPerSecond }: GraphNodeModel): number =>
    (troubled.has(name) ? 2e9 : beside.has(name) ? 1e9 : 0) + Math.min(requestsPerSecond ?? 0, 1e8);
  const kept = new Set(shown.toSorted((a, b) => weight(b) - weight(a)).slice(0, DRAWN_MAX));
  return shown.filter((node) => kept.has(node));
}

function isTroubled({ status }: GraphNodeModel): boolean {
  return status !== null && status !== "operational" && status !== "unknown";
}

interface Point {
  readonly x: number;
  readonly y: number;
}

export function drawing(graph: GraphModel): Html {
  const nodes = drawnNodes(graph);
  const names = nodes.map(({ name }) => name);
  const drawn = new Set(names);
  const edges = graph.edges.filter(({ from, to }) => drawn.has(from) && drawn.has(to));
  const { columns, routes } = layoutOf(names, edges);
  const height = Math.max(0, ...columns.map(heightOf)) + 2 * MARGIN;
  const width = columns.length * (BOX.width + BOX.across) - BOX.across + 2 * MARGIN;
  const places = placed(columns, height);
  const wayOf = (edge: GraphEdgeModel): readonly Point[] => way(edge, routes.get(routeOf(edge)) ?? [], places);
  // Failing calls are drawn last, so that nothing hides them.
  const sorted = edges.toSorted((a, b) => (a.errorRatio ?? 0) - (b.errorRatio ?? 0));
  return markup`<div class="graph" tabindex="0" role="region" aria-label="Picture of who calls whom"><svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${names.length} services and ${edges.length} edges; the table says the same in words">${sorted.map((edge) => line(edge, wayOf(edge)))}${nodes.map((node) => box(node, places))}${sorted.map((edge) => label(edge, wayOf(edge)))}</svg></div>`;
}

/** A place that a line passes needs less room than a box. */
function roomOf(name: string): number {
  return name.includes(" ") ? 0 : BOX.height;
}

function heightOf(column: readonly string[]): number {
  return column.reduce((sum, name) => sum + roomOf(name) + BOX.down, -BOX.down);
}

/** The top left corner of each node and place: columns are centred. */
function placed(columns: Layout["columns"], height: number): ReadonlyMap<string, Point> {
  const places = new Map<string, Point>();
  for (const [i, column] of columns.entries()) {
    const x = MARGIN + i * (BOX.width + BOX.across);
    let y = Math.round((height - heightOf(column)) / 2);
    for (const name of column) {
      places.set(name, { x, y });
      y += roomOf(name) + BOX.down;
    }
  }
  return places;
}

/** The points of a line: out of the caller's box, in and out of each place it passes, and into the callee's box. */
function way(
  { from, to }: GraphEdgeModel,
  stops: readonly string[],
  places: ReadonlyMap<string, Point>,
): readonly Point[] {
  const [a, b] = [places.get(from), places.get(to)];
  if (a === undefined || b === undefined) return [];
  const between = stops.flatMap((stop) => {
    const place = places.get(stop);
    return place === undefined ? [] : [place, { x: place.x + BOX.width, y: place.y }];
  });
  const middle = BOX.height / 2;
  return [{ x: a.x + BOX.width, y: a.y + middle }, ...between, { x: b.x, y: b.y + middle }];
}

function line(edge: GraphEdgeModel, points: readonly Point[]): Html | null {
  const [start] = points;
  const end = points.at(-1);
  if (start === undefined || end === undefined) return null;
  const weight = Math.min(5, 1 + Math.log10(1 + edge.requestsPerSecond));
  const quiet = edge.requestsPerSecond === 0 ? " quiet" : "";
  const bends = points.slice(1).map((to, i) => bendTo(points[i] ?? to, to));
  return markup`<path class="call ${failing(edge.errorRatio)}${quiet}" stroke-width="${Number(weight.toFixed(1))}" d="M${start.x} ${start.y}${bends.join("")}"/><path class="tip ${failing(edge.errorRatio)}" d="M${end.x} ${end.y}l-7-4v8z"/>`;
}

/** Calls that lead back bulge, so that they are not taken for those that lead on. */
function bendTo(from: Point, to: Point): string {
  const bend = to.x > from.x ? (to.x - from.x) / 2 : BOX.across;
  return `C${from.x + bend} ${from.y} ${to.x - bend} ${to.y} ${to.x} ${to.y}`;
}

/** How bad the calls of an edge are, as a class of the style. */
export function failing(errorRatio: number | null): "partial_outage" | "degraded_performance" | "well" {
  const ratio = errorRatio ?? 0;
  return ratio > FAILING_MUCH ? "partial_outage" : ratio > FAILING ? "degraded_performance" : "well";
}

/** The share that fails, on the line's last bend: colour alone says it to nobody who does not see it. */
function label(edge: GraphEdgeModel, points: readonly Point[]): Html | null {
  const [a, b] = points.slice(-2);
  if (a === undefined || b === undefined || failing(edge.errorRatio) === "well") return null;
  const [x, y] = [Math.round((a.x + b.x) / 2), Math.round((a.y + b.y) / 2)];
  return markup`<text class="share" x="${x}" y="${y - 4}" text-anchor="middle">${Math.round((edge.errorRatio ?? 0) * 100)} %</text>`;
}

function box(node: GraphNodeModel, places: ReadonlyMap<string, Point>): Html | null {
  const place = places.get(node.name);
  if (place === undefined) return null;
  const { x, y } = place;
  const name = node.name.slice(node.name.indexOf("/") + 1);
  const indent = node.status === null ? TEXT.unmarked : TEXT.marked;
  const most = node.status === null ? NAME_MAX + 2 : NAME_MAX;
  const short = name.length > most ? `${name.slice(0, most - 1)}…` : name;
  return markup`<g><title>${node.name}: ${node.reason ?? "reports nothing of itself"}</title><rect class="box${node.role === "cause" && " cause"}" x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="6"/>${mark(node.status, x + 10, y + 11)}<text x="${x + indent}" y="${y + 22}" class="name">${short}</text><text x="${x + indent}" y="${y + 42}" class="facts">${factsOf(node)}</text></g>`;
}

function mark(status: ComponentStatus | null, x: number, y: number): Html | null {
  if (status === null) return null;
  return markup`<svg x="${x}" y="${y}" width="12" height="12">${shape(status)}</svg>`;
}

/** "likely cause", or what it does now. */
function factsOf({ role, causes, requestsPerSecond, status }: GraphNodeModel): string {
  if (role === "cause") return "likely cause";
  if (role === "symptom") {
    const [cause = "", ...others] = causes.map((name) => name.slice(name.indexOf("/") + 1));
    const by = `because of ${cause}${others.length > 0 ? ` + ${others.length}` : ""}`;
    return by.length > FACTS_MAX ? `${by.slice(0, FACTS_MAX - 1)}…` : by;
  }
  if (requestsPerSecond !== null) return plain(rateText(requestsPerSecond));
  return status === null ? "not reported" : "no numbers";
}

/** The words of a number, for a place that takes no markup. */
function plain({ text }: Html): string {
  return text.replaceAll(/<[^>]*>/g, "").replaceAll("&lt;", "<");
}
