/**
 * What an operator made theirs, as markup and style. It was checked when it was set; what is let through here is checked
 * again, letter by letter, because a snapshot may come from a cache, an archive or another version.
 */
import type { PageBrand, PageSnapshot } from "../../protocol/page.ts";
import type { Html } from "./html.ts";
import { markup, trusted } from "./html.ts";

/** Whose page it is. */
export type Whose = Pick<PageSnapshot, "page" | "brand">;

const COLOUR = /^#(?:[0-9a-f]{6}|[0-9a-f]{8})$/;
const NAME = /^[a-z]+$/;

/** As high as the menus beside it; on a phone they have a line of their own, together. */
const LOGO_STYLE =
  "header img{height:1.75rem;max-width:9rem;object-fit:contain;vertical-align:middle;margin-inline-end:.5rem}@media(max-width:30rem){header p{flex-basis:100%}}";

/** The style of a brand, after the page's own; empty where there is nothing to change. The policy names its hash. */
export function brandStyle({ accent, variables, logo }: PageBrand): string {
  const own = Object.entries({ ...variables, ...(accent && { accent }) }).filter(([name]) => NAME.test(name));
  const properties = (mode: "light" | "dark"): string => {
    const set = own.flatMap(([name, colours]) => {
      const colour = colours[mode];
      return colour !== undefined && COLOUR.test(colour) ? [`--${name}:${colour}`] : [];
    });
    return set.length === 0 ? "" : `:root{${set.join(";")}}`;
  };
  // In the dark what is only said of light paper is ours again.
  const [light, dark] = [properties("light"), properties("dark")];
  const inLight = light && `@media not (prefers-color-scheme:dark){${light}}`;
  const inDark = dark && `@media(prefers-color-scheme:dark){${dark}}`;
  return inLight + inDark + (logo === undefined ? "" : LOGO_STYLE);
}

/** An element of its own, so that the page's own style keeps its hash. */
export function brandStyleElement(brand: PageBrand | undefined): Html | null {
  const style = brand === undefined ? "" : brandStyle(brand);
  return style === "" ? null : markup`<style>${trusted(style)}</style>`;
}

/** The page's name with its logo before it. The name says it all, so the picture says nothing to who cannot see it. */
export function brandName({ page, brand }: Whose): Html {
  const logo = brand?.logo?.startsWith("data:image/") === true ? brand.logo : null;
  return markup`${logo !== null && markup`<img src="${logo}" alt=""/>`}${page.name}`;
}

/** The operator's own links, for the page's foot. */
export function brandLinks(brand: PageBrand | undefined): readonly Html[] {
  const links = brand?.links?.filter(({ url }) => url.startsWith("https://")) ?? [];
  return links.map(({ name, url }) => markup` <a href="${url}">${name}</a>`);
}
