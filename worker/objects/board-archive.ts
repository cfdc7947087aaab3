/**
 * The Board's way to Postgres and back: its outbox, sent until nothing waits, and before that, if this Board began with
 * empty storage, all that an earlier life of it had sent. The page works meanwhile with what it hears.
 *
 * What does not come back: one-time links, sessions and tokens, which are never archived, and what had not been sent.
 */
import type { StatusChange, ClusterIdentity } from "../core/component.ts";
import { HISTORY_MS } from "../core/history.ts";
import { REFLUSH_MARGIN_MS } from "../core/reflush.ts";
import type { Archived } from "../core/restore.ts";
import { restored } from "../core/restore.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY } from "../../protocol/time.ts";
import type { BoardRow } from "../store/board.ts";
import { BOARD_ROWS_MAX, flushBoard } from "../store/board.ts";
import type { Database, StoreResult } from "../store/database.ts";
import { openDatabase } from "../store/database.ts";
import type { BoardCursor } from "../store/queries.ts";
import { boardAnnounced, boardChanges, boardDocuments, statusChanges } from "../store/queries.ts";
import { chainRow } from "../store/uptime.ts";
import type { BoardAnnouncements } from "./board-announcements.ts";
import type { BoardAudit } from "./board-audit.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMaintenance } from "./board-maintenance.ts";
import type { BoardMemory, Restoring } from "./board-memory.ts";
import { freshId } from "./crypto.ts";
import type { Env } from "./env.ts";
import type { UptimeMemory } from "./uptime-memory.ts";
import { clusterOf } from "./env.ts";

/** A change may have waited for as long before it left: when it was sent is kept for two days only. */
const LATE_MS = DAY;
/** Clusters asked at once. */
const ASK_CLUSTERS_MAX = 50;
/** A cluster that never answers is asked for about a quarter of an hour. */
const ASK_ATTEMPTS_MAX = 20;

export class BoardArchive {
  readonly #env: Env;
  readonly #memory: BoardMemory;
  readonly #books: BoardBooks;
  readonly #maintenance: BoardMaintenance;
  readonly #announcements: BoardAnnouncements;
  readonly #uptime: UptimeMemory;
  readonly #audit: BoardAudit;
  #failure: string | null = null;

  constructor(
    env: Env,
    held: {
      readonly memory: BoardMemory;
      readonly books: BoardBooks;
      readonly maintenance: BoardMaintenance;
      readonly announcements: BoardAnnouncements;
      readonly uptime: UptimeMemory;
      readonly audit: BoardAudit;
    },
  ) {
    this.#env = env;
    this.#memory = held.memory;
    this.#books = held.books;
    this.#maintenance = held.maintenance;
    this.#announcements = held.announcements;
    this.#uptime = held.uptime;
    this.#audit = held.audit;
  }

