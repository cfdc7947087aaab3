/**
 * The Board's books: the evidence held, the journal of what it made true, and what open pages are told of both. Every
 * change of evidence goes through `change`, which settles the components that it can touch, and no others.
 */
import type { ArchiveState, PageLog, PageSnapshot } from "../../protocol/page.ts";
import { holdsUntil } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, SECOND } from "../../protocol/time.ts";
import { delaysOf } from "../core/archive.ts";
import type { Delay } from "../core/archive.ts";
import { isTimeZone } from "../core/calendar.ts";
import { judgedBy } from "../core/announced.ts";
import type { Brand } from "../core/brand.ts";
import type { Component, Evidence, StatusChange } from "../core/component.ts";
import { changesAt, changesUntil } from "../core/component.ts";
import { NOTICE_DAYS } from "../core/notice-policy.ts";
import { promises } from "../core/reminder.ts";
import type { PageFacts } from "../core/snapshot.ts";
import { publicChange, publicLog, publicSnapshot } from "../core/snapshot.ts";
import type { BoardDay } from "./board-day.ts";
import type { BoardMemory } from "./board-memory.ts";
import type { OutsideMemory } from "./outside-memory.ts";
import type { TellMemory } from "./tell-memory.ts";
import type { UptimeMemory } from "./uptime-memory.ts";
import type { Env } from "./env.ts";
import { RELAY_SHARDS } from "./relay.ts";

/** Numbers move every 30 s a cluster; open pages are told of them at most this often. Statuses go out at once. */
const PUBLISH_NUMBERS_MS = 5 * SECOND;

/** Making one takes 2 ms for 20 components and 100 ms for 1,000, and every data centre asks by itself. */
const SNAPSHOT_KEPT_MS = SECOND;
/** A Board that is new asks the archive too, and finds nothing: no visitor needs to read of that. */
const RESTORE_UNMENTIONED_MS = 5 * SECOND;

export class BoardBooks {
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  readonly #memory: BoardMemory;
  readonly #tells: TellMemory;
  readonly #uptime: UptimeMemory;
  readonly #outside: OutsideMemory;
  readonly #day: BoardDay;
  /** Looks whether a change left something to do for the alarm or for an errand. */
  readonly #afterChange: () => void;
  /** Never one that an earlier life gave to other content: a browser would be told that its old page is unchanged. */
  #version: number;
  #publishedAt: Millis = 0;
  /** Set while a change is applied that open pages must hear of at once. */
  #urgent = false;
  #snapshot: { readonly made: PageSnapshot; readonly until: Millis } | null = null;
  /** What open pages were told of the archive last. */
  #published = "";
  #judged = 0;

  constructor(
    ctx: DurableObjectState,
    env: Env,
    held: {
      readonly memory: BoardMemory;
      readonly tells: TellMemory;
      readonly uptime: UptimeMemory;
      readonly outside: OutsideMemory;
      readonly day: BoardDay;
    },
    now: Millis,
    afterChange: () => void,
  ) {
    this.#ctx = ctx;
    this.#env = env;
    this.#memory = held.memory;
    this.#tells = held.tells;
    this.#uptime = held.uptime;
    this.#outside = held.outside;
    this.#day = held.day;
    this.#version = now;
    this.#afterChange = afterChange;
  }

  /** Components judged since the object woke. */
  get judged(): number {
    return this.#judged;
  }

