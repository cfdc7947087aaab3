/** Headers of HTML documents: one strict policy each for the page and the admin. */
import { ADMIN_POLICY, PAGE_POLICY } from "../../web/view/policy.ts";

/** `page` is public and may be kept; everything for operators is neither. */
export function documentHeaders(kind: "page" | "admin"): Record<string, string> {
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": kind === "page" ? PAGE_POLICY : ADMIN_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": kind === "page" ? "strict-origin-when-cross-origin" : "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    ...(kind === "admin" ? { "cache-control": "no-store" } : {}),
  };
}
