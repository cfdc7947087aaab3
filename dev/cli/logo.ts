/** A picture's file as the data: URL that pages carry. What it may hold, the edge checks. */
import { readFileSync, statSync } from "node:fs";
import { Refusal } from "./edge.ts";

/** As the edge takes it: letters of the data: URL. */
const URL_MAX = 8_192;
/** Nobody's logo; reading it would be for nothing. */
const FILE_MAX = 1_048_576;

const BEGINS = [
  ["image/png", "\x89PNG"],
  ["image/jpeg", "\xff\xd8\xff"],
  ["image/gif", "GIF8"],
  ["image/webp", "RIFF"],
] as const;

export function logoUrl(file: string): string {
  const bytes = read(file);
  const begin = bytes.subarray(0, 8).toString("latin1");
  const type = BEGINS.find(([, first]) => begin.startsWith(first))?.[0];
  const text = bytes.toString("utf8");
  if (type === undefined && !text.includes("<svg"))
    throw new Refusal(`${file} is no picture: an SVG, PNG, JPEG, GIF or WebP is needed`);
  const url =
    type === undefined
      ? `data:image/svg+xml,${encodeURIComponent(withoutRemarks(text))}`
      : `data:${type};base64,${bytes.toString("base64")}`;
  // An SVG becomes shorter there: fewer of its letters need an escape.
  const letters = type === undefined ? withoutRemarks(text).length : url.length;
  if (letters > URL_MAX)
    throw new Refusal(
      `${file} has ${letters.toLocaleString("en")} letters as a data: URL, and may have ${URL_MAX.toLocaleString("en")}: every page carries it. A plain SVG is the smallest`,
    );
  return url;
}

function read(file: string): Buffer {
  try {
    if (statSync(file).size > FILE_MAX) throw new Refusal(`${file} is larger than 1 MiB`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What drawing programs write around a drawing: it is not drawn, and every page would carry it. */
function withoutRemarks(svg: string): string {
  return svg
    .replace(/^\uFEFF?\s*<\?xml[^>]*\?>/, "")
    .replace(/<!DOCTYPE[^>[]*>/, "")
    .replaceAll(/<!--[\s\S]*?-->/g, "")
    .replaceAll(/>\s+</g, "><")
    .trim();
}
