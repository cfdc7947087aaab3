/** Components: what operators publish, change and take off the page. */
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Changed } from "../core/audit.ts";
import type { Component, LaterFields } from "../core/component.ts";
import { COMPONENTS_MAX, LATER_FIELDS, revisionOf } from "../core/component.ts";
import { IGNORED_MAX, inbox, INBOX_COUNT_MAX } from "../core/inbox.ts";
import type { Move } from "../core/order.ts";
import { groupsBeside, inPageOrder, moved, renamed } from "../core/order.ts";
import type { Rule } from "../core/rule.ts";
import type { Reported } from "../core/selector.ts";
import { chosenAgain, chosenBy, haveSameServices, isPattern, written } from "../core/selector.ts";
import type { Slo } from "../core/slo.ts";
import type { Thresholds } from "../core/thresholds.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshId } from "./crypto.ts";
import type { TellMemory } from "./tell-memory.ts";

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
  readonly hidden?: true | null;
  readonly withheld?: Component["withheld"] | null;
  readonly startsOn?: string | null;
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

/** Ids that are passed on as they are: ours have the same shape. */
const ID = /^[0-9a-z]{12}$/;

export class BoardComponents {
  readonly #memory: BoardMemory;
  readonly #books: BoardBooks;
  readonly #tells: TellMemory;

  constructor(held: { readonly memory: BoardMemory; readonly books: BoardBooks; readonly tells: TellMemory }) {
    this.#memory = held.memory;
    this.#books = held.books;
    this.#tells = held.tells;
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

  /** Takes in what a cluster reports: who chooses services by their names may have others now. */
  choose(before: Reported | null, report: Reported, now: Millis): void {
    const isSame = before !== null && haveSameServices(before, report);
    for (const component of this.#memory.all("component")) {
      if (component.selector === undefined || (isSame && component.gone === undefined)) continue;
      const chosen = chosenAgain(component, [report], now);
      if (chosen === component) continue;
      this.#books.mark();
      this.#memory.put("component", component.id, chosen);
      this.#memory.queue({ kind: "component", key: component.id, revision: now, at: now, body: { ...chosen } });
    }
  }

  /** How many services wait to be published or ignored; one more than is counted if there are more. */
  get waiting(): number {
    const components = this.#memory.all("component");
    return inbox(this.#tells.map.values(), components, this.#books.page().ignored, INBOX_COUNT_MAX + 1).length;
  }

  /** Gives components and groups other places. */
  move(move: Move, by: string): Result<readonly Component[], "unknown" | "exists"> {
    const order = moved(this.#memory.all("component"), move);
    if (order === null) return failure("unknown");
    const of = "component" in move ? move.component : (move.group ?? "without a group");
    const before = inPageOrder(this.#memory.all("component"));
    const change = { before: placeOf(before, move), after: placeOf(order, move) };
    return this.#replace(order, "component" in move ? "component.move" : "group.move", of, change, by);
  }

  /** Gives a group another name, and with it those within; null takes the level away. */
  renameGroup(from: string, to: string | null, by: string): Result<readonly Component[], "unknown" | "exists"> {
    const before = inPageOrder(this.#memory.all("component"));
    const after = renamed(before, from, to);
    if (after.every((one, i) => one === before[i])) return failure("unknown");
    return this.#replace(after, "group.rename", from, { before: { name: from }, after: { name: to } }, by);
  }

  /** Components as they are from now on, in the order of the page. */
  #replace(
    order: readonly Component[],
    act: string,
    subject: string,
    change: Changed,
    by: string,
  ): Result<readonly Component[], "unknown" | "exists"> {
    if (new Set(order.map(({ group, name }) => JSON.stringify([group, name]))).size < order.length)
      return failure("exists");
    const now = Date.now();
    const placed = order.map((one, i) => ({ ...one, position: i + 1 }));
    this.#books.change(now, null, () => {
      this.#books.mark();
      for (const one of placed) {
        const held = this.#memory.get("component", one.id);
        if (held?.position === one.position && held.group === one.group) continue;
        const component = held?.group === one.group ? one : { ...one, updatedAt: now };
        this.#memory.put("component", one.id, component);
        this.#memory.queue({ kind: "component", key: one.id, revision: now, at: now, body: { ...component } });
      }
      this.#memory.audit(act, subject, by, now, change);
    });
    return success(placed);
  }

  /** Publishes what must not exist yet, all or nothing. */
  add(requests: readonly ComponentRequest[], by: string): Result<readonly Component[], "too_many" | "exists"> {
    return requests.some((request) => this.#named(request) !== undefined)
      ? failure("exists")
      : this.putAll(requests, by);
  }

  /** Has a component stand for more services. False if there is none. */
  join(id: string, services: readonly string[], by: string): boolean {
    const known = this.#memory.get("component", id);
    if (known === null) return false;
    const { name, group, description, rule } = known;
    const all = [...new Set([...(known.selector ?? known.services), ...services])];
    return this.change(id, { name, group, description, rule, services: all }, by).ok;
  }

  /** Has services wait no more, or again. False if too many would be ignored. */
  ignore(
    { add = [], remove = [] }: { readonly add?: readonly string[]; readonly remove?: readonly string[] },
    by: string,
  ): boolean {
    const { ignored: held = [], ...page } = this.#books.page();
    const ignored = [...new Set([...held, ...add])].filter((one) => !remove.includes(one));
    if (ignored.length > IGNORED_MAX) return false;
    const changed = { ...page, ...(ignored.length > 0 && { ignored }) };
    this.#memory.putPage(changed, "services.ignore", by, Date.now(), [...add, ...remove].join(" "));
    return true;
  }

  /**
   * Changes one, whatever it was called until now.
   *
   * @param revision of what whoever asks has seen; `changed` if it is not that any more
   */
  change(
    id: string,
    request: ComponentRequest,
    by: string,
    revision?: string,
  ): Result<Component, "unknown" | "exists" | "changed"> {
    const known = this.#memory.get("component", id);
    if (known === null) return failure("unknown");
    if (revision !== undefined && revision !== revisionOf(known)) return failure("changed");
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
      this.#memory.audit("component.remove", id, by, now, { before: component, after: null });
    });
    return true;
  }

  /** Somebody has just written them: what is reported no more is not held on to. */
  #services({ services }: ComponentRequest, now: Millis): Pick<Component, "services" | "selector"> {
    if (!services.some(isPattern)) return { services };
    return { ...written(chosenBy(services, { services: [] }, this.#tells.map.values(), now)), selector: services };
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
      ...this.#services(request, now),
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
    const act = known === undefined ? "component.publish" : "component.change";
    this.#memory.audit(act, component.id, by, now, { before: known ?? null, after: component });
    return component;
  }
}

/** Where what is moved stands, for the audit. */
function placeOf(order: readonly Component[], move: Move): object {
  if (!("component" in move)) return { place: groupsBeside(order, move.group).indexOf(move.group) + 1 };
  const group = order.find(({ id }) => id === move.component)?.group ?? null;
  const own = order.filter((one) => one.group === group);
  return { group, place: own.findIndex(({ id }) => id === move.component) + 1 };
}

/** The fields that joined later: as asked for, else as they were. */
function later(request: ComponentRequest, known: Component | undefined): LaterFields {
  const fields = LATER_FIELDS.map(
    (field) => [field, request[field] === undefined ? known?.[field] : request[field]] as const,
  );
  // Each field has the same type in both, but for the null that takes it away.
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined && value !== null));
}
