/** A short name for a text: 12 lower-case alphanumerics, equal for equal texts (FNV-1a, 64 bits). Proves nothing. */
export function shortHash(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (const letter of encodeURIComponent(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(letter.charCodeAt(0))) * 0x100000001b3n);
  }
  return hash.toString(36).padStart(LENGTH, "0").slice(-LENGTH);
}

const LENGTH = 12;
