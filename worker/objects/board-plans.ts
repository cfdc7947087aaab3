/**
 * Planned maintenances from the notice to the all-clear. Time brings most of it: `settle` looks at what stands there and
 * writes down what became due, however late it wakes and however often. `core` decides what that is.
 */
import { failure, success } from "../../protocol/result.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Announcing } from "../core/announce.ts";
import { componentsNamed, OPEN_MAX } from "../core/announce.ts";
import { cancelledMaintenance } from "../core/announce-maintenance.ts";
import { checklistOf } from "../core/checklist.ts";
import { componentVerdict } from "../core/component.ts";
import type { Announcement, Maintenance } from "../core/maintenance.ts";
import { maintenanceStatus, verifyingSince } from "../core/maintenance.ts";
import type { Notice, NoticeFacts } from "../core/notices.ts";
import { nextNoticeAt, noticesDue } from "../core/notices.ts";
import type { PlanRequest } from "../core/plan.ts";
import {
  allClearAt,
  completed,
  isWorkOver,
  leasesFor,
  overdueFrom,
  planMaintenance,
  ticked,
  verified,
} from "../core/plan.ts";
import type { Watching } from "../core/plan-facts.ts";
import { toRenew } from "../core/renewal.ts";
import type { Series } from "../core/schedule.ts";
import type { Check } from "../core/verify.ts";
import { checksOf, watchedOn } from "../core/verify.ts";
import type { Watched } from "../core/watch.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMaintenance } from "./board-maintenance.ts";
import type { BoardMemory } from "./board-memory.ts";
import type { BoardNews } from "./board-news.ts";
import type { SeriesAct } from "./board-series.ts";
import { BoardSeries } from "./board-series.ts";
import { freshId } from "./crypto.ts";
import type { TellMemory } from "./tell-memory.ts";

export type PlanAct =
  | { readonly kind: "maintenance.plan"; readonly request: PlanRequest }
  | { readonly kind: "maintenance.verify"; readonly id: string }
  | { readonly kind: "maintenance.complete"; readonly id: string }
  | { readonly kind: "maintenance.tick"; readonly id: string; readonly item: string; readonly isDone: boolean }
  | { readonly kind: "notice.policy"; readonly days: number }
  | SeriesAct;

type ChangeAct = Extract<
  PlanAct,
  { readonly kind: "maintenance.verify" | "maintenance.complete" | "maintenance.tick" }
>;

/** Since when notices are kept here, and the number of the newest. */
export interface Steering {
  readonly since: Millis;
  readonly number: number;
}

/** One that takes longer than it should: since when, and why. */
export interface Overdue {
  readonly id: string;
  readonly name: string;
  readonly at: Millis;
  readonly reason: string;
}

/** While something is verified its checks are looked at this often. */
const CHECK_MS = MINUTE;
/** What acts as the page itself. */
const CLOCK = "the checks";

/** What an operator sees of a maintenance beside what is announced of it. */
export interface PlanView {
  readonly notices: readonly Notice[];
  readonly watching: Watching | null;
  /** Null while nothing is verified. */
  readonly checks: readonly Check[] | null;
  /** Since when this page keeps notices. */
  readonly since: Millis;
}

export class BoardPlans {
  readonly #memory: BoardMemory;
  readonly #tells: TellMemory;
  readonly #books: BoardBooks;
  readonly #maintenance: BoardMaintenance;
  readonly #news: BoardNews;
  readonly #keepAnnouncement: (announcement: Announcement, act: string, by: string, now: Millis) => void;
  /** Asks for what events told of anomalies; the copy may be a minute old. */
  readonly #series: BoardSeries;
  readonly #watched: () => Promise<Watched | null>;
  #nextAt: Millis | null = null;
  #seen: Watched | null = null;

  constructor(held: {
    readonly memory: BoardMemory;
    readonly tells: TellMemory;
    readonly books: BoardBooks;
    readonly maintenance: BoardMaintenance;
    readonly news: BoardNews;
    readonly keep: (announcement: Announcement, act: string, by: string, now: Millis) => void;
    readonly watched: () => Promise<Watched | null>;
  }) {
    this.#memory = held.memory;
    this.#tells = held.tells;
    this.#books = held.books;
    this.#maintenance = held.maintenance;
    this.#news = held.news;
    this.#keepAnnouncement = held.keep;
    this.#watched = held.watched;
    this.#series = new BoardSeries(held.memory, (...kept) => this.#keep(...kept));
  }

  // ── what people do ────────────────────────────────────────────────────────────────────────────────────────────────

