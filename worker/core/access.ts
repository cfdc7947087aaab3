/** Admin sessions, one-time links and read tokens, as facts with times. Only hashes are ever stored. */
import type { Millis } from "../../protocol/time.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";

/** A one-time sign-in link works this long, once. */
export const LINK_LIFETIME_MS = 15 * MINUTE;
/** An invitation travels by mail or chat, and waits until somebody reads it. */
export const INVITATION_LIFETIME_MS = DAY;
/** A session ends after this long without a request … */
export const SESSION_IDLE_MS = 30 * MINUTE;
/** … and after this long whatever happens. */
export const SESSION_LIFETIME_MS = 12 * HOUR;
/** `seenAt` is written at most this often: a page load must not cost a row. */
export const SESSION_TOUCH_MS = 5 * MINUTE;

/** What people may do; each role includes those before it. `responder`: incidents. `owner`: keys and people. */
export const ROLES = ["viewer", "responder", "operator", "owner"] as const;
export type Role = (typeof ROLES)[number];

/** What needs step-up takes nobody's word for longer than this: they proved who they are within it. */
const STEP_UP_MS = 5 * MINUTE;

/**
 * A one-time link, as it is kept. Neither it nor a session has the kind that the release before reads: rolled back to,
 * that would take everybody's for an owner's.
 */
export interface Ticket {
  readonly hash: string;
  readonly expiresAt: Millis;
  /** Whom it signs in; null for whoever holds the operator's key. */
  readonly person: string | null;
}

/** By what somebody came in. */
export type Door = "link" | "passkey" | "access";

/** A session. */
export interface Login {
  readonly hash: string;
  /** What its holder calls it by: they read a list of their own. */
  readonly id: string;
  /** Null for whoever holds the operator's key: they may do everything. */
  readonly person: string | null;
  readonly door: Door;
  /** "Firefox on Linux": how its holder tells it from their others. */
  readonly device: string;
  readonly createdAt: Millis;
  readonly seenAt: Millis;
  /** When they last proved who they are; 0 if somebody else vouched for them. */
  readonly verifiedAt: Millis;
}

/** A session that the release before began: whoever had one then may do everything until it is over. */
export interface OldSession {
  readonly hash: string;
  readonly by: string;
  readonly createdAt: Millis;
  readonly seenAt: Millis;
}

/**
 * What a token may read. `read`: everything an operator may. `metrics`: numbers of now, for a Prometheus that scrapes
 * them. `history`: what was, for reports.
 */
export const SCOPES = ["read", "metrics", "history"] as const;
export type Scope = (typeof SCOPES)[number];

/** A narrow token keeps its own word, which the release before takes for none: it refuses rather than reads too much. */
export interface ReadToken {
  readonly hash: string;
  readonly scope: Scope;
  readonly createdAt: Millis;
}

/** Whether a token of this scope opens what asks for that one. */
export function opens(held: Scope, asked: Scope): boolean {
  return held === "read" || held === asked;
}

export function includesRole(held: Role, needed: Role): boolean {
  return ROLES.indexOf(held) >= ROLES.indexOf(needed);
}

/** Whether whoever proved who they are at `verifiedAt` need not prove it again yet. A clock that was set back prolongs nothing. */
export function isFresh(verifiedAt: Millis, now: Millis): boolean {
  return Math.abs(now - verifiedAt) <= STEP_UP_MS;
}

/** Whether a session is still good. A page left open is over after the idle limit, give or take the touch interval. */
export function sessionAlive(session: Pick<Login, "createdAt" | "seenAt">, now: Millis): boolean {
  return now - session.seenAt < SESSION_IDLE_MS + SESSION_TOUCH_MS && now - session.createdAt < SESSION_LIFETIME_MS;
}

const BROWSERS = [
  ["Edg/", "Edge"],
  ["OPR/", "Opera"],
  ["Firefox/", "Firefox"],
  ["Chrome/", "Chrome"],
  ["Safari/", "Safari"],
] as const;
const SYSTEMS = [
  ["Windows", "Windows"],
  ["Android", "Android"],
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["Mac OS", "macOS"],
  ["Linux", "Linux"],
] as const;

/** What a browser calls itself, in words that tell a person which of theirs it is. Nothing else of it is kept. */
export function deviceOf(userAgent: string): string {
  const known = (names: readonly (readonly [string, string])[]): string | undefined =>
    names.find(([sign]) => userAgent.includes(sign))?.[1];
  const [browser, system] = [known(BROWSERS), known(SYSTEMS)];
  if (browser === undefined) return system === undefined ? "an unknown browser" : `a browser on ${system}`;
  return system === undefined ? browser : `${browser} on ${system}`;
}
