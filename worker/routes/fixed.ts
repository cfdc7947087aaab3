/** Public documents that only a release changes: they need neither the Board nor a cache of ours. */
import { entityMatches } from "../core/entity.ts";
import { shortHash } from "../core/hash.ts";
import type { AppContext } from "./table.ts";

/** An hour in browsers; a release reaches those who come again later than that. */
const CACHE = "public, max-age=3600, stale-while-revalidate=86400, stale-if-error=604800";

/** `version` tells its bytes from those of other releases; by default it is made of them. */
export function fixed(
  c: AppContext,
  body: string | Uint8Array<ArrayBuffer>,
  type: string,
  version = shortHash(String(body)),
): Response {
  const etag = `"${version}"`;
  const headers = {
    "content-type": type,
    "cache-control": CACHE,
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
    etag,
  };
  if (entityMatches(c.req.header("if-none-match"), etag)) return new Response(null, { status: 304, headers });
  return new Response(body, { headers });
}
