/**
 * Drafts of incidents: what Clusters tell of alerts, held against the operator's rules, and what the evidence says that no
 * incident does. `core/draft.ts` and `core/draft-evidence.ts` decide. They
 * stay here: not archived, and told to nobody but operators.
 */
import { failure, success } from "../../protocol/result.ts";
import type { Result } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Alert } from "../core/alert.ts";
import type { Announcing, IncidentRequest } from "../core/announce.ts";
import { componentNamed } from "../core/announce.ts";
import type { Draft, DraftDecision, DraftFacts, DraftRule, DraftView } from "../core/draft.ts";
import { evidenceDrafts } from "../core/draft-evidence.ts";
import { draftView, draftsAfter, draftsToForget } from "../core/draft.ts";
import type { Incident } from "../core/incident.ts";
import { isUnresolved } from "../core/incident.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardIncidents } from "./board-incidents.ts";
import type { BoardMemory } from "./board-memory.ts";

/** What a cluster's alerts are, as it told last. */
export interface Alerting {
  readonly cluster: string;
  readonly alerts: readonly Alert[];
}

/** What is said in place of what the draft says. */
export type PublishRequest = Partial<IncidentRequest>;

/** A draft that cannot be decided: there is none, or somebody did already. */
export type DraftRefusal = { readonly code: "unknown" | "decided"; readonly draft: Draft | null };

/** What visitors read where the operator says nothing. */
const BODY = "We are looking into it.";

export class BoardDrafts {
  readonly #memory: BoardMemory;
  readonly #books: BoardBooks;
  readonly #incidents: BoardIncidents;

  constructor(held: { readonly memory: BoardMemory; readonly books: BoardBooks; readonly incidents: BoardIncidents }) {
    this.#memory = held.memory;
    this.#books = held.books;
    this.#incidents = held.incidents;
  }

  /** Takes in how a cluster's alerts are now. */
  hear(cluster: string, alerts: readonly Alert[], now: Millis): void {
    this.#memory.put("alerting", cluster, { cluster, alerts });
    this.#judge(cluster, alerts, now);
  }

  /** Looks whether the evidence asks for an incident that nobody has posted. Writes nothing unless something changed. */
  look(now: Millis): void {
    const drafts = this.#memory.all("draft");
    for (const draft of evidenceDrafts(drafts, this.#books.facts(now), now)) this.#memory.put("draft", draft.id, draft);
  }

  #judge(cluster: string, alerts: readonly Alert[], now: Millis): void {
    const mine = this.#memory.all("draft").filter((draft) => draft.cluster === cluster);
    for (const draft of draftsAfter(mine, cluster, alerts, this.#facts(), now))
      this.#memory.put("draft", draft.id, draft);
    for (const { id } of draftsToForget(this.#memory.all("draft"), now)) this.#memory.remove("draft", id);
  }

  #facts(): DraftFacts {
    const unresolved = this.#memory.all("incident").filter(isUnresolved);
    return {
      rules: this.#books.page().draftRules ?? [],
      components: new Map(this.#memory.all("component").map(({ id, name }) => [id, name])),
      hidden: new Set(this.#memory.all("component").flatMap(({ id, hidden }) => (hidden === true ? [id] : []))),
      unresolved: new Set(unresolved.map(({ id }) => id)),
    };
  }

  /** The newest first. */
  get listed(): readonly DraftView[] {
    return this.#memory
      .all("draft")
      .toSorted((a, b) => b.createdAt - a.createdAt)
      .map(draftView);
  }

  /** Sets the rules, and holds what fires now against them. Components are named by id, name or "group / name". */
  setRules(rules: readonly DraftRule[], by: string, now: Millis): Announcing<readonly DraftRule[]> {
    const known = this.#memory.all("component");
    const named: DraftRule[] = [];
    for (const rule of rules) {
      const components: DraftRule["components"][number][] = [];
      for (const { component, status } of rule.components) {
        const found = componentNamed(component, known);
        if (!found.ok) return found;
        components.push({ component: found.value.id, status });
      }
      named.push({ ...rule, components });
    }
    const { draftRules: _, ...page } = this.#books.page();
    this.#memory.putPage(named.length === 0 ? page : { ...page, draftRules: named }, "draft_rules.change", by, now);
    this.judgeAll(now);
    return success(named);
  }

  /** Holds what fires now against the rules as they are. */
  judgeAll(now: Millis): void {
    for (const { cluster, alerts } of this.#memory.all("alerting")) this.#judge(cluster, alerts, now);
  }

  get rules(): readonly DraftRule[] {
    return this.#books.page().draftRules ?? [];
  }

  /** Makes an incident of a draft. Refused as any incident that is opened, and then nothing is decided. */
  publish(id: string, request: PublishRequest, by: string, now: Millis): Result<Announcing<Incident>, DraftRefusal> {
    const draft = this.#undecided(id);
    if (!draft.ok) return draft;
    const { title, components } = draft.value;
    const opened = this.#incidents.open({ name: title, body: BODY, components, ...request }, by, now);
    if (opened.ok) this.#decide(draft.value, { act: "published", incident: opened.value.id, by, at: now });
    return success(opened);
  }

  /** @param reason null where nobody says why */
  dismiss(id: string, reason: string | null, by: string, now: Millis): Result<Draft, DraftRefusal> {
    const draft = this.#undecided(id);
    if (!draft.ok) return draft;
    const decided = { act: "dismissed", incident: null, by, at: now, ...(reason !== null && { reason }) } as const;
    return success(this.#decide(draft.value, decided));
  }

  #undecided(id: string): Result<Draft, DraftRefusal> {
    const draft = this.#memory.get("draft", id);
    if (draft === null) return failure({ code: "unknown", draft });
    return draft.decided === null ? success(draft) : failure({ code: "decided", draft });
  }

  #decide(draft: Draft, decided: DraftDecision): Draft {
    const after: Draft = { ...draft, decided, updatedAt: decided.at };
    this.#memory.put("draft", draft.id, after);
    this.#memory.audit(
      decided.act === "published" ? "draft.publish" : "draft.dismiss",
      draft.id,
      decided.by,
      decided.at,
      decided.reason === undefined ? null : { before: null, after: { title: draft.title, reason: decided.reason } },
    );
    return after;
  }
}
