/** What a JSON text holds, as far as its bytes alone say. */
export interface JsonShape {
  /** The deepest nesting. */
  readonly depth: number;
  /** Colons outside of strings: as many as there are keys, those counted that stand twice. */
  readonly pairs: number;
  /** Whether one of these keys is spelled with an escape. */
  readonly escapedKeys: boolean;
}

/**
 * Looks through a JSON text in UTF-8 before anybody parses it: `JSON.parse` recurses, and a body of brackets costs it
 * hundreds of megabytes. Stops at the first level past `max` and returns it. No byte of a letter that takes several
 * looks like one of these. Of a text that is not JSON the answer means nothing, `JSON.parse` refuses it.
 */
export function jsonShape(bytes: Uint8Array, max: number): JsonShape {
  let depth = 0;
  let deepest = 0;
  let pairs = 0;
  let escapedKeys = false;
  /** Whether the last string has an escape. */
  let escaped = false;
  const end = bytes.length;
  for (let i = 0; i < end; i++) {
    const c = bytes[i] as number;
    if (c < COLON) {
      // Most bytes are digits, points and commas, and mean nothing here.
      if (c !== QUOTE) continue;
      escaped = false;
      for (i++; i < end && bytes[i] !== QUOTE; i++) {
        if (bytes[i] !== BACKSLASH) continue;
        escaped = true;
        i++;
      }
    } else if (c === OPEN_BRACKET || c === OPEN_BRACE) {
      if (++depth > deepest) deepest = depth;
      if (deepest > max) break;
    } else if (c === CLOSE_BRACKET || c === CLOSE_BRACE) depth--;
    else if (c === COLON) {
      pairs++;
      escapedKeys ||= escaped;
    }
  }
  return { depth: deepest, pairs, escapedKeys };
}

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
