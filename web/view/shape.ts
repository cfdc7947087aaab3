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

/** sRGB, because an icon knows no variables; by the tokens of the light paper. */
const ICON_COLOURS: Record<ComponentStatus, string> = {
  operational: "2f9968",
  degraded_performance: "d09a1e",
  partial_outage: "dc7a28",
  major_outage: "cf3a3f",
  under_maintenance: "4a86cf",
  unknown: "858a93",
};

/** The state as an icon for the browser's tab, inside the page: it costs no request. */
export function iconUrl(status: ComponentStatus): string {
  const colour = `#${ICON_COLOURS[status]}`;
  const style = `.s{fill:none;stroke:${colour};stroke-width:1.6}.q{stroke-dasharray:2.2 2.4}`;
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 12 12" fill="${colour}"><style>${style}</style>${SHAPES[status]}</svg>`)}`;
}
