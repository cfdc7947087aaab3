/** One shape a state, so that nobody needs to see colours. 12 × 12, all of about the same weight of ink. */
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Html } from "./html.ts";
import { markup, trusted } from "./html.ts";

/** Filled dot, half dot, diamond, square, hexagon, dashed ring. `s` is drawn as a line, the rest is filled (see the style). */
const SHAPES: Record<ComponentStatus, string> = {
  operational: '<circle cx="6" cy="6" r="4.5"/>',
  degraded_performance: '<circle class="s" cx="6" cy="6" r="4.2"/><path d="M6 1.8a4.2 4.2 0 0 0 0 8.4z"/>',
  partial_outage: '<path d="M6 .4 11.6 6 6 11.6.4 6z"/>',
  major_outage: '<path d="M1.6 1.6h8.8v8.8H1.6z"/>',
  under_maintenance: '<path class="s" d="m6 1.2 4.2 2.4v4.8L6 10.8 1.8 8.4V3.6z"/>',
  unknown: '<circle class="s q" cx="6" cy="6" r="4.4"/>',
};

/** The drawings, once a document; `shape` refers to them. */
export function shapeSheet(): Html {
  const symbols = Object.entries(SHAPES).map(
    ([id, drawing]) => `<symbol id="${id}" viewBox="0 0 12 12">${drawing}</symbol>`,
  );
  return trusted(`<svg class="vh" aria-hidden="true">${symbols.join("")}</svg>`);
}

export function shape(status: ComponentStatus): Html {
  return markup`<svg class="m ${status}" aria-hidden="true"><use href="#${status}"/></svg>`;
}

/** sRGB, because pictures of their own know no variables: the tokens of the light paper, at least 3 to 1 on dark paper too. */
export const STATE_COLOURS: Record<ComponentStatus, string> = {
  operational: "#349d62",
  degraded_performance: "#be7c09",
  partial_outage: "#db640e",
  major_outage: "#cc2827",
  under_maintenance: "#307bc0",
  unknown: "#767b82",
};

/** How lines are drawn where there is no style sheet but the picture's own. */
export const SHAPE_STYLE = ".s{fill:none;stroke:currentColor;stroke-width:1.6}.q{stroke-dasharray:2.2 2.4}";

/** The drawing inside a picture that has `SHAPE_STYLE`, in its colour. */
export function drawing(status: ComponentStatus): Html {
  return trusted(`<g fill="currentColor" color="${STATE_COLOURS[status]}">${SHAPES[status]}</g>`);
}

/** The state as a picture of its own. */
export function iconSvg(status: ComponentStatus): string {
  const style = SHAPES[status].includes("class=") && markup`<style>${trusted(SHAPE_STYLE)}</style>`;
  return markup`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 12 12">${style}${drawing(status)}</svg>`.text;
}

/** The state as an icon for the browser's tab, inside the page: it costs no request. For an attribute in double quotes. */
export function iconUrl(status: ComponentStatus): Html {
  // Only what would end the address or the attribute is escaped: the rest packs better beside the page's own drawings.
  return trusted(`data:image/svg+xml,${iconSvg(status).replaceAll('"', "'").replaceAll("#", "%23")}`);
}
