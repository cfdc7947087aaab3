/**
 * What people announce: incidents, and maintenances without a lease. It stands here before anybody hears of it, so that
 * it works while Postgres is down.
 */
import type { Incident } from "../core/incident.ts";
import { isUnresolved, kept } from "../core/incident.ts";
import type { Announcement } from "../core/maintenance.ts";
import { maintenanceStatus } from "../core/maintenance.ts";
import type { Restored } from "../core/restore.ts";
import type { Millis } from "../../protocol/time.ts";
import type { BoardMemory } from "./board-memory.ts";

export class BoardAnnouncements {
  readonly #memory: BoardMemory;

  constructor(memory: BoardMemory) {
    this.#memory = memory;
  }

  /** Takes in what came back from the archive. Within a change. */
  restore({ announcements, incidents }: Pick<Restored, "announcements" | "incidents">, now: Millis): void {
    for (const announcement of announcements) this.#memory.put("announcement", announcement.id, announcement);
    for (const incident of incidents) this.#memory.put("incident", incident.id, incident);
    this.#forget(now);
  }

  /** The oldest of what is over goes; the archive has it. */
  #forget(now: Millis): void {
    const incidents = this.#memory.all("incident");
    const keptIncidents = new Set<Incident>(kept(incidents, isUnresolved, ({ startedAt }) => startedAt));
    for (const one of incidents) if (!keptIncidents.has(one)) this.#memory.remove("incident", one.id);
    const announcements = this.#memory.all("announcement");
    const isOpen = (one: Announcement): boolean => maintenanceStatus(one, now) !== "completed";
    const keptAnnouncements = new Set<Announcement>(kept(announcements, isOpen, ({ startsAt }) => startsAt));
    for (const one of announcements) if (!keptAnnouncements.has(one)) this.#memory.remove("announcement", one.id);
  }
}
