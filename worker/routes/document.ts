/** Headers of HTML documents: one strict policy each for the page, the other public documents, and the admin. */
import type { DocumentKind } from "../../web/view/document.ts";
import {
  ADMIN_POLICY,
  COMPONENT_POLICY,
  FRAME_POLICY,
  PAGES_POLICY,
  PAGE_POLICY,
  withStyle,
} from "../../web/view/policy.ts";

const POLICIES = {
  page: PAGE_POLICY,
  pages: PAGES_POLICY,
  component: COMPONENT_POLICY,
  frame: FRAME_POLICY,
  admin: ADMIN_POLICY,
} as const;

/**
 * What is public may be kept; everything for operators is neither. `frame` is what other sites show inside theirs.
 *
 * @param brandHash of the brand's style, where the document has one
 */
export function documentHeaders(
  kind: DocumentKind | "frame" | "admin",
  brandHash: string | null = null,
): Record<string, string> {
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": brandHash === null ? POLICIES[kind] : withStyle(POLICIES[kind], brandHash),
    "x-content-type-options": "nosniff",
    "referrer-policy": kind === "admin" ? "same-origin" : "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    ...(kind === "frame" ? { "cross-origin-resource-policy": "cross-origin" } : {}),
    ...(kind === "admin" ? { "cache-control": "no-store" } : {}),
  };
}
