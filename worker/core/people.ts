/** The people who may sign in: facts, and which changes of them are allowed. */
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Role } from "./access.ts";

export const PEOPLE_MAX = 200;
/** Of one person. */
export const PASSKEYS_MAX = 10;
export const NAME_MAX = 60;

/** A passkey, as the browser registered it: nothing in it is secret. */
export interface Passkey {
  /** The credential's own id, base64url. */
  readonly id: string;
  /** COSE, base64url. */
  readonly publicKey: string;
  /** Rises with every use on keys that count; 0 on those that do not. */
  readonly counter: number;
  /** "This laptop": what its holder calls it. */
  readonly name: string;
  readonly transports: readonly string[];
  readonly createdAt: Millis;
  readonly usedAt: Millis | null;
}

export interface Person {
  readonly id: string;
  /** Unique on a page, whatever its case. The audit names them by it. */
  readonly name: string;
  readonly role: Role;
  readonly createdAt: Millis;
  readonly createdBy: string;
  /** By which Cloudflare Access knows them: a keyed hash of their address, which is kept nowhere; null if it does not. */
  readonly addressHash: string | null;
  readonly passkeys: readonly Passkey[];
}

export type PeopleRefusal =
  | "unknown"
  | "name_taken"
  | "name_unusable"
  | "address_taken"
  | "last_owner"
  | "too_many"
  | "replayed"
  | "stale";

/** The name as it is kept, if nobody else has it. "command line" and its like are names of doors, not of people. */
export function freeName(name: string, people: readonly Person[], but: string | null): Result<string, PeopleRefusal> {
  const kept = name.normalize("NFC").trim();
  if (kept === "" || DOORS.includes(fold(kept))) return failure("name_unusable");
  const isTaken = people.some((person) => person.id !== but && fold(person.name) === fold(kept));
  return isTaken ? failure("name_taken") : success(kept);
}

const DOORS = ["command line", "one-time link", "unknown", "agent", "nobody"];

function fold(name: string): string {
  return name.normalize("NFKC").toLowerCase();
}

export function personNamed(name: string, people: readonly Person[]): Person | null {
  return people.find((person) => fold(person.name) === fold(name.trim())) ?? null;
}

/** Whether nobody would be left who may let others in, once this person is gone or may do less. */
export function isLastOwner(person: Person, people: readonly Person[]): boolean {
  return person.role === "owner" && !people.some(({ id, role }) => role === "owner" && id !== person.id);
}

/**
 * Whether an assertion is a new one by its counter: one that did not rise is of a copied key, or a replay. Keys that do
 * not count say 0 for ever.
 */
export function counterRose(known: number, told: number): boolean {
  return (known === 0 && told === 0) || told > known;
}
