/**
 * A short name for a text: 12 lower-case alphanumerics, equal for equal texts. Two 32-bit FNV-style sums; it proves
 * nothing, it only tells texts apart, at the cost of a look at each character.
 */
export function shortHash(text: string): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 0x01000193);
    b = Math.imul(b ^ c, 0x85ebca6b) + i;
  }
  return [a, b].map((sum) => (sum >>> 0).toString(36).padStart(7, "0").slice(-6)).join("");
}