  run(act: PlanAct, by: string, now: Millis): Announcing<Announcement | Series | null> {
    switch (act.kind) {
      case "maintenance.plan":
        return this.#plan(act.request, by, now);
      case "notice.policy":
        this.#memory.putPage({ ...this.#books.page(), noticeDays: act.days }, act.kind, by, now);
        return success(null);
      case "series.plan":
      case "series.change":
      case "series.end":
        return this.#series.run(act, by, now);
      default:
        return this.#change(act, by, now);
    }
  }

  #plan(request: PlanRequest, by: string, now: Millis): Announcing<Announcement> {
    const open = this.#memory.all("announcement").filter((one) => maintenanceStatus(one, now) !== "completed");
    if (open.length >= OPEN_MAX) return failure({ code: "too_many", which: "maintenances to come" });
    const named = componentsNamed(request.components, this.#memory.all("component"));
    if (!named.ok) return named;
    const ids = named.value.map(({ id }) => id);
    const made = { id: freshId(), update: freshId(), by };
    const planned = planMaintenance(request, ids, made, this.#books.noticeMs, now);
    if (planned.ok) this.#keep(planned.value, "maintenance.plan", by, now);
    return planned;
  }

  #change(act: ChangeAct, by: string, now: Millis): Announcing<Announcement> {
    const announcement = this.#memory.get("announcement", act.id);
    if (announcement?.plan === undefined) return failure({ code: "unknown", which: act.id });
    const changed = this.#changed(announcement, act, by, now);
    if (changed.ok && changed.value !== announcement) this.#keep(changed.value, act.kind, by, now);
    return changed;
  }

