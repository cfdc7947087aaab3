/** The page as code: read whole, planned, and applied at once or not at all. */
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { HISTORY_MS } from "../core/history.ts";
import type { ConfigFile, WholeFile } from "../core/config/config.ts";
import { applied, configRevision, exported } from "../core/config/config.ts";
import type { Change } from "../core/config/plan.ts";
import type { ConfigFault, Configured } from "../core/config/section.ts";
import type { Component } from "../core/component.ts";
import type { Series } from "../core/schedule.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardDrafts } from "./board-drafts.ts";
import type { BoardMemory } from "./board-memory.ts";
import { freshId } from "./crypto.ts";
import type { Env } from "./env.ts";
import type { TellMemory } from "./tell-memory.ts";

/** @param revision what was planned against; null applies to whatever stands */
export type ConfigAct =
  | { readonly act: "plan"; readonly file: ConfigFile }
  | { readonly act: "apply"; readonly file: ConfigFile; readonly revision: string | null };

export interface ConfigView {
  readonly file: WholeFile;
  readonly revision: string;
}

export interface ConfigPlan {
  /** Of what stands: before, and after it was applied. */
  readonly revision: string;
  readonly changes: readonly Change[];
}

export type ConfigRefusal =
  | { readonly code: "changed"; readonly revision: string }
  | { readonly code: "faulty"; readonly faults: readonly ConfigFault[] };

export class BoardConfig {
  readonly #env: Env;
  readonly #memory: BoardMemory;
  readonly #tells: TellMemory;
  readonly #books: BoardBooks;
  readonly #drafts: BoardDrafts;

  constructor(
    env: Env,
    held: {
      readonly memory: BoardMemory;
      readonly tells: TellMemory;
      readonly books: BoardBooks;
      readonly drafts: BoardDrafts;
    },
  ) {
    this.#env = env;
    this.#memory = held.memory;
    this.#tells = held.tells;
    this.#books = held.books;
    this.#drafts = held.drafts;
  }

  view(): ConfigView {
    const state = this.#state();
    return { file: exported(state), revision: configRevision(state) };
  }

  run(act: ConfigAct, by: string): Result<ConfigPlan, ConfigRefusal> {
    const state = this.#state();
    const revision = configRevision(state);
    if (act.act === "apply" && act.revision !== null && act.revision !== revision)
      return failure({ code: "changed", revision });
    const now = Date.now();
    const making = {
      now,
      freshId,
      by,
      reported: [...this.#tells.map.values()],
      deploymentName: this.#env.PAGE_NAME,
      deploymentZone: this.#books.deploymentZone,
    };
    const made = applied(act.file, state, making);
    if (!made.ok) return failure({ code: "faulty", faults: made.failure });
    const { changes } = made.value;
    if (act.act === "plan" || changes.length === 0) return success({ revision, changes });
    this.#put(state, made.value.state, changes, by, now);
    return success({ revision: configRevision(this.#state()), changes });
  }

  #state(): Configured {
    return {
      page: this.#books.page(),
      components: this.#memory.all("component"),
      series: this.#memory.all("series"),
    };
  }

  #put(before: Configured, after: Configured, changes: readonly Change[], by: string, now: Millis): void {
    const held = new Map(before.components.map((one) => [one.id, one]));
    this.#books.change(now, null, () => {
      this.#books.mark();
      for (const component of after.components) {
        const known = held.get(component.id);
        held.delete(component.id);
        if (JSON.stringify(known) !== JSON.stringify(component)) this.#putComponent(component, known, now);
      }
      for (const gone of held.values()) this.#queue(gone.id, { ...gone, removedAt: now }, now);
      for (const { id } of held.values()) this.#memory.remove("component", id);
      for (const series of after.series) if (!before.series.includes(series)) this.#putSeries(series, now);
      if (JSON.stringify(before.page) !== JSON.stringify(after.page)) {
        this.#memory.put("page", "page", after.page);
        this.#memory.queue({ kind: "page", key: "page", revision: now, at: now, body: { ...after.page } });
      }
      this.#memory.audit("config.apply", "page", by, now, auditOf(changes));
    });
    this.#drafts.judgeAll(now);
  }

  #putComponent(component: Component, known: Component | undefined, now: Millis): void {
    this.#memory.put("component", component.id, component);
    this.#queue(component.id, { ...component }, now);
    if (known !== undefined || component.createdAt >= now) return;
    // One that is older than this Board: nothing is known of it until now.
    const at = Math.max(component.createdAt, now - HISTORY_MS);
    const unknown = { component: component.id, at, status: "unknown" as const };
    this.#memory.record(unknown);
    this.#books.archive(unknown);
  }

  /** Its occurrences are laid out when the Board looks at it, which is right after. */
  #putSeries(series: Series, now: Millis): void {
    this.#memory.put("series", series.id, series);
    this.#memory.queue({ kind: "series", key: series.id, revision: now, at: now, body: { ...series } });
  }

  #queue(key: string, body: Record<string, unknown>, now: Millis): void {
    this.#memory.queue({ kind: "component", key, revision: now, at: now, body });
  }
}

/** What was different, by entry and field: as the plan said it. */
function auditOf(changes: readonly Change[]) {
  type Fact = { readonly key: string } & Readonly<Record<"before" | "after", string | number | null>>;
  const facts = changes.flatMap(({ act, section, name, fields, place }): Fact[] => {
    const subject = name === null ? section : `${section} ${name}`;
    if (act === "delete") return [{ key: subject, before: "there", after: null }];
    if (place !== undefined) return [{ key: `${subject}: place`, ...place }];
    return fields.map(({ path, before, after }) => ({
      key: path === "" ? subject : `${subject}: ${path}`,
      before: before === null ? null : plain(before),
      after: after === null ? null : plain(after),
    }));
  });
  const side = (which: "before" | "after") =>
    Object.fromEntries(facts.flatMap((fact) => (fact[which] === null ? [] : [[fact.key, fact[which]]])));
  return { before: side("before"), after: side("after") };
}

/** A text as it is, and not as JSON has it. */
function plain(text: string): string {
  return text.startsWith('"') ? String(JSON.parse(text)) : text;
}
