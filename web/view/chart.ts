/**
 * Values over time as one small picture, drawn on the server. The path of a line is its data as well: a step is one
 * unit wide and a height a share of the scale, so the browser's read-out needs no second copy of the numbers.
 *
 *   viewBox 0 0 (steps − 1) 240, or 2,400 for a large one, stretched to any size; strokes keep their width
 *   M12 80l1-4 1 3    from step 12 on: a height for each step; nothing is drawn where nothing was seen
 *
 * Words stand in an outer picture that is not stretched: `<svg><svg viewBox …>paths</svg><text …></svg>`.
 */
import type { Values } from "../../protocol/charts.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, SECOND } from "../../protocol/time.ts";
import { dayName, moment } from "./format.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";
import { fill } from "./words/fill.ts";
import type { LiveLocale, Locale } from "./words/locale.ts";
import type { LiveWords, Words } from "./words/words.ts";

/** Heights of a picture: a small one is read to 0.4 % of its scale, a large one as finely as its table says it. */
const HEIGHTS = { small: 240, large: 2_400 } as const;

/** What a chart's numbers are: ms, shares of a whole (shown in %), or requests a second. */
export type Unit = "ms" | "%" | "req/s";

interface ChartLine {
  /** Stands at its end and in the read-out; empty where there is only one line. */
  readonly name: string;
  /** A step each, oldest first; null is no data. */
  readonly values: Values;
}

/** A time in which something was announced: drawn behind the lines. */
export interface Shade {
  readonly kind: "incident" | "maintenance";
  readonly from: Millis;
  readonly to: Millis;
}

export interface Chart {
  readonly name: string;
  readonly unit: Unit;
  /** Where the first step begins, and how long each one is. */
  readonly from: Millis;
  readonly stepMs: number;
  /** All of the same length, at least 2. */
  readonly lines: readonly ChartLine[];
  /** Between what the values of the line of the same index as `of` lie surely; null in `hi` where that is open above. */
  readonly band?: { readonly lo: Values; readonly hi: Values };
  /** Above which it is bad. */
  readonly limit?: number;
  readonly shades: readonly Shade[];
}

/** 184 ms, 0.3 %, 12.4 req/s. A ratio that is not zero is never shown as zero. */
export function valueText(value: number, unit: Unit, words: LiveWords): string {
  const [shown, word] =
    unit === "%" ? [value * 100, unit] : unit === "ms" && value >= SECOND ? [value / SECOND, "s"] : [value, unit];
  const digits = shown >= 100 || (word === "ms" && shown >= 10) ? 0 : shown >= 10 ? 1 : 2;
  const figures = unit === "%" && shown > 0 && shown < 0.01 ? "< 0.01" : String(Number(shown.toFixed(digits)));
  return `${figures.replace(".", words.point)} ${unitWord(word, words)}`;
}

function unitWord(unit: string, { perSecond }: LiveWords): string {
  return unit === "req/s" ? perSecond : unit;
}

/** When a step is, in words: its day where it is one, else its first minute. */
export function stepText(at: Millis, stepMs: number, now: Millis, locale: LiveLocale): string {
  // Days are an hour longer or shorter where clocks change; their middle is always in them.
  return stepMs < DAY ? moment(at, now, locale) : dayName(at + stepMs / 2, locale);
}

/** The end of the scale, which begins at 0: a round number above everything that is drawn, or all bands would be walls. */
export function scaleOf({ lines, band, limit }: Pick<Chart, "lines" | "band" | "limit">): number {
  const highest = most(lines.flatMap(({ values }) => values));
  // An estimate of 260 in (250, 1000] must not be a line at the floor of its own band.
  const needed = Math.max(highest * 1.05, Math.min(most(band?.hi ?? []), highest * 1.6), (limit ?? 0) * 1.15);
  if (needed <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(needed));
  const step = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((each) => each * power >= needed) ?? 10;
  return Number((step * power).toPrecision(3));
}

function most(values: Values): number {
  return values.reduce<number>((a, b) => Math.max(a, b ?? 0), 0);
}

/** What is not zero is not drawn as zero, and so not read as zero either. */
function heightOf(value: number, scale: number, heights: number): number {
  const height = Math.round(heights * (1 - Math.min(1, value / scale)));
  return value > 0 ? Math.min(height, heights - 1) : height;
}

/** The runs of steps that have a value, each with where it begins. */
function runsOf(values: Values): readonly { readonly start: number; readonly values: readonly number[] }[] {
  const runs: { start: number; values: number[] }[] = [];
  values.forEach((value, i) => {
    if (value === null) return;
    const run = runs.at(-1);
    if (run === undefined || run.start + run.values.length !== i) runs.push({ start: i, values: [value] });
    else run.values.push(value);
  });
  return runs;
}

/** A step to the side and some heights down, with no character too many: "1-4", "1 3". */
function moves(heights: readonly number[], side: 1 | -1): string {
  const steps = heights.slice(1).map((height, i) => {
    const by = height - (heights[i] ?? height);
    return `${side}${by < 0 ? "" : " "}${by}`;
  });
  return steps.reduce((path, step) => path + (path === "" || step.startsWith("-") ? "" : " ") + step, "");
}

/** A line as path data. A value between two gaps is a dot. */
export function linePath(values: Values, scale: number, heights: number = HEIGHTS.small): string {
  return runsOf(values)
    .map(({ start, values: run }) => {
      const drawn = run.map((value) => heightOf(value, scale, heights));
      return `M${start} ${drawn[0]}${drawn.length > 1 ? `l${moves(drawn, 1)}` : "h0"}`;
    })
    .join("");
}