  /** What the last attempt ran into; null if it went well. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Called when the object wakes. Without a page it never ran here, or all that it held is gone: the archive knows. */
  begin(now: Millis): void {
    const kept = this.#memory.get("page", "page");
    if (kept === null) {
      this.#memory.put("page", "page", { ...this.#books.page(), id: freshId(), createdAt: now });
      this.#keep({ startedAt: now, phase: "documents", after: null, unasked: [], attempts: 0 });
      return;
    }
    // Earlier versions kept neither, and archived neither page nor clusters.
    if (kept.timeZone === "") for (const identity of this.#memory.all("cluster")) this.#archiveCluster(identity);
    const page = this.#books.page();
    const isAsKept = kept.name === page.name && kept.timeZone === page.timeZone;
    if (!isAsKept && this.#restoring?.phase !== "documents") this.#archivePage(now);
  }

  /** Keeps who speaks for a cluster. The archive learns only that there is such a cluster: keys are the Cluster's own. */
  identify(identity: ClusterIdentity): void {
    const isNew = this.#memory.get("cluster", identity.cluster) === null;
    this.#memory.put("cluster", identity.cluster, identity);
    if (isNew) this.#archiveCluster(identity);
  }

  /** Gets back what is missing, then sends what waits. Throws if Postgres does not answer. */
  async run(): Promise<void> {
    if (this.#restoring?.phase === "documents") await this.#restoreDocuments();
    await this.#flush();
    if (this.#restoring?.phase === "changes") await this.#restoreChanges();
    if (this.#restoring?.phase === "clusters") await this.#askClusters();
  }

  async #flush(): Promise<void> {
    for (;;) {
      await this.#audit.link();
      const rows = this.#memory.queued(BOARD_ROWS_MAX);
      if (rows.length === 0) break;
      this.#valueOf(await flushBoard(this.#database(), rows));
      this.#memory.unqueue(rows, Date.now());
    }
  }

  /** Queues again what Postgres may have lost since then: every document, the journals, and what is kept of the rest. */
  queueAgain(since: Millis, now: Millis): number {
    const { waiting } = this.#memory.backlog();
    this.#memory.queueAgain(since - REFLUSH_MARGIN_MS, now);
    this.#archivePage(now);
    for (const identity of this.#memory.all("cluster")) this.#archiveCluster(identity);
    for (const one of this.#memory.all("component"))
      this.#queueDocument("component", one.id, one.updatedAt, { ...one });
    for (const one of this.#memory.all("maintenance"))
      this.#queueDocument("maintenance", one.id, one.updatedAt, { ...one });
    for (const one of this.#memory.all("announcement"))
      this.#queueDocument("announcement", one.id, one.writtenAt, { ...one });
    for (const one of this.#memory.all("incident")) this.#queueDocument("incident", one.id, one.writtenAt, { ...one });
    for (const one of this.#memory.all("series")) this.#queueDocument("series", one.id, one.updatedAt, { ...one });
    for (const one of this.#memory.all("notice"))
      this.#memory.queue({ kind: "notice", key: one.key, revision: 1, at: one.at, body: { ...one } });
    for (const change of [...this.#memory.changes.values()].flat())
      if (change.at >= since - LATE_MS) this.#books.archive(change);
    // All of it, however old: an entry may have left long after it was written, and a chain with a hole is none.
    for (const entry of this.#uptime.entries) this.#memory.queue(chainRow(entry));
    return this.#memory.backlog().waiting - waiting;
  }

  // ── what an earlier life had sent ─────────────────────────────────────────────────────────────────────────────────

  get #restoring(): Restoring | null {
    return this.#memory.get("restore", "restore");
  }

  async #restoreDocuments(): Promise<void> {
    const documents: Archived[] = [];
    let after: BoardCursor | null = null;
    do {
      const page: { readonly rows: readonly Archived[]; readonly next: BoardCursor | null } = this.#valueOf(
        await boardDocuments(this.#database(), after),
      );
      documents.push(...page.rows);
      after = page.next;
    } while (after !== null);
    documents.push(...this.#valueOf(await boardAnnounced(this.#database())));
    const now = Date.now();
    this.#books.change(now, null, () => this.#takeBack(documents, now));
  }

  #takeBack(documents: readonly Archived[], now: Millis): void {
    const back = restored(
      documents,
      {
        page: this.#memory.get("page", "page") ?? this.#books.page(),
        components: this.#memory.all("component"),
        maintenances: this.#memory.map("maintenance"),
        announcements: this.#memory.map("announcement"),
        incidents: this.#memory.map("incident"),
        series: this.#memory.map("series"),
        clusters: this.#memory.map("cluster"),
      },
      now,
    );
    this.#books.mark();
    this.#memory.put("page", "page", back.page);
    this.#archivePage(now);
    for (const component of back.components) this.#memory.put("component", component.id, component);
    for (const { id, component } of back.rejoined) {
      this.#memory.forgetComponent(id);
      this.#memory.put("component", component.id, { ...component, updatedAt: now });
      this.#queueDocument("component", component.id, now, { ...component, updatedAt: now });
    }
    this.#maintenance.restore(back, now);
    this.#announcements.restore(back, now);
    for (const series of back.series) this.#memory.put("series", series.id, series);
    for (const identity of back.clusters) this.#memory.put("cluster", identity.cluster, identity);
    const unasked = back.clusters.map(({ cluster }) => cluster);
    this.#keep({ startedAt: now, phase: "changes", after: null, unasked, attempts: 0 });
  }

  async #restoreChanges(): Promise<void> {
    for (let restoring = this.#restoring; restoring?.phase === "changes"; restoring = this.#restoring) {
      const since = restoring.startedAt - HISTORY_MS;
      const { rows, next } = this.#valueOf(await boardChanges(this.#database(), since, restoring.after));
      // Written by this page's own books.
      this.#join(rows.map(({ body }) => body as unknown as StatusChange));
      if (next === null) await this.#restoreBeginnings(since);
      this.#keep({ ...restoring, phase: next === null ? "clusters" : "changes", after: next });
    }
    this.#books.change(Date.now(), null, () => this.#books.mark());
  }

  /** What each component that is older than the journal was when it begins. */
  async #restoreBeginnings(since: Millis): Promise<void> {
    for (const { id, createdAt } of this.#memory.all("component")) {
      if (createdAt >= since) continue;
      const range = { component: id, from: since, to: since + 1 };
      this.#join(this.#valueOf(await statusChanges(this.#database(), range)));
    }
  }

  #join(changes: readonly StatusChange[]): void {
    for (const [component, back] of Map.groupBy(changes, ({ component: id }) => id)) {
      // What was removed from the page has no history on it.
      if (this.#memory.get("component", component) !== null) this.#memory.join(component, back);
    }
  }

  /** Who speaks for them is with the Clusters; asked, they also tell anew what their agents say. */
  async #askClusters(): Promise<void> {
    const restoring = this.#restoring;
    if (restoring === null) return;
    const asked = restoring.unasked.slice(0, ASK_CLUSTERS_MAX);
    const answers = await Promise.allSettled(asked.map((cluster) => clusterOf(this.#env, cluster).introduce()));
    const failed = asked.filter((cluster, i) => {
      const answer = answers[i];
      if (answer?.status !== "fulfilled") return true;
      // One that never enrolled anybody knows nothing of itself, and told first it needs no asking.
      if (answer.value.cluster === cluster) this.#memory.put("cluster", cluster, answer.value);
      return false;
    });
    const unasked = [...restoring.unasked.slice(ASK_CLUSTERS_MAX), ...failed];
    const attempts = restoring.attempts + (failed.length === 0 ? 0 : 1);
    if (unasked.length === 0 || attempts >= ASK_ATTEMPTS_MAX) return this.#memory.remove("restore", "restore");
    this.#keep({ ...restoring, unasked, attempts });
    if (failed.length > 0) throw new Error(`${failed.length} clusters did not say who speaks for them`);
  }

  #keep(restoring: Restoring): void {
    this.#memory.put("restore", "restore", restoring);
  }

  // ── small helpers ─────────────────────────────────────────────────────────────────────────────────────────────────

  #archivePage(now: Millis): void {
    const page = this.#books.page();
    this.#memory.put("page", "page", page);
    this.#queueDocument("page", "page", now, { ...page });
  }

  #archiveCluster({ cluster, createdAt }: ClusterIdentity): void {
    this.#queueDocument("cluster", cluster, createdAt, { cluster, createdAt });
  }

  /** Every document's revision is the moment of its last change. */
  #queueDocument(kind: BoardRow["kind"], key: string, at: Millis, body: BoardRow["body"]): void {
    this.#memory.queue({ kind, key, revision: at, at, body });
  }

  #database(): Database {
    return openDatabase({ url: this.#env.DATABASE_URL, fetchEndpoint: this.#env.NEON_FETCH_ENDPOINT });
  }

  #valueOf<T>(result: StoreResult<T>): T {
    this.#failure = result.ok ? null : `${result.code}: ${result.message}`;
    if (result.ok) return result.value;
    throw new Error(`Postgres: ${this.#failure}`);
  }
}
