/**
 * One agent identity: its keys, its watermarks, its outbox to Postgres, its leases, and what it said last.
 *
 * Decides nothing: `core` decides, this class remembers, wakes and speaks. What it holds in memory it may lose between
 * two pushes (an idle object leaves memory after about 10 s), so each fact that a rule needs later is either in the
 * next push, in a row, or in a socket's attachment.
 */
import { DurableObject } from "cloudflare:workers";
import { isUsablePublicKey } from "../../protocol/key.ts";
import type { DesiredState, SignedDesired } from "../../protocol/lease.ts";
import { canonicalJson } from "../../protocol/lease.ts";
import type { Enroll, Enrolled, Live, Push, Receipt } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import { isBarred, NO_FAILURES, withFailure } from "../core/attempts.ts";
import { conflictsOf, openEpoch, step } from "../core/cluster.ts";
import type { Rejected } from "../core/cluster.ts";
import type { AgentKey, ClusterIdentity, Tell } from "../core/component.ts";
import type { DesiredRefusal } from "../core/desired.ts";
import { aboveObserved, asWanted, isRewound, withLease, withoutLease } from "../core/desired.ts";
import type { Identity } from "../core/identity.ts";
import { CODE_LIFETIME_MS, hasActiveKey, withCode, withKey, withKeyState } from "../core/identity.ts";
import type { Maintenance } from "../core/maintenance.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import { retryDelay } from "../core/retry.ts";
import type { ServiceStatus } from "../core/service.ts";
import { isTellDue, silentAt, tellOf, toldOf } from "../core/tell.ts";
import type { Told } from "../core/tell.ts";
import { ClusterArchive } from "./cluster-archive.ts";
import { ClusterMemory } from "./cluster-memory.ts";
import { ClusterSessions } from "./cluster-sessions.ts";
import type { EdgeKey } from "./crypto.ts";
import { fingerprintOf, freshCode, fromBase64, importPublicKey, keyIdOf, loadEdgeKey, secretHash } from "./crypto.ts";
import type { Env } from "./env.ts";
import { boardOf, isOverloaded } from "./env.ts";
import type { Costs } from "./meter.ts";
import { Meter } from "./meter.ts";
import type { PushAnswer, PushRefusal } from "./push-body.ts";
import { parsePush } from "./push-body.ts";
import type { SignedHead } from "./signed.ts";
import { claimedKeyId, isSignedBy } from "./signed.ts";

const NO_IDENTITY: PushRefusal = {
  code: "unauthenticated",
  message:
    "The request is not signed by a key that this cluster knows. Enrol the agent, and compare its clock with serverTime.",
};

/** What the Board has not heard of who may speak: kept until it has, over its and this object's deaths. */
interface Untold {
  /** When the last key that may speak was taken away; null while there is one. */
  readonly hushedAt: Millis | null;
}

