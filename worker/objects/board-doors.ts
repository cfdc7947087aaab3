/** The doors of the admin: one-time links, sessions and read tokens. Only hashes are kept. */
import type { Millis } from "../../protocol/time.ts";
import type { Door, Login, Role, Scope } from "../core/access.ts";
import { INVITATION_LIFETIME_MS, LINK_LIFETIME_MS, SESSION_TOUCH_MS, sessionAlive } from "../core/access.ts";
import { isNotable } from "../core/audit.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshId, freshSecret, secretHash } from "./crypto.ts";

/** How much of a hash names a secret in the audit. */
const NAME_LENGTH = 12;
/** Sessions of one person, and links that wait: beyond it the oldest goes. */
const LOGINS_MAX = 20;
const TICKETS_MAX = 500;
/** Refused sign-ins are counted over this long. */
const REFUSALS_SPAN_MS = 3_600_000;

/** How whoever holds the operator's key is named: nobody knows who that is. */
const KEY_HOLDER = "one-time link";

/** Whom a session's secret stands for. */
export interface SessionHolder {
  readonly by: string;
  readonly hash: string;
  readonly role: Role;
  /** When they last proved who they are. */
  readonly verifiedAt: Millis;
  /** Null for whoever holds the operator's key, and in a session of an earlier version. */
  readonly person: string | null;
  /** How many passkeys they have. */
  readonly passkeys: number;
}

/** A link's secret, or a session's. */
export interface Secret {
  readonly token: string;
  readonly expiresAt: Millis;
}

/** How somebody signs in. */
export interface Arrival {
  readonly person: string | null;
  readonly door: Door;
  readonly device: string;
  /** 0 if another vouched for them: Access knows who somebody is, not that they are at the keyboard. */
  readonly verifiedAt: Millis;
  /** The session that this browser had: two of one browser would be one too many. */
  readonly instead: string | null;
}

export class BoardDoors {
  readonly #memory: BoardMemory;
  readonly #dropped: (sessions: readonly string[]) => void;
  #refusals = { since: 0, count: 0 };

  /** @param dropped told of sessions that are over, by their hashes: what they listen to must end too */
  constructor(memory: BoardMemory, dropped: (sessions: readonly string[]) => void) {
    this.#memory = memory;
    this.#dropped = dropped;
  }

  // ── links ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a link for a person, or for whoever holds the operator's key. One that this person had works no more. */
  async createLink(person: string | null, kind: "link" | "invitation", by: string): Promise<Secret> {
    const token = freshSecret();
    const hash = await secretHash(token);
    const now = Date.now();
    const expiresAt = now + (kind === "link" ? LINK_LIFETIME_MS : INVITATION_LIFETIME_MS);
    const tickets = this.#memory.all("ticket");
    for (const [i, ticket] of tickets.entries()) {
      const isOld = ticket.expiresAt <= now || i <= tickets.length - TICKETS_MAX;
      if (isOld || (person !== null && ticket.person === person)) this.#memory.remove("ticket", ticket.hash);
    }
    this.#memory.put("ticket", hash, { hash, expiresAt, person });
    const whose = person === null ? "" : ` for ${this.#nameOf(person)}`;
    this.#memory.audit(`${kind}.create`, `${hash.slice(0, NAME_LENGTH)}${whose}`, by, now);
    return { token, expiresAt };
  }

  /** Spends a link; null if it is unknown, spent or expired. Otherwise whose it was. */
  async spendLink(token: string, now: Millis): Promise<{ readonly person: string | null } | null> {
    const hash = await secretHash(token);
    const ticket = this.#memory.get("ticket", hash);
    if (ticket === null || ticket.expiresAt <= now) return null;
    this.#memory.remove("ticket", hash);
    return { person: ticket.person };
  }

