/**
 * Passkeys: what a browser is asked, and whether its answer is good. A challenge is not kept: it is a keyed hash of what
 * it is for, whose it is and when it was made, so asking for thousands costs nothing, and an answer that comes back to
 * another session, for another purpose or too late has no challenge to fit. That each opens only once is for the Board
 * to remember, of those that were answered well.
 *
 *   ticket     when it was made . salt                                   travels with the question and back
 *   challenge  HMAC-SHA-256(key, purpose | bound | ticket)               is what the passkey signs
 */
import * as v from "valibot";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Person } from "../core/people.ts";
import type { NewPasskey, PasskeyUse } from "../objects/board-people.ts";
import { parseJson } from "../objects/body.ts";
import { boardOf } from "../objects/env.ts";
import { base64Url, freshSecret, fromBase64Url, keyedHash } from "../objects/crypto.ts";
import type { AppContext } from "./table.ts";

/** A question is good for this long. */
export const CHALLENGE_LIFETIME_MS = 5 * MINUTE;
/** Bytes of an answer: an attestation without a certificate takes one or two thousand. */
export const ANSWER_MAX = 16_384;

type Purpose = "sign-in" | "step-up" | "register";

/** Where passkeys work: the name that they are made for, and the one origin that may use them. */
interface Party {
  readonly id: string;
  readonly origin: string;
}

/** Null where this host is none that passkeys were set up for: an address without a name never is. */
export function partyOf(c: AppContext): Party | null {
  const { hostname, origin, protocol } = new URL(c.req.url);
  const hosts = (c.env.ADMIN_HOSTS ?? "localhost").split(",").map((host) => host.trim());
  const isSecure = protocol === "https:" || hostname === "localhost";
  return isSecure && hosts.includes(hostname) ? { id: hostname, origin } : null;
}

interface Question {
  readonly ticket: string;
  readonly challenge: string;
}

/** @param bound whose question it is: the session's hash, or what the browser was given at the door */
async function question(c: AppContext, purpose: Purpose, bound: string, now: Millis): Promise<Question> {
  const ticket = `${now}.${freshSecret()}`;
  return { ticket, challenge: await challengeOf(c, purpose, bound, ticket) };
}

async function challengeOf(c: AppContext, purpose: Purpose, bound: string, ticket: string): Promise<string> {
  return base64Url(await keyedHash(c.env.OPERATOR_KEY, `passkey-challenge|${purpose}|${bound}|${ticket}`));
}

function isTimely(ticket: string, now: Millis): boolean {
  const at = Number(ticket.slice(0, ticket.indexOf(".")));
  return at <= now && now - at <= CHALLENGE_LIFETIME_MS;
}

/** What the browser is asked to sign in or to confirm with. @param person whose passkeys it may be; null for anybody's */
export async function askForPasskey(
  c: AppContext,
  party: Party,
  purpose: "sign-in" | "step-up",
  bound: string,
  person: Person | null,
): Promise<object> {
  const { ticket, challenge } = await question(c, purpose, bound, Date.now());
  const allowCredentials = (person?.passkeys ?? []).map(({ id, transports }) => ({
    type: "public-key",
    id,
    transports,
  }));
  const publicKey = {
    challenge,
    rpId: party.id,
    timeout: CHALLENGE_LIFETIME_MS,
    userVerification: "required",
    allowCredentials,
  };
  return { ticket, publicKey };
}

/** COSE: Ed25519, ES256, RS256. */
const ALGORITHMS = [-8, -7, -257];

/** What the browser is asked to make a passkey of. */
export async function askForNewPasskey(
  c: AppContext,
  party: Party,
  bound: string,
  person: Person,
  pageName: string,
): Promise<object> {
  const { ticket, challenge } = await question(c, "register", bound, Date.now());
  const user = { id: base64Url(new TextEncoder().encode(person.id)), name: person.name, displayName: person.name };
  const publicKey = {
    challenge,
    rp: { id: party.id, name: pageName },
    user,
    timeout: CHALLENGE_LIFETIME_MS,
    pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
    excludeCredentials: person.passkeys.map(({ id, transports }) => ({ type: "public-key", id, transports })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    attestation: "none",
  };
  return { ticket, publicKey };
}

const Text = v.pipe(v.string(), v.maxLength(ANSWER_MAX));
const Ticket = v.pipe(v.string(), v.regex(/^\d{13}\.[\w-]{43}$/));
const Common = {
  id: Text,
  rawId: Text,
  type: v.literal("public-key"),
  // What extensions say is not asked for, and not read.
  clientExtensionResults: v.optional(v.unknown()),
  authenticatorAttachment: v.optional(v.nullable(Text)),
};
const Assertion = v.object({
  ticket: Ticket,
  answer: v.object({
    ...Common,
    response: v.object({
      clientDataJSON: Text,
      authenticatorData: Text,
      signature: Text,
      userHandle: v.optional(v.nullable(Text)),
    }),
  }),
});
const Registration = v.object({
  ticket: Ticket,
  name: v.optional(v.string(), ""),
  answer: v.object({
    ...Common,
    response: v.object({
      clientDataJSON: Text,
      attestationObject: Text,
      transports: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(20))), v.maxLength(10)), []),
    }),
  }),
});

