/**
 * Pictures that may stand on the page. It is shown as an image, in which a browser runs and loads nothing, and yet an
 * SVG may hold only what draws: a logo is also opened by itself, copied, and shown by programs that know no better.
 */

/** UTF-16 units of the data: URL, as every page carries it. */
export const LOGO_MAX = 8_192;

/** What begins a file of each kind. */
const BEGINS = {
  "image/png": "\x89PNG\r\n\x1a\n",
  "image/jpeg": "\xff\xd8\xff",
  "image/gif": "GIF8",
  "image/webp": "RIFF",
} as const;

const DRAWING = new Set(
  "svg g defs symbol use title desc path rect circle ellipse line polyline polygon text tspan style clipPath mask pattern linearGradient radialGradient stop filter feBlend feColorMatrix feComponentTransfer feComposite feFlood feFuncA feFuncB feFuncG feFuncR feGaussianBlur feMerge feMergeNode feMorphology feOffset".split(
    " ",
  ),
);

/** What is wrong with a picture of pixels; null if nothing is. @param bytes its first ones, a character each */
export function pixelsFault(type: string, bytes: string): string | null {
  const begin = Object.entries(BEGINS).find(([kind]) => kind === type)?.[1];
  if (begin === undefined) return "must be an SVG, PNG, JPEG, GIF or WebP";
  return bytes.startsWith(begin) ? null : `is no ${type.slice("image/".length).toUpperCase()} file`;
}

/** What is wrong with an SVG; null if it does nothing but draw. */
export function svgFault(text: string): string | null {
  const bare = text.replace(/^\uFEFF?\s*(?:<\?xml[^<>]*\?>)?/, "").replaceAll(/<!--[^<>]*-->/g, "");
  if (!/^\s*<svg[\s>]/.test(bare) || !/<\/svg>\s*$|^\s*<svg[^<>]*\/>\s*$/.test(bare)) return "is no SVG file";
  if (/<[!?]/.test(bare)) return "has a declaration (<! or <?): save it as plain SVG";
  for (const [, name = ""] of bare.matchAll(/<\/?([^\s/>]*)/g))
    if (!DRAWING.has(name)) return `has <${name}>, which is nothing that draws`;
  const handler = /[\s"'/](on[a-z]+)\s*=/i.exec(bare)?.[1];
  if (handler !== undefined) return `has a handler: ${handler}`;
  for (const [, value = ""] of bare.matchAll(/(?:href\s*=|url\s*\()\s*["']?\s*([^\s"')>]*)/gi))
    if (!/^#[\w-]+$/.test(value)) return "refers to something outside of itself";
  // A letter may be written as its number, and is read as the letter.
  if (/&(?!(?:amp|lt|gt|quot|apos);)|\\/.test(bare)) return "hides letters behind their numbers";
  return /@import|@font-face|image-set|src\s*\(|xml:base/i.test(bare) ? "loads something" : null;
}

/** An SVG as a data: URL: its letters stay letters, which compress better than base64. */
export function svgUrl(text: string): string {
  const bare = text.replace(/^\uFEFF/, "").trim();
  const escaped = bare.replaceAll(/[^\w\-.~:/?[\]@!$()*+,;=]/gu, (letter) =>
    letter === "'" ? "%27" : encodeURIComponent(letter),
  );
  return `data:image/svg+xml,${escaped}`;
}
