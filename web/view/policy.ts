import {
  ADMIN_SCRIPT_HASH,
  ADMIN_STYLE_HASH,
  FIRST_STYLE_HASH,
  FRAME_SCRIPT_HASH,
  FRAME_STYLE_HASH,
  COMPONENT_SCRIPT_HASH,
  COMPONENT_STYLE_HASH,
  PAGES_SCRIPT_HASH,
  PAGES_STYLE_HASH,
  PAGE_SCRIPT_HASH,
} from "./assets.generated.ts";

/**
 * Nothing is allowed but what the page itself carries: style and script by their hashes, icons inside the page, and
 * talk with our own origin. A string becomes markup only in our one trusted-types policy, "view".
 */
function policy(styleHash: string, scriptHash: string, formAction: string, frameAncestors = "'none'"): string {
  return [
    "default-src 'none'",
    `style-src '${styleHash}'`,
    `script-src '${scriptHash}'`,
    "img-src data:",
    "connect-src 'self'",
    `form-action ${formAction}`,
    "base-uri 'none'",
    `frame-ancestors ${frameAncestors}`,
    "require-trusted-types-for 'script'",
    "trusted-types view",
  ].join("; ");
}

/** A policy under which a brand's style applies as well. */
export function withStyle(policy: string, hash: string): string {
  return policy.replace("style-src ", `style-src '${hash}' `);
}

/**
 * The Content-Security-Policy of `renderPage`, whose script asks for `/readout.js` and the second part of whose style is
 * an address with all of it: no hash can name that, and what could bring in another one could as well bring markup.
 */
export const PAGE_POLICY = policy(FIRST_STYLE_HASH, `${PAGE_SCRIPT_HASH}' 'self`, "'none'").replace(
  "style-src ",
  "style-src data: ",
);

/** The Content-Security-Policy of every other public document. One has a form, which asks our own origin. */
export const PAGES_POLICY = policy(PAGES_STYLE_HASH, PAGES_SCRIPT_HASH, "'self'");

/** The Content-Security-Policy of `renderEmbedFrame`, the one document that other sites may show. */
export const FRAME_POLICY = policy(FRAME_STYLE_HASH, FRAME_SCRIPT_HASH, "'none'", "*");

/** The Content-Security-Policy of a component's own page. */
export const COMPONENT_POLICY = policy(COMPONENT_STYLE_HASH, COMPONENT_SCRIPT_HASH, "'none'");

/** The Content-Security-Policy of everything in `admin/`. */
export const ADMIN_POLICY = policy(ADMIN_STYLE_HASH, ADMIN_SCRIPT_HASH, "'self'");
