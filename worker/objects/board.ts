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
import { isTimeZone } from "../core/calendar.ts";
import type { Backlog, ClusterIdentity, Component, Rule, Tell } from "../core/component.ts";
import { changesAt, changesUntil } from "../core/component.ts";
import { HISTORY_MS } from "../core/history.ts";
import type { Maintenance, MaintenanceRequest } from "../core/maintenance.ts";
import {
  maintenanceStatus,
  operatorMaintenance,
  startMaintenance,
  withLeaseGiven,
  withReport,
} from "../core/maintenance.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import { retryDelay } from "../core/retry.ts";
import type { PageFacts } from "../core/snapshot.ts";
import { publicChange, publicSnapshot } from "../core/snapshot.ts";
import type { BoardRow } from "../store/board.ts";
import { BOARD_ROWS_MAX, flushBoard } from "../store/board.ts";
import { openDatabase } from "../store/database.ts";
import { BoardDoors } from "./board-doors.ts";
import type { Errand } from "./board-memory.ts";
import { BoardMemory } from "./board-memory.ts";
import { freshId } from "./crypto.ts";
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
  readonly #doors: BoardDoors;
  /** Never one that an earlier life gave to other content: a browser would be told that its old page is unchanged. */
  #version: number;
  #publishedAt: Millis = 0;
  #failures = 0;
  /** Set while a change is applied that open pages must hear of at once. */
  #urgent = false;
  /** Runs of errands that are under way, by cluster. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#version = Date.now();
    this.#memory = new BoardMemory(ctx.storage.sql, this.#version - 2 * HISTORY_MS);
    this.#doors = new BoardDoors(this.#memory);
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

  /**
   * An agent said goodbye, or was shown the door: what it said until `heardAt` is good until `expiresAt` and no longer.
   * A goodbye that comes late shortens nothing that was heard after it.
   */
  async hush(cluster: string, heardAt: Millis, expiresAt: Millis): Promise<void> {
    const tell = this.#memory.get("tell", cluster);
    if (tell === null || tell.heardAt > heardAt || tell.expiresAt <= expiresAt) return;
    this.#change(Date.now(), () => {
      this.#memory.put("tell", cluster, { ...tell, expiresAt });
      this.#urgent = true;
    });
  }

  /** The maintenances whose leases a cluster should hold now: what a Cluster that lost its memory asks for. */
  async leasesOf(cluster: string): Promise<readonly Maintenance[]> {
    const now = Date.now();
    return this.#memory
      .all("maintenance")
      .filter((asked) => asked.cluster === cluster && maintenanceStatus(asked, now) === "in_progress");
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
    const fresh = requests.filter((request) => this.#componentNamed(request) === undefined);
    if (this.#memory.all("component").length + fresh.length > COMPONENTS_MAX) return failure("too_many");
    const now = Date.now();
    const components: Component[] = [];
    this.#change(now, () => {
      for (const request of requests) components.push(this.#putComponent(request, by, now));
    });
    return success(components);
  }

  /** Publishes a component that must not exist yet: a form shows one service, and must not replace what it does not show. */
  async addComponent(
    request: ComponentRequest,
    by: string,
  ): Promise<Result<readonly Component[], "too_many" | "exists">> {
    return this.#componentNamed(request) === undefined ? this.putComponents([request], by) : failure("exists");
  }

  #componentNamed({ group, name }: Pick<Component, "group" | "name">): Component | undefined {
    return this.#memory.all("component").find((known) => known.group === group && known.name === name);
  }

  #putComponent(request: ComponentRequest, by: string, now: Millis): Component {
    const all = this.#memory.all("component");
    const known = this.#componentNamed(request);
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
    this.#urgent = true;
    this.#memory.put("component", component.id, component);
    this.#archive("component", component.id, now, { ...component });
    this.#memory.audit(known === undefined ? "component.publish" : "component.change", component.id, by, now);
    return component;
  }

  /** Takes a component off the page. False if there is none. */
  async removeComponent(id: string, by: string): Promise<boolean> {
    const component = this.#memory.get("component", id);
    if (component === null) return false;
    const now = Date.now();
    this.#change(now, () => {
      this.#urgent = true;
      this.#memory.remove("component", id);
      this.#archive("component", id, now, { ...component, removedAt: now });
      this.#memory.audit("component.remove", id, by, now);
    });
    return true;
  }

  /** Starts a maintenance: it stands here before the Cluster, the page or anybody else hears of it. */
  async startMaintenance(request: MaintenanceRequest, by: string): Promise<Result<Maintenance, "target_busy">> {
    const now = Date.now();
    const busy = this.#memory
      .all("maintenance")
      .some(
        (other) =>
          other.cluster === request.cluster &&
          other.service === request.service &&
          maintenanceStatus(other, now) !== "completed",
      );
    if (busy) return failure("target_busy");
    const maintenance = startMaintenance(request, freshId(), by, now);
    this.#change(now, () => {
      this.#keepMaintenance(maintenance);
      this.#memory.audit("maintenance.start", maintenance.id, by, now);
      this.#sendErrand("set", maintenance, now);
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
      this.#memory.audit("maintenance.end", id, by, now);
      this.#sendErrand("release", ended, now);
    });
    return ended;
  }

  #sendErrand(act: Errand["act"], { id, cluster }: Maintenance, at: Millis): void {
    this.#memory.send({ key: `${id}:${act}`, at, act, cluster, maintenance: id });
  }

  #keepMaintenance(maintenance: Maintenance): void {
    this.#urgent = true;
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
    return this.#doors.createLink();
  }

  /** Spends a link for a session's secret; null if it is unknown, spent or expired. */
  async redeemLink(token: string): Promise<string | null> {
    return this.#doors.redeemLink(token);
  }

  /** Who holds this session; null if it is over. */
  async session(secret: string): Promise<{ readonly by: string; readonly hash: string } | null> {
    return this.#doors.session(secret);
  }

  /** Ends a session, and what it listens to. */
  async endSession(secret: string): Promise<void> {
    await this.env.RELAY.getByName(RELAY_ADMIN).drop(await this.#doors.endSession(secret));
  }

  async createToken(): Promise<string> {
    return this.#doors.createToken();
  }

  async tokenScope(token: string): Promise<"read" | null> {
    return this.#doors.tokenScope(token);
  }

  /** Writes down an act that left no other trace here. */
  async note(act: string, subject: string, by: string): Promise<void> {
    this.#memory.audit(act, subject, by, Date.now());
    await this.#armIfNeeded();
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
      // Neither waits for the other: a cluster that cannot be reached must not stop the archive.
      const results = await Promise.allSettled([this.#runErrands(), this.#flush()]);
      const failed = results.filter((result) => result.status === "rejected");
      this.#failures = failed.length === 0 ? 0 : this.#failures + 1;
      for (const { reason } of failed)
        console.warn(JSON.stringify({ event: "board_alarm_failed", error: String(reason) }));
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
  }

  /** Errands one after the other within a cluster, clusters beside each other: one that fails holds up no other's. */
  async #runErrands(): Promise<void> {
    const clusters = new Set(this.#memory.errands().map(({ cluster }) => cluster));
    const results = await Promise.allSettled([...clusters].map((cluster) => this.#runErrandsOf(cluster)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** One run a cluster at a time: a second would repeat what the first is about to do. */
  #runErrandsOf(cluster: string): Promise<void> {
    const run = async (): Promise<void> => {
      for (;;) {
        const errand = this.#memory.errands().find((waiting) => waiting.cluster === cluster);
        if (errand === undefined) return;
        await this.#run(errand);
      }
    };
    const running = this.#running.get(cluster) ?? run().finally(() => this.#running.delete(cluster));
    this.#running.set(cluster, running);
    return running;
  }

  async #run(errand: Errand): Promise<void> {
    const maintenance = this.#memory.get("maintenance", errand.maintenance);
    // One that ended before its lease was given out needs none.
    if (maintenance === null || (errand.act === "set" && maintenance.endedAt !== null))
      return this.#memory.done(errand);
    const cluster = clusterOf(this.env, errand.cluster);
    if (errand.act === "set") return this.#keepLease(errand, await cluster.setLease(maintenance));
    await cluster.releaseLease(maintenance);
    this.#memory.done(errand);
  }

  #keepLease(errand: Errand, given: Result<number, string>): void {
    const now = Date.now();
    // Read again: while the Cluster was asked, somebody may have ended it.
    const asked = this.#memory.get("maintenance", errand.maintenance);
    this.#change(now, () => {
      this.#memory.done(errand);
      if (asked === null) return;
      this.#keepMaintenance(withLeaseGiven(asked, given, now));
      // The release may have reached the Cluster before the lease did.
      if (asked.endedAt !== null) this.#sendErrand("release", asked, now);
      // The agent may have answered before the Cluster's own answer came back.
      const tell = this.#memory.get("tell", asked.cluster);
      if (tell !== null) this.#takeReport(asked.cluster, tell.leases);
    });
  }

  // ── small helpers ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Closes the books on the old evidence, applies a change, opens them on the new, and tells the open pages. */
  #change(now: Millis, apply: () => void): void {
    const before = this.#version;
    let changed = false;
    this.#urgent = false;
    this.ctx.storage.transactionSync(() => {
      changed = this.#settle(changesUntil, now);
      apply();
      changed = this.#settle(changesAt, now) || changed;
    });
    this.#version = Math.max(before + 1, now);
    if (changed || this.#urgent || now - this.#publishedAt >= PUBLISH_NUMBERS_MS) this.#publish(now);
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
}

function byCluster(a: { readonly cluster: string }, b: { readonly cluster: string }): number {
  return a.cluster < b.cluster ? -1 : 1;
}
