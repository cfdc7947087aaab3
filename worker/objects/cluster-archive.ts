/**
 * Brings what a Cluster holds to Postgres.
 *
 * Pushes start the flushes, because an alarm of its own for each would cost a row and a request; one alarm far out is
 * the net for an agent that fell silent. Where a flush ended, and how often it failed, is noted on the agent's session,
 * which costs nothing and outlives this object's memory; with no session it is a row a flush.
 */
import type { Millis } from "../../protocol/time.ts";
import type { Bounds, Note, Pace } from "../core/outbox.ts";
import { AT_EASE, afterFailure, alarmAt, flushDue } from "../core/outbox.ts";
import { openDatabase } from "../store/database.ts";
import { FLUSH_RECORDS_MAX } from "../store/flush.ts";
import type { ClusterCounts } from "./cluster-counts.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import type { ClusterSessions } from "./cluster-sessions.ts";
import type { Env } from "./env.ts";
import type { Meter } from "./meter.ts";
import { storeAll } from "./store-all.ts";

/** One statement's worth: Neon takes 10 MB a request, and a push brings 256 KiB at most. */
const BOUNDS: Bounds = { recordsMax: FLUSH_RECORDS_MAX, bytesMax: 4 * 1024 * 1024 };

/** Statements of one run: far more than a full outbox, so only a bug meets it. */
const STATEMENTS_MAX = 1_000;

/** What the archive asks of its object. */
interface ArchiveOwner {
  readonly ctx: DurableObjectState;
  readonly env: Env;
  readonly memory: ClusterMemory;
  readonly sessions: ClusterSessions;
  readonly counted: ClusterCounts;
  readonly meter: Meter;
  /** The cluster's name; null if it was never made. */
  cluster(this: void): string | null;
}

export class ClusterArchive {
  readonly #owner: ArchiveOwner;
  readonly #intervalMs: number;
  #pace: Pace;
  #pushedAt: Millis | null = null;
  #running: Promise<void> | null = null;
  /** When the alarm comes; null if none is set. */
  #alarmAt: Millis | null = null;

  constructor(owner: ArchiveOwner) {
    this.#owner = owner;
    this.#intervalMs = Number(owner.env.FLUSH_INTERVAL_MS);
    const note = owner.sessions.kept.note ?? owner.memory.read<Note>("note");
    this.#pace = note ?? AT_EASE;
    owner.memory.load(note);
    // Not believed: this object was rewound. It must not come true once there are as many rows again.
    if (note !== null && note.flushed > owner.memory.outbox.flushed) owner.sessions.keep({ note: null });
  }

  /** Looks whether an alarm is set. To be called before anything else happens, and when it may have been lost. */
  async look(): Promise<void> {
    this.#alarmAt = await this.#owner.ctx.storage.getAlarm();
  }

  /** A push was taken in. Synchronous, so that the alarm is set with the row that it is for. */
  pushed(now: Millis): void {
    this.#pushedAt = now;
    this.#tend(now);
  }

  /** The edge itself made records of what others than the agent told. Synchronous, as `pushed`. */
  told(now: Millis): void {
    this.#tend(now);
  }

  /** A wake from outside: for an alarm that was lost, and for facts whose agent is silent. */
  async wake(): Promise<void> {
    await this.look();
    this.#tend(Date.now());
  }

  /** Sees to it that the alarm comes no later than this. */
  arm(at: Millis): void {
    if (this.#alarmAt !== null && this.#alarmAt <= at) return;
    this.#alarmAt = at;
    this.#owner.meter.alarmSet();
    // Not awaited: the output gate holds every answer until the alarm is stored too.
    void this.#owner.ctx.storage.setAlarm(at);
  }

  /**
   * The alarm: does the errand, then sends what waits. A wake carries no news, so a late or double one does no harm.
   * Never throws: the runtime tries a failed alarm six times and then stops for good, so it is set again here.
   */
  async alarm(errand: () => Promise<void>): Promise<void> {
    this.#alarmAt = null;
    this.#owner.meter.called("alarm");
    this.#owner.counted.alarm();
    try {
      await errand();
      await this.flush();
    } catch (error) {
      this.#failed("alarm_failed", error);
    } finally {
      this.#net(Date.now());
    }
  }

  /** Sends everything that waits, or joins the run that does. Never throws. */
  flush(): Promise<void> {
    this.#running ??= this.#drain().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Sends again what a Postgres restored to `since` may have lost, and is still held. Counts the records. */
  async reflush(since: Millis): Promise<number> {
    const count = this.#owner.memory.sendAgain(since);
    this.#net(Date.now());
    // Not joined to a run that is under way: it may have looked for the last time.
    await this.#running;
    await this.flush();
    return count;
  }

  #tend(now: Millis): void {
    const { outbox } = this.#owner.memory;
    if (flushDue(outbox, this.#pace, BOUNDS, this.#intervalMs, now).flush) this.#owner.ctx.waitUntil(this.flush());
    this.#net(now);
  }

  /** The alarm under everything that waits, unless one is set already. */
  #net(now: Millis): void {
    if (this.#alarmAt !== null) return;
    const at = alarmAt(this.#owner.memory.outbox, this.#pace, this.#pushedAt, this.#intervalMs, now);
    if (at !== null) this.arm(at);
  }

  async #drain(): Promise<void> {
    const before = this.#pace;
    let sent = 0;
    try {
      while (sent < STATEMENTS_MAX && (await this.#sendBatch())) {
        sent++;
        this.#noteOnSession();
      }
    } catch (error) {
      this.#failed("flush_broken", error);
    }
    if (sent === 0 && this.#pace === before) return;
    if (!this.#noteOnSession()) this.#owner.memory.write("note", this.#note());
  }

  /** True if a batch came to Postgres and more may wait. */
  async #sendBatch(): Promise<boolean> {
    const { memory, env, meter } = this.#owner;
    const cluster = this.#owner.cluster();
    const batch = cluster === null ? null : memory.nextBatch(this.#pace, BOUNDS);
    if (cluster === null || batch === null) return false;
    const database = openDatabase({ url: env.DATABASE_URL, fetchEndpoint: env.NEON_FETCH_ENDPOINT });
    const isStored = await storeAll(database, cluster, batch.records, meter);
    this.#owner.counted.flushed(isStored);
    if (!isStored) {
      this.#pace = afterFailure(this.#pace, Date.now(), Math.random());
      return false;
    }
    this.#pace = AT_EASE;
    memory.flushed(batch, Date.now());
    return true;
  }

  #note(): Note {
    return { ...this.#pace, flushed: this.#owner.memory.outbox.flushed, at: Date.now() };
  }

  /** False if there is no session to note it on. */
  #noteOnSession(): boolean {
    return this.#owner.sessions.keep({ note: this.#note(), counts: this.#owner.counted.counts });
  }

  #failed(event: string, error: unknown): void {
    this.#pace = afterFailure(this.#pace, Date.now(), Math.random());
    console.error(JSON.stringify({ event, cluster: this.#owner.cluster(), error: String(error) }));
  }
}
