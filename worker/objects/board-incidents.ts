/**
 * Incidents, as operators open, continue, mend, merge and end them. What is said stands here before anybody hears of
 * it, so that it works while Postgres is down. `core/announce.ts` and `core/correct.ts` decide.
 */
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { AnnounceFacts, Announcing, Guarded, IncidentRequest, IncidentUpdateRequest } from "../core/announce.ts";
import { OPEN_MAX, openIncident, withIncidentUpdate } from "../core/announce.ts";
import type { CorrectionRequest } from "../core/correct.ts";
import { correctedUpdate, deletable, mergedIncident, withoutUpdate, withPostmortemDraft } from "../core/correct.ts";
import type { Incident, MergedIncident } from "../core/incident.ts";
import { isUnresolved, kept } from "../core/incident.ts";
import type { Reminder } from "../core/reminder.ts";
import { duesOf, remindersToTell } from "../core/reminder.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMemory } from "./board-memory.ts";
import type { BoardNews } from "./board-news.ts";
import { freshId } from "./crypto.ts";
import { RELAY_ADMIN } from "./relay.ts";

/** What an operator does to incidents; `kind` is how the audit names it. */
export type IncidentAct =
  | { readonly kind: "incident.open"; readonly request: IncidentRequest }
  | { readonly kind: "incident.update"; readonly id: string; readonly request: IncidentUpdateRequest }
  | {
      readonly kind: "incident.correct";
      readonly id: string;
      readonly update: string;
      readonly request: CorrectionRequest;
    }
  | { readonly kind: "incident.erase"; readonly id: string; readonly update: string; readonly request: Guarded }
  | { readonly kind: "incident.delete"; readonly id: string; readonly request: Guarded }
  | {
      readonly kind: "incident.postmortem";
      readonly id: string;
      readonly request: Guarded & { readonly body: string };
    }
  | { readonly kind: "incident.merge"; readonly id: string; readonly into: string; readonly request: Guarded }
  | { readonly kind: "incident.remind"; readonly id: string; readonly request: Reminding | null };

type Reminding = NonNullable<IncidentUpdateRequest["remind"]>;

/** Addresses that lead to another incident: the newest are kept. */
const MERGED_MAX = 500;

interface Back {
  readonly incidents: readonly Incident[];
  /** Absent of what is taken over from another page. */
  readonly merged?: readonly MergedIncident[];
}

export class BoardIncidents {
  readonly #memory: BoardMemory;
  readonly #books: BoardBooks;
  readonly #news: BoardNews;

  constructor(held: { readonly memory: BoardMemory; readonly books: BoardBooks; readonly news: BoardNews }) {
    this.#memory = held.memory;
    this.#books = held.books;
    this.#news = held.news;
  }

  run(act: IncidentAct, by: string, now: Millis): Announcing<Incident> {
    if (act.kind === "incident.open") return this.open(act.request, by, now);
    const { kind, id } = act;
    const incident = this.#memory.get("incident", id);
    if (incident === null) return failure({ code: "unknown", which: id });
    switch (act.kind) {
      case "incident.update":
        return this.#update(incident, act.request, by, now);
      case "incident.correct":
        return this.#keep(kind, incident, correctedUpdate(incident, act.update, act.request, now), by, now);
      case "incident.erase":
        return this.#keep(kind, incident, withoutUpdate(incident, act.update, act.request, now), by, now);
      case "incident.postmortem":
        return this.#keep(kind, incident, withPostmortemDraft(incident, { ...act.request, by }, now), by, now);
      case "incident.delete":
        return this.#delete(deletable(incident, act.request, now), by, now);
      case "incident.merge":
        return this.#merge(incident, act, by, now);
      case "incident.remind":
        if (act.request !== null && !isUnresolved(incident)) return failure({ code: "is_over", which: id });
        this.#change(now, () => this.#remind(incident.id, act.request ?? undefined, by, now));
        return success(incident);
    }
  }

