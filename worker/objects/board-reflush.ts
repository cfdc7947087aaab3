/**
 * "Reflush since T": Postgres was restored to an earlier time, and what it had taken since then is sent again. The
 * natural keys make that safe, however often it is done.
 */
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { BoardArchive } from "./board-archive.ts";
import type { BoardMemory, Reflush } from "./board-memory.ts";
import type { TellMemory } from "./tell-memory.ts";
import type { Env } from "./env.ts";
import { clusterOf } from "./env.ts";

/** Clusters that send at once: each of them may have 48 h of events for one and the same Postgres. */
const AT_ONCE_MAX = 10;
/** Failures named one by one; a thousand say no more. */
const UNREACHABLE_MAX = 100;

export type ReflushRefusal = "under_way" | "unknown_cluster";

export class BoardReflush {
  readonly #env: Env;
  readonly #memory: BoardMemory;
  readonly #tells: TellMemory;
  readonly #archive: BoardArchive;
  #running: Promise<void> | null = null;

  constructor(
    env: Env,
    held: { readonly memory: BoardMemory; readonly tells: TellMemory; readonly archive: BoardArchive },
  ) {
    this.#env = env;
    this.#memory = held.memory;
    this.#tells = held.tells;
    this.#archive = held.archive;
  }

  /** Queues the page's own facts and writes down whom to ask. A name that nobody has would have nothing to send. */
  begin(since: Millis, cluster: string | null, by: string, now: Millis): Result<Reflush, ReflushRefusal> {
    if (this.#memory.get("reflush", "latest")?.finishedAt === null) return failure("under_way");
    const known = new Set([...this.#memory.map("cluster").keys(), ...this.#tells.map.keys()]);
    if (cluster !== null && !known.has(cluster)) return failure("unknown_cluster");
    const pending = cluster === null ? [...known].toSorted() : [cluster];
    const own = cluster === null ? this.#archive.queueAgain(since, now) : 0;
    this.#memory.audit("archive.reflush", `since ${new Date(since).toISOString()} ${cluster ?? "all"}`, by, now);
    const begun = { since, by, startedAt: now, own, pending, asked: 0, facts: 0, unreachable: [] };
    return success(this.#keep({ ...begun, finishedAt: pending.length === 0 ? now : null }));
  }

  /** Asks whoever was not asked yet. A Cluster that cannot be reached is named, and left to the operator to ask again. */
  run(): Promise<void> {
    this.#running ??= this.#askAll().finally(() => (this.#running = null));
    return this.#running;
  }

  async #askAll(): Promise<void> {
    for (;;) {
      const latest = this.#memory.get("reflush", "latest");
      if (latest === null || latest.finishedAt !== null) return;
      const { since, pending } = latest;
      const asked = pending.slice(0, AT_ONCE_MAX);
      const answers = await Promise.allSettled(asked.map((one) => clusterOf(this.#env, one).reflush(since)));
      const unreachable = answers.flatMap((answer, i) =>
        answer.status === "rejected" ? [{ cluster: asked[i] ?? "", reason: String(answer.reason) }] : [],
      );
      const facts = answers.reduce((sum, answer) => sum + (answer.status === "fulfilled" ? answer.value : 0), 0);
      const rest = pending.slice(AT_ONCE_MAX);
      this.#keep({
        ...latest,
        finishedAt: rest.length === 0 ? Date.now() : null,
        pending: rest,
        asked: latest.asked + asked.length,
        facts: latest.facts + facts,
        unreachable: [...latest.unreachable, ...unreachable].slice(0, UNREACHABLE_MAX),
      });
    }
  }

  #keep(reflush: Reflush): Reflush {
    this.#memory.put("reflush", "latest", reflush);
    return reflush;
  }
}