  /**
   * Closes the books on the old evidence, applies a change, opens them on the new, and tells the open pages.
   *
   * @param cluster whose evidence or maintenance changes; null if components themselves do
   */
  change(now: Millis, cluster: string | null, apply: () => void): void {
    const before = this.#version;
    let changed = false;
    this.#urgent = false;
    this.#ctx.storage.transactionSync(() => {
      changed = this.#settle(changesUntil, cluster, now);
      apply();
      changed = this.#settle(changesAt, cluster, now) || changed;
    });
    this.#version = Math.max(before + 1, now);
    if (changed || this.#urgent || now - this.#publishedAt >= PUBLISH_NUMBERS_MS) this.#publish(now);
    this.#afterChange();
  }

  /** What is being changed is news to open pages, whatever it makes true. */
  mark(): void {
    this.#urgent = true;
  }

  /** Writes down what time alone made true: evidence that expired, maintenance that began or ended. */
  settle(now: Millis): void {
    this.#ctx.storage.transactionSync(() => this.#settle(changesUntil, null, now));
  }

  /** Tells open pages if the archive fell behind or caught up: nothing that a Cluster tells need say so. */
  tellOfArchive(now: Millis): void {
    if (JSON.stringify(this.#archive(now)) === this.#published) return;
    this.#version = Math.max(this.#version + 1, now);
    this.#publish(now);
  }

  /** Where facts have waited for too long. */
  delays(now: Millis): readonly Delay[] {
    return delaysOf(this.#memory.backlog(), this.#tells.map.values(), Number(this.#env.FLUSH_INTERVAL_MS), now);
  }

  /** Puts an entry of the journal on its way to Postgres. */
  archive(change: StatusChange): void {
    const key = `${change.component}:${change.at}`;
    this.#memory.queue({ kind: "status_change", key, revision: 1, at: change.at, body: { ...change } });
  }

  /** What visitors get. Made at most once a second, unless something happened, or evidence expired, meanwhile. */
  snapshot(now: Millis): PageSnapshot {
    if (this.#snapshot !== null && now < this.#snapshot.until) return this.#snapshot.made;
    const facts = this.facts(now);
    const made = publicSnapshot({ ...facts, metrics: this.#day.metrics(facts.page, now) }, now);
    this.#snapshot = { made, until: Math.min(now + SNAPSHOT_KEPT_MS, holdsUntil(made.components, now)) };
    return made;
  }

  /** What the pages further back get. Nothing asks for it but what a Worker keeps for some seconds. */
  log(now: Millis): PageLog {
    return publicLog(this.facts(now), now);
  }

  facts(now: Millis): PageFacts {
    return {
      version: this.#version,
      page: this.page(),
      components: this.#memory.all("component"),
      ...this.#evidence(),
      changes: this.#memory.changes,
      frozen: this.#uptime.frozen,
      archive: this.#archive(now),
      merged: this.#memory.all("merged"),
      promises: promises(this.#memory.all("reminder"), now),
    };
  }

  #evidence(): Evidence {
    return {
      tells: this.#tells.map,
      maintenances: this.#memory.all("maintenance"),
      outside: this.#outside.map,
      announcements: this.#memory.all("announcement"),
      incidents: this.#memory.all("incident"),
    };
  }

  #archive(now: Millis): ArchiveState {
    const restore = this.#memory.get("restore", "restore");
    const isRestoring =
      restore !== null && restore.phase !== "clusters" && now - restore.startedAt > RESTORE_UNMENTIONED_MS;
    return { delayedSince: this.delays(now)[0]?.since ?? null, isRestoring };
  }

  /** In which days are cut where no operator says otherwise. */
  get deploymentZone(): string {
    return isTimeZone(this.#env.PAGE_TIME_ZONE) ? this.#env.PAGE_TIME_ZONE : "Etc/UTC";
  }

  /** Name and zone are the deployment's, unless an operator said others; the rest was made once. */
  page(): PageFacts["page"] {
    // Made by the archive before anybody can ask.
    const held: Partial<PageFacts["page"]> = this.#memory.get("page", "page") ?? {};
    const { id = "", createdAt = 0, brand } = held;
    return {
      ...held,
      id,
      createdAt,
      name: brand?.name ?? this.#env.PAGE_NAME,
      timeZone: brand?.timeZone ?? this.deploymentZone,
    };
  }

  /** How long before it starts a planned maintenance must be told of, ms. */
  get noticeMs(): Millis {
    return (this.page().noticeDays ?? NOTICE_DAYS) * DAY;
  }

  /** Takes a brand into use: what visitors get from now on is another page, also to whoever holds its ETag. */
  brand(brand: Brand, by: string, now: Millis): void {
    this.change(now, null, () => {
      const { brand: _, ...rest } = this.page();
      const name = brand.name ?? this.#env.PAGE_NAME;
      const timeZone = brand.timeZone ?? this.deploymentZone;
      const isOurs = Object.keys(brand).length === 0;
      this.#memory.putPage({ ...rest, name, timeZone, ...(isOurs ? {} : { brand }) }, "page.change", by, now);
      this.mark();
    });
  }

  /** Passes a frame on to one shard of open pages. */
  speak(shard: string, frame: string): void {
    const spoken = this.#env.RELAY.getByName(shard).publish(frame);
    // A shard that cannot be reached leaves its pages with what they have; they age by themselves.
    this.#ctx.waitUntil(
      spoken.catch((error: unknown) => console.warn(JSON.stringify({ event: "publish_failed", error: String(error) }))),
    );
  }

  #publish(now: Millis): void {
    this.#publishedAt = now;
    this.#snapshot = null;
    const facts = this.facts(now);
    this.#published = JSON.stringify(facts.archive);
    const frame = JSON.stringify(publicChange(facts, now));
    for (let shard = 0; shard < RELAY_SHARDS; shard++) this.speak(String(shard), frame);
  }

  /** Records what became true of each component that the change can touch. True if anything did. */
  #settle(changesOf: typeof changesUntil, cluster: string | null, now: Millis): boolean {
    const components = this.#touched(cluster);
    const evidence = judgedBy(this.#evidence(), now);
    this.#judged += components.length;
    let changed = false;
    for (const component of components) {
      for (const change of changesOf(component, evidence, this.#memory.lastChange(component.id), now)) {
        this.#memory.record(change);
        this.archive(change);
        changed = true;
      }
    }
    return changed;
  }

  #touched(cluster: string | null): readonly Component[] {
    return cluster === null ? this.#memory.all("component") : this.#memory.componentsOf(cluster);
  }
}
