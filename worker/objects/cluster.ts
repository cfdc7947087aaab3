/**
 * One agent identity: its keys, its watermarks, its outbox to Postgres, its leases, and what it said last.
 *
 * Decides nothing: `core` decides, this class remembers, wakes and speaks. What it holds in memory it may lose between
 * two pushes (an idle object leaves memory after about 10 s), so each fact that a rule needs later is either in the
 * next push, in a row, or in a socket's attachment.
 */
import { DurableObject } from "cloudflare:workers";
import type { Enroll, Enrolled, Push, Receipt } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import { openEpoch, step } from "../core/cluster.ts";
import type { Rejected } from "../core/cluster.ts";
import type { Backlog, ClusterIdentity } from "../core/component.ts";
import type { DesiredRefusal } from "../core/desired.ts";
import type { Maintenance } from "../core/maintenance.ts";
import type { Policies } from "../core/policies.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import { ClusterArchive } from "./cluster-archive.ts";
import type { ExportReceipt } from "./cluster-collected.ts";
import { ClusterCollected } from "./cluster-collected.ts";
import { ClusterCounts } from "./cluster-counts.ts";
import { ClusterDesired } from "./cluster-desired.ts";
import { wishFor } from "./cluster-detector.ts";
import type { InputRefusal, ListedToken, NotificationReceipt } from "./cluster-inputs.ts";
import { ClusterInputs, NOT_OPEN } from "./cluster-inputs.ts";
import type { MadeCode } from "./cluster-keys.ts";
import { ClusterKeys } from "./cluster-keys.ts";
import { ClusterMemory, warnOfConflicts } from "./cluster-memory.ts";
import { ClusterSessions } from "./cluster-sessions.ts";
import { ClusterTells } from "./cluster-tells.ts";
import type { EdgeKey } from "./crypto.ts";
import { loadEdgeKey } from "./crypto.ts";
import type { Env } from "./env.ts";
import type { Costs } from "./meter.ts";
import { Meter } from "./meter.ts";
import type { PushAnswer, PushRefusal } from "./push-body.ts";
import { NO_IDENTITY, parsePush } from "./push-body.ts";
import type { SignedHead } from "./signed.ts";

/** What a receipt brings along, signed by the edge. */
type Orders = Pick<Receipt, "desired" | "detector" | "rotate">;

