/** The doors of the admin: one-time links, sessions and read tokens. Only hashes are kept. */
import type { Millis } from "../../protocol/time.ts";
import type { Role, Scope, Session } from "../core/access.ts";
import { LINK_LIFETIME_MS, SESSION_TOUCH_MS, sessionAlive } from "../core/access.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshSecret, secretHash } from "./crypto.ts";

/** How much of a hash names a secret in the audit. */
const NAME_LENGTH = 12;

/** Whom a session's secret stands for. */
export interface SessionHolder {
  readonly by: string;
  readonly hash: string;
  readonly role: Role;
  /** When they last proved who they are. */
  readonly verifiedAt: Millis;
}

export class BoardDoors {
  readonly #memory: BoardMemory;

  constructor(memory: BoardMemory) {
    this.#memory = memory;
  }

  async createLink(): Promise<{ readonly token: string; readonly expiresAt: Millis }> {
    const token = freshSecret();
    const hash = await secretHash(token);
    const now = Date.now();
    const expiresAt = now + LINK_LIFETIME_MS;
    for (const link of this.#memory.all("link")) if (link.expiresAt <= now) this.#memory.remove("link", link.hash);
    this.#memory.put("link", hash, { hash, expiresAt });
    this.#memory.audit("link.create", hash.slice(0, NAME_LENGTH), "command line", now);
    return { token, expiresAt };
  }

  async redeemLink(token: string): Promise<string | null> {
    const secret = freshSecret();
    const [hash, sessionHash] = await Promise.all([secretHash(token), secretHash(secret)]);
    const now = Date.now();
    const link = this.#memory.get("link", hash);
    if (link === null || link.expiresAt <= now) return null;
    // No await from here on: these writes are one.
    this.#memory.remove("link", hash);
    for (const session of this.#memory.all("session")) {
      if (!sessionAlive(session, now)) this.#memory.remove("session", session.hash);
    }
    const session: Session = { hash: sessionHash, by: "one-time link", createdAt: now, seenAt: now, role: "owner" };
    this.#memory.put("session", sessionHash, session);
    this.#memory.audit("session.start", sessionHash.slice(0, NAME_LENGTH), session.by, now);
    return secret;
  }

  async session(secret: string): Promise<SessionHolder | null> {
    const session = this.#memory.get("session", await secretHash(secret));
    const now = Date.now();
    if (session === null || !sessionAlive(session, now)) return null;
    if (now - session.seenAt > SESSION_TOUCH_MS) this.#memory.put("session", session.hash, { ...session, seenAt: now });
    const { by, hash, role = "owner", createdAt } = session;
    return { by, hash, role, verifiedAt: createdAt };
  }

  /** Answers the hash of the session that is over. */
  async endSession(secret: string): Promise<string> {
    const hash = await secretHash(secret);
    this.#memory.remove("session", hash);
    return hash;
  }

  async createToken(scope: Scope): Promise<string> {
    const token = freshSecret();
    const hash = await secretHash(token);
    const now = Date.now();
    this.#memory.put("token", hash, { hash, scope, createdAt: now });
    this.#memory.audit("token.create", hash.slice(0, NAME_LENGTH), "command line", now);
    return token;
  }

  async tokenScope(token: string): Promise<Scope | null> {
    return this.#memory.get("token", await secretHash(token))?.scope ?? null;
  }
}
