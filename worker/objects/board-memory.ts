/**
 * What the Board keeps on disk besides tells, and most of it in memory too:
 *
 *   doc     (kind, key, body)                what people wrote and who may speak, each the latest
 *   work    (kind, key, body)                the same of what the Board itself is at, and of kinds that joined later
 *   change  (component, at, status)          the journal of statuses: what history is drawn from
 *   outbox  (kind, key, revision, at, body,  rows on their way to Postgres; the newest revision of each key. `since`:
 *            since, sent)                    from when on they wait. `sent`: when it took them, after which they are
 *                                            kept for a while
 *   errand  (key, body)                      calls to Clusters that are not yet answered
 */
import type { AuditHead } from "../../protocol/audit.ts";
import type { Login, OldSession, ReadToken, Ticket } from "../core/access.ts";
import type { Changed } from "../core/audit.ts";
import { recorded, textOf } from "../core/audit.ts";
import type { Backlog, ClusterIdentity, Component, StatusChange, Tell } from "../core/component.ts";
import { componentsByCluster } from "../core/component.ts";
import type { DetectorBook } from "../core/detector.ts";
import type { Draft } from "../core/draft.ts";
import type { Incident, MergedIncident } from "../core/incident.ts";
import type { Announcement, Maintenance } from "../core/maintenance.ts";
import type { Notice } from "../core/notices.ts";
import type { Message } from "../core/notify-message.ts";
import type { Watching } from "../core/plan-facts.ts";
import type { Person } from "../core/people.ts";
import type { Reminder } from "../core/reminder.ts";
import { joinedChanges } from "../core/restore.ts";
import type { Series } from "../core/schedule.ts";
import type { PageSettings } from "../core/snapshot.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import type { BoardRow } from "../store/board.ts";
import type { BoardCursor } from "../store/queries.ts";
import type { Alerting } from "./board-drafts.ts";
import type { Steering } from "./board-plans.ts";
import { freshId } from "./crypto.ts";
import type { Meter } from "./meter.ts";

/** The documents by kind. Each is a JSON value under its own key. */
interface Documents {
  readonly page: PageSettings;
  readonly component: Component;
  readonly maintenance: Maintenance;
  readonly announcement: Announcement;
  readonly incident: Incident;
  readonly cluster: ClusterIdentity;
  readonly session: OldSession;
  readonly token: ReadToken;
  readonly restore: Restoring;
  readonly reflush: Reflush;
  readonly upkeep: { readonly doneAt: Millis };
  readonly draft: Draft;
  readonly alerting: Alerting;
  readonly detector: DetectorBook;
  readonly notice: Notice;
  readonly watching: Watching;
  readonly steering: Steering;
  readonly series: Series;
  readonly audit: AuditHead;
  readonly person: Person;
  readonly login: Login;
  readonly ticket: Ticket;
  readonly spent: { readonly challenge: string; readonly until: Millis };
  readonly merged: MergedIncident;
  readonly reminder: Reminder;
  readonly message: Message;
}

/**
 * How far a Board is that began with empty storage: the documents that the archive holds, then the journal from `after`
 * on, then the Clusters are asked who speaks for them. There is no such document once all is back.
 */
export interface Restoring {
  readonly startedAt: Millis;
  readonly phase: "documents" | "changes" | "clusters";
  readonly after: BoardCursor | null;
  /** Clusters that have not answered yet, and how often they were asked. */
  readonly unasked: readonly string[];
  readonly attempts: number;
}
type Kind = keyof Documents;
type Shelf = { readonly [K in Kind]: Map<string, Documents[K]> };

/** Sending again what a Postgres that was restored to `since` may have lost: the last such run, or the one under way. */
export interface Reflush {
  readonly since: Millis;
  readonly by: string;
  readonly startedAt: Millis;
  /** Null while Clusters are still to be asked. */
  readonly finishedAt: Millis | null;
  /** Facts of the page itself that go out again. */
  readonly own: number;
  readonly pending: readonly string[];
  readonly asked: number;
  /** Facts of the Clusters that answered. */
  readonly facts: number;
  /** Clusters that could not be reached, and why. */
  readonly unreachable: readonly { readonly cluster: string; readonly reason: string }[];
}

