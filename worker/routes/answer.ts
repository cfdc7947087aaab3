/** Answers in the shapes that every route shares. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ApiError, ApiErrorCode } from "../../protocol/error.ts";
import { REFUSAL_STATUS, RETRY_AFTER_S } from "../core/refusal.ts";
import type { AskedModel } from "../../web/view/admin/doors-model.ts";
import { renderRefused } from "../../web/view/admin/refused.ts";
import type { Whose } from "../../web/view/brand.ts";
import { renderNothing, renderProblem } from "../../web/view/problem.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { documentHeaders } from "./document.ts";
import { lastSeen } from "./seen.ts";
import { tongueOf } from "./tongue.ts";
import { typedIn } from "./typed.ts";

/** Answers a refusal: as a page to a browser that asked for one, as JSON to everything else. */
export function refuse(
  c: Context,
  code: ApiErrorCode,
  message: string,
  facts: Omit<ApiError["error"], "code" | "message"> = {},
): Response {
  const status = REFUSAL_STATUS[code];
  const retryAfterS = RETRY_AFTER_S[code];
  if (retryAfterS !== undefined) c.header("retry-after", String(retryAfterS));
  c.header("cache-control", "no-store");
  if (wantsPage(c)) {
    const isOurs = new URL(c.req.url).pathname.startsWith("/admin");
    const typed = isOurs ? typedIn(c) : null;
    if (typed !== null) return refuseTyped(c, status, message, typed);
    const seen = isOurs ? null : lastSeen();
    return c.html(problemPage(c, code, message, seen?.whose), status, {
      ...documentHeaders("pages", seen?.hash ?? null),
      "cache-control": "no-store",
    });
  }
  return c.json({ error: { code, message, ...facts }, serverTime: Date.now() } satisfies ApiError, status);
}

/** A form without a page of its own that could show it again. */
function refuseTyped(c: Context, status: ContentfulStatusCode, message: string, asked: AskedModel): Response {
  const title = TITLES[status] ?? WRONG;
  return c.html(renderRefused({ status, title, message, asked }), status, documentHeaders("admin"));
}

/** What is not there is said in the visitor's language; what is refused is said in the operator's. */
function problemPage(c: Context, code: ApiErrorCode, message: string, whose?: Whose): string {
  const { pathname } = new URL(c.req.url);
  if (code === "not_found" && !pathname.startsWith("/admin")) {
    const { lang, base } = tongueOf(c, pathname, true);
    return renderNothing(localeOf(lang, "Etc/UTC", base), whose);
  }
  const status = REFUSAL_STATUS[code];
  const title = TITLES[status] ?? WRONG;
  return renderProblem({ status, title, message }, localeOf("en", "Etc/UTC"), whose);
}

const WRONG = "Something went wrong";
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
  return !/^\/(api|agent|cli|ingest)\//.test(path) && (c.req.header("accept") ?? "").includes("text/html");
}
