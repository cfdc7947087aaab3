/**
 * People: who may sign in and what they may do, their passkeys and sessions. Whatever changes what opens their door or
 * what it opens to ends their sessions, and what those listen to.
 */
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Login, Role } from "../core/access.ts";
import type { Passkey, PeopleRefusal, Person } from "../core/people.ts";
import { counterRose, freeName, isLastOwner, PASSKEYS_MAX, PEOPLE_MAX, personNamed } from "../core/people.ts";
import type { BoardDoors, Secret, SessionHolder } from "./board-doors.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshId } from "./crypto.ts";

/** A challenge is good for five minutes; spent ones are remembered for longer than that. */
const SPENT_KEPT_MS = 10 * MINUTE;

/** What an owner does, or the command line. */
export type PeopleAct =
  | { readonly kind: "add"; readonly name: string; readonly role: Role; readonly addressHash: string | null }
  /** Absent: it stays. */
  | { readonly kind: "change"; readonly id: string; readonly role?: Role; readonly addressHash?: string | null }
  | { readonly kind: "invite"; readonly id: string }
  | { readonly kind: "remove"; readonly id: string }
  /** A way back in for somebody by name, or in for the first time if there is a role. */
  | {
      readonly kind: "recover";
      readonly name: string;
      readonly role: Role | null;
      readonly forgetPasskeys: boolean;
    };

/** Who it was about, and the link that was made for them; null if the act makes none. */
export interface PeopleDone {
  readonly person: Person;
  readonly link: Secret | null;
}

/** What somebody does with their own account. */
export type AccountAct =
  | { readonly kind: "claim"; readonly name: string }
  | { readonly kind: "addPasskey"; readonly passkey: NewPasskey; readonly challenge: string }
  | { readonly kind: "namePasskey"; readonly id: string; readonly name: string }
  | { readonly kind: "removePasskey"; readonly id: string }
  | { readonly kind: "endSession"; readonly id: string }
  | { readonly kind: "endOthers" }
  | { readonly kind: "stepUp"; readonly use: PasskeyUse }
  | { readonly kind: "stepUpByLink"; readonly token: string };

export type NewPasskey = Omit<Passkey, "createdAt" | "usedAt">;

/** An assertion that was verified, but for what only the page's memory can tell: whether it is a new one. */
export interface PasskeyUse {
  readonly credential: string;
  readonly counter: number;
  readonly challenge: string;
}

export interface AccountView {
  readonly holder: SessionHolder;
  readonly person: Person | null;
  readonly logins: readonly Login[];
}

export class BoardPeople {
  readonly #memory: BoardMemory;
  readonly #doors: BoardDoors;

  constructor(memory: BoardMemory, doors: BoardDoors) {
    this.#memory = memory;
    this.#doors = doors;
  }

  get listed(): readonly Person[] {
    return this.#memory.all("person").toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async run(act: PeopleAct, by: string): Promise<Result<PeopleDone, PeopleRefusal>> {
    const now = Date.now();
    switch (act.kind) {
      case "add":
        return this.#add(act, by, now);
      case "change":
        return this.#change(act, by, now);
      case "invite": {
        const person = this.#memory.get("person", act.id);
        return person === null ? failure("unknown") : this.#withLink(person, "invitation", by);
      }
      case "remove":
        return this.#remove(act.id, by, now);
      case "recover":
        return this.#recover(act, by, now);
    }
  }

