/** What other sites include: a script, and the frame it shows there. */
import { EMBED_SCRIPT } from "../../web/view/assets.generated.ts";
import { renderEmbedFrame } from "../../web/view/embed.ts";
import { documentHeaders } from "./document.ts";
import { fixed } from "./fixed.ts";
import type { Render } from "./serve.ts";
import { serve } from "./serve.ts";
import type { Route } from "./table.ts";

/** It asks again by itself, and turns to "cannot be read" when what it says expires: no cache may hold it for longer. */
const frame: Render = {
  agesWell: false,
  render: (view) => ({ body: renderEmbedFrame(view), headers: documentHeaders("frame", view.brandHash) }),
};

/** At its own address, and where Statuspage has it: sites that include that one need no change when the domain moves. */
const script = (path: string): Route => ({
  method: "GET",
  path,
  policy: "public",
  handle: (c) => fixed(c, EMBED_SCRIPT, "text/javascript; charset=utf-8"),
});

export const embedRoutes: readonly Route[] = [
  script("/embed.js"),
  script("/embed/script.js"),
  { method: "GET", path: "/embed/frame", policy: "public", handle: (c) => serve(c, frame) },
];
