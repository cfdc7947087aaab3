/** Whose page it is, as this isolate saw it last: the policy names the brand's style, and refusals wear it, too. */
import type { PageSnapshot } from "../../protocol/page.ts";
import type { Whose } from "../../web/view/brand.ts";
import { brandStyle } from "../../web/view/brand.ts";
import { base64, sha256 } from "../objects/crypto.ts";

interface Seen {
  readonly whose: Whose;
  readonly style: string;
  /** Of the style, as policies name it; null where there is none. */
  readonly hash: string | null;
}

/** A Worker serves one page. */
let seen: Seen | null = null;

/** Remembers whose page it is; answers the hash of its brand's style, null where it has none. */
export async function see({ page, brand }: PageSnapshot): Promise<string | null> {
  const style = brand === undefined ? "" : brandStyle(brand);
  // It changes with an operator's hand, and is asked for with every render.
  const known = seen?.style === style ? seen.hash : null;
  const hash = style === "" ? null : (known ?? `sha256-${base64(await sha256(style))}`);
  seen = { whose: { page, ...(brand && { brand }) }, style, hash };
  return hash;
}

/** Null until a page was served here. What is refused needs no Board, and must not wait for one. */
export function lastSeen(): Pick<Seen, "whose" | "hash"> | null {
  return seen;
}