  /** Forgets the links of somebody who is gone, or who must come by another. */
  dropLinks(person: string): void {
    for (const ticket of this.#memory.all("ticket"))
      if (ticket.person === person) this.#memory.remove("ticket", ticket.hash);
  }

  // ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins a session; its secret. */
  async begin({ person, door, device, verifiedAt, instead }: Arrival, now: Millis): Promise<string> {
    const secret = freshSecret();
    const [hash, old] = await Promise.all([secretHash(secret), instead === null ? null : secretHash(instead)]);
    const before = old === null ? null : this.#memory.get("login", old);
    if (before !== null) this.#end([before]);
    this.#prune(person, now);
    this.#memory.put("login", hash, {
      hash,
      id: freshId(),
      person,
      door,
      device,
      createdAt: now,
      seenAt: now,
      verifiedAt,
    });
    this.#memory.audit("session.start", `${hash.slice(0, NAME_LENGTH)} by ${door}`, this.#nameOf(person), now);
    return secret;
  }

  /** Gives a session another secret; null if it is over. Step-up, and a change of what opens the door. */
  async rotate(secret: string, verifiedAt: Millis | null): Promise<string | null> {
    const fresh = freshSecret();
    const [from, to] = await Promise.all([secretHash(secret), secretHash(fresh)]);
    const login = this.#alive(from, Date.now());
    if (login === null) return null;
    this.#end([login]);
    this.#memory.put("login", to, { ...login, hash: to, verifiedAt: verifiedAt ?? login.verifiedAt });
    return fresh;
  }

  /** Who holds it; null if it is over. @param isSeen whether somebody is there, and not only their open page */
  async session(secret: string, isSeen = true): Promise<SessionHolder | null> {
    const hash = await secretHash(secret);
    const now = Date.now();
    const login = this.#alive(hash, now);
    if (login === null) return this.#oldSession(hash, now);
    if (isSeen && now - login.seenAt > SESSION_TOUCH_MS) this.#memory.put("login", hash, { ...login, seenAt: now });
    const { person: id, verifiedAt } = login;
    const person = id === null ? null : this.#memory.get("person", id);
    // Nobody is left whose it would be.
    if (id !== null && person === null) return null;
    const role = person?.role ?? "owner";
    const passkeys = person?.passkeys.length ?? 0;
    return { by: this.#nameOf(id), hash, role, verifiedAt, person: id, passkeys };
  }

  isHeld(hash: string): boolean {
    return this.#memory.get("login", hash) !== null || this.#memory.get("session", hash) !== null;
  }

  /** Ends a session. */
  async endSession(secret: string): Promise<void> {
    const hash = await secretHash(secret);
    const login = this.#memory.get("login", hash);
    if (login !== null) this.#end([login]);
    this.#memory.remove("session", hash);
    this.#dropped([hash]);
  }

  /** The sessions of a person, or of whoever holds the operator's key; the newest first. */
  loginsOf(person: string | null, now: Millis): readonly Login[] {
    const theirs = this.#memory.all("login").filter((login) => login.person === person && sessionAlive(login, now));
    return theirs.toSorted((a, b) => b.createdAt - a.createdAt);
  }

  /** Ends sessions of a person: all, or all but one, or the one of this id. How many that were. */
  endSessions(person: string | null, which: { readonly but: string | null } | { readonly id: string }): number {
    const ended = this.#memory
      .all("login")
      .filter((login) => login.person === person && ("id" in which ? login.id === which.id : login.hash !== which.but));
    this.#end(ended);
    return ended.length;
  }

  /** Hands a session of the operator's key to the person that its holder says they are. */
  async claim(secret: string, person: string): Promise<void> {
    const login = this.#memory.get("login", await secretHash(secret));
    if (login !== null) this.#memory.put("login", login.hash, { ...login, person });
  }

  /** Counts a sign-in that was refused. They come as fast as anybody likes: not each is written down. */
  refused(door: Door, now: Millis): void {
    const { since, count } = this.#refusals;
    this.#refusals = now - since >= REFUSALS_SPAN_MS ? { since: now, count: 1 } : { since, count: count + 1 };
    const times = this.#refusals.count;
    if (isNotable(times))
      this.#memory.audit(
        "session.refuse",
        times === 1 ? `by ${door}` : `by ${door}, ${times} within an hour`,
        "nobody",
        now,
      );
  }

  #alive(hash: string, now: Millis): Login | null {
    const login = this.#memory.get("login", hash);
    return login !== null && sessionAlive(login, now) ? login : null;
  }

  #oldSession(hash: string, now: Millis): SessionHolder | null {
    const old = this.#memory.get("session", hash);
    if (old === null || !sessionAlive(old, now)) return null;
    if (now - old.seenAt > SESSION_TOUCH_MS) this.#memory.put("session", hash, { ...old, seenAt: now });
    return { by: old.by, hash, role: "owner", verifiedAt: old.createdAt, person: null, passkeys: 0 };
  }

  /** Ends what is over, and what it listens to: a page that is left open must not hear on. */
  sweep(now: Millis): void {
    for (const old of this.#memory.all("session"))
      if (!sessionAlive(old, now)) this.#memory.remove("session", old.hash);
    this.#end(this.#memory.all("login").filter((login) => !sessionAlive(login, now)));
  }

  #prune(person: string | null, now: Millis): void {
    this.sweep(now);
    this.#end(this.loginsOf(person, now).slice(LOGINS_MAX - 1));
  }

  #end(logins: readonly Login[]): void {
    for (const { hash } of logins) this.#memory.remove("login", hash);
    if (logins.length > 0) this.#dropped(logins.map(({ hash }) => hash));
  }

  #nameOf(person: string | null): string {
    return person === null ? KEY_HOLDER : (this.#memory.get("person", person)?.name ?? "somebody who is gone");
  }

  // ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────

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
