/** Answers in the shapes that every route shares. */
import type { Context } from "hono";
import type { ApiError, ApiErrorCode } from "../../protocol/error.ts";
import { REFUSAL_STATUS, RETRY_AFTER_S } from "../core/refusal.ts";
import { renderProblem } from "../../web/view/problem.ts";
import { documentHeaders } from "./document.ts";

/** Answers a refusal: as a page to a browser that asked for one, as JSON to everything else. */
export function refuse(
  c: Context,
  code: ApiErrorCode,
  message: string,
  facts: Pick<ApiError["error"], "expected" | "versions"> = {},
): Response {
  const status = REFUSAL_STATUS[code];
  const retryAfterS = RETRY_AFTER_S[code];
  if (retryAfterS !== undefined) c.header("retry-after", String(retryAfterS));
  c.header("cache-control", "no-store");
  if (wantsPage(c)) {
    return c.html(renderProblem({ status, title: TITLES[status] ?? "Something went wrong", message }), status, {
      ...documentHeaders("pages"),
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