const WORK: ReadonlySet<Kind> = new Set([
  "restore",
  "reflush",
  "upkeep",
  "announcement",
  "incident",
  "draft",
  "alerting",
  "detector",
  "notice",
  "watching",
  "steering",
  "series",
  "audit",
  "person",
  "login",
  "ticket",
  "spent",
  "merged",
  "reminder",
  "message",
]);

/** The first version stops at a document of a kind that it does not know, and a rollback must not stop the page. */
function tableOf(kind: Kind): "doc" | "work" {
  return WORK.has(kind) ? "work" : "doc";
}

/** Whether a row may leave: of the audit, one that has its number, or of an earlier version, which knew none. */
const LINKED = "kind <> 'audit' OR coalesce(json_extract(body, '$.n'), -1) <> 0";

/** Characters of a call to Postgres, but for its last row: Neon takes 10 MB. */
const QUEUED_TEXT_MAX = 1_000_000;

/** A call to a Cluster that must arrive: put a lease into force, or take it out. */
export interface Errand {
  readonly key: string;
  readonly at: Millis;
  readonly cluster: string;
  readonly maintenance: string;
  readonly act: "set" | "release";
}

export class BoardMemory {
  readonly #sql: Meter;
  readonly #docs: Shelf = {
    page: new Map(),
    component: new Map(),
    maintenance: new Map(),
    announcement: new Map(),
    incident: new Map(),
    cluster: new Map(),
    session: new Map(),
    token: new Map(),
    restore: new Map(),
    reflush: new Map(),
    upkeep: new Map(),
    draft: new Map(),
    alerting: new Map(),
    detector: new Map(),
    notice: new Map(),
    watching: new Map(),
    steering: new Map(),
    series: new Map(),
    audit: new Map(),
    person: new Map(),
    login: new Map(),
    ticket: new Map(),
    spent: new Map(),
    merged: new Map(),
    reminder: new Map(),
    message: new Map(),
  };
  readonly #changes = new Map<string, StatusChange[]>();
  /** The moment of the last entry of the audit. */
  #auditedAt = 0;
  /** Since when each row of the outbox waits: asked for with every render. */
  readonly #queued = new Map<string, Millis>();
  /** Null after a component came, changed or went: made again when somebody asks. */
  #byCluster: ReadonlyMap<string, readonly Component[]> | null = null;

  constructor(sql: Meter, changesSince: Millis) {
    this.#sql = sql;
    for (const table of [
      "doc (kind TEXT, key TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, key))",
      "change (component TEXT, at INTEGER, status TEXT NOT NULL, PRIMARY KEY (component, at))",
      "outbox (kind TEXT, key TEXT, revision INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, key))",
      "errand (key TEXT PRIMARY KEY, body TEXT NOT NULL)",
      "work (kind TEXT, key TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, key))",
    ]) {
      sql.exec(`CREATE TABLE IF NOT EXISTS ${table} WITHOUT ROWID`);
    }
    // An earlier version deleted what was sent, and made the table without these.
    for (const column of ["sent", "since"])
      if (sql.exec("SELECT 1 FROM pragma_table_info('outbox') WHERE name = ?", column).length === 0)
        sql.exec(`ALTER TABLE outbox ADD COLUMN ${column} INTEGER`);
    this.#load(changesSince);
  }

  get<K extends Kind>(kind: K, key: string): Documents[K] | null {
    return this.#docs[kind].get(key) ?? null;
  }

  all<K extends Kind>(kind: K): readonly Documents[K][] {
    return [...this.#docs[kind].values()];
  }

  map<K extends Kind>(kind: K): ReadonlyMap<string, Documents[K]> {
    return this.#docs[kind];
  }

  put<K extends Kind>(kind: K, key: string, body: Documents[K]): void {
    const json = JSON.stringify(body);
    this.#sql.exec(`INSERT OR REPLACE INTO ${tableOf(kind)} (kind, key, body) VALUES (?, ?, ?)`, kind, key, json);
    this.#docs[kind].set(key, body);
    if (kind === "component") this.#byCluster = null;
  }

  remove(kind: Kind, key: string): void {
    this.#sql.exec(`DELETE FROM ${tableOf(kind)} WHERE kind = ? AND key = ?`, kind, key);
    this.#docs[kind].delete(key);
    if (kind === "component") this.#byCluster = null;
  }

  /** The components that a cluster's evidence says something of. */
  componentsOf(cluster: string): readonly Component[] {
    this.#byCluster ??= componentsByCluster(this.all("component"));
    return this.#byCluster.get(cluster) ?? [];
  }

  /** Takes out what earlier versions kept of tells: a row each. */
  takeOldTells(): readonly Tell[] {
    const rows = this.#sql.exec<{ body: string }>("SELECT body FROM doc WHERE kind = 'tell'");
    if (rows.length > 0) this.#sql.exec("DELETE FROM doc WHERE kind = 'tell'");
    return rows.map(({ body }) => JSON.parse(body) as Tell);
  }

  get changes(): ReadonlyMap<string, readonly StatusChange[]> {
    return this.#changes;
  }

  lastChange(component: string): StatusChange | null {
    return this.#changes.get(component)?.at(-1) ?? null;
  }

  record(change: StatusChange): void {
    const { component, at, status } = change;
    this.#sql.exec("INSERT OR REPLACE INTO change (component, at, status) VALUES (?, ?, ?)", component, at, status);
    const known = (this.#changes.get(component) ?? []).filter((other) => other.at !== at);
    this.#changes.set(component, [...known, change]);
  }

  /** Puts what the archive holds of a component's journal in front of what was recorded since. */
  join(component: string, back: readonly StatusChange[]): void {
    const since = this.#changes.get(component) ?? [];
    const joined = joinedChanges(back, since);
    const moments = new Set(joined.map(({ at }) => at));
    for (const { at } of since)
      if (!moments.has(at)) this.#sql.exec("DELETE FROM change WHERE component = ? AND at = ?", component, at);
    for (const change of joined) if (!since.includes(change)) this.record(change);
    this.#changes.set(component, [...joined]);
  }

  /** Forgets a component with all that was recorded of it and has not left yet. */
  forgetComponent(id: string): void {
    this.remove("component", id);
    this.#sql.exec("DELETE FROM change WHERE component = ?", id);
    this.#changes.delete(id);
    for (const name of this.#queued.keys()) {
      const colon = name.indexOf(":");
      const [kind, key] = [name.slice(0, colon), name.slice(colon + 1)];
      const isIts = kind === "component" ? key === id : kind === "status_change" && key.startsWith(`${id}:`);
      if (!isIts) continue;
      this.#sql.exec("DELETE FROM outbox WHERE kind = ? AND key = ?", kind, key);
      this.#queued.delete(name);
    }
  }

  /** Drops rows that were sent long ago, and changes that no page shows any more, but the last change before it: that one still says what the first day began with. */
  prune(before: Millis, sentBefore: Millis): void {
    this.#sql.exec("DELETE FROM outbox WHERE sent < ?", sentBefore);
    for (const [component, changes] of this.#changes) {
      const keep = Math.max(
        0,
        changes.findLastIndex((change) => change.at <= before),
      );
      const cut = changes[keep]?.at;
      if (keep === 0 || cut === undefined) continue;
      this.#sql.exec("DELETE FROM change WHERE component = ? AND at < ?", component, cut);
      this.#changes.set(component, changes.slice(keep));
    }
  }

  // ── on the way out ────────────────────────────────────────────────────────────────────────────────────────────────

  queue(row: BoardRow): void {
    const { kind, key, revision, at, body } = row;
    // Not `at`: what is found out late was true long before it could wait.
    const since = this.#queued.get(`${kind}:${key}`) ?? Date.now();
    this.#sql.exec(
      "INSERT OR REPLACE INTO outbox (kind, key, revision, at, body, since) VALUES (?, ?, ?, ?, ?, ?)",
      kind,
      key,
      revision,
      at,
      storable(body),
      since,
    );
    this.#queued.set(`${kind}:${key}`, since);
  }

  /** Keeps and archives the page's settings as `by` has just changed them. @param change null: compares the settings */
  putPage(
    page: PageSettings,
    act: string,
    by: string,
    now: Millis,
    subject = "page",
    change: Changed | null = null,
  ): void {
    const before = this.get("page", "page");
    this.put("page", "page", page);
    this.queue({ kind: "page", key: "page", revision: now, at: now, body: { ...page } });
    this.audit(act, subject, by, now, change ?? { before, after: page });
  }

  /** Writes down who did what, and what it changed. It is numbered on its way out: until then its `n` is 0. */
  audit(act: string, subject: string, by: string, at: Millis, change: Changed | null = null): void {
    const changed = change === null ? null : recorded(change);
    // What was done within one millisecond was done one after the other, and is read so.
    const since = this.#auditedAt - at;
    this.#auditedAt = since >= 0 && since < SECOND ? this.#auditedAt + 1 : at;
    const said = { act, subject: textOf(subject), by: textOf(by), change: changed };
    const body = { n: 0, at: this.#auditedAt, ...said };
    this.queue({ kind: "audit", key: freshId(), revision: 1, at: this.#auditedAt, body });
  }

  /** Entries of the audit that have no number yet, oldest first. */
  unlinked(limit: number): readonly BoardRow[] {
    if (this.waiting("audit") === 0) return [];
    return this.#sql
      .exec<{ key: string; revision: number; at: number; body: string }>(
        `SELECT key, revision, at, body FROM outbox WHERE kind = 'audit' AND NOT (${LINKED}) ORDER BY at, key LIMIT ?`,
        limit,
      )
      .map((row) => ({ ...row, kind: "audit", body: JSON.parse(row.body) as BoardRow["body"] }));
  }

  /** Puts an entry that has its number in the place of the same without. */
  renameAudit(from: string, to: string, body: BoardRow["body"]): void {
    const since = this.#queued.get(`audit:${from}`) ?? Date.now();
    const json = JSON.stringify(body);
    this.#sql.exec("UPDATE outbox SET key = ?, body = ? WHERE kind = 'audit' AND key = ?", to, json, from);
    this.#queued.delete(`audit:${from}`);
    this.#queued.set(`audit:${to}`, since);
  }

  /** What is held of the audit, sent or not, newest first. */
  recentAudit(limit: number): readonly (BoardRow & { readonly isSent: boolean })[] {
    return this.#sql
      .exec<{ key: string; revision: number; at: number; body: string; sent: number | null }>(
        "SELECT key, revision, at, body, sent FROM outbox WHERE kind = 'audit' ORDER BY at DESC, key DESC LIMIT ?",
        limit,
      )
      .map(({ sent, body, ...row }) => ({
        ...row,
        kind: "audit",
        body: JSON.parse(body) as BoardRow["body"],
        isSent: sent !== null,
      }));
  }

  /** The oldest that wait, as many as fit into one call. */
  queued(limit: number): readonly BoardRow[] {
    if (this.#queued.size === 0) return [];
    return this.#sql
      .exec<{ kind: BoardRow["kind"]; key: string; revision: number; at: number; body: string }>(
        `SELECT kind, key, revision, at, body FROM (
          SELECT *, sum(length(body)) OVER (ORDER BY at, kind, key) AS until
          FROM (SELECT * FROM outbox WHERE sent IS NULL AND (${LINKED}) ORDER BY at, kind, key LIMIT ?)
        ) WHERE until - length(body) < ?`,
        limit,
        QUEUED_TEXT_MAX,
      )
      .map((row) => ({ ...row, body: JSON.parse(row.body) as BoardRow["body"] }));
  }

  /** Takes rows off the queue that Postgres has, unless a newer revision took their place meanwhile. They are kept. */
  unqueue(rows: readonly BoardRow[], now: Millis): void {
    for (const { kind, key, revision } of rows) {
      const sent = this.#sql.exec(
        "UPDATE outbox SET sent = ? WHERE kind = ? AND key = ? AND revision = ? RETURNING 1",
        now,
        kind,
        key,
        revision,
      );
      if (sent.length > 0) this.#queued.delete(`${kind}:${key}`);
    }
  }

  /** Queues again what was sent at `since` or later and is still kept. */
  queueAgain(since: Millis, now: Millis): void {
    const again = this.#sql.exec<{ kind: string; key: string }>(
      "UPDATE outbox SET sent = NULL, since = ? WHERE sent >= ? RETURNING kind, key",
      now,
      since,
    );
    for (const { kind, key } of again) this.#queued.set(`${kind}:${key}`, now);
  }

  backlog(): Backlog {
    let since = Number.POSITIVE_INFINITY;
    for (const at of this.#queued.values()) since = Math.min(since, at);
    return { waiting: this.#queued.size, since: this.#queued.size === 0 ? null : since };
  }

  /** How many rows of a kind wait. */
  waiting(kind: BoardRow["kind"]): number {
    return [...this.#queued.keys()].filter((name) => name.startsWith(`${kind}:`)).length;
  }

  /** Since when the newest of each key of a kind waits. */
  waitingSince(kind: BoardRow["kind"]): ReadonlyMap<string, Millis> {
    const prefix = `${kind}:`;
    const mine = [...this.#queued].filter(([name]) => name.startsWith(prefix));
    return new Map(mine.map(([name, since]) => [name.slice(prefix.length), since]));
  }

  /** Whether a call to a Cluster or a row for Postgres waits, or something to come back from there. */
  hasErrands(): boolean {
    if (this.#queued.size > 0 || this.#docs.restore.size > 0) return true;
    if (this.#docs.reflush.get("latest")?.finishedAt === null) return true;
    return this.#sql.exec("SELECT 1 FROM errand LIMIT 1").length > 0;
  }

  send(errand: Errand): void {
    this.#sql.exec("INSERT OR REPLACE INTO errand (key, body) VALUES (?, ?)", errand.key, JSON.stringify(errand));
  }

  /** Oldest first; of the same moment the lease before its release. */
  errands(): readonly Errand[] {
    return this.#sql
      .exec<{ body: string }>("SELECT body FROM errand ORDER BY key DESC")
      .map(({ body }) => JSON.parse(body) as Errand)
      .toSorted((a, b) => a.at - b.at);
  }

  done(errand: Errand): void {
    this.#sql.exec("DELETE FROM errand WHERE key = ?", errand.key);
  }

  #load(changesSince: Millis): void {
    for (const { kind, key, body } of this.#sql.exec<{ kind: Kind; key: string; body: string }>(
      "SELECT kind, key, body FROM doc WHERE kind <> 'tell' UNION ALL SELECT kind, key, body FROM work",
    )) {
      // Written by `put` above: each kind has one type. One of a later version is none of ours, and stays for that.
      (this.#docs[kind] as Map<string, unknown> | undefined)?.set(key, JSON.parse(body));
    }
    const rows = this.#sql.exec<{ component: string; at: number; status: StatusChange["status"] }>(
      "SELECT component, at, status FROM change WHERE at >= ? ORDER BY component, at",
      changesSince,
    );
    for (const { kind, key, since } of this.#sql.exec<{ kind: string; key: string; since: number }>(
      "SELECT kind, key, coalesce(since, at) AS since FROM outbox WHERE sent IS NULL",
    )) {
      this.#queued.set(`${kind}:${key}`, since);
    }
    for (const row of rows) this.#changes.set(row.component, [...(this.#changes.get(row.component) ?? []), { ...row }]);
  }
}

/** As Postgres can keep it: a text that it refuses would hold up everything behind it for ever. */
function storable(body: BoardRow["body"]): string {
  const json = JSON.stringify(body);
  if (!/\\u(?:0000|d[89a-f])/.test(json)) return json;
  return JSON.stringify(body, (_, value: unknown) =>
    typeof value === "string" ? value.replaceAll("\0", "").toWellFormed() : value,
  );
}
