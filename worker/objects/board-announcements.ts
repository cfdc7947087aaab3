/**
 * What people announce: incidents, and maintenances with or without a lease. It stands here before anybody hears of it,
 * so that it works while Postgres is down.
 */
import type { MaintenanceStatus } from "../../protocol/page.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type {
  AnnounceFacts,
  Announcing,
  IncidentRequest,
  IncidentUpdateRequest,
  UpdateRequest,
} from "../core/announce.ts";
import { componentsNamed, OPEN_MAX, openIncident, withIncidentUpdate } from "../core/announce.ts";
import type { AnnouncementChange, AnnouncementRequest, LeaseRequest } from "../core/announce-maintenance.ts";
import {
  announceMaintenance,
  cancelledMaintenance,
  changedMaintenance,
  withMaintenanceUpdate,
} from "../core/announce-maintenance.ts";
import type { Incident } from "../core/incident.ts";
import { isUnresolved, kept } from "../core/incident.ts";
import type { Announced, Announcement, Maintenance } from "../core/maintenance.ts";
import { maintenanceStatus } from "../core/maintenance.ts";
import { moveFault } from "../core/plan.ts";
import type { Restored } from "../core/restore.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMaintenance } from "./board-maintenance.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshId } from "./crypto.ts";

/** One thing that somebody announces; `kind` is how the audit names it. */
export type AnnounceAct =
  | { readonly kind: "incident.open"; readonly request: IncidentRequest }
  | { readonly kind: "incident.update"; readonly id: string; readonly request: IncidentUpdateRequest }
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

/** What somebody changed by itself its series leaves alone. */
function asException<One extends Announced & Pick<Announcement, "plan">>(one: One): One {
  return one.plan?.series === undefined ? one : { ...one, plan: { ...one.plan, isException: true } };
}

export class BoardAnnouncements {
  readonly #memory: BoardMemory;
  readonly #books: BoardBooks;
  readonly #maintenance: BoardMaintenance;

  constructor(held: {
    readonly memory: BoardMemory;
    readonly books: BoardBooks;
    readonly maintenance: BoardMaintenance;
  }) {
    this.#memory = held.memory;
    this.#books = held.books;
    this.#maintenance = held.maintenance;
  }

  run(act: AnnounceAct, by: string): Announcing<Announces> {
    const now = Date.now();
    switch (act.kind) {
      case "incident.open":
        return this.open(act.request, by, now);
      case "incident.update":
        return this.#update(act.id, act.request, by, now);
      case "maintenance.announce":
        return this.#announce(act.request, act.lease, by, now);
      case "maintenance.cancel":
        return this.#change(act, by, now, (one) => cancelledMaintenance(one, now));
      case "maintenance.change":
        return this.#retime(act, by, now);
      case "maintenance.update": {
        const update = { id: freshId(), by };
        return this.#change(act, by, now, (one) => withMaintenanceUpdate(one, act.request, update, now));
      }
    }
  }

  // ── incidents ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens an incident. */
  open(request: IncidentRequest, by: string, now: Millis): Announcing<Incident> {
    if (this.#memory.all("incident").filter(isUnresolved).length >= OPEN_MAX)
      return failure({ code: "too_many", which: "unresolved incidents" });
    const opened = openIncident(request, this.#facts(now), { id: freshId(), update: freshId(), by }, now);
    if (opened.ok) this.#keepIncident(opened.value, "incident.open", by, now);
    return opened;
  }

  #update(id: string, request: IncidentUpdateRequest, by: string, now: Millis): Announcing<Incident> {
    const incident = this.#memory.get("incident", id);
    if (incident === null) return failure({ code: "unknown", which: id });
    const changed = withIncidentUpdate(incident, request, this.#facts(now), { id: freshId(), by }, now);
    if (changed.ok) this.#keepIncident(changed.value, "incident.update", by, now);
    return changed;
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
      now,
    );
    if (announced.ok) this.keepAnnouncement(announced.value, "maintenance.announce", by, now);
    return announced;
  }

  #retime(
    act: Extract<AnnounceAct, { readonly kind: "maintenance.change" }>,
    by: string,
    now: Millis,
  ): Announcing<Announcement | Maintenance> {
    const { startsAt, endsAt } = act.request;
    const planned = this.#memory.get("announcement", act.id);
    const fault = planned === null ? null : moveFault(planned, startsAt ?? planned.startsAt, now);
    if (fault !== null) return failure(fault);
    // Its cluster holds a signed lease from then until then.
    if ((startsAt ?? endsAt) !== undefined && this.#memory.get("maintenance", act.id) !== null)
      return failure({ code: "order", which: "it has a target: cancel it, and announce it anew" });
    return this.#change(act, by, now, (one) => {
      const changed = changedMaintenance(one, act.request, now);
      return changed.ok ? success(asException(changed.value)) : changed;
    });
  }

  #change(
    { kind, id }: { readonly kind: AnnounceAct["kind"]; readonly id: string },
    by: string,
    now: Millis,
    changed: <One extends Announced>(one: One) => Announcing<One>,
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
  restore({ announcements, incidents }: Pick<Restored, "announcements" | "incidents">, now: Millis): void {
    for (const announcement of announcements) this.#memory.put("announcement", announcement.id, announcement);
    for (const incident of incidents) this.#memory.put("incident", incident.id, incident);
    this.#forget(now);
  }

  #facts(now: Millis): AnnounceFacts {
    const facts = this.#books.facts(now);
    return { components: facts.components, evidence: facts };
  }

  #keepIncident(incident: Incident, act: string, by: string, now: Millis): void {
    this.#books.change(now, null, () => {
      this.#books.mark();
      this.#memory.put("incident", incident.id, incident);
      this.#memory.queue({ kind: "incident", key: incident.id, revision: now, at: now, body: { ...incident } });
      this.#memory.audit(act, incident.id, by, now);
      this.#forget(now);
    });
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
    const incidents = this.#memory.all("incident");
    const keptIncidents = new Set<Incident>(kept(incidents, isUnresolved, ({ startedAt }) => startedAt));
    for (const one of incidents) if (!keptIncidents.has(one)) this.#memory.remove("incident", one.id);
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
