/**
 * Who may speak for a cluster: codes that let an agent join, keys that wait, speak, take each other's place and end.
 * What changes stands here before the Board hears of it, and is told until it has.
 */
import * as v from "valibot";
import { rotationMessage, RotateSchema } from "../../protocol/agent.ts";
import { isUsablePublicKey } from "../../protocol/key.ts";
import type { Enroll, Enrolled } from "../../protocol/push.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { isBarred, NO_FAILURES, withFailure } from "../core/attempts.ts";
import type { AgentKey, ClusterIdentity } from "../core/component.ts";
import type { Identity } from "../core/identity.ts";
import {
  askedToRotate,
  CODE_LIFETIME_MS,
  hasActiveKey,
  keyStateAt,
  nextRetirementAt,
  publicIdentity,
  successorSpoke,
  wantsRotation,
  withCode,
  withKey,
  withKeyState,
  withRetired,
  withSuccessor,
} from "../core/identity.ts";
import { retryDelay } from "../core/retry.ts";
import { parseJson } from "./body.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import type { EdgeKey } from "./crypto.ts";
import { fingerprintOf, freshCode, fromBase64, importPublicKey, keyIdOf, secretHash, verifyEd25519 } from "./crypto.ts";
import type { Env } from "./env.ts";
import { boardOf } from "./env.ts";
import type { PushRefusal } from "./push-body.ts";
import { NO_IDENTITY } from "./push-body.ts";
import type { SignedHead } from "./signed.ts";
import { claimOf, isSignedBy } from "./signed.ts";

/** What this part asks of its object. */
interface KeysOwner {
  readonly ctx: DurableObjectState;
  readonly env: Env;
  readonly memory: ClusterMemory;
  edgeKey(this: void): Promise<EdgeKey>;
  /** Ends the sessions of a key. */
  closeKey(this: void, keyId: string): void;
  /** Whatever is pushed next is news. */
  forget(this: void): void;
  /** Resolves when no tell is on its way. */
  arrived(this: void): Promise<void>;
  /** Wakes the object by then. */
  arm(this: void, at: Millis): void;
}

/** What the Board has not heard of who may speak: kept until it has, over its and this object's deaths. */
interface Untold {
  /** When the last key that may speak was taken away; null while there is one. */
  readonly hushedAt: Millis | null;
}

/** A code for an agent that joins. */
export interface MadeCode {
  readonly code: string;
  readonly expiresAt: Millis;
  readonly edgeKeys: readonly string[];
}

export class ClusterKeys {
  readonly #owner: KeysOwner;
  readonly #keys = new Map<string, Promise<CryptoKey>>();
  #identity: Identity | null;
  #untold: Untold | null;
  #tellFailures = 0;
  #failedSignatures = NO_FAILURES;

  constructor(owner: KeysOwner) {
    this.#owner = owner;
    this.#identity = owner.memory.read<Identity>("identity");
    this.#untold = owner.memory.read<Untold>("untold");
  }

  /** The cluster's name; null if it was never made. */
  get cluster(): string | null {
    return this.#identity?.cluster ?? null;
  }

  get hasActive(): boolean {
    return this.#identity !== null && hasActiveKey(this.#identity);
  }

  /** Whether the Board has not heard yet who may speak. */
  get isUntold(): boolean {
    return this.#untold !== null;
  }

  /** Whether the agent of this key should make another one. */
  wantsRotation(keyId: string, now: Millis): boolean {
    return this.#identity !== null && wantsRotation(this.#identity, keyId, now);
  }

  /** Makes the cluster known, without anybody who may speak for it. */
  async make(cluster: string): Promise<void> {
    if (this.#identity === null) this.#keepIdentity(this.#identityOf(cluster, Date.now()), Date.now());
    await this.tellBoard();
  }

  /** Makes a one-time enrolment code. With `pending` its key waits for an operator. */
  async createCode(cluster: string, pending: boolean): Promise<MadeCode> {
    const code = freshCode();
    const hash = await secretHash(code);
    const { publicKey } = await this.#owner.edgeKey();
    const now = Date.now();
    const expiresAt = now + CODE_LIFETIME_MS;
    const identity = this.#identityOf(cluster, now);
    this.#keepIdentity(withCode(identity, { hash, expiresAt, pending }, now), now);
    await this.tellBoard();
    return { code, expiresAt, edgeKeys: [publicKey] };
  }

  #identityOf(cluster: string, now: Millis): Identity {
    return this.#identity ?? { cluster, createdAt: now, codes: [], keys: [] };
  }