export class Cluster extends DurableObject<Env> {
  readonly #memory: ClusterMemory;
  readonly #sessions: ClusterSessions;
  readonly #archive: ClusterArchive;
  readonly #tells: ClusterTells;
  readonly #desired: ClusterDesired;
  readonly #inputs: ClusterInputs;
  readonly #collected: ClusterCollected;
  readonly #counted: ClusterCounts;
  readonly #meter: Meter;
  readonly #keys: ClusterKeys;
  #edgeKey: Promise<EdgeKey> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#meter = new Meter(ctx.storage.sql, Date.now());
    this.#memory = new ClusterMemory(ctx.storage, this.#meter);
    this.#keys = new ClusterKeys({
      ctx,
      env,
      memory: this.#memory,
      edgeKey: () => this.#loadedEdgeKey(),
      closeKey: (keyId) => this.#sessions.closeKey(keyId),
      forget: () => this.#tells.forget(),
      arrived: () => this.#tells.arrived,
      arm: (at) => this.#archive.arm(at),
    });
    const cluster = (): string | null => this.#keys.cluster;
    this.#sessions = new ClusterSessions(ctx, {
      cluster,
      activeKey: (keyId) => this.#keys.activeKey(keyId),
      desired: () => this.#desired.signed(null),
      push: (keyId, push) => this.#takeIn(keyId, push),
    });
    const [memory, sessions, meter] = [this.#memory, this.#sessions, this.#meter];
    const counted = (this.#counted = new ClusterCounts(sessions.kept.counts));
    this.#archive = new ClusterArchive({ ctx, env, memory, sessions, counted, meter, cluster });
    this.#inputs = new ClusterInputs({ ctx, env, memory, archive: this.#archive, cluster });
    this.#tells = new ClusterTells({ ctx, env, memory, sessions, counted, cluster });
    this.#collected = new ClusterCollected({
      memory,
      archive: this.#archive,
      tells: this.#tells,
      hasAgent: () => this.#keys.hasActive,
    });
    this.#desired = new ClusterDesired({
      env,
      memory,
      cluster,
      sendAll: (message) => sessions.sendAll(message),
      edgeKey: () => this.#loadedEdgeKey(),
    });
    void ctx.blockConcurrencyWhile(async () => {
      await this.#archive.look();
      if (this.#keys.isUntold) this.#archive.arm(Date.now() + Number(env.FLUSH_INTERVAL_MS));
    });
  }

  /** A wake from outside, for an alarm that was lost. */
  async wake(): Promise<Backlog> {
    await this.#archive.wake();
    return this.#memory.backlog;
  }

  // ── identity ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a one-time enrolment code. With `pending` its key waits for an operator. */
  async createCode(cluster: string, pending: boolean): Promise<MadeCode> {
    return this.#keys.createCode(cluster, pending);
  }

  /** Spends a code for the key that signed this very request. */
  async enroll(head: SignedHead, body: Uint8Array, enroll: Enroll): Promise<Result<Enrolled, PushRefusal>> {
    return this.#keys.enroll(head, body, enroll);
  }

  /** Lets a pending key in. False if there is no such key. */
  async acceptKey(keyId: string): Promise<boolean> {
    return this.#keys.acceptKey(keyId);
  }

  /** Takes a key away, at once. False if there is no such key. */
  async revokeKey(keyId: string): Promise<boolean> {
    return this.#keys.revokeKey(keyId);
  }

  /** Asks a key's agent for another one. False if it may not speak, or is being replaced already. */
  async rotateKey(keyId: string): Promise<boolean> {
    return this.#keys.rotateKey(keyId);
  }

  /** Lets the next key of an agent speak: the one in use has signed the request, and the next one its proof. */
  async rotate(head: SignedHead, body: Uint8Array): Promise<Result<Enrolled, PushRefusal>> {
    return this.#keys.rotate(head, body);
  }

  // ── push ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes a push as it came. Cheap checks first, then crypto, then parsing; then one synchronous step. */
  async push(head: SignedHead, body: Uint8Array): Promise<PushAnswer> {
    const keyId = await this.#keys.authenticate(head, body);
    if (!keyId.ok) return this.#counted.answered(keyId);
    const push = parsePush(body);
    return push.ok ? this.#takeIn(keyId.value, push.value) : this.#counted.answered(push);
  }

  /** Takes in a push that this key has signed, or that came over a session which it has proved. */
  async #takeIn(keyId: string, push: Push): Promise<PushAnswer> {
    const observed = push.live?.leases.observedGeneration ?? null;
    if (observed !== null) await this.#desired.heal(observed);
    const desired = await this.#desired.signed(observed);
    const detector = await wishFor(this.#tells.wish, push, () => this.#loadedEdgeKey());
    const rotates = push.live?.agent?.knows.includes("rotate") === true && this.#keys.wantsRotation(keyId, Date.now());
    const orders = { ...(desired && { desired }), ...(detector && { detector }), ...(rotates && { rotate: true }) };
    return this.#counted.answered(this.#take(keyId, push, orders, Date.now()));
  }

  /** The synchronous part: decide, write, answer. No await, so nothing can come between. */
  #take(keyId: string, push: Push, orders: Orders, now: Millis): PushAnswer {
    // While the push was checked an operator may have taken its key away.
    if (this.#keys.stateOf(keyId) !== "active") return failure(NO_IDENTITY);
    this.#keys.spoke(keyId, now);
    if (push.epoch === null) return this.#open(push, orders, now);
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
      this.#tells.hear(push, now);
      return failure({ code: "outbox_full", message: "Too many facts wait for Postgres. Keep them and try again." });
    }
    warnOfConflicts(this.#keys.cluster ?? undefined, this.#memory, push.epoch, push.records);
    if (decided.changed) this.#memory.keep(decided.watermarks, decided.fresh, now);
    this.#archive.pushed(now);
    this.#counted.taken(decided.fresh.length, decided.rejected.length);
    this.#tells.hear(push, now);
    const receipt = this.#receipt(push, decided.rejected, orders, now);
    const { length } = push.records.items;
    if (length > 0 && decided.rejected.length === length && push.live === null) {
      return failure({ code: "push_unusable", message: "No part of the push could be used.", receipt });
    }
    return success(receipt);
  }

  #open(push: Push, orders: Orders, now: Millis): PushAnswer {
    const held = this.#memory.marks;
    const opened = openEpoch(held, push.spool, push.base, now);
    if (opened !== held) this.ctx.storage.transactionSync(() => this.#memory.open(opened));
    this.#counted.taken(0, 0);
    this.#tells.hear(push, now);
    return success(this.#receipt(push, [], orders, now));
  }

  #receipt(push: Push, rejected: readonly Rejected[], orders: Orders, now: Millis): Receipt {
    const marks = this.#memory.marks;
    return {
      epoch: marks?.epoch ?? 0,
      received: marks?.next ?? 1,
      persisted: marks?.persisted ?? 1,
      rejected: [...rejected],
      serverTime: now,
      nextPushMs: push.intervalMs,
      accepts: [...this.#tells.extras(now, push.intervalMs)],
      ...orders,
    };
  }

  // ── other inputs ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a token for this cluster's inputs; null if it has too many. */
  async createIngestToken(cluster: string): Promise<{ readonly id: string; readonly token: string } | null> {
    await this.#keys.make(cluster);
    return this.#inputs.createToken(cluster);
  }

  async ingestTokens(): Promise<readonly ListedToken[]> {
    return this.#inputs.tokens;
  }

  /** False if there is no such token. */
  async revokeIngestToken(id: string): Promise<boolean> {
    return this.#inputs.revokeToken(id);
  }

  /** Takes in what an Alertmanager notifies of. */
  async ingestAlerts(secret: string, body: Uint8Array): Promise<Result<NotificationReceipt, InputRefusal>> {
    return this.#inputs.takeNotification(secret, body);
  }

  /** Takes in what a collector exports, in place of an agent. */
  async ingestMetrics(secret: string, body: Uint8Array, isGzip: boolean): Promise<Result<ExportReceipt, InputRefusal>> {
    if (!(await this.#inputs.isOpen(secret))) return failure(NOT_OPEN);
    return this.#collected.take(body, isGzip);
  }

  // ── leases ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts a maintenance's lease into force. Idempotent; answers the generation that it has. */
  async setLease(maintenance: Maintenance): Promise<Result<number, DesiredRefusal>> {
    return this.#desired.setLease(maintenance);
  }

  /** Takes a maintenance's lease out of force. Idempotent. */
  async releaseLease(maintenance: Maintenance): Promise<void> {
    await this.#desired.releaseLease(maintenance);
  }

  // ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The limits that its services are judged by from now on. What does not arrive comes with the answer to a tell. */
  async judgeBy(policies: Policies): Promise<void> {
    this.#tells.judgeBy(policies);
  }

  // ── session ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The agent's session: an upgrade, and nothing else comes this way. */
  override async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade") !== "websocket") return new Response(null, { status: 426 });
    // Nobody can prove anything to a cluster that never was.
    if (this.#keys.cluster === null) return new Response(null, { status: 404 });
    return this.#sessions.accept(new URL(request.url).host);
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    await this.#sessions.receive(socket, message);
  }

  override async webSocketClose(socket: WebSocket): Promise<void> {
    // Our half of the closing handshake: nobody else sends it, and the agent would wait until this object hibernates.
    socket.close(1000);
    await this.#tells.ended(socket);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.#tells.ended(socket);
  }

  // ── Postgres ──────────────────────────────────────────────────────────────────────────────────────────────────────

  override async alarm(): Promise<void> {
    await this.#archive.alarm(async () => {
      this.#collected.close(Date.now());
      this.#keys.retire(Date.now());
      await Promise.all([this.#keys.tellBoard(), this.#inputs.tellBoard()]);
    });
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
    this.#tells.forget();
    this.#inputs.forget();
    this.ctx.waitUntil(this.#inputs.tellBoard());
    return this.#keys.public;
  }

  async #loadedEdgeKey(): Promise<EdgeKey> {
    this.#edgeKey ??= loadEdgeKey(this.env.EDGE_SIGNING_KEY);
    return this.#edgeKey;
  }
}
