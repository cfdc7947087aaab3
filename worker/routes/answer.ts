/** Answers in the shapes that every route shares. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ApiError, ApiErrorCode } from "../../protocol/error.ts";
import { renderProblem } from "../../web/view/problem.ts";
import { documentHeaders } from "./document.ts";

const HTTP_STATUS = {
  push_malformed: 400,
  push_too_large: 413,
  push_unusable: 422,
  version_unsupported: 415,
  unauthenticated: 401,
  forbidden: 403,
  fenced: 409,
  gap: 409,
  outbox_full: 429,
  unavailable: 503,
  request_malformed: 400,
  request_too_large: 413,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  cross_site: 403,
  too_many_attempts: 429,
  internal: 500,
} as const satisfies Record<ApiErrorCode, ContentfulStatusCode>;

/** Whoever is told to come back is told when, s. */
const RETRY_AFTER: Partial<Record<ApiErrorCode, string>> = {
  outbox_full: "30",
  unavailable: "10",
  too_many_attempts: "60",
};

/** Answers a refusal: as a page to a browser that asked for one, as JSON to everything else. */
export function refuse(
  c: Context,
  code: ApiErrorCode,
  message: string,
  facts: Pick<ApiError["error"], "expected" | "versions"> = {},
): Response {
  const status = HTTP_STATUS[code];
  const retryAfter = RETRY_AFTER[code];
  if (retryAfter !== undefined) c.header("retry-after", retryAfter);
  c.header("cache-control", "no-store");
  if (wantsPage(c)) {
    return c.html(renderProblem({ status, title: TITLES[status] ?? "Something went wrong", message }), status, {
      ...documentHeaders("page"),
      "cache-control": "no-store",
    });
  }
  return c.json({ error: { code, message, ...facts }, serverTime: Date.now() } satisfies ApiError, status);
}

const TITLES: Partial<Record<number, string>> = {
  400: "That could not be read",
  401: "Please sign in",
  403: "Not allowed",
  404: "There is no such page",
  405: "That does not work here",
  409: "Somebody was there before you",
  413: "That is too large",
  429: "Too many attempts",
  503: "Not reachable at the moment",
};

function wantsPage(c: Context): boolean {
  const path = new URL(c.req.url).pathname;
  return !/^\/(api|agent|cli)\//.test(path) && (c.req.header("accept") ?? "").includes("text/html");
}