  /** Spends a code for the key that signed this very request. */
  async enroll(head: SignedHead, body: Uint8Array, enroll: Enroll): Promise<Result<Enrolled, PushRefusal>> {
    const raw = fromBase64(enroll.publicKey);
    if (raw === null || !isUsablePublicKey(raw))
      return failure({ ...NO_IDENTITY, message: "The public key cannot be used." });
    const [keyId, fingerprint, codeHash] = await Promise.all([
      keyIdOf(raw),
      fingerprintOf(raw),
      secretHash(enroll.code),
    ]);
    const claim = claimOf(head, Date.now());
    const signed =
      claim?.parameters.keyId === keyId && (await isSignedBy(await importPublicKey(raw), claim, head, body));
    const now = Date.now();
    const added =
      signed && this.#identity !== null
        ? withKey(this.#identity, codeHash, { keyId, fingerprint, publicKey: enroll.publicKey }, now)
        : null;
    if (added === null) {
      const message = "The enrolment code is unknown, used or expired. Make a new one with: npm run -s enroll";
      return failure({ code: "unauthenticated", message });
    }
    if (added.identity !== this.#identity) this.#keepIdentity(added.identity, now);
    await this.tellBoard();
    const state = added.key.state === "pending" ? "pending" : "active";
    return success({ keyId, fingerprint, state, serverTime: Date.now() });
  }

  /** Lets a pending key in. False if there is no such key. */
  async acceptKey(keyId: string): Promise<boolean> {
    if (!this.#setKeyState(keyId, "active")) return false;
    await this.tellBoard();
    return true;
  }

  /**
   * Takes a key away: its pushes are refused from now on and its sessions are closed. If nobody else may speak for the
   * cluster its services become unknown. All that needs nobody else is done before the Board is told.
   */
  async revokeKey(keyId: string): Promise<boolean> {
    if (!this.#setKeyState(keyId, "revoked")) return false;
    this.#owner.closeKey(keyId);
    // Whatever is pushed next under another key is news.
    this.#owner.forget();
    await this.tellBoard();
    return true;
  }

  /** Asks a key's agent for another one. False if it may not speak, or is being replaced already. */
  async rotateKey(keyId: string): Promise<boolean> {
    const held = this.#identity;
    const asked = held && askedToRotate(held, keyId, Date.now());
    if (asked === null || asked === held) return false;
    this.#keepIdentity(asked, Date.now());
    await this.tellBoard();
    return true;
  }

  /** Lets the next key of an agent speak: the one in use has signed the request, and the next one its proof. */
  async rotate(head: SignedHead, body: Uint8Array): Promise<Result<Enrolled, PushRefusal>> {
    const keyId = await this.authenticate(head, body);
    if (!keyId.ok) return keyId;
    const json = parseJson(body, 2);
    const asked = json.ok ? v.safeParse(RotateSchema, json.value) : null;
    const raw = asked?.success === true ? fromBase64(asked.output.publicKey) : null;
    if (asked?.success !== true || raw === null || !isUsablePublicKey(raw))
      return failure({ code: "request_malformed", message: "This is not the next key of an agent." });
    const { publicKey, proof } = asked.output;
    const text = rotationMessage(this.#identity?.cluster ?? "", keyId.value, publicKey);
    const [next, fingerprint, isHeld] = await Promise.all([
      keyIdOf(raw),
      fingerprintOf(raw),
      verifyEd25519(await importPublicKey(raw), proof, text),
    ]);
    const now = Date.now();
    const added =
      isHeld && this.#identity !== null && this.stateOf(keyId.value) === "active"
        ? withSuccessor(this.#identity, keyId.value, { keyId: next, fingerprint, publicKey }, now)
        : null;
    if (added === null) return failure({ code: "forbidden", message: "Nobody asked this agent for another key." });
    if (added.identity !== this.#identity) this.#keepIdentity(added.identity, now);
    await this.tellBoard();
    return success({ keyId: next, fingerprint, state: "active", serverTime: now });
  }

  /** Ends the keys whose time is over, and wakes for the next. */
  retire(now: Millis): void {
    const held = this.#identity;
    if (held === null) return;
    const retired = withRetired(held, now);
    if (retired !== held) {
      this.#keepIdentity(retired, now);
      const gone = held.keys.filter(({ state }, i) => state !== retired.keys[i]?.state);
      for (const { keyId } of gone) this.#owner.closeKey(keyId);
    }
    const at = nextRetirementAt(retired);
    if (at !== null) this.#owner.arm(at);
  }

  #setKeyState(keyId: string, state: "active" | "revoked"): boolean {
    if (this.#identity === null || this.stateOf(keyId) === null) return false;
    this.#keepIdentity(withKeyState(this.#identity, keyId, state), Date.now());
    return true;
  }

  stateOf(keyId: string): AgentKey["state"] | null {
    const key = this.#identity?.keys.find((known) => known.keyId === keyId);
    return key === undefined ? null : keyStateAt(key, Date.now());
  }

  /** Keeps who may speak, together with the errand to tell the Board of it. */
  #keepIdentity(identity: Identity, now: Millis): void {
    const untold: Untold = { hushedAt: hasActiveKey(identity) ? null : now };
    this.#owner.ctx.storage.transactionSync(() => {
      this.#owner.memory.write("identity", identity);
      this.#owner.memory.write("untold", untold);
    });
    this.#identity = identity;
    this.#untold = untold;
  }

  /** Tells the Board who may speak. What it does not hear now it hears by the alarm: no operator's act waits for it. */
  async tellBoard(): Promise<void> {
    const untold = this.#untold;
    if (untold === null) return;
    const identity = this.public;
    try {
      const board = boardOf(this.#owner.env);
      await board.identify(identity);
      // A tell on its way would otherwise come after the silence.
      await this.#owner.arrived();
      if (untold.hushedAt !== null) await board.hush(identity.cluster, untold.hushedAt, untold.hushedAt);
      this.#tellFailures = 0;
      if (this.#untold !== untold) return;
      this.#untold = null;
      this.#owner.memory.write("untold", null);
    } catch (error) {
      this.#tellFailures++;
      console.warn(JSON.stringify({ event: "identify_failed", cluster: identity.cluster, error: String(error) }));
      this.#owner.arm(Date.now() + retryDelay(this.#tellFailures, Math.random()));
    }
  }

  /** The key that signed, if it may speak. */
  async authenticate(head: SignedHead, body: Uint8Array): Promise<Result<string, PushRefusal>> {
    const claim = claimOf(head, Date.now());
    const key = this.#identity?.keys.find((known) => known.keyId === claim?.parameters.keyId);
    if (claim === null || key === undefined || keyStateAt(key, Date.now()) === "revoked") return failure(NO_IDENTITY);
    if (isBarred(this.#failedSignatures, Date.now())) {
      const message = "Too many signatures failed in this minute. Wait, and look for who else uses this key's id.";
      return failure({ code: "too_many_attempts", message });
    }
    if (!(await isSignedBy(await this.#publicKey(key.keyId, key.publicKey), claim, head, body))) {
      this.#failedSignatures = withFailure(this.#failedSignatures, Date.now());
      return failure(NO_IDENTITY);
    }
    // A pending key is told what it waits for; every other one is looked at again when its push is taken in.
    if (this.stateOf(key.keyId) !== "pending") return success(key.keyId);
    const message = `The key waits for an operator to compare its fingerprint, ${key.fingerprint}, and to accept it.`;
    return failure({ code: "forbidden", message });
  }

  /** A key that took another's place is in use: the other one's time runs out. */
  spoke(keyId: string, now: Millis): void {
    const held = this.#identity;
    const after = held && successorSpoke(held, keyId, now);
    if (after === null || after === held) return;
    this.#keepIdentity(after, now);
    this.retire(now);
    this.#owner.ctx.waitUntil(this.tellBoard());
  }

  get public(): ClusterIdentity {
    return publicIdentity(this.#identity ?? { cluster: "", createdAt: 0, codes: [], keys: [] });
  }

  activeKey(keyId: string): Promise<CryptoKey> | null {
    const key = this.#identity?.keys.find(
      (known) => known.keyId === keyId && keyStateAt(known, Date.now()) === "active",
    );
    return key === undefined ? null : this.#publicKey(keyId, key.publicKey);
  }

  async #publicKey(keyId: string, publicKey: string): Promise<CryptoKey> {
    const known = this.#keys.get(keyId) ?? importPublicKey(fromBase64(publicKey) ?? new Uint8Array());
    this.#keys.set(keyId, known);
    return known;
  }
}
