/** Maintenances that recur. Their next occurrences are laid out ahead, whenever somebody looks and at least every minute. */
import { failure } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Announcing } from "../core/announce.ts";
import { componentsNamed, OPEN_MAX } from "../core/announce.ts";
import type { Announcement } from "../core/maintenance.ts";
import { maintenanceStatus } from "../core/maintenance.ts";
import type { Series, SeriesRequest } from "../core/schedule.ts";
import { laidOut, planSeries, SERIES_MAX } from "../core/schedule.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshId } from "./crypto.ts";

export type SeriesAct =
  | { readonly kind: "series.plan"; readonly request: SeriesRequest }
  | { readonly kind: "series.change"; readonly id: string; readonly request: SeriesRequest }
  | { readonly kind: "series.end"; readonly id: string };

export class BoardSeries {
  readonly #memory: BoardMemory;
  readonly #keepAnnouncement: (announcement: Announcement, act: string, by: string, now: Millis) => void;

  constructor(memory: BoardMemory, keep: (announcement: Announcement, act: string, by: string, now: Millis) => void) {
    this.#memory = memory;
    this.#keepAnnouncement = keep;
  }

  run(act: SeriesAct, by: string, now: Millis): Announcing<Series> {
    const made = act.kind === "series.plan" ? this.#plan(act.request, by, now) : this.#changed(act, now);
    if (made.ok) {
      const { id } = made.value;
      this.#memory.put("series", id, made.value);
      this.#memory.queue({ kind: "series", key: id, revision: now, at: now, body: { ...made.value } });
      this.#memory.audit(act.kind, id, by, now);
    }
    return made;
  }

  #plan(request: SeriesRequest, by: string, now: Millis): Announcing<Series> {
    if (this.#memory.all("series").filter(({ endedAt }) => endedAt === null).length >= SERIES_MAX)
      return failure({ code: "too_many", which: "maintenances that recur" });
    const named = this.#named(request);
    return named.ok ? planSeries({ ...request, components: named.value }, freshId(), by, now) : named;
  }

  #changed(act: Exclude<SeriesAct, { readonly kind: "series.plan" }>, now: Millis): Announcing<Series> {
    const held = this.#memory.get("series", act.id);
    if (held === null) return failure({ code: "unknown", which: act.id });
    if (held.endedAt !== null) return failure({ code: "is_over", which: act.id });
    if (act.kind === "series.end") return { ok: true, value: { ...held, endedAt: now, updatedAt: now } };
    const named = this.#named(act.request);
    if (!named.ok) return named;
    const made = planSeries({ ...act.request, components: named.value }, held.id, held.by, now);
    return made.ok ? { ok: true, value: { ...made.value, createdAt: held.createdAt } } : made;
  }

  #named({ components }: SeriesRequest): Announcing<readonly string[]> {
    const named = componentsNamed(components, this.#memory.all("component"));
    return named.ok ? { ok: true, value: named.value.map(({ id }) => id) } : named;
  }

  /** Lays out what comes, and takes back what does not come any more. */
  settle(noticeMs: Millis, now: Millis): void {
    for (const series of this.#memory.all("series")) {
      const standing = this.#memory.all("announcement").filter(({ plan }) => plan?.series?.id === series.id);
      // A component that was taken off the page since is none any more.
      const components = series.components.filter((id) => this.#memory.get("component", id) !== null);
      const { added, changed } = laidOut(series, standing, components, noticeMs, now);
      for (const one of changed)
        this.#keepAnnouncement({ ...one, writtenAt: now }, "maintenance.change", series.by, now);
      for (const one of added) {
        const open = this.#memory.all("announcement").filter((other) => maintenanceStatus(other, now) !== "completed");
        if (open.length < OPEN_MAX) this.#keepAnnouncement(one, "maintenance.plan", series.by, now);
      }
    }
  }
}
