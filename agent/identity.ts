/**
 * Who the agent is: an Ed25519 key pair, made here and never leaving, and the note that the edge knows it.
 *
 *   agent-key.pem       the private key, PKCS 8, mode 0600
 *   agent-key-next.pem  the one that takes its place, from when the edge asks for it
 *   agent.json          { cluster, edge, keyId, state }, written once the edge has taken the key: which of the two is in use
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { ENROLL_PATH } from "../protocol/path.ts";
import { EnrolledSchema, type Enroll } from "../protocol/push.ts";
import { SIGNATURE_LIFETIME_S, signatureBase, signatureHeaders } from "../protocol/signature.ts";
import type { Millis } from "../protocol/time.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import { replaceFile } from "./frames.ts";
import { parseJson, request } from "./http.ts";

const EnrolmentSchema = v.object({
  cluster: v.string(),
  edge: v.string(),
  keyId: v.string(),
  state: v.picklist(["active", "pending"]),
});
export type Enrolment = Readonly<v.InferOutput<typeof EnrolmentSchema>>;

const KEY_FILE = "agent-key.pem";
const NEXT_KEY_FILE = "agent-key-next.pem";
const ENROLMENT_FILE = "agent.json";
const ENROL_TIMEOUT_MS = 10_000;
const ENROL_BYTES_MAX = 16_384;

export interface Identity {
  readonly keyId: string;
  readonly fingerprint: string;
  /** Raw, base64. */
  readonly publicKey: string;
  /** Ed25519 over the text's UTF-8 bytes, base64. */
  sign(text: string): string;
}

/** The key of this data folder, and the one that may take its place. */
export class Keyring implements Identity {
  readonly #dataDir: string;
  #current: Identity;

  /** @param dataDir where the keys are; one is made if there is none, and is durable before it is first used */
  constructor(dataDir: string) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    this.#dataDir = dataDir;
    const path = join(dataDir, KEY_FILE);
    const next = read(join(dataDir, NEXT_KEY_FILE));
    // The edge took the next one, and this process died before its file had the name.
    const isNext = next !== null && enrolmentIn(dataDir)?.keyId === next.keyId;
    this.#current = isNext ? next : (read(path) ?? made(path));
  }

  get keyId(): string {
    return this.#current.keyId;
  }
  get fingerprint(): string {
    return this.#current.fingerprint;
  }
  get publicKey(): string {
    return this.#current.publicKey;
  }
  sign(text: string): string {
    return this.#current.sign(text);
  }

  /** The one that takes its place: the same until it has, because the edge may know it already. */
  next(): Identity {
    const path = join(this.#dataDir, NEXT_KEY_FILE);
    const next = read(path);
    if (next?.keyId === this.keyId) this.adopt();
    return next === null || next.keyId === this.keyId ? made(path) : next;
  }

  /** Takes the next one into use. */
  adopt(): void {
    const path = join(this.#dataDir, NEXT_KEY_FILE);
    const next = read(path);
    if (next === null) return;
    this.#current = next;
    renameSync(path, join(this.#dataDir, KEY_FILE));
  }
}

function read(path: string): Identity | null {
  return existsSync(path) ? identityOf(createPrivateKey(readFileSync(path))) : null;
}

function made(path: string): Identity {
  const { privateKey } = generateKeyPairSync("ed25519");
  replaceFile(path, Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" })));
  return identityOf(privateKey);
}

/** Whether a key was made here before. */
export function hasKey(dataDir: string): boolean {
  return existsSync(join(dataDir, KEY_FILE));
}

function identityOf(privateKey: KeyObject): Identity {
  const raw = Buffer.from(createPublicKey(privateKey).export({ format: "jwk" }).x ?? "", "base64url");
  const hash = createHash("sha256").update(raw).digest();
  return {
    keyId: hash.subarray(0, 16).toString("base64url"),
    fingerprint: (hash.toString("hex").match(/.{4}/g) ?? []).join(":"),
    publicKey: raw.toString("base64"),
    sign: (text) => sign(null, Buffer.from(text), privateKey).toString("base64"),
  };
}

/** The headers of a signed POST. `now` is corrected time: the edge refuses signatures from other times. */
export function signedHeaders(identity: Identity, url: string, body: Uint8Array, now: Millis): Record<string, string> {
  const contentType = "application/json";
  const signed = {
    method: "POST",
    targetUri: url,
    digest: createHash("sha256").update(body).digest("base64"),
    contentType,
  };
  const createdS = Math.floor(now / 1_000);
  const parameters = { createdS, expiresS: createdS + SIGNATURE_LIFETIME_S, keyId: identity.keyId };
  const signature = identity.sign(signatureBase(signed, parameters));
  return { "content-type": contentType, ...signatureHeaders(signed, parameters, signature) };
}

/** The note that this key is enrolled for this cluster at this edge; null if it is not. */
export function loadEnrolment(dataDir: string, cluster: string, edge: string, keyId: string): Enrolment | null {
  const note = enrolmentIn(dataDir);
  return note !== null && note.cluster === cluster && note.edge === edge && note.keyId === keyId ? note : null;
}

function enrolmentIn(dataDir: string): Enrolment | null {
  const path = join(dataDir, ENROLMENT_FILE);
  if (!existsSync(path)) return null;
  const note = v.safeParse(EnrolmentSchema, parseJson(readFileSync(path, "utf8")));
  return note.success ? note.output : null;
}

export function saveEnrolment(dataDir: string, enrolment: Enrolment): void {
  replaceFile(join(dataDir, ENROLMENT_FILE), Buffer.from(`${JSON.stringify(enrolment, null, 2)}\n`));
}

/** `refused`: trying again with the same code is useless. `serverTime` lets a wrong clock be mended. */
export type EnrolAnswer =
  | { readonly outcome: "enrolled"; readonly state: "active" | "pending"; readonly serverTime: Millis }
  | { readonly outcome: "refused"; readonly reason: string; readonly serverTime: Millis | null }
  | { readonly outcome: "failed"; readonly reason: string; readonly serverTime: Millis | null };

const RefusalSchema = v.object({ error: v.object({ message: v.string() }), serverTime: v.optional(v.number()) });

/** Shows the edge the public key and the one-time code. */
export async function enrol(
  identity: Identity,
  edge: string,
  cluster: string,
  code: string,
  now: Millis,
): Promise<EnrolAnswer> {
  const url = `${edge}${ENROLL_PATH}`;
  const message: Enroll = { v: PROTOCOL_VERSION, cluster, code, publicKey: identity.publicKey };
  const body = Uint8Array.from(Buffer.from(JSON.stringify(message)));
  const headers = signedHeaders(identity, url, body, now);
  const answer = await request(url, {
    method: "POST",
    headers,
    body,
    timeoutMs: ENROL_TIMEOUT_MS,
    bytesMax: ENROL_BYTES_MAX,
  });
  if (!answer.ok) return { outcome: "failed", reason: answer.failure, serverTime: null };
  const json = parseJson(answer.value.text);
  const enrolled = v.safeParse(EnrolledSchema, json);
  if (answer.value.status === 200 && enrolled.success) {
    return { outcome: "enrolled", state: enrolled.output.state, serverTime: enrolled.output.serverTime };
  }
  const refusal = v.safeParse(RefusalSchema, json);
  const reason = refusal.success ? refusal.output.error.message : `HTTP ${answer.value.status}`;
  const serverTime = refusal.success ? (refusal.output.serverTime ?? null) : null;
  const isFinal = [400, 401, 403, 409, 410].includes(answer.value.status) && refusal.success;
  return { outcome: isFinal ? "refused" : "failed", reason, serverTime };
}