function inputOf<Schema extends v.GenericSchema>(schema: Schema, body: Uint8Array): v.InferOutput<Schema> | null {
  const json = parseJson(body, 8);
  const parsed = json.ok ? v.safeParse(schema, json.value) : null;
  return parsed?.success === true ? parsed.output : null;
}

/** Why a passkey opens nothing, for the log; whoever asked is told only that it does not. */
type PasskeyRefusal = "malformed" | "late" | "unknown" | "refused";

/** Looks whether an assertion is good: for this purpose, for whom it was asked, here, by somebody who was verified. */
export async function assertionOf(
  c: AppContext,
  party: Party,
  purpose: "sign-in" | "step-up",
  bound: string,
  body: Uint8Array,
): Promise<Result<PasskeyUse, PasskeyRefusal>> {
  const input = inputOf(Assertion, body);
  if (input === null) return failure("malformed");
  const { ticket, answer } = input;
  if (!isTimely(ticket, Date.now())) return failure("late");
  const person = await boardOf(c.env).credential(answer.id);
  const passkey = person?.passkeys.find(({ id }) => id === answer.id);
  if (person === null || passkey === undefined) return failure("unknown");
  const { userHandle, ...response } = answer.response;
  // The passkey itself says whose it is: it must where nobody else has, and another's name on it is another's passkey.
  const whose = userHandle ?? null;
  const isTheirs = whose === null ? purpose === "step-up" : whose === base64Url(new TextEncoder().encode(person.id));
  if (!isTheirs) return failure("unknown");
  const challenge = await challengeOf(c, purpose, bound, ticket);
  const { verifyAuthenticationResponse } = await webAuthn();
  const verified = await verifyAuthenticationResponse({
    response: { id: answer.id, rawId: answer.rawId, type: answer.type, clientExtensionResults: {}, response },
    expectedChallenge: challenge,
    expectedOrigin: party.origin,
    expectedRPID: party.id,
    requireUserVerification: true,
    // The Board judges the counter, where two answers at once are one after the other.
    credential: { id: passkey.id, publicKey: fromBase64Url(passkey.publicKey), counter: 0 },
  }).catch(refused);
  if (verified?.verified !== true) return failure("refused");
  return success({ credential: passkey.id, counter: verified.authenticationInfo.newCounter, challenge });
}

export interface Registered {
  readonly passkey: NewPasskey;
  readonly challenge: string;
}

/** Looks whether a new passkey is one that this session was asked to make. */
export async function registrationOf(
  c: AppContext,
  party: Party,
  bound: string,
  body: Uint8Array,
): Promise<Result<Registered, PasskeyRefusal>> {
  const input = inputOf(Registration, body);
  if (input === null) return failure("malformed");
  const { ticket, answer, name } = input;
  if (!isTimely(ticket, Date.now())) return failure("late");
  const challenge = await challengeOf(c, "register", bound, ticket);
  const { clientDataJSON, attestationObject, transports } = answer.response;
  const response = { clientDataJSON, attestationObject };
  const { verifyRegistrationResponse } = await webAuthn();
  const verified = await verifyRegistrationResponse({
    response: { id: answer.id, rawId: answer.rawId, type: answer.type, clientExtensionResults: {}, response },
    expectedChallenge: challenge,
    expectedOrigin: party.origin,
    expectedRPID: party.id,
    requireUserVerification: true,
    supportedAlgorithmIDs: ALGORITHMS,
  }).catch(refused);
  if (verified?.verified !== true) return failure("refused");
  const { id, publicKey, counter } = verified.registrationInfo.credential;
  return success({ passkey: { id, publicKey: base64Url(publicKey), counter, name, transports }, challenge });
}

/** Half a megabyte that visitors must not wait for: it is made ready when the first passkey is shown. */
function webAuthn() {
  return import("@simplewebauthn/server");
}

/** What was expected and what came stays out of the log. */
function refused(error: unknown): null {
  const words = String(error)
    .replaceAll(/"[^"]*"/g, "…")
    .slice(0, 200);
  console.warn(JSON.stringify({ event: "passkey_refused", error: words }));
  return null;
}
