/** Postgres' tables by day and month: made before facts need them, dropped when their time is over. Once a day. */
import type { Millis } from "../../protocol/time.ts";
import { isUpkeepDue } from "../core/archive.ts";
import type { Database } from "../store/database.ts";
import { openDatabase } from "../store/database.ts";
import { prepareStorage, retireStorage } from "../store/partitions.ts";
import type { BoardMemory } from "./board-memory.ts";
import type { Env } from "./env.ts";

export class BoardUpkeep {
  readonly #env: Env;
  readonly #memory: BoardMemory;
  #triedAt: Millis | null = null;

  constructor(env: Env, memory: BoardMemory) {
    this.#env = env;
    this.#memory = memory;
  }

  /** Does it if it is due. Never throws: what fails is logged, and due again soon. */
  async run(now: Millis): Promise<void> {
    const doneAt = this.#memory.get("upkeep", "storage")?.doneAt ?? null;
    if (!isUpkeepDue(doneAt, this.#triedAt, now)) return;
    this.#triedAt = now;
    const database = openDatabase({ url: this.#env.DATABASE_URL, fetchEndpoint: this.#env.NEON_FETCH_ENDPOINT });
    if (await isDone(database)) this.#memory.put("upkeep", "storage", { doneAt: now });
  }
}

/** First what is needed, then what is not: a table that cannot be dropped today must not keep tomorrow's from being made. */
async function isDone(database: Database): Promise<boolean> {
  for (const work of [() => prepareStorage(database), () => retireStorage(database)]) {
    const result = await work();
    if (result.ok) continue;
    console.warn(JSON.stringify({ event: "upkeep_failed", code: result.code, message: result.message }));
    return false;
  }
  return true;
}