  async #add(
    { name, role, addressHash }: Extract<PeopleAct, { kind: "add" }>,
    by: string,
    now: Millis,
  ): Promise<Result<PeopleDone, PeopleRefusal>> {
    const made = this.#make(name, role, addressHash, by, now);
    return made.ok ? this.#withLink(made.value, "invitation", by) : made;
  }

  #make(name: string, role: Role, addressHash: string | null, by: string, now: Millis): Result<Person, PeopleRefusal> {
    const people = this.listed;
    if (people.length >= PEOPLE_MAX) return failure("too_many");
    const free = freeName(name, people, null);
    if (!free.ok) return free;
    if (addressHash !== null && this.byAddress(addressHash) !== null) return failure("address_taken");
    const person: Person = {
      id: freshId(),
      name: free.value,
      role,
      createdAt: now,
      createdBy: by,
      addressHash,
      passkeys: [],
    };
    this.#memory.put("person", person.id, person);
    this.#audit("person.add", null, person, by, now);
    return success(person);
  }

  #change(
    { id, role: wanted, addressHash }: Extract<PeopleAct, { kind: "change" }>,
    by: string,
    now: Millis,
  ): Result<PeopleDone, PeopleRefusal> {
    const person = this.#memory.get("person", id);
    if (person === null) return failure("unknown");
    const role = wanted ?? person.role;
    if (role !== "owner" && isLastOwner(person, this.listed)) return failure("last_owner");
    const known = addressHash === undefined || addressHash === null ? null : this.byAddress(addressHash);
    if (known !== null && known.id !== id) return failure("address_taken");
    const changed = { ...person, role, ...(addressHash === undefined ? {} : { addressHash }) };
    if (changed.role === person.role && changed.addressHash === person.addressHash)
      return success({ person, link: null });
    this.#memory.put("person", id, changed);
    this.#audit("person.change", person, changed, by, now);
    this.#doors.endSessions(id, { but: null });
    return success({ person: changed, link: null });
  }

  #remove(id: string, by: string, now: Millis): Result<PeopleDone, PeopleRefusal> {
    const person = this.#memory.get("person", id);
    if (person === null) return failure("unknown");
    if (isLastOwner(person, this.listed)) return failure("last_owner");
    this.#memory.remove("person", id);
    this.#doors.dropLinks(id);
    this.#doors.endSessions(id, { but: null });
    this.#audit("person.remove", person, null, by, now);
    return success({ person, link: null });
  }

  async #recover(
    { name, role, forgetPasskeys }: Extract<PeopleAct, { kind: "recover" }>,
    by: string,
    now: Millis,
  ): Promise<Result<PeopleDone, PeopleRefusal>> {
    const known = personNamed(name, this.listed);
    if (known === null) {
      if (role === null) return failure("unknown");
      const made = this.#make(name, role, null, by, now);
      return made.ok ? this.#withLink(made.value, "link", by) : made;
    }
    if (role !== null) {
      const changed = this.#change({ kind: "change", id: known.id, role }, by, now);
      if (!changed.ok) return changed;
    }
    const person = this.#memory.get("person", known.id) ?? known;
    if (forgetPasskeys && person.passkeys.length > 0) {
      this.#memory.put("person", person.id, { ...person, passkeys: [] });
      this.#memory.audit("passkey.remove", `all ${person.passkeys.length} of ${person.name}`, by, now);
      this.#doors.endSessions(person.id, { but: null });
    }
    return this.#withLink(this.#memory.get("person", known.id) ?? known, "link", by);
  }

  async #withLink(person: Person, kind: "link" | "invitation", by: string): Promise<Result<PeopleDone, PeopleRefusal>> {
    return success({ person, link: await this.#doors.createLink(person.id, kind, by) });
  }

  byAddress(addressHash: string): Person | null {
    return this.#memory.all("person").find((person) => person.addressHash === addressHash) ?? null;
  }

  byCredential(credential: string): Person | null {
    return this.#memory.all("person").find(({ passkeys }) => passkeys.some(({ id }) => id === credential)) ?? null;
  }

  /** Writes down that a passkey was used; whose it is, or why this use opens nothing. Each challenge opens once. */
  use({ credential, counter, challenge }: PasskeyUse, now: Millis): Result<Person, PeopleRefusal> {
    const person = this.byCredential(credential);
    const passkey = person?.passkeys.find(({ id }) => id === credential);
    if (person === null || passkey === undefined) return failure("unknown");
    if (!this.#spend(challenge, now) || !counterRose(passkey.counter, counter)) return failure("replayed");
    const passkeys = person.passkeys.map((one) => (one === passkey ? { ...one, counter, usedAt: now } : one));
    const used = { ...person, passkeys };
    this.#memory.put("person", person.id, used);
    return success(used);
  }

  #spend(challenge: string, now: Millis): boolean {
    for (const spent of this.#memory.all("spent"))
      if (spent.until <= now) this.#memory.remove("spent", spent.challenge);
    if (this.#memory.get("spent", challenge) !== null) return false;
    this.#memory.put("spent", challenge, { challenge, until: now + SPENT_KEPT_MS });
    return true;
  }

  // ── one's own account ─────────────────────────────────────────────────────────────────────────────────────────────

  async view(secret: string): Promise<AccountView | null> {
    const holder = await this.#doors.session(secret);
    if (holder === null) return null;
    const person = holder.person === null ? null : this.#memory.get("person", holder.person);
    return { holder, person, logins: this.#doors.loginsOf(holder.person, Date.now()) };
  }

  /** Answers the secret that the session has from now on; null if it keeps its own. */
  async account(secret: string, act: AccountAct): Promise<Result<string | null, PeopleRefusal>> {
    const holder = await this.#doors.session(secret);
    if (holder === null) return failure("stale");
    const now = Date.now();
    switch (act.kind) {
      case "endSession":
        return this.#doors.endSessions(holder.person, { id: act.id }) > 0 ? success(null) : failure("unknown");
      case "endOthers": {
        const count = this.#doors.endSessions(holder.person, { but: holder.hash });
        this.#memory.audit("session.end", `${count} others`, holder.by, now);
        return success(null);
      }
      case "claim":
        return this.#claim(secret, holder, act.name, now);
      case "stepUp":
        return this.#stepUp(secret, holder, act.use, now);
      case "stepUpByLink":
        return this.#stepUpByLink(secret, holder, act.token, now);
      default:
        return this.#passkey(secret, holder, act, now);
    }
  }

  /** Whoever holds the operator's key says who they are: an owner, with an account of their own. */
  async #claim(
    secret: string,
    holder: SessionHolder,
    name: string,
    now: Millis,
  ): Promise<Result<string | null, PeopleRefusal>> {
    if (holder.person !== null) return failure("name_taken");
    const made = this.#make(name, "owner", null, holder.by, now);
    if (!made.ok) return made;
    await this.#doors.claim(secret, made.value.id);
    return success(null);
  }

  async #stepUp(
    secret: string,
    holder: SessionHolder,
    use: PasskeyUse,
    now: Millis,
  ): Promise<Result<string | null, PeopleRefusal>> {
    if (this.byCredential(use.credential)?.id !== holder.person) return failure("unknown");
    const used = this.use(use, now);
    if (!used.ok) return used;
    return this.#confirmed(secret, holder, "passkey", now);
  }

  async #stepUpByLink(
    secret: string,
    holder: SessionHolder,
    token: string,
    now: Millis,
  ): Promise<Result<string | null, PeopleRefusal>> {
    const link = await this.#doors.spendLink(token, now);
    // Somebody else's link says nothing of who is at this keyboard.
    if (link === null || link.person !== holder.person) return failure("replayed");
    return this.#confirmed(secret, holder, "link", now);
  }

  async #confirmed(
    secret: string,
    { by, hash }: SessionHolder,
    door: string,
    now: Millis,
  ): Promise<Result<string | null, PeopleRefusal>> {
    const fresh = await this.#doors.rotate(secret, now);
    if (fresh === null) return failure("stale");
    this.#memory.audit("session.confirm", `${hash.slice(0, 12)} by ${door}`, by, now);
    return success(fresh);
  }

  async #passkey(
    secret: string,
    holder: SessionHolder,
    act: Extract<AccountAct, { kind: "addPasskey" | "namePasskey" | "removePasskey" }>,
    now: Millis,
  ): Promise<Result<string | null, PeopleRefusal>> {
    const person = holder.person === null ? null : this.#memory.get("person", holder.person);
    if (person === null) return failure("unknown");
    const changed = this.#changedPasskeys(person, act, now);
    if (!changed.ok) return changed;
    this.#memory.put("person", person.id, { ...person, passkeys: changed.value });
    if (act.kind === "namePasskey") return success(null);
    const subject = act.kind === "addPasskey" ? act.passkey : person.passkeys.find(({ id }) => id === act.id);
    this.#memory.audit(
      act.kind === "addPasskey" ? "passkey.add" : "passkey.remove",
      subject?.name ?? "",
      holder.by,
      now,
    );
    this.#doors.endSessions(person.id, { but: holder.hash });
    const fresh = await this.#doors.rotate(secret, null);
    return fresh === null ? failure("stale") : success(fresh);
  }

  #changedPasskeys(
    { passkeys }: Person,
    act: Extract<AccountAct, { kind: "addPasskey" | "namePasskey" | "removePasskey" }>,
    now: Millis,
  ): Result<readonly Passkey[], PeopleRefusal> {
    if (act.kind === "addPasskey") {
      if (passkeys.length >= PASSKEYS_MAX) return failure("too_many");
      if (this.byCredential(act.passkey.id) !== null || !this.#spend(act.challenge, now)) return failure("replayed");
      return success([...passkeys, { ...act.passkey, createdAt: now, usedAt: null }]);
    }
    if (!passkeys.some(({ id }) => id === act.id)) return failure("unknown");
    if (act.kind === "removePasskey") return success(passkeys.filter(({ id }) => id !== act.id));
    return success(passkeys.map((one) => (one.id === act.id ? { ...one, name: act.name } : one)));
  }

  #audit(act: string, before: Person | null, after: Person | null, by: string, now: Millis): void {
    const told = (person: Person | null): object | null =>
      person && { name: person.name, role: person.role, ...(person.addressHash !== null && { knownToAccess: true }) };
    const subject = (after ?? before)?.name ?? "";
    this.#memory.audit(act, subject, by, now, { before: told(before), after: told(after) });
  }
}
