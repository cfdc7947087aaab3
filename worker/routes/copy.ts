/** Public documents as a copy is made of them, one by one: what `npm run -s lifeboat` writes down. */
import * as v from "valibot";
import { asCopy, copyLocale } from "../../web/view/lifeboat.ts";
import { fadedAt } from "../core/lifeboat.ts";
import type { Env } from "../objects/env.ts";
import { refuse } from "./answer.ts";
import type { Facts } from "./facts.ts";
import type { Render } from "./serve.ts";
import type { AppContext, Route } from "./table.ts";

/** Of this site, and nothing but a path: it is asked for under our own name. */
const Path = v.pipe(v.string(), v.maxLength(2_000), v.regex(/^\/(?![/\\])[^?#]*$/));

/** Answers a request for a public document. */
type Dispatch = (request: Request, env: Env, c: AppContext["executionCtx"]) => Response | Promise<Response>;

export function copyRoute(dispatch: Dispatch): Route {
  return {
    method: "GET",
    path: "/cli/v1/copy",
    policy: "cli",
    handle: (c) => {
      const path = v.safeParse(Path, c.req.query("path"));
      if (!path.success) return refuse(c, "request_malformed", "path: say which, from its slash on.");
      const request = new Request(new URL(path.output, c.req.url));
      return dispatch(request, { ...c.env, PAGE_COPY: "1" }, c.executionCtx);
    },
  };
}

/** The document as a file for another host: nothing in it is well, because nobody will know when it is read. */
export function copied({ view }: Facts, path: string, render: Render): Response | null {
  const { components, generatedAt } = view.snapshot;
  // That it is a copy is said by the note that `asCopy` puts on top.
  const rendering = render.render({
    ...view,
    now: fadedAt(components, generatedAt),
    isCopy: false,
    locale: copyLocale(view.locale),
  });
  if (rendering === null) return null;
  const { body, headers } = rendering;
  const isPage = typeof body === "string" && headers["content-type"]?.startsWith("text/html") === true;
  const copy = isPage ? asCopy(body, { ...view, path, madeAt: generatedAt }) : body;
  return new Response(copy, { headers: { ...headers, "cache-control": "no-store" } });
}
