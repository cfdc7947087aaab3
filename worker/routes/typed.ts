/**
 * What somebody typed into a form of the admin, for as long as nobody has kept it: whatever refuses the form shows it
 * again, so that a session that is over, a role that was taken away or an incident that is gone costs nobody a text.
 */
import type { Context } from "hono";
import type { AskedModel } from "../../web/view/admin/doors-model.ts";
import { formOf } from "./admin-page.ts";

const HELD = "typed";

/** Whether it is a form that a browser sends, and would show an answer of. */
export function isForm(c: Context): boolean {
  return (
    c.req.method === "POST" &&
    (c.req.header("content-type") ?? "").startsWith("application/x-www-form-urlencoded") &&
    (c.req.header("accept") ?? "").includes("text/html")
  );
}

export function keepTyped(c: Context, body: Uint8Array): void {
  c.set(HELD, body);
}

/** Null if nothing was. */
export function typedIn(c: Context): AskedModel | null {
  const body: unknown = c.get(HELD);
  if (!(body instanceof Uint8Array) || body.length === 0) return null;
  return { method: "POST", action: new URL(c.req.url).pathname, fields: [...formOf(body)] };
}
