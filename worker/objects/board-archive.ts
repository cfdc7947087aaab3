/** The Board's way to Postgres: its outbox, sent until nothing waits. */
import { openDatabase } from "../store/database.ts";
import { BOARD_ROWS_MAX, flushBoard } from "../store/board.ts";
import type { BoardMemory } from "./board-memory.ts";
import type { Env } from "./env.ts";

export class BoardArchive {
  readonly #env: Env;
  readonly #memory: BoardMemory;
  #failure: string | null = null;

  constructor(env: Env, memory: BoardMemory) {
    this.#env = env;
    this.#memory = memory;
  }

  /** What the last attempt ran into; null if it went well. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Sends what waits. Throws if Postgres does not take it. */
  async flush(): Promise<void> {
    for (;;) {
      const rows = this.#memory.queued(BOARD_ROWS_MAX);
      if (rows.length === 0) break;
      const database = openDatabase({ url: this.#env.DATABASE_URL, fetchEndpoint: this.#env.NEON_FETCH_ENDPOINT });
      const stored = await flushBoard(database, rows);
      this.#failure = stored.ok ? null : `${stored.code}: ${stored.message}`;
      if (!stored.ok) throw new Error(`Postgres: ${this.#failure}`);
      this.#memory.unqueue(rows);
    }
  }
}
