/** What visitors get: the page, Statuspage's documents, the live socket. */
import { renderPage } from "../../web/view/page.ts";
import { statusDocument, summaryDocument } from "../core/statuspage.ts";
import { boardOf } from "../objects/env.ts";
import { LIVE_PATH, RELAY_SHARDS } from "../objects/relay.ts";
import { refuse } from "./answer.ts";
import { HealthAnswer, StatusAnswer, SummaryAnswer } from "./described-page.ts";
import { sameOrigin } from "./guard.ts";
import { htmlPage, jsonDocument } from "./renderings.ts";
import { serve } from "./serve.ts";
import type { AppContext, Route } from "./table.ts";

const frontPage = htmlPage(renderPage);
const summary = jsonDocument(({ snapshot, origin, now }) => summaryDocument(snapshot, origin, now));
const status = jsonDocument(({ snapshot, origin, now }) => statusDocument(snapshot, origin, now));

function live(c: AppContext): Promise<Response> | Response {
  if (c.req.header("upgrade") !== "websocket") return refuse(c, "request_malformed", "This address is a WebSocket.");
  if (!sameOrigin(c)) return refuse(c, "cross_site", "The socket is for this page only.");
  const shard = (crypto.getRandomValues(new Uint8Array(1))[0] ?? 0) % RELAY_SHARDS;
  return c.env.RELAY.getByName(String(shard)).fetch(c.req.raw);
}

export const pageRoutes: readonly Route[] = [
  { method: "GET", path: "/", policy: "public", handle: (c) => serve(c, frontPage) },
  { method: "GET", path: LIVE_PATH, policy: "public", handle: live },
  {
    method: "GET",
    path: "/api/v2/summary.json",
    policy: "public",
    api: {
      summary: "Statuspage's summary: components, maintenances and the status of the page",
      answer: SummaryAnswer,
    },
    handle: (c) => serve(c, summary),
  },
  {
    method: "GET",
    path: "/api/v2/status.json",
    policy: "public",
    api: { summary: "Statuspage's status of the page", answer: StatusAnswer },
    handle: (c) => serve(c, status),
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
