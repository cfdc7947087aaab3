/**
 * A badge: a name and its state by shape, word and colour, as a picture for READMEs and dashboards. Whoever shows it
 * may keep it open for hours and asks nobody again, so it turns grey by itself when what it says does not hold any more.
 */
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { moment } from "./english.ts";
import type { Html } from "./html.ts";
import { markup, trusted } from "./html.ts";
import { drawing, SHAPE_STYLE } from "./shape.ts";

export interface BadgeView {
  /** Of the page or a component. */
  readonly name: string;
  /** What is said at a moment. */
  readonly statusAt: (at: Millis) => ComponentStatus;
  /** From when on something else is said; infinite if time alone changes nothing. */
  readonly until: Millis;
  readonly now: Millis;
  readonly timeZone: string;
}

/** States in a word or two, for programs and whoever reads them there. English. */
export const STATE_WORDS: Record<ComponentStatus, string> = {
  operational: "operational",
  degraded_performance: "degraded",
  partial_outage: "partial outage",
  major_outage: "major outage",
  under_maintenance: "maintenance",
  unknown: "unknown",
};

/** A longer name is cut: a badge stands in a line of text. */
const NAME_MAX = 40;
const FONT_PX = 11;
const PADDING = 8;
const GAP = 6;
const SHAPE_PX = 12;

const STYLE = `text{font:${FONT_PX}px Verdana,"DejaVu Sans",sans-serif}.p{fill:#fbfcfd;stroke:#dcdee1}.n{fill:#4b5058}.w{fill:#1b1f27}${SHAPE_STYLE}@media(prefers-color-scheme:dark){.p{fill:#171b20;stroke:#3a4048}.n{fill:#aaaeb4}.w{fill:#e5e8ec}}`;

export function renderBadge({ name, statusAt, until, now, timeZone }: BadgeView): string {
  const label = cut(name);
  const status = statusAt(now);
  const then = until === Infinity ? null : later(status, statusAt(until), now, timeZone);
  const first = face(label, status, STATE_WORDS[status]);
  const second = then === null ? null : face(label, then.status, then.words);
  const width = Math.max(first.width, second?.width ?? 0);
  const seconds = Math.max(0, Math.floor((until - now) / SECOND));
  const turn = `.a{animation:a 0s ${seconds}s forwards}.b{visibility:hidden;animation:b 0s ${seconds}s forwards}@keyframes a{to{visibility:hidden}}@keyframes b{to{visibility:visible}}`;
  return markup`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" viewBox="0 0 ${width} 20" role="img"><title>${label}: ${STATE_WORDS[status]}, as of ${moment(now, now, timeZone)}</title><style>${trusted(STYLE)}${second !== null && trusted(turn)}</style><g class="a">${first.drawing}</g>${second !== null && markup`<g class="b">${second.drawing}</g>`}</svg>`
    .text;
}

/** What it turns to. What is merely not confirmed any more is told as the past that it is. */
function later(
  was: ComponentStatus,
  status: ComponentStatus,
  now: Millis,
  timeZone: string,
): { readonly status: ComponentStatus; readonly words: string } {
  const isOld = status === "unknown" && was !== "unknown";
  return { status, words: isOld ? `was ${STATE_WORDS[was]} at ${moment(now, now, timeZone)}` : STATE_WORDS[status] };
}

function face(
  label: string,
  status: ComponentStatus,
  words: string,
): { readonly width: number; readonly drawing: Html } {
  const [labelWidth, wordsWidth] = [textWidth(label), textWidth(words)];
  const shapeX = PADDING + labelWidth + GAP;
  const wordsX = shapeX + SHAPE_PX + GAP - 1;
  const width = wordsX + wordsWidth + PADDING;
  return {
    width,
    drawing: markup`<rect class="p" x=".5" y=".5" width="${width - 1}" height="19" rx="4"/>${text("n", PADDING, labelWidth, label)}<g transform="translate(${shapeX} 4)">${drawing(status)}</g>${text("w", wordsX, wordsWidth, words)}`,
  };
}

/** `textLength`, so that it fills its place in whatever font the reader has. */
function text(kind: string, x: number, width: number, said: string): Html {
  return markup`<text class="${kind}" x="${x}" y="14" textLength="${width}" lengthAdjust="spacingAndGlyphs">${said}</text>`;
}

/** XML 1.0 has no way to say these, and marks that turn text around could show a name as another one. */
const UNSHOWABLE = /[^\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]|[\u007F-\u009F\u202A-\u202E\u2066-\u2069]/gu;

/** As readers count them: an accent or a skin tone is no letter of its own. */
const segmenter = new Intl.Segmenter("en");

function lettersOf(said: string): readonly string[] {
  return Array.from(segmenter.segment(said), ({ segment }) => segment);
}

function cut(name: string): string {
  const letters = lettersOf(name.replaceAll(UNSHOWABLE, "").trim());
  return letters.length <= NAME_MAX
    ? letters.join("")
    : `${letters
        .slice(0, NAME_MAX - 1)
        .join("")
        .trimEnd()}…`;
}

/** Verdana's widths, in thousandths of its size: what does not stand here is as wide as most letters. */
const WIDTHS: readonly (readonly [thousandths: number, letters: string])[] = [
  [275, "ijlI'"],
  [355, " tf,.;:!|"],
  [455, "-/\\()[]rJ"],
  [525, "czs?v"],
  [605, 'aegknopqbdhuxyL_"v'],
  [636, "0123456789$*+`{}"],
  [685, "ABCDEFKPRSTVXYZ"],
  [760, "GHNOQU&"],
  [820, "w#<>=^~+"],
  [980, "mWM%@"],
];
const LETTER = 620;
/** Chinese, Japanese, Korean, and pictures. */
const WIDE =
  /^[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|^\p{Extended_Pictographic}/u;
/** In whole pixels. */
function textWidth(said: string): number {
  const thousandths = lettersOf(said).reduce((sum, letter) => sum + letterWidth(letter), 0);
  return Math.ceil((thousandths * FONT_PX) / 1_000);
}

/** Of a letter with all that is drawn onto it, by its first sign. */
function letterWidth(letter: string): number {
  if (WIDE.test(letter)) return 1_000;
  return WIDTHS.find(([, letters]) => letters.includes(letter.charAt(0)))?.[0] ?? LETTER;
}
