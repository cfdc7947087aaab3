/** Components: what operators publish, change and take off the page. */
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Component, LaterFields } from "../core/component.ts";
import { LATER_FIELDS } from "../core/component.ts";
import type { Rule } from "../core/rule.ts";
import type { Slo } from "../core/slo.ts";
import type { Thresholds } from "../core/thresholds.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshId } from "./crypto.ts";

/** A component as the command line or a form asks for it; (group, name) is what it is known by. */
export interface ComponentRequest {
  readonly name: string;
  readonly group: string | null;
  readonly description: string | null;
  readonly services: readonly string[];
  readonly rule: Rule;
  /** Fields that joined later. What is absent stays as it is; null takes it away. */
  readonly quorum?: number | null;
  readonly thresholds?: Partial<Thresholds> | null;
  readonly slo?: Slo | null;
  /** One that `publicAddress` let through. */
  readonly url?: string | null;
}

/** A component that another page had, under the id that its readers know it by. */
export interface ForeignComponent extends Pick<Component, "name" | "group" | "description" | "createdAt"> {
  readonly id: string;
}

/** Under which id one of another page stands here, and whether it came just now. */
export interface TakenOver {
  readonly id: string;
  readonly as: string;
  readonly isNew: boolean;
}

const COMPONENTS_MAX = 1_000;
/** Ids that are passed on as they are: ours have the same shape. */
const ID = /^[0-9a-z]{12}$/;

export class BoardComponents {
  readonly #memory: BoardMemory;
  readonly #books: BoardBooks;

  constructor(memory: BoardMemory, books: BoardBooks) {
    this.#memory = memory;
    this.#books = books;
  }

  /** The addresses that are asked from outside: each once, whoever shares it. */
  addresses(): ReadonlySet<string> {
    return new Set(this.#memory.all("component").flatMap(({ url }) => url ?? []));
  }

  putAll(requests: readonly ComponentRequest[], by: string): Result<readonly Component[], "too_many"> {
    const fresh = requests.filter((request) => this.#named(request) === undefined);
    if (this.#memory.map("component").size + fresh.length > COMPONENTS_MAX) return failure("too_many");
    const now = Date.now();
    const components: Component[] = [];
    this.#books.change(now, null, () => {
      for (const request of requests) components.push(this.#put(request, this.#named(request), by, now));
    });
    return success(components);
  }

  /**
   * Publishes what another page had, as yet without services: unknown until somebody says what it stands for. What is
   * known by its id, or by its group and name, stays as it is.
   */
  takeOver(foreign: readonly ForeignComponent[], by: string): Result<readonly TakenOver[], "too_many"> {
    const knownOf = (one: ForeignComponent) => this.#memory.get("component", one.id) ?? this.#named(one) ?? undefined;
    const fresh = foreign.filter((one) => knownOf(one) === undefined);
    if (this.#memory.map("component").size + fresh.length > COMPONENTS_MAX) return failure("too_many");
    const now = Date.now();
    const taken: TakenOver[] = [];
    this.#books.change(now, null, () => {
      for (const one of foreign) {
        const { id, name, group, description, createdAt } = one;
        const known = knownOf(one);
        const first = { id: ID.test(id) ? id : freshId(), createdAt: Math.min(createdAt, now) };
        const request = { name, group, description, services: [], rule: "all" as const };
        taken.push({ id, as: (known ?? this.#put(request, known, by, now, first)).id, isNew: known === undefined });
      }
    });
    return success(taken);
  }

  add(request: ComponentRequest, by: string): Result<readonly Component[], "too_many" | "exists"> {
    return this.#named(request) === undefined ? this.putAll([request], by) : failure("exists");
  }

  /** Changes one, whatever it was called until now. */
  change(id: string, request: ComponentRequest, by: string): Result<Component, "unknown" | "exists"> {
    const known = this.#memory.get("component", id);
    if (known === null) return failure("unknown");
    if ((this.#named(request) ?? known).id !== id) return failure("exists");
    const now = Date.now();
    let changed = known;
    this.#books.change(now, null, () => {
      changed = this.#put(request, known, by, now);
    });
    return success(changed);
  }

  remove(id: string, by: string): boolean {
    const component = this.#memory.get("component", id);
    if (component === null) return false;
    const now = Date.now();
    this.#books.change(now, null, () => {
      this.#books.mark();
      this.#memory.remove("component", id);
      this.#memory.queue({
        kind: "component",
        key: id,
        revision: now,
        at: now,
        body: { ...component, removedAt: now },
      });
      this.#memory.audit("component.remove", id, by, now);
    });
    return true;
  }

  #named({ group, name }: Pick<Component, "group" | "name">): Component | undefined {
    return this.#memory.all("component").find((known) => known.group === group && known.name === name);
  }

  /**
   * @param known what it was until now
   * @param first of one that is not known yet
   */
  #put(
    request: ComponentRequest,
    known: Component | undefined,
    by: string,
    now: Millis,
    first: Pick<Component, "id" | "createdAt"> = { id: freshId(), createdAt: now },
  ): Component {
    const all = this.#memory.all("component");
    const position = known?.position ?? Math.max(0, ...all.map((component) => component.position)) + 1;
    const component: Component = {
      name: request.name,
      group: request.group,
      description: request.description,
      services: request.services,
      rule: request.rule,
      ...later(request, known),
      id: known?.id ?? first.id,
      position,
      createdAt: known?.createdAt ?? first.createdAt,
      updatedAt: now,
    };
    if (
      known !== undefined &&
      JSON.stringify({ ...component, updatedAt: 0 }) === JSON.stringify({ ...known, updatedAt: 0 })
    )
      return known;
    this.#books.mark();
    this.#memory.put("component", component.id, component);
    this.#memory.queue({ kind: "component", key: component.id, revision: now, at: now, body: { ...component } });
    this.#memory.audit(known === undefined ? "component.publish" : "component.change", component.id, by, now);
    return component;
  }
}

/** The fields that joined later: as asked for, else as they were. */
function later(request: ComponentRequest, known: Component | undefined): LaterFields {
  const fields = LATER_FIELDS.map(
    (field) => [field, request[field] === undefined ? known?.[field] : request[field]] as const,
  );
  // Each field has the same type in both, but for the null that takes it away.
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined && value !== null));
}
