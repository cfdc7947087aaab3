/** The one cookie of the admin: a session's secret, which scripts cannot read and other sites cannot send. */
import { deleteCookie, setCookie } from "hono/cookie";
import { SESSION_LIFETIME_MS } from "../core/access.ts";
import type { AppContext } from "./table.ts";

/** Over plain HTTP, that is on a laptop, a `__Host-` cookie would not be kept. */
function prefixed(url: string, name: string): string {
  return url.startsWith("https:") ? `__Host-${name}` : `${name}-dev`;
}

function sessionCookieName(url: string): string {
  return prefixed(url, "observatory");
}

/** Ties an assertion to the browser that asked for its challenge, before there is a session. */
const DOOR = "observatory-door";

/** The value of a cookie, if there is exactly one of that name: of two, one is not ours, and nobody knows which. */
function onlyCookie(c: AppContext, name: string): string | null {
  const values = (c.req.header("cookie") ?? "").split(";").flatMap((pair) => {
    const [key = "", ...value] = pair.split("=");
    return key.trim() === name ? [value.join("=").trim()] : [];
  });
  const [value] = values;
  return values.length === 1 && value !== undefined && /^[\w-]{43}$/.test(value) ? value : null;
}

export function sessionCookie(c: AppContext): string | null {
  return onlyCookie(c, sessionCookieName(c.req.url));
}

export function doorCookie(c: AppContext): string | null {
  return onlyCookie(c, prefixed(c.req.url, DOOR));
}

export function keepSession(c: AppContext, secret: string): void {
  keep(c, sessionCookieName(c.req.url), secret, SESSION_LIFETIME_MS);
}

export function keepDoor(c: AppContext, secret: string, lifetimeMs: number): void {
  keep(c, prefixed(c.req.url, DOOR), secret, lifetimeMs);
}

function keep(c: AppContext, name: string, value: string, lifetimeMs: number): void {
  const secure = c.req.url.startsWith("https:");
  const maxAge = lifetimeMs / 1_000;
  setCookie(c, name, value, { path: "/", httpOnly: true, sameSite: "Strict", secure, maxAge });
}

export function dropSession(c: AppContext): void {
  deleteCookie(c, sessionCookieName(c.req.url), { path: "/", secure: c.req.url.startsWith("https:") });
}
