/** What the pages about people and doors are made from. */
import type { Millis } from "../../../protocol/time.ts";
import type { Fault } from "./model.ts";

/** As `worker/core/access.ts` has them. */
export const ROLES = ["viewer", "responder", "operator", "owner"] as const;
export type RoleName = (typeof ROLES)[number];

/** `token` null: opened without a link. `problem`: why a link did not work, as a sentence. */
export interface SignInModel {
  readonly pageName: string;
  readonly token: string | null;
  readonly problem: string | null;
  /** Whether passkeys work at this address; if not, `passkeysAt` is an origin where they do, if one is known. */
  readonly passkeys: boolean;
  readonly passkeysAt: string | null;
  /** Whether Cloudflare Access stands before this page, and says that somebody is known to it. */
  readonly access: boolean;
}

/** What was asked for and waits until somebody has confirmed who they are. */
export interface AskedModel {
  readonly method: "GET" | "POST";
  readonly action: string;
  readonly fields: readonly (readonly [string, string])[];
}

export interface StepUpModel {
  readonly pageName: string;
  readonly asked: AskedModel;
  readonly by: string;
  /** False for whoever holds the operator's key and has no account. */
  readonly isPerson: boolean;
  /** How many passkeys would do here. */
  readonly passkeys: number;
  readonly passkeysAt: string | null;
  readonly isConfirmed: boolean;
  readonly problem: string | null;
}

export interface PasskeyModel {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Millis;
  readonly usedAt: Millis | null;
}

export interface LoginModel {
  readonly id: string;
  readonly device: string;
  readonly door: "link" | "passkey" | "access";
  readonly createdAt: Millis;
  readonly seenAt: Millis;
  readonly isThis: boolean;
}

export interface AccountModel {
  readonly name: string;
  readonly role: RoleName;
  /** False for whoever holds the operator's key: they may say who they are. */
  readonly isPerson: boolean;
  readonly passkeys: readonly PasskeyModel[];
  readonly canAddPasskey: boolean;
  /** Whether they work at this address. */
  readonly passkeysWork: boolean;
  readonly passkeysAt: string | null;
  readonly logins: readonly LoginModel[];
  readonly values: Readonly<Partial<Record<"name", string>>>;
  readonly faults: readonly Fault[];
}

export interface PersonModel {
  readonly id: string;
  readonly name: string;
  readonly role: RoleName;
  readonly passkeys: number;
  readonly isKnownToAccess: boolean;
  readonly isSelf: boolean;
}

export interface PeopleModel {
  readonly people: readonly PersonModel[];
  /** Whether Cloudflare Access is a door of this page. */
  readonly access: boolean;
  /** Others read who there is. */
  readonly mayChange: boolean;
  /** A link that was just made: it is shown once. */
  readonly made: {
    readonly name: string;
    readonly url: string;
    readonly expiresAt: Millis;
  } | null;
  readonly values: Readonly<Partial<Record<"name" | "role" | "address", string>>>;
  readonly faults: readonly Fault[];
}
