/**
 * What people announce: incidents, which have a file of their own, and maintenances with or without a lease. It stands
 * here before anybody hears of it, so that it works while Postgres is down.
 */
import type { MaintenanceStatus } from "../../protocol/page.ts";
import { failure } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Announcing, UpdateRequest } from "../core/announce.ts";
import { componentsNamed, OPEN_MAX } from "../core/announce.ts";
import type { AnnouncementChange, AnnouncementRequest, LeaseRequest } from "../core/announce-maintenance.ts";
import { announceMaintenance, cancelledMaintenance, withMaintenanceUpdate } from "../core/announce-maintenance.ts";
import type { Incident } from "../core/incident.ts";
import { kept } from "../core/incident.ts";
import type { Announcement, Maintenance } from "../core/maintenance.ts";
import { maintenanceStatus } from "../core/maintenance.ts";
import type { Restored } from "../core/restore.ts";
import { retimed } from "../core/retime.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardIncidents, IncidentAct } from "./board-incidents.ts";
import type { BoardMaintenance } from "./board-maintenance.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshId } from "./crypto.ts";

/** One thing that somebody announces; `kind` is how the audit names it. */
export type AnnounceAct =
  | IncidentAct
  | {
      readonly kind: "maintenance.announce";
      readonly request: AnnouncementRequest;
      readonly lease: LeaseRequest | null;
    }
  | { readonly kind: "maintenance.update"; readonly id: string; readonly request: UpdateRequest<MaintenanceStatus> }
  | { readonly kind: "maintenance.change"; readonly id: string; readonly request: AnnouncementChange }
  | { readonly kind: "maintenance.cancel"; readonly id: string };

/** What stands there afterwards. */
export type Announces = Incident | Announcement | Maintenance;

export class BoardAnnouncements {
  readonly #memory: BoardMemory;
  readonly #books: BoardBooks;
  readonly #maintenance: BoardMaintenance;
  readonly #incidents: BoardIncidents;

  constructor(held: {
    readonly memory: BoardMemory;
    readonly books: BoardBooks;
    readonly maintenance: BoardMaintenance;
    readonly incidents: BoardIncidents;
  }) {
    this.#memory = held.memory;
    this.#books = held.books;
    this.#maintenance = held.maintenance;
    this.#incidents = held.incidents;
  }

  run(act: AnnounceAct, by: string): Announcing<Announces> {
    const now = Date.now();
    switch (act.kind) {
      case "maintenance.announce":
        return this.#announce(act.request, act.lease, by, now);
      case "maintenance.cancel":
        return this.#change(act, by, now, (one) => cancelledMaintenance(one, now));
      case "maintenance.change":
        return this.#change(act, by, now, (one) => retimed(one, act.request, this.#books.noticeMs, now));
      case "maintenance.update": {
        const update = { id: freshId(), by };
        return this.#change(act, by, now, (one) => withMaintenanceUpdate(one, act.request, update, now));
      }
      default:
        return this.#incidents.run(act, by, now);
    }
  }

  // ── maintenances ──────────────────────────────────────────────────────────────────────────────────────────────────

  #announce(
    request: AnnouncementRequest,
    lease: LeaseRequest | null,
    by: string,
    now: Millis,
  ): Announcing<Announcement | Maintenance> {
    const made = { id: freshId(), update: freshId(), by };
    if (lease !== null) return this.#maintenance.announce(request, lease, made, now);
    const open = this.#memory.all("announcement").filter((one) => maintenanceStatus(one, now) !== "completed");
    if (open.length >= OPEN_MAX) return failure({ code: "too_many", which: "maintenances to come" });
    const named = componentsNamed(request.components, this.#memory.all("component"));
    if (!named.ok) return named;
    const announced = announceMaintenance(
      request,
      named.value.map(({ id }) => id),
      made,
      this.#books.noticeMs,
      now,
    );
    if (announced.ok) this.keepAnnouncement(announced.value, "maintenance.announce", by, now);
    return announced;
  }

  #change(
    { kind, id }: { readonly kind: AnnounceAct["kind"]; readonly id: string },
    by: string,
    now: Millis,
    changed: <One extends Announcement | Maintenance>(one: One) => Announcing<One>,
  ): Announcing<Announcement | Maintenance> {
    const announcement = this.#memory.get("announcement", id);
    if (announcement === null) return this.#maintenance.change(id, kind, by, now, changed);
    const next = changed(announcement);
    if (!next.ok || next.value === announcement) return next;
    this.keepAnnouncement({ ...next.value, writtenAt: now }, kind, by, now);
    return next;
  }

  // ── memory ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes in what came back from the archive. Within a change. */
  restore(back: Pick<Restored, "announcements" | "incidents"> & Partial<Pick<Restored, "merged">>, now: Millis): void {
    for (const announcement of back.announcements) this.#memory.put("announcement", announcement.id, announcement);
    this.#incidents.restore(back);
    this.#forget(now);
  }

  keepAnnouncement(announcement: Announcement, act: string, by: string, now: Millis): void {
    const { id } = announcement;
    this.#books.change(now, null, () => {
      this.#books.mark();
      this.#memory.put("announcement", id, announcement);
      this.#memory.queue({ kind: "announcement", key: id, revision: now, at: now, body: { ...announcement } });
      this.#memory.audit(act, id, by, now);
      this.#forget(now);
    });
  }

  /** The oldest of what is over goes; the archive has it. */
  #forget(now: Millis): void {
    const announcements = this.#memory.all("announcement");
    const isOpen = (one: Announcement): boolean => maintenanceStatus(one, now) !== "completed";
    const keptAnnouncements = new Set<Announcement>(kept(announcements, isOpen, ({ startsAt }) => startsAt));
    const forgotten = new Set(announcements.filter((one) => !keptAnnouncements.has(one)).map(({ id }) => id));
    for (const id of forgotten) {
      this.#memory.remove("announcement", id);
      this.#memory.remove("watching", id);
    }
    for (const { key, maintenance } of this.#memory.all("notice"))
      if (forgotten.has(maintenance)) this.#memory.remove("notice", key);
  }
}
