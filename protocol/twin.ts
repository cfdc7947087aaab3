/**
 * Whether any object of a JSON text has one key twice, or one that it has by itself (`__proto__`). Parsers differ in which of the two they keep, so what was checked
 * need not be what is used: such a text is refused. One pass over the text, without recursion; memory grows with the
 * nesting, so `jsonDepth` comes first. Of a text that is not JSON the answer means nothing, `JSON.parse` refuses it.
 */
export function hasTwinKeys(text: string): boolean {
  /** The keys of each object around `i`; null for an array. */
  const around: (Set<string> | null)[] = [];
  let keys: Set<string> | null = null;
  /** Whether a string would be a key here: right after an object's brace or comma. */
  let atKey = false;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE: {
        const end = endOfString(text, i);
        if (atKey && keys !== null) {
          const key = keyOf(text.slice(i, end + 1));
          // What every object inherits counts as there: a check by `in` would take it for a known key.
          if (keys.has(key) || Object.hasOwn(Object.prototype, key)) return true;
          keys.add(key);
        }
        atKey = false;
        i = end;
        break;
      }
      case OPEN_BRACE:
      case OPEN_BRACKET:
        around.push(keys);
        keys = text.charCodeAt(i) === OPEN_BRACE ? new Set() : null;
        atKey = true;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        keys = around.pop() ?? null;
        atKey = false;
        break;
      case COMMA:
        atKey = true;
        break;
    }
  }
  return false;
}

/** Where the string that opens at `start` closes; the end of the text if it never does. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === BACKSLASH) i++;
    else if (c === QUOTE) return i;
  }
  return text.length;
}

/** A key as it is meant: two spellings of one key are one key. */
function keyOf(quoted: string): string {
  if (!quoted.includes("\\")) return quoted.slice(1, -1);
  try {
    return String(JSON.parse(quoted));
  } catch {
    // Not JSON; the whole text will be refused for it.
    return quoted;
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
