/** The picture of who calls whom, as SVG. It says nothing that the table beside it does not say in words. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import { rateText } from "../format.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { shape } from "../shape.ts";
import { columnsOf, placesOf } from "./layout.ts";
import type { GraphEdgeModel, GraphModel, GraphNodeModel } from "./model.ts";

/** More boxes than these are a pattern, not a picture. */
export const DRAWN_MAX = 40;

const BOX = { width: 176, height: 58, across: 60, down: 18 } as const;
const EDGE = 8;
/** Characters of a name that fit a box. */
const NAME_MAX = 20;
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
  const columns = columnsOf(names, edges);
  const rows = Math.max(0, ...columns.map((column) => column.length));
  const height = rows * (BOX.height + BOX.down) - BOX.down + 2 * EDGE;
  const width = columns.length * (BOX.width + BOX.across) - BOX.across + 2 * EDGE;
  const places = new Map<string, Point>(
    [...placesOf(columns)].map(([name, { column, row }]) => {
      const used = (columns[column]?.length ?? 0) * (BOX.height + BOX.down) - BOX.down;
      const x = EDGE + column * (BOX.width + BOX.across);
      return [name, { x, y: Math.round((height - used) / 2 + row * (BOX.height + BOX.down)) }];
    }),
  );
  // Failing calls are drawn last, so that nothing hides them.
  const sorted = edges.toSorted((a, b) => (a.errorRatio ?? 0) - (b.errorRatio ?? 0));
  return markup`<div class="graph" tabindex="0" role="region" aria-label="Picture of who calls whom"><svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${names.length} services and ${edges.length} edges; the table says the same in words">${sorted.map((edge) => line(edge, places))}${nodes.map((node) => box(node, places))}${sorted.map((edge) => label(edge, places))}</svg></div>`;
}

/** Where a call leaves its caller's box and where it comes in. */
function endsOf({ from, to }: GraphEdgeModel, places: ReadonlyMap<string, Point>): readonly [Point, Point] | null {
  const [a, b] = [places.get(from), places.get(to)];
  if (a === undefined || b === undefined) return null;
  const middle = BOX.height / 2;
  return [
    { x: a.x + BOX.width, y: a.y + middle },
    { x: b.x, y: b.y + middle },
  ];
}

function line(edge: GraphEdgeModel, places: ReadonlyMap<string, Point>): Html | null {
  const ends = endsOf(edge, places);
  if (ends === null) return null;
  const [a, b] = ends;
  // Calls that lead back bulge, so that they are not taken for those that lead on.
  const bend = b.x > a.x ? (b.x - a.x) / 2 : BOX.across;
  const weight = Math.min(5, 1 + Math.log10(1 + edge.requestsPerSecond));
  const quiet = edge.requestsPerSecond === 0 ? " quiet" : "";
  return markup`<path class="call ${failing(edge)}${quiet}" stroke-width="${Number(weight.toFixed(1))}" d="M${a.x} ${a.y}C${a.x + bend} ${a.y} ${b.x - bend} ${b.y} ${b.x} ${b.y}"/><path class="tip ${failing(edge)}" d="M${b.x} ${b.y}l-7-4v8z"/>`;
}

/** How bad the calls of an edge are, as a class of the style. */
function failing({ errorRatio }: GraphEdgeModel): ComponentStatus | "well" {
  const ratio = errorRatio ?? 0;
  return ratio > FAILING_MUCH ? "partial_outage" : ratio > FAILING ? "degraded_performance" : "well";
}

/** The share that fails, on its line: colour alone says it to nobody who does not see it. */
function label(edge: GraphEdgeModel, places: ReadonlyMap<string, Point>): Html | null {
  const ends = endsOf(edge, places);
  if (ends === null || failing(edge) === "well") return null;
  const [a, b] = ends;
  const x = Math.round((a.x + b.x) / 2);
  return markup`<text class="share" x="${x}" y="${Math.round((a.y + b.y) / 2) - 4}" text-anchor="middle">${Math.round((edge.errorRatio ?? 0) * 100)} %</text>`;
}

function box(node: GraphNodeModel, places: ReadonlyMap<string, Point>): Html | null {
  const place = places.get(node.name);
  if (place === undefined) return null;
  const { x, y } = place;
  const name = node.name.slice(node.name.indexOf("/") + 1);
  const short = name.length > NAME_MAX ? `${name.slice(0, NAME_MAX - 1)}…` : name;
  return markup`<g><title>${node.name}: ${node.reason ?? "reports nothing of itself"}</title><rect class="box${node.role === "cause" && " cause"}" x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="6"/>${mark(node.status, x + 10, y + 11)}<text x="${x + 28}" y="${y + 22}" class="name">${short}</text><text x="${x + 28}" y="${y + 42}" class="facts">${factsOf(node)}</text></g>`;
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
    const by = `by ${cause}${others.length > 0 ? ` + ${others.length}` : ""}`;
    return by.length > NAME_MAX + 2 ? `${by.slice(0, NAME_MAX + 1)}…` : by;
  }
  if (requestsPerSecond !== null) return plain(rateText(requestsPerSecond));
  return status === null ? "not reported" : "no numbers";
}

/** The words of a number, for a place that takes no markup. */
function plain({ text }: Html): string {
  return text.replaceAll(/<[^>]*>/g, "").replaceAll("&lt;", "<");
}
