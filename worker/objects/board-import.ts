/** Another page's components, incidents and maintenances, taken over into this one. */
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { isTooLong, OPEN_MAX } from "../core/announce.ts";
import type { ForeignIncident, ForeignMaintenance } from "../core/import.ts";
import { importedIncident, importedMaintenance, isOvertaken, renewedMaintenance } from "../core/import.ts";
import type { Incident } from "../core/incident.ts";
import { isUnresolved } from "../core/incident.ts";
import type { Announcement } from "../core/maintenance.ts";
import { maintenanceStatus } from "../core/maintenance.ts";
import type { BoardAnnouncements } from "./board-announcements.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardComponents, ForeignComponent, TakenOver } from "./board-components.ts";
import type { BoardMemory } from "./board-memory.ts";

/** How many came, and how many were known already; of these, `renewed` had gone on there and were brought up to date. */
export interface Imported {
  readonly added: number;
  readonly renewed: number;
  readonly known: number;
}

/** Why nothing was taken over; `which` names what it is about. */
export interface ImportRefusal {
  readonly code: "too_long" | "too_many";
  readonly which: string;
}

interface Announced {
  readonly incidents: readonly ForeignIncident[];
  readonly maintenances: readonly ForeignMaintenance[];
}

interface Taken {
  readonly incidents: readonly Incident[];
  readonly announcements: readonly Announcement[];
}

type Kind = "incident" | "announcement";

export class BoardImport {
  readonly #memory: BoardMemory;
  readonly #books: BoardBooks;
  readonly #components: BoardComponents;
  readonly #announcements: BoardAnnouncements;

  constructor(held: {
    readonly memory: BoardMemory;
    readonly books: BoardBooks;
    readonly components: BoardComponents;
    readonly announcements: BoardAnnouncements;
  }) {
    this.#memory = held.memory;
    this.#books = held.books;
    this.#components = held.components;
    this.#announcements = held.announcements;
  }

  components(foreign: readonly ForeignComponent[], by: string): Result<readonly TakenOver[], "too_many"> {
    return this.#components.takeOver(foreign, by);
  }

  announced({ incidents, maintenances }: Announced, by: string): Result<Imported, ImportRefusal> {
    const now = Date.now();
    const taken = {
      incidents: incidents.map((one) => importedIncident(one, now)).filter((one) => this.#isNews("incident", one)),
      announcements: maintenances
        .map((one) => importedMaintenance(one, now))
        .filter((one) => this.#isNews("announcement", one))
        .map((one) => {
          const known = this.#memory.get("announcement", one.id);
          return known === null ? one : renewedMaintenance(known, one);
        }),
    };
    const refused = this.#refusal(taken, now);
    if (refused !== null) return failure(refused);
    const isKnown = (kind: Kind) => (one: { readonly id: string }) => this.#memory.get(kind, one.id) !== null;
    const renewed =
      taken.incidents.filter(isKnown("incident")).length + taken.announcements.filter(isKnown("announcement")).length;
    const news = taken.incidents.length + taken.announcements.length;
    if (news > 0)
      this.#books.change(now, null, () => {
        this.#books.mark();
        for (const one of taken.incidents) this.#write("incident", one, by, now);
        for (const one of taken.announcements) this.#write("announcement", one, by, now);
        this.#announcements.restore(taken, now);
      });
    const known = incidents.length + maintenances.length - (news - renewed);
    return success({ added: news - renewed, renewed, known });
  }

  /** The same bounds as for what is announced here: what is not over is never forgotten. */
  #refusal({ incidents, announcements }: Taken, now: Millis): ImportRefusal | null {
    const long = [...incidents, ...announcements].find(isTooLong);
    if (long !== undefined) return { code: "too_long", which: long.name };
    const open = latest([...this.#memory.all("incident"), ...incidents]).filter(isUnresolved);
    if (open.length > OPEN_MAX) return { code: "too_many", which: "incidents" };
    const announced = latest([...this.#memory.all("announcement"), ...announcements]);
    const toCome = announced.filter((one) => maintenanceStatus(one, now) !== "completed");
    return toCome.length > OPEN_MAX ? { code: "too_many", which: "maintenances" } : null;
  }

  #isNews(kind: Kind, one: { readonly id: string; readonly updatedAt: Millis }): boolean {
    // Announced here, with a target: a page that reads itself must not say it twice.
    if (this.#memory.get("maintenance", one.id) !== null) return false;
    const known = this.#memory.get(kind, one.id);
    return known === null || isOvertaken(known, one);
  }

  /** On its way to the archive, as everything that people write. */
  #write(kind: Kind, one: { readonly id: string }, by: string, now: Millis): void {
    this.#memory.queue({ kind, key: one.id, revision: now, at: now, body: { ...one } });
    this.#memory.audit(`${kind}.import`, one.id, by, now);
  }
}

/** The last of each id. */
function latest<One extends { readonly id: string }>(all: readonly One[]): readonly One[] {
  return [...new Map(all.map((one) => [one.id, one])).values()];
}
