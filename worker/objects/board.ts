/**
 * One status page: components, maintenances, sessions, what the Clusters told, and the snapshot that visitors get.
 *
 * Decides nothing: `core` decides, this class remembers, wakes and speaks. What people write is stored here before
 * anyone hears of it, so that it works while Postgres is down; Postgres receives it through the outbox.
 */
import { DurableObject } from "cloudflare:workers";
import type { LeaseReport } from "../../protocol/lease.ts";
import type { PageSnapshot } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import type { Session } from "../core/access.ts";
import { LINK_LIFETIME_MS, SESSION_TOUCH_MS, sessionAlive } from "../core/access.ts";
import { isTimeZone } from "../core/calendar.ts";
import type { Backlog, ClusterIdentity, Component, Rule, Tell } from "../core/component.ts";
import { changesAt, changesUntil } from "../core/component.ts";
import { HISTORY_MS } from "../core/history.ts";
import type { Maintenance, MaintenanceRequest } from "../core/maintenance.ts";
import {
  coversUntil,
  maintenanceStatus,
  operatorMaintenance,
  startMaintenance,
  withReport,
} from "../core/maintenance.ts";
import type { Result } from "../core/result.ts";
import { failure, success } from "../core/result.ts";
import { retryDelay } from "../core/retry.ts";
import type { PageFacts } from "../core/snapshot.ts";
import { publicChange, publicSnapshot } from "../core/snapshot.ts";
import type { BoardRow } from "../store/board.ts";
import { BOARD_ROWS_MAX, flushBoard } from "../store/board.ts";
import { openDatabase } from "../store/database.ts";
import type { Errand } from "./board-memory.ts";
import { BoardMemory } from "./board-memory.ts";
import { freshId, freshSecret, secretHash } from "./crypto.ts";
import type { Env } from "./env.ts";
import { clusterOf } from "./env.ts";
import { RELAY_ADMIN, RELAY_SHARDS } from "./relay.ts";

/** What an operator's page is made of. */
export interface OperatorView {
  readonly page: PageFacts["page"];
  readonly components: readonly Component[];
  readonly maintenances: readonly Maintenance[];
  readonly clusters: readonly ClusterIdentity[];
  readonly tells: readonly Tell[];
  readonly backlog: Backlog;
}

/** A component as the command line or a form asks for it; (group, name) is what it is known by. */
export interface ComponentRequest {
  readonly name: string;
  readonly group: string | null;
  readonly description: string | null;
  readonly services: readonly string[];
  readonly rule: Rule;
}

/** Numbers move every 30 s a cluster; open pages are told of them at most this often. Statuses go out at once. */
const PUBLISH_NUMBERS_MS = 5 * SECOND;
/** Rows wait this long for company on their way to Postgres. */
const FLUSH_DELAY_MS = SECOND;
const COMPONENTS_MAX = 1_000;

export class Board extends DurableObject<Env> {
  readonly #memory: BoardMemory;
  /** Never one that an earlier life gave to other content: a browser would be told that its old page is unchanged. */
  #version: number;
  #publishedAt: Millis = 0;
  #failures = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#version = Date.now();
    this.#memory = new BoardMemory(ctx.storage.sql, this.#version - 2 * HISTORY_MS);
    this.#settle(changesUntil, Date.now());
    void ctx.blockConcurrencyWhile(async () => this.#armIfNeeded());
  }

  // ── what visitors get ─────────────────────────────────────────────────────────────────────────────────────────────

  async snapshot(): Promise<PageSnapshot> {
    return publicSnapshot(this.#facts(), Date.now());
  }

  /** The newest frame for open pages. */
  async liveFrame(): Promise<string> {
    return JSON.stringify(publicChange(this.#facts(), Date.now()));
  }

  // ── what Clusters tell ────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes in an agent's evidence. */
  async hear(tell: Tell): Promise<void> {
    const held = this.#memory.get("tell", tell.cluster);
    if (held !== null && held.heardAt > tell.heardAt) return;
    this.#change(Date.now(), () => {
      this.#memory.put("tell", tell.cluster, tell);
      this.#takeReport(tell.cluster, tell.leases);
    });
  }

  /** An agent said goodbye, or was shown the door: what it said last is good until `expiresAt` and no longer. */
  async hush(cluster: string, expiresAt: Millis): Promise<void> {
    const tell = this.#memory.get("tell", cluster);
    if (tell === null || tell.expiresAt <= expiresAt) return;
    this.#change(Date.now(), () => this.#memory.put("tell", cluster, { ...tell, expiresAt }));
  }

  /** Who speaks for a cluster, whenever that changes. */
  async identify(identity: ClusterIdentity): Promise<void> {
    this.#memory.put("cluster", identity.cluster, identity);
  }

  #takeReport(cluster: string, report: LeaseReport): void {
    const now = Date.now();
    for (const maintenance of this.#memory.all("maintenance")) {
      const answered = maintenance.cluster === cluster ? withReport(maintenance, report, now) : maintenance;
      if (answered !== maintenance) this.#keepMaintenance(answered);
    }
  }

