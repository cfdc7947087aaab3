/** What visitors get: the page, Statuspage's documents, the live socket. Reaches the Board at most every 5 s a path. */
import type { PageSnapshot } from "../../protocol/page.ts";
import { holdsUntil, outlookAt } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import { PAGE_SCRIPT_HASH, PAGE_STYLE_HASH } from "../../web/view/assets.generated.ts";
import { renderPage } from "../../web/view/page.ts";
import { dayOf } from "../core/calendar.ts";
import { shortHash } from "../core/hash.ts";
import { statusDocument, summaryDocument } from "../core/statuspage.ts";
import type { Views } from "../objects/board-metrics.ts";
import { boardOf } from "../objects/env.ts";
import { LIVE_PATH, RELAY_SHARDS } from "../objects/relay.ts";
import { refuse } from "./answer.ts";
import { HealthAnswer, StatusAnswer, SummaryAnswer } from "./described-page.ts";
import { documentHeaders } from "./document.ts";
import { sameOrigin } from "./guard.ts";
import type { AppContext, Route } from "./table.ts";

const FRESH_S = 5;
/** Of an answer in our cache: the moment from which it would say something else. Never sent. */
const HOLDS_UNTIL = "x-holds-until";
/** The last snapshot is kept this long for when the Board cannot answer. */
const KEPT_S = 7 * 86_400;

interface Rendering {
  readonly body: string;
  readonly headers: Record<string, string>;
}
/** `isCopy`: the Board cannot answer, and this is the last snapshot known. */
interface Render {
  /** What browsers are told besides for how long they may keep it. */
  readonly cache: string;
  readonly render: (snapshot: PageSnapshot, origin: string, now: Millis, isCopy: boolean) => Rendering;
}

/** The page ages in the reader's hands, so an old one is honest. */
const html: Render = {
  cache: ", stale-while-revalidate=60, stale-if-error=86400",
  render: (snapshot, origin, now, isCopy) => ({
    body: renderPage({ snapshot, now, origin, isCopy }),
    headers: documentHeaders("page"),
  }),
};

/** A document is taken at its word. */
function json(document: (snapshot: PageSnapshot, origin: string, now: Millis) => object): Render {
  return {
    cache: "",
    render: (snapshot, origin, now) => ({
      body: JSON.stringify(document(snapshot, origin, now)),
      headers: { "content-type": "application/json; charset=utf-8", "access-control-allow-origin": "*" },
    }),
  };
}

/**
 * Answers from the cache, else from the Board, else from the last snapshot known. Its outlook makes an old snapshot
 * honest by itself: evidence that has expired reads as unknown.
 * The key is the path alone, so that `/?x=1…10000` is one entry.
 */
async function serve(c: AppContext, render: Render): Promise<Response> {
  const { origin, pathname } = new URL(c.req.url);
  const key = `${origin}${pathname}`;
  const cached = await caches.default.match(key);
  const until = Number(cached?.headers.get(HOLDS_UNTIL));
  const held = cached === undefined || until <= Date.now() ? null : cached;
  count(held === null ? "made" : "cached");
  const response = held === null ? await fresh(c, key, origin, render) : forBrowsers(held, until, render);
  const etag = response.headers.get("etag");
  if (etag !== null && c.req.header("if-none-match") === etag && response.status === 200) {
    await response.body?.cancel();
    return new Response(null, { status: 304, headers: response.headers });
  }
  return response;
}

/** What this isolate has answered since it told the Board: it tells with its next question, which costs nothing more. */
let views: Views = { cached: 0, made: 0 };

function count(how: keyof Views): void {
  views = { ...views, [how]: views[how] + 1 };
}

function takeViews(): Views {
  const taken = views;
  views = { cached: 0, made: 0 };
  return taken;
}

async function fresh(c: AppContext, key: string, origin: string, render: Render): Promise<Response> {
  const found = await latestSnapshot(c, origin);
  if (found === null)
    return refuse(c, "unavailable", "The status cannot be read at the moment. Please try again soon.");
  const { snapshot, isCopy } = found;
  const now = Date.now();
  const { body, headers } = render.render(snapshot, origin, now, isCopy);
  if (isCopy) return new Response(body, { headers: { ...headers, "cache-control": "no-store" } });
  const until = holdsUntil(snapshot.components, now);
  const response = new Response(body, {
    headers: { ...headers, etag: etagOf(snapshot, now), [HOLDS_UNTIL]: String(until) },
  });
  c.executionCtx.waitUntil(caches.default.put(key, kept(response.clone(), FRESH_S)));
  return forBrowsers(response, until, render);
}

