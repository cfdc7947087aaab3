/** Admin sessions, one-time links and read tokens, as facts with times. Only hashes are ever stored. */
import type { Millis } from "../../protocol/time.ts";
import { HOUR, MINUTE } from "../../protocol/time.ts";

/** A one-time sign-in link works this long, once. */
export const LINK_LIFETIME_MS = 15 * MINUTE;
/** A session ends after this long without a request … */
export const SESSION_IDLE_MS = 30 * MINUTE;
/** … and after this long whatever happens. */
export const SESSION_LIFETIME_MS = 12 * HOUR;
/** `seenAt` is written at most this often: a page load must not cost a row. */
export const SESSION_TOUCH_MS = 5 * MINUTE;

/** What people may do; each role includes those before it. `responder`: incidents. `owner`: keys and people. */
const ROLES = ["viewer", "responder", "operator", "owner"] as const;
export type Role = (typeof ROLES)[number];

/** What needs step-up takes nobody's word for longer than this: they proved who they are within it. */
const STEP_UP_MS = 5 * MINUTE;

export interface Link {
  readonly hash: string;
  readonly expiresAt: Millis;
}

export interface Session {
  readonly hash: string;
  /** Who: the door and its subject, as the audit names them. */
  readonly by: string;
  readonly createdAt: Millis;
  readonly seenAt: Millis;
  /** Absent in what an earlier version wrote: whoever had a session then may do everything. */
  readonly role?: Role;
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

/** Whether whoever proved who they are at `verifiedAt` need not prove it again yet. */
export function isFresh(verifiedAt: Millis, now: Millis): boolean {
  return now - verifiedAt <= STEP_UP_MS;
}

/** Whether a session is still good. A page left open is over after the idle limit, give or take the touch interval. */
export function sessionAlive(session: Session, now: Millis): boolean {
  return now - session.seenAt < SESSION_IDLE_MS + SESSION_TOUCH_MS && now - session.createdAt < SESSION_LIFETIME_MS;
}