  // ── what operators do ─────────────────────────────────────────────────────────────────────────────────────────────

  async operatorView(): Promise<OperatorView> {
    return {
      page: this.#page(),
      // Memory gives them as they came, and after a wake by their keys: an operator's lists must not jump.
      components: this.#memory.all("component").toSorted((a, b) => a.position - b.position),
      maintenances: this.#memory.all("maintenance").toSorted((a, b) => a.createdAt - b.createdAt),
      clusters: this.#memory.all("cluster").toSorted(byCluster),
      tells: this.#memory.all("tell").toSorted(byCluster),
      backlog: this.#memory.backlog(),
    };
  }

  /** Publishes components or changes the ones that are known by the same group and name. */
  async putComponents(
    requests: readonly ComponentRequest[],
    by: string,
  ): Promise<Result<readonly Component[], "too_many">> {
    if (this.#memory.all("component").length + requests.length > COMPONENTS_MAX) return failure("too_many");
    const now = Date.now();
    const components: Component[] = [];
    this.#change(now, () => {
      for (const request of requests) components.push(this.#putComponent(request, by, now));
    });
    return success(components);
  }

  #putComponent(request: ComponentRequest, by: string, now: Millis): Component {
    const all = this.#memory.all("component");
    const known = all.find(({ group, name }) => group === request.group && name === request.name);
    const position = known?.position ?? Math.max(0, ...all.map((component) => component.position)) + 1;
    const component = {
      ...request,
      id: known?.id ?? freshId(),
      position,
      createdAt: known?.createdAt ?? now,
      updatedAt: now,
    };
    if (
      known !== undefined &&
      JSON.stringify({ ...component, updatedAt: 0 }) === JSON.stringify({ ...known, updatedAt: 0 })
    )
      return known;
    this.#memory.put("component", component.id, component);
    this.#archive("component", component.id, now, { ...component });
    this.#audit(known === undefined ? "component.publish" : "component.change", component.id, by, now);
    return component;
  }

  /** Takes a component off the page. False if there is none. */
  async removeComponent(id: string, by: string): Promise<boolean> {
    const component = this.#memory.get("component", id);
    if (component === null) return false;
    const now = Date.now();
    this.#change(now, () => {
      this.#memory.remove("component", id);
      this.#archive("component", id, now, { ...component, removedAt: now });
      this.#audit("component.remove", id, by, now);
    });
    return true;
  }

  /** Starts a maintenance: it stands here before the Cluster, the page or anybody else hears of it. */
  async startMaintenance(request: MaintenanceRequest, by: string): Promise<Result<Maintenance, "target_busy">> {
    const now = Date.now();
    const busy = this.#memory
      .all("maintenance")
      .some(
        (other) => other.cluster === request.cluster && other.service === request.service && now < coversUntil(other),
      );
    if (busy) return failure("target_busy");
    const maintenance = startMaintenance(request, freshId(), by, now);
    this.#change(now, () => {
      this.#keepMaintenance(maintenance);
      this.#audit("maintenance.start", maintenance.id, by, now);
      this.#memory.send({ key: `${maintenance.id}:set`, maintenance: maintenance.id, act: "set" });
    });
    return success(maintenance);
  }

  /** Ends a maintenance now. Null if there is none; one that ended already stays as it is. */
  async endMaintenance(id: string, by: string): Promise<Maintenance | null> {
    const maintenance = this.#memory.get("maintenance", id);
    const now = Date.now();
    if (maintenance === null || maintenanceStatus(maintenance, now) === "completed") return maintenance;
    const ended = { ...maintenance, endedAt: now, updatedAt: now };
    this.#change(now, () => {
      this.#keepMaintenance(ended);
      this.#audit("maintenance.end", id, by, now);
      this.#memory.send({ key: `${id}:release`, maintenance: id, act: "release" });
    });
    return ended;
  }

  #keepMaintenance(maintenance: Maintenance): void {
    this.#memory.put("maintenance", maintenance.id, maintenance);
    this.#archive("maintenance", maintenance.id, maintenance.updatedAt, { ...maintenance });
    this.#speak(
      RELAY_ADMIN,
      JSON.stringify({ type: "maintenance", maintenance: operatorMaintenance(maintenance, Date.now()) }),
    );
  }

  // ── doors ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a one-time sign-in link's token. */
  async createLink(): Promise<{ readonly token: string; readonly expiresAt: Millis }> {
    const token = freshSecret();
    const hash = await secretHash(token);
    const now = Date.now();
    const expiresAt = now + LINK_LIFETIME_MS;
    for (const link of this.#memory.all("link")) if (link.expiresAt <= now) this.#memory.remove("link", link.hash);
    this.#memory.put("link", hash, { hash, expiresAt });
    this.#audit("link.create", hash.slice(0, 12), "command line", now);
    return { token, expiresAt };
  }

  /** Spends a link for a session's secret; null if it is unknown, spent or expired. */
  async redeemLink(token: string): Promise<string | null> {
    const [hash, secret] = [await secretHash(token), freshSecret()];
    const sessionHash = await secretHash(secret);
    const now = Date.now();
    const link = this.#memory.get("link", hash);
    if (link === null || link.expiresAt <= now) return null;
    this.ctx.storage.transactionSync(() => {
      this.#memory.remove("link", hash);
      for (const session of this.#memory.all("session")) {
        if (!sessionAlive(session, now)) this.#memory.remove("session", session.hash);
      }
      const session: Session = { hash: sessionHash, by: "one-time link", createdAt: now, seenAt: now };
      this.#memory.put("session", sessionHash, session);
      this.#audit("session.start", sessionHash.slice(0, 12), session.by, now);
    });
    return secret;
  }

  /** Who holds this session; null if it is over. */
  async session(secret: string): Promise<{ readonly by: string } | null> {
    const session = this.#memory.get("session", await secretHash(secret));
    const now = Date.now();
    if (session === null || !sessionAlive(session, now)) return null;
    if (now - session.seenAt > SESSION_TOUCH_MS) this.#memory.put("session", session.hash, { ...session, seenAt: now });
    return { by: session.by };
  }

  async endSession(secret: string): Promise<void> {
    this.#memory.remove("session", await secretHash(secret));
  }

  async createToken(): Promise<string> {
    const token = freshSecret();
    const hash = await secretHash(token);
    this.#memory.put("token", hash, { hash, scope: "read", createdAt: Date.now() });
    this.#audit("token.create", hash.slice(0, 12), "command line", Date.now());
    return token;
  }

  async tokenScope(token: string): Promise<"read" | null> {
    return this.#memory.get("token", await secretHash(token))?.scope ?? null;
  }

  // ── wakes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A wake from outside, for an alarm that was lost. */
  async wake(): Promise<void> {
    await this.#armIfNeeded();
  }

  /** Runs errands, sends rows to Postgres, closes the books. A wake carries no news: all of it looks at what is there. */
  override async alarm(): Promise<void> {
    try {
      this.#settle(changesUntil, Date.now());
      this.#memory.prune(Date.now() - HISTORY_MS);
      await this.#runErrands();
      await this.#flush();
    } catch (error) {
      this.#failures++;
      console.warn(JSON.stringify({ event: "board_alarm_failed", error: String(error) }));
    } finally {
      // Re-armed here and never left to the runtime's retries, which stop for good after six.
      await this.#armIfNeeded();
    }
  }

  async #armIfNeeded(): Promise<void> {
    const waits = this.#memory.errands().length > 0 || this.#memory.backlog().waiting > 0;
    if (!waits || (await this.ctx.storage.getAlarm()) !== null) return;
    const delay = this.#failures === 0 ? FLUSH_DELAY_MS : retryDelay(this.#failures, Math.random());
    await this.ctx.storage.setAlarm(Date.now() + delay);
  }

  async #flush(): Promise<void> {
    for (;;) {
      const rows = this.#memory.queued(BOARD_ROWS_MAX);
      if (rows.length === 0) break;
      const database = openDatabase({ url: this.env.DATABASE_URL, fetchEndpoint: this.env.NEON_FETCH_ENDPOINT });
      const stored = await flushBoard(database, rows);
      if (!stored.ok) throw new Error(`Postgres: ${stored.code}: ${stored.message}`);
      this.#memory.unqueue(rows);
    }
    this.#failures = 0;
  }

  /** Errands in order; one that fails waits for the next wake and holds up no other cluster's. */
  async #runErrands(): Promise<void> {
    const results = await Promise.allSettled(this.#memory.errands().map((errand) => this.#run(errand)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #run(errand: Errand): Promise<void> {
    const maintenance = this.#memory.get("maintenance", errand.maintenance);
    if (maintenance !== null) {
      const cluster = clusterOf(this.env, maintenance.cluster);
      if (errand.act === "release") await cluster.releaseLease(maintenance);
      // One that ended before its lease was given out needs none.
      else if (maintenance.endedAt === null) await this.#setLease(maintenance.id, await cluster.setLease(maintenance));
    }
    this.#memory.done(errand);
  }

  async #setLease(id: string, given: Result<number, string>): Promise<void> {
    // Read again: while the Cluster was asked, somebody may have ended it.
    const maintenance = this.#memory.get("maintenance", id);
    if (maintenance === null) return;
    const now = Date.now();
    const { service } = maintenance;
    const refused = { target: service, generation: 0, state: "conflict", evidence: null, at: now } as const;
    const next: Maintenance = given.ok
      ? { ...maintenance, generation: given.value, updatedAt: now }
      : {
          ...maintenance,
          updatedAt: now,
          results: [...maintenance.results, { ...refused, reason: `the cluster gave out no lease: ${given.failure}` }],
        };
    this.#change(now, () => {
      this.#keepMaintenance(next);
      // It ended while the lease was given out, and the release may have come before it.
      if (next.endedAt !== null) this.#memory.send({ key: `${id}:release`, maintenance: id, act: "release" });
      // The agent may have answered before the Cluster's own answer came back.
      const tell = this.#memory.get("tell", maintenance.cluster);
      if (tell !== null) this.#takeReport(maintenance.cluster, tell.leases);
    });
  }

  // ── small helpers ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Closes the books on the old evidence, applies a change, opens them on the new, and tells the open pages. */
  #change(now: Millis, apply: () => void): void {
    const before = this.#version;
    let changed = false;
    this.ctx.storage.transactionSync(() => {
      changed = this.#settle(changesUntil, now);
      apply();
      changed = this.#settle(changesAt, now) || changed;
    });
    this.#version = Math.max(before + 1, now);
    if (changed || now - this.#publishedAt >= PUBLISH_NUMBERS_MS) this.#publish(now);
    this.ctx.waitUntil(this.#armIfNeeded());
    if (this.#memory.errands().length > 0) this.ctx.waitUntil(this.#hurry());
  }

  /** An operator waits for it: errands do not wait for the alarm, which is there for when this fails. */
  async #hurry(): Promise<void> {
    try {
      await this.#runErrands();
    } catch (error) {
      console.warn(JSON.stringify({ event: "errand_failed", error: String(error) }));
    }
  }

  /** Records what became true of each component. True if anything did. */
  #settle(changesOf: typeof changesUntil, now: Millis): boolean {
    const evidence = this.#facts();
    let changed = false;
    for (const component of this.#memory.all("component")) {
      for (const change of changesOf(component, evidence, this.#memory.lastChange(component.id), now)) {
        this.#memory.record(change);
        this.#archive("status_change", `${change.component}:${change.at}`, change.at, { ...change }, 1);
        changed = true;
      }
    }
    return changed;
  }

  #facts(): PageFacts {
    return {
      version: this.#version,
      page: this.#page(),
      components: this.#memory.all("component"),
      tells: this.#memory.map("tell"),
      maintenances: this.#memory.all("maintenance"),
      changes: this.#memory.changes,
    };
  }

  #page(): PageFacts["page"] {
    const kept = this.#memory.get("page", "page") ?? { id: freshId(), name: "", timeZone: "", createdAt: Date.now() };
    if (this.#memory.get("page", "page") === null) this.#memory.put("page", "page", kept);
    const timeZone = isTimeZone(this.env.PAGE_TIME_ZONE) ? this.env.PAGE_TIME_ZONE : "Etc/UTC";
    return { ...kept, name: this.env.PAGE_NAME, timeZone };
  }

  #publish(now: Millis): void {
    this.#publishedAt = now;
    const frame = JSON.stringify(publicChange(this.#facts(), now));
    for (let shard = 0; shard < RELAY_SHARDS; shard++) this.#speak(String(shard), frame);
  }

  #speak(shard: string, frame: string): void {
    const spoken = this.env.RELAY.getByName(shard).publish(frame);
    // A shard that cannot be reached leaves its pages with what they have; they age by themselves.
    this.ctx.waitUntil(
      spoken.catch((error: unknown) => console.warn(JSON.stringify({ event: "publish_failed", error: String(error) }))),
    );
  }

  #archive(kind: BoardRow["kind"], key: string, at: Millis, body: Record<string, unknown>, revision = at): void {
    this.#memory.queue({ kind, key, revision, at, body });
  }

  #audit(act: string, subject: string, by: string, at: Millis): void {
    const key = freshId();
    this.#archive("audit", key, at, { act, subject, by }, 1);
  }
}

function byCluster(a: { readonly cluster: string }, b: { readonly cluster: string }): number {
  return a.cluster < b.cluster ? -1 : 1;
}
