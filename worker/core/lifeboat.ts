/**
 * The lifeboat: a copy of the page as files, for a host that shares nothing with ours. It is read when nobody can say
 * what is now, so whatever was well when it was made is unknown in it, and the rest is what people and history said.
 */
import type { PageComponent } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { HOUR } from "../../protocol/time.ts";

/**
 * The first moment at which nothing is well any more if nothing more is heard, inside or outside: what is rendered for
 * it is as honest on any later day. Evidence always expires, so there is one; a page without components is rendered for
 * when it was made.
 */
export function fadedAt(
  components: readonly Pick<PageComponent, "outlook" | "outside">[],
  generatedAt: Millis,
): Millis {
  const unseenAt = Math.max(generatedAt, ...components.map(({ outside }) => outside?.until ?? 0));
  const turns = components.flatMap(({ outlook }) => outlook.map(({ from }) => Math.max(from, unseenAt)));
  const ascending = [unseenAt, ...turns].toSorted((a, b) => a - b);
  const isWell = (at: Millis): boolean => components.some((one) => outlookAt(one, at).status === "operational");
  return ascending.find((at) => !isWell(at)) ?? Math.max(...ascending) + HOUR;
}