  /** Opens an incident. The form that did so already gets the one that it opened. */
  open(request: IncidentRequest, by: string, now: Millis): Announcing<Incident> {
    const incidents = this.#memory.all("incident");
    const opened = incidents.find((one) => isSaid(one, request));
    if (opened !== undefined) return success(opened);
    if (incidents.filter(isUnresolved).length >= OPEN_MAX)
      return failure({ code: "too_many", which: "unresolved incidents" });
    const ids = { id: freshId(), update: freshId(), end: freshId(), by };
    const made = openIncident(request, this.#facts(now), ids, now);
    return this.#keep("incident.open", null, made, by, now, request);
  }

  #update(incident: Incident, request: IncidentUpdateRequest, by: string, now: Millis): Announcing<Incident> {
    // Sent twice: the second time whoever sent it has not seen what the first one made.
    if (isSaid(incident, request)) return success(incident);
    const made = withIncidentUpdate(incident, request, this.#facts(now), { id: freshId(), by }, now);
    if (!made.ok || incident.postmortem === undefined || request.status !== "postmortem")
      return this.#keep("incident.update", incident, made, by, now, request);
    // What was a draft is published.
    const { postmortem: _, ...published } = made.value;
    return this.#keep("incident.update", incident, success(published), by, now, request);
  }

  /** The archive keeps it as one that is gone: a Board that asks for all back must not show it again. */
  #delete(allowed: Announcing<Incident>, by: string, now: Millis): Announcing<Incident> {
    if (!allowed.ok) return allowed;
    const incident = allowed.value;
    this.#change(now, () => {
      this.#memory.remove("incident", incident.id);
      this.#memory.remove("reminder", incident.id);
      this.#archive(incident, { removedAt: now }, now);
      this.#memory.audit("incident.delete", incident.id, by, now, { before: auditedOf(incident), after: null });
    });
    return allowed;
  }

  #merge(
    other: Incident,
    { into, request }: Extract<IncidentAct, { readonly kind: "incident.merge" }>,
    by: string,
    now: Millis,
  ): Announcing<Incident> {
    const survivor = this.#memory.get("incident", into);
    if (survivor === null) return failure({ code: "unknown", which: into });
    const merged = mergedIncident(survivor, other, request, now);
    if (!merged.ok) return merged;
    this.#change(now, () => {
      this.#memory.remove("incident", other.id);
      this.#memory.remove("reminder", other.id);
      this.#memory.put("merged", other.id, { id: other.id, into, at: now });
      // What led to the other leads on from it.
      for (const one of this.#memory.all("merged"))
        if (one.into === other.id) this.#memory.put("merged", one.id, { ...one, into });
      this.#archive(other, { mergedInto: into }, now);
      this.#write("incident.merge", merged.value, by, now, survivor);
    });
    return merged;
  }

  // ── memory ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes in what came back from the archive. Within a change. */
  restore({ incidents, merged = [] }: Back): void {
    for (const incident of incidents) this.#memory.put("incident", incident.id, incident);
    for (const one of merged) this.#memory.put("merged", one.id, one);
    this.#forget();
  }

  #facts(now: Millis): AnnounceFacts {
    const facts = this.#books.facts(now);
    return { components: facts.components, evidence: facts };
  }

  #keep(
    act: IncidentAct["kind"],
    before: Incident | null,
    made: Announcing<Incident>,
    by: string,
    now: Millis,
    said?: IncidentUpdateRequest,
  ): Announcing<Incident> {
    if (!made.ok || made.value === before) return made;
    this.#change(now, () => {
      this.#write(act, made.value, by, now, before);
      if (said === undefined) return;
      this.#news.ofIncident(made.value);
      // Somebody said more: what reminded of that has done its part.
      this.#remind(made.value.id, isUnresolved(made.value) ? said.remind : undefined, by, now);
    });
    return made;
  }

  // ── reminders ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get reminders(): readonly Reminder[] {
    return this.#memory.all("reminder");
  }

  /** Tells operators' open pages of those that are due. Told once: what is due is a fact that every page shows by itself. */
  tellDue(now: Millis): void {
    const due = remindersToTell(this.reminders, now);
    if (due.length === 0) return;
    this.#books.change(now, null, () => {
      for (const one of due) this.#memory.put("reminder", one.incident, { ...one, toldAt: now });
      // A promise that was not kept is not shown on.
      if (due.some(({ isPublic }) => isPublic)) this.#books.mark();
    });
    this.#speak(now);
  }

  #remind(id: string, wanted: Reminding | undefined, by: string, now: Millis): void {
    if (wanted !== undefined)
      this.#memory.put("reminder", id, { incident: id, ...wanted, by, setAt: now, toldAt: null });
    else if (this.#memory.get("reminder", id) !== null) this.#memory.remove("reminder", id);
  }

  /** What changed, and which updates are due now. */
  #speak(now: Millis): void {
    const dues = duesOf(this.reminders, this.#memory.map("incident"), now);
    this.#books.speak(RELAY_ADMIN, JSON.stringify({ type: "incidents", dues }));
  }

  #write(act: IncidentAct["kind"], incident: Incident, by: string, now: Millis, before: Incident | null): void {
    this.#memory.put("incident", incident.id, incident);
    this.#memory.queue({
      kind: "incident",
      key: incident.id,
      revision: incident.writtenAt,
      at: now,
      body: { ...incident },
    });
    const after = auditedOf(incident);
    this.#memory.audit(act, incident.id, by, now, { before: before === null ? null : auditedOf(before), after });
    this.#forget();
  }

  #archive(incident: Incident, gone: Readonly<Record<string, unknown>>, now: Millis): void {
    const revision = Math.max(now, incident.writtenAt + 1);
    const body = { ...incident, writtenAt: revision, ...gone };
    this.#memory.queue({ kind: "incident", key: incident.id, revision, at: now, body });
  }

  /** Visitors' open pages hear of it, and operators'. */
  #change(now: Millis, apply: () => void): void {
    this.#books.change(now, null, () => {
      this.#books.mark();
      apply();
    });
    this.#speak(now);
  }

  /** The oldest of what is over goes; the archive has it. */
  #forget(): void {
    const incidents = this.#memory.all("incident");
    const stay = new Set<Incident>(kept(incidents, isUnresolved, ({ startedAt }) => startedAt));
    for (const one of incidents) if (!stay.has(one)) this.#memory.remove("incident", one.id);
    const merged = this.#memory.all("merged").toSorted((a, b) => b.at - a.at);
    for (const { id } of merged.slice(MERGED_MAX)) this.#memory.remove("merged", id);
  }
}

/** What the audit compares: the newest updates each by itself, so that it keeps the one that changed. */
function auditedOf({ name, impact, impactReason, postmortem, updates }: Incident): object {
  const said = updates.toReversed().map(({ id, status, body, displayAt, affected }) => {
    const components = affected.map(({ name: component, to }) => `${component}: ${to}`);
    return [`update ${id}`, { status, body, at: new Date(displayAt).toISOString(), components }] as const;
  });
  const reason = impactReason ?? null;
  return { name, impact, impactReason: reason, postmortem: postmortem?.body ?? null, ...Object.fromEntries(said) };
}

/** Whether this very form was sent already. With other words in it it is another one: whoever went back and wrote on. */
function isSaid({ updates }: Incident, { key, body }: IncidentUpdateRequest): boolean {
  return key !== undefined && updates.some((update) => update.key === key && update.body === body);
}