export class Cluster extends DurableObject<Env> {
  readonly #memory: ClusterMemory;
  readonly #sessions: ClusterSessions;
  readonly #archive: ClusterArchive;
  readonly #meter: Meter;
  readonly #keys = new Map<string, Promise<CryptoKey>>();
  #identity: Identity | null;
  #desired: DesiredState | null;
  #statuses: Readonly<Record<string, ServiceStatus>>;
  #edgeKey: Promise<EdgeKey> | null = null;
  #live: Live | null = null;
  #told: Told | null;
  #telling: Promise<void> = Promise.resolve();
  #untold: Untold | null;
  #tellFailures = 0;
  #failedSignatures = NO_FAILURES;
  /** Changes of the desired state, one after the other. */
  #changing: Promise<void> = Promise.resolve();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#meter = new Meter(ctx.storage.sql, Date.now());
    this.#memory = new ClusterMemory(ctx.storage, this.#meter);
    this.#identity = this.#memory.read<Identity>("identity");
    this.#desired = this.#memory.read<DesiredState>("desired");
    this.#statuses = this.#memory.read<Record<string, ServiceStatus>>("statuses") ?? {};
    this.#untold = this.#memory.read<Untold>("untold");
    const cluster = (): string | null => this.#identity?.cluster ?? null;
    this.#sessions = new ClusterSessions(ctx, {
      cluster,
      activeKey: (keyId) => this.#activeKey(keyId),
      desired: () => this.#signedDesired(null),
      push: (keyId, push) => this.#takeIn(keyId, push),
    });
    this.#told = this.#sessions.kept.told;
    const [memory, sessions, meter] = [this.#memory, this.#sessions, this.#meter];
    this.#archive = new ClusterArchive({ ctx, env, memory, sessions, meter, cluster });
    void ctx.blockConcurrencyWhile(async () => {
      await this.#archive.look();
      if (this.#untold !== null) this.#archive.arm(Date.now() + Number(env.FLUSH_INTERVAL_MS));
    });
  }

  /** A wake from outside, for an alarm that was lost. */
  async wake(): Promise<void> {
    await this.#archive.wake();
  }

  // ── identity ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a one-time enrolment code. With `pending` its key waits for an operator. */
  async createCode(
    cluster: string,
    pending: boolean,
  ): Promise<{ readonly code: string; readonly expiresAt: Millis; readonly edgeKeys: readonly string[] }> {
    const code = freshCode();
    const hash = await secretHash(code);
    const { publicKey } = await this.#loadedEdgeKey();
    const now = Date.now();
    const expiresAt = now + CODE_LIFETIME_MS;
    const identity = this.#identity ?? { cluster, createdAt: now, codes: [], keys: [] };
    this.#keepIdentity(withCode(identity, { hash, expiresAt, pending }, now), now);
    await this.#tellIdentity();
    return { code, expiresAt, edgeKeys: [publicKey] };
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
    const signed =
      claimedKeyId(head, Date.now()) === keyId && (await isSignedBy(await importPublicKey(raw), head, body));
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
    await this.#tellIdentity();
    const state = added.key.state === "pending" ? "pending" : "active";
    return success({ keyId, fingerprint, state, serverTime: Date.now() });
  }

  /** Lets a pending key in. False if there is no such key. */
  async acceptKey(keyId: string): Promise<boolean> {
    if (!this.#setKeyState(keyId, "active")) return false;
    await this.#tellIdentity();
    return true;
  }

  /**
   * Takes a key away: its pushes are refused from now on and its sessions are closed. If nobody else may speak for the
   * cluster its services become unknown. All that needs nobody else is done before the Board is told.
   */
  async revokeKey(keyId: string): Promise<boolean> {
    if (!this.#setKeyState(keyId, "revoked")) return false;
    this.#sessions.closeKey(keyId);
    // Whatever is pushed next under another key is news.
    this.#keepTold(null);
    await this.#tellIdentity();
    return true;
  }

  #setKeyState(keyId: string, state: "active" | "revoked"): boolean {
    if (this.#identity === null || this.#keyState(keyId) === null) return false;
    this.#keepIdentity(withKeyState(this.#identity, keyId, state), Date.now());
    return true;
  }

  #keyState(keyId: string): AgentKey["state"] | null {
    return this.#identity?.keys.find((known) => known.keyId === keyId)?.state ?? null;
  }

  /** Keeps who may speak, together with the errand to tell the Board of it. */
  #keepIdentity(identity: Identity, now: Millis): void {
    const untold: Untold = { hushedAt: hasActiveKey(identity) ? null : now };
    this.ctx.storage.transactionSync(() => {
      this.#memory.write("identity", identity);
      this.#memory.write("untold", untold);
    });
    this.#identity = identity;
    this.#untold = untold;
  }

  /** Tells the Board who may speak. What it does not hear now it hears by the alarm: no operator's act waits for it. */
  async #tellIdentity(): Promise<void> {
    const untold = this.#untold;
    if (untold === null) return;
    const identity = this.#publicIdentity();
    try {
      const board = boardOf(this.env);
      await board.identify(identity);
      // A tell on its way would otherwise come after the silence.
      await this.#telling;
      if (untold.hushedAt !== null) await board.hush(identity.cluster, untold.hushedAt, untold.hushedAt);
      this.#tellFailures = 0;
      if (this.#untold !== untold) return;
      this.#untold = null;
      this.#memory.write("untold", null);
    } catch (error) {
      this.#tellFailures++;
      console.warn(JSON.stringify({ event: "identify_failed", cluster: identity.cluster, error: String(error) }));
      this.#archive.arm(Date.now() + retryDelay(this.#tellFailures, Math.random()));
    }
  }

  // ── push ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes a push as it came. Cheap checks first, then crypto, then parsing; then one synchronous step. */
  async push(head: SignedHead, body: Uint8Array): Promise<PushAnswer> {
    const keyId = await this.#authenticate(head, body);
    if (!keyId.ok) return keyId;
    const push = await parsePush(body);
    return push.ok ? this.#takeIn(keyId.value, push.value) : push;
  }

  /** Takes in a push that this key has signed, or that came over a session which it has proved. */
  async #takeIn(keyId: string, push: Push): Promise<PushAnswer> {
    const observed = push.live?.leases.observedGeneration ?? null;
    if (observed !== null && isRewound(this.#desired, observed, Date.now())) await this.#healDesired(observed);
    const desired = await this.#signedDesired(observed);
    return this.#take(keyId, push, desired, Date.now());
  }

  /** The key that signed, if it may speak. */
  async #authenticate(head: SignedHead, body: Uint8Array): Promise<Result<string, PushRefusal>> {
    const keyId = claimedKeyId(head, Date.now());
    const key = this.#identity?.keys.find((known) => known.keyId === keyId);
    if (key === undefined || key.state === "revoked") return failure(NO_IDENTITY);
    if (isBarred(this.#failedSignatures, Date.now())) {
      const message = "Too many signatures failed in this minute. Wait, and look for who else uses this key's id.";
      return failure({ code: "too_many_attempts", message });
    }
    if (!(await isSignedBy(await this.#publicKey(key.keyId, key.publicKey), head, body))) {
      this.#failedSignatures = withFailure(this.#failedSignatures, Date.now());
      return failure(NO_IDENTITY);
    }
    // A pending key is told what it waits for; every other one is looked at again when its push is taken in.
    if (this.#keyState(key.keyId) !== "pending") return success(key.keyId);
    const message = `The key waits for an operator to compare its fingerprint, ${key.fingerprint}, and to accept it.`;
    return failure({ code: "forbidden", message });
  }

  /** The synchronous part: decide, write, answer. No await, so nothing can come between. */
  #take(keyId: string, push: Push, desired: SignedDesired | undefined, now: Millis): PushAnswer {
    // While the push was checked an operator may have taken its key away.
    if (this.#keyState(keyId) !== "active") return failure(NO_IDENTITY);
    if (push.epoch === null) return this.#open(push, desired, now);
    const decided = step(this.#memory.marks, { ...push, epoch: push.epoch }, now);
    if (decided.kind === "fenced") {
      return failure({ code: "fenced", message: `A newer agent holds epoch ${decided.epoch}. Stop this one.` });
    }
    if (decided.kind === "implausible") {
      return failure({ code: "push_malformed", message: `epoch: no edge has given out more than ${decided.most}` });
    }
    if (decided.kind === "gap") {
      const message = `Numbers are missing: send from ${decided.expected}.`;
      return failure({ code: "gap", message, expected: decided.expected });
    }
    if (decided.fresh.length > 0 && this.#memory.isFull) {
      // What is now needs no room: the page must not go dark because the archive is behind.
      this.#archive.pushed(now);
      this.#hear(push, now);
      return failure({ code: "outbox_full", message: "Too many facts wait for Postgres. Keep them and try again." });
    }
    this.#warnOfConflicts(push.epoch, push.records);
    if (decided.changed) {
      this.ctx.storage.transactionSync(() => this.#memory.keep(decided.watermarks, decided.fresh, now));
    }
    this.#archive.pushed(now);
    this.#hear(push, now);
    const receipt = this.#receipt(push, decided.rejected, desired, now);
    const { length } = push.records.items;
    if (length > 0 && decided.rejected.length === length && push.live === null) {
      return failure({ code: "push_unusable", message: "No part of the push could be used.", receipt });
    }
    return success(receipt);
  }

  /** The same number with other content: the first wins, and whoever runs this hears of it. */
  #warnOfConflicts(epoch: number, records: Push["records"]): void {
    const end = Math.min(this.#memory.marks?.next ?? 0, records.first + records.items.length);
    if (records.first >= end) return;
    const conflicts = conflictsOf(this.#memory.held(epoch, records.first, end), records);
    if (conflicts.length === 0) return;
    const [cluster, seq] = [this.#identity?.cluster, conflicts[0]];
    console.warn(JSON.stringify({ event: "record_conflict", cluster, epoch, seq, count: conflicts.length }));
  }

  #open(push: Push, desired: SignedDesired | undefined, now: Millis): PushAnswer {
    const held = this.#memory.marks;
    const opened = openEpoch(held, push.spool, push.base, now);
    if (opened !== held) this.ctx.storage.transactionSync(() => this.#memory.open(opened));
    this.#hear(push, now);
    return success(this.#receipt(push, [], desired, now));
  }

  #receipt(push: Push, rejected: readonly Rejected[], desired: SignedDesired | undefined, now: Millis): Receipt {
    const marks = this.#memory.marks;
    return {
      epoch: marks?.epoch ?? 0,
      received: marks?.next ?? 1,
      persisted: marks?.persisted ?? 1,
      rejected: [...rejected],
      serverTime: now,
      nextPushMs: push.intervalMs,
      ...(desired === undefined ? {} : { desired }),
    };
  }

  // ── what is heard, and told on ────────────────────────────────────────────────────────────────────────────────────

  /** Replaces what the agent says now, and tells the Board if that is news or if it was long ago. */
  #hear(push: Push, now: Millis): void {
    this.#sessions.keep({ heardAt: now, intervalMs: push.intervalMs });
    // A clock that was ahead once must not silence the agent until the world has caught up with it.
    const newest = Math.min(this.#live?.at ?? 0, now);
    if (push.live === null || this.#identity === null || push.live.at < newest) return;
    this.#live = push.live;
    const tell = tellOf(this.#identity.cluster, push, push.live, this.#statuses, this.#memory.backlog, now);
    const statuses = Object.fromEntries(tell.services.map(({ service, status }) => [service, status]));
    if (JSON.stringify(statuses) !== JSON.stringify(this.#statuses)) {
      this.#statuses = statuses;
      this.#memory.write("statuses", statuses);
    }
    if (!isTellDue(this.#told, tell)) return;
    this.#telling = this.#tell(tell);
    this.ctx.waitUntil(this.#telling);
  }

  async #tell(tell: Tell): Promise<void> {
    const told = toldOf(tell);
    // At once, so that a push which comes meanwhile does not tell the same.
    this.#told = told;
    try {
      await boardOf(this.env).hear(tell);
      if (this.#told === told) this.#keepTold(told);
    } catch (error) {
      // The next push tells again; but a Board that has too much to do is left alone until the next tell is due.
      if (this.#told === told) this.#keepTold(isOverloaded(error) ? told : null);
      console.warn(JSON.stringify({ event: "tell_failed", cluster: tell.cluster, error: String(error) }));
    }
  }

  #keepTold(told: Told | null): void {
    this.#told = told;
    this.#sessions.keep({ told });
  }

  // ── leases ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts a maintenance's lease into force. Idempotent; answers the generation that it has. */
  async setLease(maintenance: Maintenance): Promise<Result<number, DesiredRefusal>> {
    const changed = await this.#changeDesired(maintenance.cluster, (desired, now) =>
      withLease(desired, maintenance, now),
    );
    if (!changed.ok) return changed;
    const lease = changed.value.leases.find((held) => held.maintenance === maintenance.id);
    return success(lease?.generation ?? changed.value.generation);
  }

  /** Takes a maintenance's lease out of force. Idempotent. */
  async releaseLease(maintenance: Maintenance): Promise<void> {
    await this.#changeDesired(maintenance.cluster, (desired, now) => withoutLease(desired, maintenance, now));
  }

  /** This object was rewound: the agent gets a document that it takes in, once the Board has said what stands in it. */
  async #healDesired(observed: number): Promise<void> {
    const cluster = this.#identity?.cluster ?? "";
    try {
      await this.#changeDesired(cluster, (desired, now) => aboveObserved(desired, observed, now), true);
    } catch (error) {
      // The next push tries again; until then the agent keeps what it holds.
      console.warn(JSON.stringify({ event: "desired_not_healed", cluster, error: String(error) }));
    }
  }

  /**
   * Changes the desired state, one change at a time, starting from what the Board wants: a rewound object does not know
   * what it has forgotten, and whatever its document leaves out the agent releases. Throws if the Board cannot be asked.
   * A Board that has lost its own memory says so: then this object goes by its own, unless `needsBoard`.
   */
  async #changeDesired(
    cluster: string,
    change: (desired: DesiredState, now: Millis) => DesiredState | DesiredRefusal,
    needsBoard = false,
  ): Promise<Result<DesiredState, DesiredRefusal>> {
    const before = this.#changing;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#changing = promise;
    try {
      await before;
      const wanted = await boardOf(this.env).leasesOf(cluster);
      if (wanted === null && needsBoard) throw new Error("the Board does not know yet what is wanted");
      const now = Date.now();
      const held = this.#desiredState(cluster);
      const changed = change(wanted === null ? held : asWanted(held, wanted, now), now);
      if (typeof changed === "string") return failure(changed);
      await this.#keepDesired(changed);
      return success(changed);
    } finally {
      resolve();
    }
  }

  #desiredState(cluster: string): DesiredState {
    return this.#desired ?? { v: 1, cluster, generation: 0, leases: [] };
  }

  async #keepDesired(desired: DesiredState): Promise<void> {
    if (desired === this.#desired) return;
    this.#desired = desired;
    this.#memory.write("desired", desired);
    const signed = await this.#signedDesired(null);
    if (signed !== undefined) this.#sessions.sendAll({ type: "desired", desired: signed });
  }

  /** The signed desired state, unless `observed` says that the agent has it or a newer one, or nothing was ever desired. */
  async #signedDesired(observed: number | null): Promise<SignedDesired | undefined> {
    const desired = this.#desired;
    if (desired === null || desired.generation <= (observed ?? -1)) return undefined;
    return (await this.#loadedEdgeKey()).sign(canonicalJson(desired));
  }

  // ── session ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The agent's session: an upgrade, and nothing else comes this way. */
  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade") !== "websocket") return new Response(null, { status: 426 });
    // Nobody can prove anything to a cluster that never was.
    if (this.#identity === null) return new Response(null, { status: 404 });
    return this.#sessions.accept(new URL(request.url).host);
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    await this.#sessions.receive(socket, message);
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    // Our half of the closing handshake: nobody else sends it, and the agent would wait until this object hibernates.
    socket.close(1000);
    await this.#tellEnd(socket);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.#tellEnd(socket);
  }

  /** A session that ends is told at once: silence then counts from the last push, not from the last tell. */
  async #tellEnd(socket: WebSocket): Promise<void> {
    const kept = this.#sessions.endOf(socket);
    if (kept === null || kept.heardAt === null || this.#identity === null) return;
    // The next push, should one come, is news again.
    this.#keepTold(null);
    // A tell on its way would otherwise come after the goodbye.
    await this.#telling;
    await boardOf(this.env).hush(this.#identity.cluster, kept.heardAt, silentAt(kept.heardAt, kept.intervalMs));
  }

  // ── Postgres ──────────────────────────────────────────────────────────────────────────────────────────────────────

  override async alarm(): Promise<void> {
    await this.#archive.alarm(() => this.#tellIdentity());
  }

  /**
   * Sends to a Postgres that was restored to its state of `since` whatever it may have lost and is still held: events
   * of the last 48 h, and what waits. Answers how many records those are; as often as it is called, with one effect.
   */
  async reflush(since: Millis): Promise<number> {
    return this.#archive.reflush(since);
  }

  // ── small helpers ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** What this object cost since it woke: what the bench counts. */
  async costs(): Promise<Costs> {
    return this.#meter.costs;
  }

  /** Who speaks for the cluster, for a Board that lost its memory; what the agent says it hears with the next push. */
  async introduce(): Promise<ClusterIdentity> {
    this.#keepTold(null);
    return this.#publicIdentity();
  }

  #publicIdentity(): ClusterIdentity {
    const { cluster = "", createdAt = 0, keys = [] } = this.#identity ?? {};
    return {
      cluster,
      createdAt,
      keys: keys.map((key) => ({
        keyId: key.keyId,
        fingerprint: key.fingerprint,
        state: key.state,
        createdAt: key.createdAt,
      })),
    };
  }

  #activeKey(keyId: string): Promise<CryptoKey> | null {
    const key = this.#identity?.keys.find((known) => known.keyId === keyId && known.state === "active");
    return key === undefined ? null : this.#publicKey(keyId, key.publicKey);
  }

  async #publicKey(keyId: string, publicKey: string): Promise<CryptoKey> {
    const known = this.#keys.get(keyId) ?? importPublicKey(fromBase64(publicKey) ?? new Uint8Array());
    this.#keys.set(keyId, known);
    return known;
  }

  async #loadedEdgeKey(): Promise<EdgeKey> {
    this.#edgeKey ??= loadEdgeKey(this.env.EDGE_SIGNING_KEY);
    return this.#edgeKey;
  }
}
