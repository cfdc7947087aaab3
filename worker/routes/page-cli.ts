/** How the page looks and where it stands: the operator's choice, shown and changed from the command line. */
import { accentContrasts } from "../core/brand.ts";
import type { BrandWish } from "../core/brand.ts";
import { LOGO_MAX } from "../core/logo.ts";
import { boardOf } from "../objects/env.ts";
import { refuse } from "./answer.ts";
import { withJson } from "./cli.ts";
import { PageRequestSchema } from "./page-request.ts";
import type { AppContext, Route } from "./table.ts";

/** A logo whose every letter is escaped, and the rest. */
const BODY_MAX = 4 * LOGO_MAX;

async function answer(c: AppContext, wish: BrandWish | null, by: string): Promise<Response> {
  const set = await boardOf(c.env).brand(wish, by);
  if (!set.ok) return refuse(c, "request_malformed", `${set.failure.field}: ${set.failure.message}`);
  const { name, brand } = set.value;
  const { logo = null, links = [], variables = {}, origin = null, timeZone = null } = brand;
  return c.json({ page: { name, origin, timeZone, logo, accent: accentContrasts(brand), links, variables } });
}

export const pageCliRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/cli/v1/page",
    policy: "cli",
    handle: (c, { visitor }) => answer(c, null, visitor.by ?? "unknown"),
  },
  {
    method: "PUT",
    path: "/cli/v1/page",
    policy: "cli",
    bodyMaxBytes: BODY_MAX,
    handle: withJson(PageRequestSchema, answer),
  },
];
