/** Pictures of pages: whether two show the same, and small files of them. A browser decodes them, no library is needed. */
import { crc32, deflateSync } from "node:zlib";
import type { Page } from "playwright-core";

/**
 * Text is drawn a little differently by each version of a browser: edges are lighter, a letter is half a pixel further.
 * So squares of this many pixels are compared by their mean colour, in which that is little and a letter is much.
 */
const SQUARE_PX = 4;
/** Of 255, in any of red, green and blue. Text that moves by a pixel stays below, by two it does not. */
const SHADE_MAX = 48;
/** Squares that may differ all the same: less than half of a state's mark. */
const SQUARES_MAX = 4;

/** Of the colours that are kept, in lightness of 255. Those between are shades of the edges of letters. */
const COLOURS_APART = 40;
/** What is so long in a row is no edge of a letter and has its own colour: papers, frames, hairlines. */
const RUN_PX = 24;

export interface Difference {
  /** In words; null if both show the same. */
  readonly fault: string | null;
  /** A PNG of what was drawn, pale, with what differs in red; null where nothing can be said of that. */
  readonly marked: Buffer | null;
}

/** What `drawn` shows otherwise than `expected`, both PNGs. `page` is one without a policy. */
export async function difference(page: Page, drawn: Buffer, expected: Buffer): Promise<Difference> {
  const urls = [urlOf(drawn), urlOf(expected)] as const;
  const { sizes, squares, marked } = await page.evaluate(compared, {
    urls,
    side: SQUARE_PX,
    shadeMax: SHADE_MAX,
    squaresMax: SQUARES_MAX,
  });
  if (sizes[0] !== sizes[1]) return { fault: `is ${sizes[0]} px instead of ${sizes[1]} px`, marked: null };
  if (marked === null) return { fault: null, marked: null };
  return { fault: `differs in ${squares} squares of ${SQUARE_PX} px`, marked: Buffer.from(marked, "base64") };
}

/** The same picture with a few dozen colours: a fifth of the bytes, and nothing that anybody sees. */
export async function reduced(page: Page, png: Buffer): Promise<Buffer> {
  const { width, height, colours, indices } = await page.evaluate(indexed, {
    url: urlOf(png),
    apart: COLOURS_APART,
    runPx: RUN_PX,
  });
  const pixels = Buffer.from(indices, "base64");
  const rows = Buffer.alloc(height * (width + 1));
  // Each row begins with its filter, 0: a palette's neighbours have nothing in common.
  for (let y = 0; y < height; y++) pixels.copy(rows, y * (width + 1) + 1, y * width, (y + 1) * width);
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 3, 0, 0, 0]);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("PLTE", Buffer.from(colours.flatMap((colour) => [colour & 255, (colour >> 8) & 255, colour >> 16]))),
    chunk("IDAT", deflateSync(rows, { level: 9, memLevel: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function urlOf(png: Buffer): string {
  return `data:image/png;base64,${png.toString("base64")}`;
}

/** PNG, 5.3: length, type, data, and a sum of the latter two. */
function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

interface Compared {
  readonly urls: readonly [string, string];
  readonly side: number;
  readonly shadeMax: number;
  readonly squaresMax: number;
}

/** Runs in the browser. `marked` is a PNG in base64, if more than `squaresMax` differ. */
async function compared({ urls, side, shadeMax, squaresMax }: Compared) {
  const decoded = urls.map(async (url) => createImageBitmap(await (await fetch(url)).blob()));
  const [one, other] = (await Promise.all(decoded)) as [ImageBitmap, ImageBitmap];
  const { width, height } = one;
  const sizes = [one, other].map((bitmap) => `${bitmap.width} × ${bitmap.height}`);
  if (sizes[0] !== sizes[1]) return { sizes, squares: 0, marked: null };
  const [across, down] = [Math.ceil(width / side), Math.ceil(height / side)];
  const canvasOf = (wide: number, high: number): OffscreenCanvasRenderingContext2D => {
    const context = new OffscreenCanvas(wide, high).getContext("2d", { willReadFrequently: true });
    if (context === null) throw new Error("no canvas");
    context.imageSmoothingQuality = "high";
    return context;
  };
  // Made so much smaller, a pixel is the mean of a square.
  const [a, b] = [one, other].map((bitmap) => {
    const context = canvasOf(across, down);
    context.drawImage(bitmap, 0, 0, width / side, height / side);
    return context.getImageData(0, 0, across, down).data;
  });
  const wrong = [...Array(across * down).keys()].filter((square) =>
    [0, 1, 2].some((i) => Math.abs((a?.[square * 4 + i] ?? 0) - (b?.[square * 4 + i] ?? 0)) > shadeMax),
  );
  if (wrong.length <= squaresMax) return { sizes, squares: wrong.length, marked: null };
  const context = canvasOf(width, height);
  context.drawImage(one, 0, 0);
  context.fillStyle = "rgb(255 255 255 / 0.6)";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "rgb(255 0 0 / 0.7)";
  for (const square of wrong)
    context.fillRect((square % across) * side, Math.floor(square / across) * side, side, side);
  const bytes = new Uint8Array(await (await context.canvas.convertToBlob()).arrayBuffer());
  return {
    sizes,
    squares: wrong.length,
    marked: btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), "")),
  };
}

/** Runs in the browser: a few colours, the most frequent first, and of each pixel the nearest of them in base64. */
async function indexed({
  url,
  apart,
  runPx,
}: {
  readonly url: string;
  readonly apart: number;
  readonly runPx: number;
}) {
  const bitmap = await createImageBitmap(await (await fetch(url)).blob());
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  if (context === null) throw new Error("no canvas");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = new Uint32Array(data.buffer).map((pixel) => pixel & 0xffffff);
  const counts = new Map<number, number>();
  const flat = new Set<number>();
  let run = 0;
  pixels.forEach((pixel, i) => {
    counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
    run = pixel === pixels[i - 1] ? run + 1 : 1;
    if (run >= runPx) flat.add(pixel);
  });
  // What is lighter is an edge; what has another hue is a state.
  const distance = (a: number, b: number): number => {
    const [red = 0, green = 0, blue = 0] = [0, 8, 16].map((bits) => ((a >> bits) & 255) - ((b >> bits) & 255));
    return Math.hypot((red + green + blue) / 3, 2 * (red - green), 2 * (blue - green));
  };
  const colours: number[] = [];
  const nearest = new Map<number, number>();
  for (const [colour] of [...counts].toSorted(([, x], [, y]) => y - x)) {
    const distances = colours.map((one) => distance(one, colour));
    const least = Math.min(...distances);
    if (colours.length < 256 && least > (flat.has(colour) ? 0 : apart)) nearest.set(colour, colours.push(colour) - 1);
    else nearest.set(colour, distances.indexOf(least));
  }
  let text = "";
  for (const pixel of pixels) text += String.fromCharCode(nearest.get(pixel) ?? 0);
  return { width, height, colours, indices: btoa(text) };
}
