/**
 * Colours as numbers: what an operator typed is read into these and written from these, so that nothing typed ever
 * reaches a style. Contrast is WCAG 2.2's, and a colour is moved in OKLCH, where lightness alone changes.
 */

/** sRGB, each 0 to 1. */
export interface Colour {
  readonly red: number;
  readonly green: number;
  readonly blue: number;
  readonly alpha: number;
}

/** Lightness 0 to 1, chroma, hue in degrees; alpha is 1 unless told. */
export type Oklch = readonly [lightness: number, chroma: number, hue: number, alpha?: number | undefined];

const HEX = /^#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/i;

/** Reads #rgb, #rgba, #rrggbb or #rrggbbaa; null if it is none of them. */
export function colourOf(text: string): Colour | null {
  if (!HEX.test(text)) return null;
  const digits = text.slice(1);
  const step = digits.length > 4 ? 2 : 1;
  const channel = (i: number): number => {
    const pair = digits.slice(i * step, (i + 1) * step);
    return pair === "" ? 1 : Number.parseInt(pair.padStart(2, pair), 16) / 255;
  };
  return { red: channel(0), green: channel(1), blue: channel(2), alpha: channel(3) };
}

/** #rrggbb, or #rrggbbaa where it lets something through. */
export function hexOf({ red, green, blue, alpha }: Colour): string {
  const channels = alpha < 1 ? [red, green, blue, alpha] : [red, green, blue];
  return `#${channels.map((value) => toByte(value).toString(16).padStart(2, "0")).join("")}`;
}

function toByte(value: number): number {
  return Math.round(clip(value) * 255);
}

function clip(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/** Of two colours that let nothing through: 1 to 21. */
export function contrast(one: Colour, other: Colour): number {
  const [bright, dim] = [luminance(one), luminance(other)];
  return (Math.max(bright, dim) + 0.05) / (Math.min(bright, dim) + 0.05);
}

function luminance({ red, green, blue }: Colour): number {
  return 0.2126 * toLinear(red) + 0.7152 * toLinear(green) + 0.0722 * toLinear(blue);
}

/** What is seen of a colour that lets through some of the ground. */
export function over(top: Colour, ground: Colour): Colour {
  const mix = (a: number, b: number): number => a * top.alpha + b * (1 - top.alpha);
  return {
    red: mix(top.red, ground.red),
    green: mix(top.green, ground.green),
    blue: mix(top.blue, ground.blue),
    alpha: 1,
  };
}

function toLinear(value: number): number {
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function fromLinear(value: number): number {
  return value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055;
}

/** By Björn Ottosson's matrices; channels outside of sRGB are below 0 or above 1. */
function unclipped([lightness, chroma, hue, alpha = 1]: Oklch): Colour {
  const [a, b] = [chroma * Math.cos((hue * Math.PI) / 180), chroma * Math.sin((hue * Math.PI) / 180)];
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return {
    red: fromLinear(4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short),
    green: fromLinear(-1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short),
    blue: fromLinear(-0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short),
    alpha,
  };
}

/** As screens show it. */
export function fromOklch(colour: Oklch): Colour {
  const { red, green, blue, alpha } = unclipped(colour);
  return { red: clip(red), green: clip(green), blue: clip(blue), alpha };
}

function toOklch({ red, green, blue, alpha }: Colour): Oklch {
  const [r, g, b] = [toLinear(red), toLinear(green), toLinear(blue)];
  const long = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const middle = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const short = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  const [l, x, y] = [
    0.2104542553 * long + 0.793617785 * middle - 0.0040720468 * short,
    1.9779984951 * long - 2.428592205 * middle + 0.4505937099 * short,
    0.0259040371 * long + 0.7827717662 * middle - 0.808675766 * short,
  ];
  return [l, Math.hypot(x, y), (Math.atan2(y, x) * 180) / Math.PI, alpha];
}

/** Finer than anybody sees. */
const LIGHTNESS_STEP = 0.005;

/** The colour that passes with the least change of lightness, of the same hue; null if none does. */
export function nearest(colour: Colour, passes: (candidate: Colour) => boolean): Colour | null {
  const [lightness, chroma, hue, alpha] = toOklch(colour);
  for (let moved = 0; moved <= 1; moved += LIGHTNESS_STEP) {
    for (const wanted of [lightness - moved, lightness + moved]) {
      if (wanted < 0 || wanted > 1) continue;
      // As it will be written down, or rounding could undo it.
      const written = colourOf(hexOf(inGamut([wanted, chroma, hue, alpha])));
      if (written !== null && passes(written)) return written;
    }
  }
  return null;
}

/** With as much of its chroma as screens can show at that lightness: clipping a channel would turn the hue. */
function inGamut([lightness, chroma, hue, alpha]: Oklch): Colour {
  const isShown = ({ red, green, blue }: Colour): boolean =>
    [red, green, blue].every((value) => value > -0.001 && value < 1.001);
  for (let share = 1; share > 0; share -= 0.02) {
    const candidate = unclipped([lightness, chroma * share, hue, alpha]);
    if (isShown(candidate)) return candidate;
  }
  return unclipped([lightness, 0, hue, alpha]);
}
