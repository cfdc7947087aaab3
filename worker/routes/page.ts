/** What visitors get: the page and its live socket. */
import { READOUT_SCRIPT } from "../../web/view/assets.generated.ts";
import { renderPage } from "../../web/view/page.ts";
import { LANGUAGES, messagesOf } from "../../web/view/words/locale.ts";
import { boardOf } from "../objects/env.ts";
import { LIVE_PATH, RELAY_SHARDS } from "../objects/relay.ts";
import { refuse } from "./answer.ts";
import { HealthAnswer } from "./described-page.ts";
import { fixed } from "./fixed.ts";
import { sameOrigin } from "./guard.ts";
import { htmlPage } from "./renderings.ts";
import { serve } from "./serve.ts";
import type { AppContext, Route } from "./table.ts";

const frontPage = htmlPage(renderPage);

function live(c: AppContext): Promise<Response> | Response {
  if (c.req.header("upgrade") !== "websocket") return refuse(c, "request_malformed", "This address is a WebSocket.");
  if (!sameOrigin(c)) return refuse(c, "cross_site", "The socket is for this page only.");
  const shard = (crypto.getRandomValues(new Uint8Array(1))[0] ?? 0) % RELAY_SHARDS;
  return c.env.RELAY.getByName(String(shard)).fetch(c.req.raw);
}

export const pageRoutes: readonly Route[] = [
  { method: "GET", path: "/", policy: "public", isSpoken: true, handle: (c) => serve(c, frontPage) },
  {
    method: "GET",
    path: "/readout.js",
    policy: "public",
    handle: (c) => fixed(c, READOUT_SCRIPT, "text/javascript; charset=utf-8"),
  },
  // Frames speak the first of the languages.
  ...LANGUAGES.slice(1).map((lang): Route => {
    const text = `export const messages=${JSON.stringify(messagesOf(lang))}`;
    return {
      method: "GET",
      path: `/words/${lang}.js`,
      policy: "public",
      handle: (c) => fixed(c, text, "text/javascript; charset=utf-8"),
    };
  }),
  { method: "GET", path: LIVE_PATH, policy: "public", handle: live },
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