  #changed(announcement: Announcement, act: ChangeAct, by: string, now: Millis): Announcing<Announcement> {
    const made = { id: freshId(), by };
    switch (act.kind) {
      case "maintenance.verify":
        return verified(announcement, made, now);
      case "maintenance.complete":
        return completed(announcement, this.#isAllWell(announcement, now), made, now);
      case "maintenance.tick":
        return ticked(announcement, act, checklistOf(this.#books.page()), by, now);
    }
  }

  // ── what time brings ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Reads what only the archive knows, where something is verified that asks for it. Never throws. */
  async look(now: Millis): Promise<void> {
    if (this.#memory.all("announcement").some((one) => this.#isVerifying(one, now))) this.#seen = await this.#watched();
  }

  /** Writes down what became due: leases, checks, an all-clear, notices. A wake carries no news: it looks at what is there. */
  settle(now: Millis): void {
    this.#nextAt = null;
    this.#series.settle(this.#books.noticeMs, now);
    for (const one of this.#memory.all("announcement")) if (one.plan !== undefined) this.#steer(one, now);
    for (const one of [...this.#memory.all("announcement"), ...this.#standing()]) this.#tell(one, now);
  }

  /** When time alone brings something next; infinite if it does not. */
  nextAt(now: Millis): Millis {
    if (this.#nextAt !== null) return this.#nextAt;
    const verifying = this.#memory.all("announcement").some((one) => this.#isVerifying(one, now));
    const told = [...this.#memory.all("announcement"), ...this.#standing()].map((one) =>
      nextNoticeAt(one, this.#noticeFacts(one.id), now),
    );
    this.#nextAt = Math.min(...told, verifying ? now + CHECK_MS : Infinity);
    return this.#nextAt;
  }

  /** Those that warn: they take longer than they should, and nobody may overlook it. */
  overdue(now: Millis): readonly Overdue[] {
    return this.#memory.all("announcement").flatMap((one) => {
      const from = overdueFrom(one, this.#memory.get("watching", one.id), now);
      return from === null || from.at > now ? [] : [{ id: one.id, name: one.name, ...from }];
    });
  }

  #steer(announcement: Announcement, now: Millis): void {
    const leases = leasesFor(announcement, now);
    const { plan } = announcement;
    if (leases.length > 0 && plan !== undefined) {
      for (const lease of leases) this.#maintenance.begin(lease, "maintenance.lease", now);
      const held = { ...announcement, plan: { ...plan, leases: leases.map(({ id }) => id) } };
      this.#keep(held, "maintenance.begin", CLOCK, now);
      return;
    }
    if (isWorkOver(announcement, now)) this.#release(announcement, now);
    this.#renew(announcement, now);
    if (this.#isVerifying(announcement, now)) this.#watch(announcement, now);
  }

  /** What its clusters hold goes back. One that expired did so by itself. */
  #release({ plan, by }: Announcement, now: Millis): void {
    for (const id of plan?.leases ?? []) {
      const lease = this.#memory.get("maintenance", id);
      if (lease !== null && maintenanceStatus(lease, now) !== "completed")
        this.#maintenance.change(id, "maintenance.release", by, now, (one) => cancelledMaintenance(one, now));
    }
  }

  /** Its end was moved: whoever holds something for it holds it until then. */
  #renew(announcement: Announcement, now: Millis): void {
    const held = (announcement.plan?.leases ?? []).flatMap((id) => this.#memory.get("maintenance", id) ?? []);
    for (const lease of toRenew(announcement, held, now))
      this.#maintenance.change(lease.id, "maintenance.renew", announcement.by, now, () => success(lease));
  }

  #watch(announcement: Announcement, now: Millis): void {
    const since = verifyingSince(announcement, now) ?? now;
    const before = this.#memory.get("watching", announcement.id);
    const watching = watchedOn(announcement, before, this.#checks(announcement, now), since, now);
    this.#memory.put("watching", announcement.id, watching);
    const clear = allClearAt(announcement, watching, now) ?? Infinity;
    if (announcement.plan?.closing !== "checks" || now < clear) return;
    const done = completed(announcement, this.#isAllWell(announcement, now), { id: freshId(), by: CLOCK }, now);
    if (done.ok) this.#keep(done.value, "maintenance.complete", CLOCK, now);
  }

  #checks(announcement: Announcement, now: Millis): readonly Check[] {
    const facts = { components: this.#memory.all("component"), tells: this.#tells.map, watched: this.#seen };
    return checksOf(announcement, facts, verifyingSince(announcement, now) ?? now, now);
  }

  #isVerifying(announcement: Announcement, now: Millis): boolean {
    return announcement.plan !== undefined && maintenanceStatus(announcement, now) === "verifying";
  }

  /** Whether "all systems operational" is so: what the page says of its components, and the checks. */
  #isAllWell(announcement: Announcement, now: Millis): boolean {
    const facts = this.#books.facts(now);
    const over = { ...announcement, endedAt: now };
    const announcements = (facts.announcements ?? []).map((one) => (one.id === over.id ? over : one));
    return (
      facts.components.every(
        (one) => componentVerdict(one, { ...facts, announcements }, now).status === "operational",
      ) && this.#checks(announcement, now).every(({ verdict }) => verdict === "good" || verdict === "none")
    );
  }

  /** Leases that speak for themselves: started by hand, or announced with one target. */
  #standing(): readonly Maintenance[] {
    return this.#memory.all("maintenance").filter(({ announcement }) => announcement === undefined);
  }

  // ── notices ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #noticeFacts(id: string): NoticeFacts {
    return {
      isKnown: (key) => this.#memory.get("notice", key) !== null,
      watching: this.#memory.get("watching", id),
      since: this.#memory.get("steering", "steering")?.since ?? Infinity,
    };
  }

  #tell(one: Announcement | Maintenance, now: Millis): void {
    for (const due of noticesDue(one, this.#noticeFacts(one.id), now)) {
      const steering = this.#memory.get("steering", "steering") ?? { since: now, number: 0 };
      const notice: Notice = { ...due, number: steering.number + 1 };
      // Without a wait between them they are one write.
      this.#memory.put("steering", "steering", { ...steering, number: notice.number });
      this.#memory.put("notice", notice.key, notice);
      this.#memory.queue({ kind: "notice", key: notice.key, revision: 1, at: now, body: { ...notice } });
      this.#news.ofNotice(notice, one);
    }
  }

  /** Begins to keep notices: what was due before is nobody's news. */
  begin(now: Millis): void {
    if (this.#memory.get("steering", "steering") === null)
      this.#memory.put("steering", "steering", { since: now, number: 0 });
  }

  /** Those that went out or were skipped after the one of that number, oldest first: what a channel reads on from. */
  noticesAfter(number: number, limit: number): readonly Notice[] {
    return this.#memory
      .all("notice")
      .filter((notice) => notice.number > number)
      .toSorted((a, b) => a.number - b.number)
      .slice(0, limit);
  }

  /** Null if there is no such maintenance. */
  async view(id: string, now: Millis): Promise<PlanView | null> {
    const announcement = this.#memory.get("announcement", id);
    if (announcement === null) return null;
    await this.look(now);
    return {
      notices: this.noticesAfter(0, Infinity).filter(({ maintenance }) => maintenance === id),
      watching: this.#memory.get("watching", id),
      checks: this.#isVerifying(announcement, now) ? this.#checks(announcement, now) : null,
      since: this.#memory.get("steering", "steering")?.since ?? now,
    };
  }

  #keep(announcement: Announcement, act: string, by: string, now: Millis): void {
    this.#nextAt = null;
    this.#keepAnnouncement(announcement, act, by, now);
  }
}