/**
 * The version of what is said, what is said (evidence expires and facts grow late without a new version), the day up
 * to which bars are drawn, and the script and style that the policy of this answer allows: a 304 after a deploy must
 * not put a new policy on an old page.
 */
function etagOf({ version, page, components, maintenances, archive }: PageSnapshot, now: Millis): string {
  const statuses = components.map((one) => outlookAt(one, now).status);
  const said = shortHash(JSON.stringify([statuses, maintenances, archive]));
  const assets = `${PAGE_SCRIPT_HASH}${PAGE_STYLE_HASH}`.replaceAll(/sha256-|[^A-Za-z0-9]/g, "");
  return `"${version}.${said}.${dayOf(now, page.timeZone)}.${assets.slice(0, 8)}${assets.slice(-8)}"`;
}

async function latestSnapshot(
  c: AppContext,
  origin: string,
): Promise<{ readonly snapshot: PageSnapshot; readonly isCopy: boolean } | null> {
  // A path that no route serves, so that no visitor can read or fill it.
  const key = `${origin}/.snapshot`;
  try {
    const snapshot = await boardOf(c.env).snapshot(takeViews());
    c.executionCtx.waitUntil(caches.default.put(key, kept(Response.json(snapshot), KEPT_S)));
    return { snapshot, isCopy: false };
  } catch (error) {
    console.warn(JSON.stringify({ event: "board_unreachable", error: String(error) }));
    const copy = await caches.default.match(key);
    // Put there a few lines above.
    return copy === undefined ? null : { snapshot: await copy.json<PageSnapshot>(), isCopy: true };
  }
}

/** An answer with what browsers are told in place of what our cache was: to keep it for no longer than it holds. */
function forBrowsers(made: Response, until: Millis, { cache }: Render): Response {
  const response = new Response(made.body, made);
  const seconds = Math.min(FRESH_S, Math.floor((until - Date.now()) / SECOND));
  response.headers.set("cache-control", `public, max-age=${Math.max(0, seconds)}${cache}`);
  response.headers.delete(HOLDS_UNTIL);
  return response;
}

/** The same answer as the cache should keep it: for `seconds`, whatever browsers are told. */
function kept(response: Response, seconds: number): Response {
  const copy = new Response(response.body, response);
  copy.headers.set("cache-control", `public, max-age=${seconds}`);
  return copy;
}

function live(c: AppContext): Promise<Response> | Response {
  if (c.req.header("upgrade") !== "websocket") return refuse(c, "request_malformed", "This address is a WebSocket.");
  if (!sameOrigin(c)) return refuse(c, "cross_site", "The socket is for this page only.");
  const shard = (crypto.getRandomValues(new Uint8Array(1))[0] ?? 0) % RELAY_SHARDS;
  return c.env.RELAY.getByName(String(shard)).fetch(c.req.raw);
}

export const pageRoutes: readonly Route[] = [
  { method: "GET", path: "/", policy: "public", handle: (c) => serve(c, html) },
  { method: "GET", path: LIVE_PATH, policy: "public", handle: live },
  {
    method: "GET",
    path: "/api/v2/summary.json",
    policy: "public",
    api: {
      summary: "Statuspage's summary: components, maintenances and the status of the page",
      answer: SummaryAnswer,
    },
    handle: (c) => serve(c, json(summaryDocument)),
  },
  {
    method: "GET",
    path: "/api/v2/status.json",
    policy: "public",
    api: { summary: "Statuspage's status of the page", answer: StatusAnswer },
    handle: (c) => serve(c, json(statusDocument)),
  },
  {
    method: "GET",
    path: "/health",
    policy: "public",
    api: { summary: "Whether this edge and its board answer", answer: HealthAnswer },
    handle: health,
  },
];

/** The runbook's health check: 200 while this Worker and its Board answer. */
async function health(c: AppContext): Promise<Response> {
  try {
    await boardOf(c.env).wake();
    return c.json({ status: "ok" }, 200, { "cache-control": "no-store" });
  } catch {
    return refuse(c, "unavailable", "The board does not answer.");
  }
}