/** What `linePath` drew of the step `index`, from its path data; null where it drew nothing. */
export function valueAt(path: string, scale: number, index: number, heights: number = HEIGHTS.small): number | null {
  let x = 0;
  let y = 0;
  for (const [, from, a, b] of path.matchAll(/(M?)(-?\d+) ?(-?\d+)/g)) {
    if (from) x = y = 0;
    x += Number(a);
    y += Number(b);
    if (x === index) return scale * (1 - y / heights);
  }
  return null;
}

/** The area between two lines, where there is a lower one; open above is up to the picture's edge. */
function bandPath({ lo, hi }: NonNullable<Chart["band"]>, scale: number, heights: number): string {
  return runsOf(lo)
    .filter((run) => run.values.length > 1)
    .map(({ start, values: run }) => {
      const upper = run.map((_, i) => heightOf(hi[start + i] ?? scale, scale, heights));
      const lower = run.map((value) => heightOf(value, scale, heights)).toReversed();
      const last = upper.at(-1) ?? 0;
      return `M${start} ${upper[0]}l${moves(upper, 1)}v${(lower[0] ?? last) - last}l${moves(lower, -1)}z`;
    })
    .join("");
}

/** Where announced times lie, in whole steps and at least one wide. */
function shadePaths({ shades, from, stepMs }: Chart, last: number, heights: number): readonly Html[] {
  return (["maintenance", "incident"] as const).flatMap((kind) => {
    const d = shades
      .filter((shade) => shade.kind === kind && shade.to > from && shade.from < from + (last + 1) * stepMs)
      .map((shade) => {
        const x = Math.max(0, Math.min(last - 1, Math.floor((shade.from - from) / stepMs)));
        const width = Math.max(1, Math.min(last, Math.ceil((shade.to - from) / stepMs)) - x);
        return `M${x} 0h${width}v${heights}h-${width}z`;
      })
      .join("");
    return d === "" ? [] : [markup`<path class="${kind}" d="${d}"/>`];
  });
}

/** Names at the ends of their lines, in the margin: none within this share of the height of another. */
const NAMES_APART = 13;
/** More shades than these are not named: their words would cover each other. */
const SHADE_WORDS_MAX = 4;

function lineNames(lines: readonly ChartLine[], scale: number): readonly Html[] {
  const ends = lines
    .filter(({ name, values }) => name !== "" && values.some((value) => value !== null))
    .map(({ name, values }) => ({ name, y: 100 * (1 - (values.findLast((value) => value !== null) ?? 0) / scale) }))
    .toSorted((a, b) => a.y - b.y);
  let free = 4;
  // From above each is pushed down as far as it must, but the last ones must stay in the picture.
  return ends.map(({ name, y }, i) => {
    const at = Math.min(Math.max(y, free), 100 - (ends.length - 1 - i) * NAMES_APART);
    free = at + NAMES_APART;
    return markup`<text class="name" x="101%" y="${Math.round(at)}%">${name}</text>`;
  });
}

/** What a shade is, at its upper corner. */
function shadeWords({ shades, from, stepMs }: Chart, last: number, { chart }: Words): readonly Html[] {
  const shown = shades.filter((shade) => shade.to > from && shade.from < from + (last + 1) * stepMs);
  if (shown.length > SHADE_WORDS_MAX) return [];
  return shown.map(({ kind, from: begin }) => {
    const share = Math.max(0, (begin - from) / stepMs / last);
    // Where there is no room behind its beginning, it stands before it.
    const isAhead = share > 0.85;
    const x = `${Math.round(share * 1_000) / 10 - (isAhead ? 2 : 0)}%`;
    return markup`<text class="name${isAhead && " ahead"}" x="${x}" y="1.3em">${chart[kind]}</text>`;
  });
}

/**
 * The picture with what its read-out needs; its box says in `data-steps` how many steps it has. A large one has a margin
 * for the names of its lines, and its shades are named.
 *
 * @param label what it shows, in words
 */
export function plot(chart: Chart, label: string, locale: Locale, size: "small" | "large" = "small"): Html {
  const { lines, band, limit, unit } = chart;
  const scale = scaleOf(chart);
  const last = (lines[0]?.values.length ?? 2) - 1;
  const isLarge = size === "large";
  const heights = HEIGHTS[size];
  const drawn = lines.map(
    ({ name, values }) =>
      markup`<path class="line"${name !== "" && markup` data-name="${name}"`} d="${linePath(values, scale, heights)}"/>`,
  );
  const level = limit !== undefined && Math.round((1 - limit / scale) * 1_000) / 10;
  return markup`<div class="plot" tabindex="0" role="img" aria-label="${label}"${readOutOf(chart, scale, heights, locale)}><svg aria-hidden="true"><svg viewBox="0 0 ${last} ${heights}" preserveAspectRatio="none">${shadePaths(chart, last, heights)}${band && markup`<path class="band" d="${bandPath(band, scale, heights)}"/>`}${limit !== undefined && markup`<path class="limit" d="M0 ${heightOf(limit, scale, heights)}h${last}"/>`}${drawn}</svg>${limit !== undefined && markup`<text x="100%" y="${level}%">${fill(locale.words.chart.limit, { value: valueText(limit, unit, locale) })}</text>`}${isLarge && [lineNames(lines, scale), shadeWords(chart, last, locale.words)]}</svg></div>`;
}

/** What the browser's read-out needs besides the picture: its scale in the unit that is shown, and its steps. */
function readOutOf({ unit, from, stepMs }: Chart, scale: number, heights: number, words: LiveWords): Html {
  const top = Number((unit === "%" ? scale * 100 : scale).toPrecision(3));
  return markup` data-top="${top}" data-heights="${heights}" data-unit="${unitWord(unit, words)}" data-from="${from}" data-step="${stepMs}"`;
}
