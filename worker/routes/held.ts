/**
 * One thing that the Board says, as this isolate holds it: asked for at most every few seconds, by one visitor for all
 * who wait, and put aside for when the Board cannot answer.
 */
import type { Millis } from "../../protocol/time.ts";
import { DAY, SECOND } from "../../protocol/time.ts";
import { within } from "./flight.ts";
import type { AppContext } from "./table.ts";

/** What was put aside is kept this long. */
const KEPT_MS = 7 * DAY;
/** And it is put aside at most this often. */
const KEEP_INTERVAL_MS = 5 * SECOND;
/** A Board that hangs is waited for no longer than this where an older answer can stand in for it, */
const BOARD_WAIT_MS = 2 * SECOND;
/** and where none can. A question that is older died with the request that asked it. */
const BOARD_WAIT_MS_MAX = 10 * SECOND;
/** A Board that could not answer is left alone for this long. */
const FAILED_KEPT_MS = SECOND;

/** `isCopy`: the Board cannot answer, and this is the last that it said. */
export interface Latest<Value> {
  readonly value: Value;
  readonly isCopy: boolean;
  /** It is asked for again from then on. */
  readonly until: Millis;
}

export interface Question<Value> {
  /** Asks the Board; null: nothing is newer than what is held. */
  readonly ask: (held: Value | null) => Promise<Value | null>;
  /** How long an answer stands, from `now`. */
  readonly until: (value: Value, now: Millis) => Millis;
  /** Whether everybody asks for themselves. */
  readonly alone: boolean;
}

export class Held<Value> {
  /** Where the cache has it: a path that no route serves, so that no visitor can read or fill it. */
  readonly #key: string;
  #latest: Latest<Value> | null = null;
  #keptAt: Millis = 0;
  #asking: { readonly answer: Promise<Latest<Value> | null>; readonly since: Millis } | null = null;

  constructor(key: string) {
    this.#key = key;
  }

  /**
   * The last answer, if it still stands and `isEnough`, else the next; null if the Board cannot answer and nothing is
   * known of it.
   */
  async latest(
    c: AppContext,
    question: Question<Value>,
    isEnough: (value: Value) => boolean = () => true,
  ): Promise<Latest<Value> | null> {
    const now = Date.now();
    const held = this.#latest;
    if (held !== null && now < held.until && (held.isCopy || isEnough(held.value))) return held;
    if (question.alone) return this.#ask(c, question);
    const answer = this.#join(c, question, now);
    const answered = await within(answer, BOARD_WAIT_MS);
    if (answered !== undefined) return answered;
    console.warn(JSON.stringify({ event: "board_slow", waitedMs: BOARD_WAIT_MS }));
    const copy = await this.#copy();
    return copy ?? (await within(answer, BOARD_WAIT_MS_MAX - BOARD_WAIT_MS)) ?? null;
  }

  /** The question that is under way, or a new one. */
  #join(c: AppContext, question: Question<Value>, now: Millis): Promise<Latest<Value> | null> {
    if (this.#asking !== null && now - this.#asking.since <= BOARD_WAIT_MS_MAX) return this.#asking.answer;
    const answer = this.#ask(c, question);
    const asking = { answer, since: now };
    this.#asking = asking;
    // Goes on when its visitor is gone: others wait for it, and the next will want it.
    c.executionCtx.waitUntil(
      answer.finally(() => {
        if (this.#asking === asking) this.#asking = null;
      }),
    );
    return answer;
  }

  async #ask(c: AppContext, question: Question<Value>): Promise<Latest<Value> | null> {
    const held = this.#latest?.value ?? null;
    try {
      const value = (await question.ask(held)) ?? held;
      if (value === null) throw new Error("the Board answered nothing");
      const now = Date.now();
      this.#latest = { value, isCopy: false, until: question.until(value, now) };
      if (value !== held && now - this.#keptAt >= KEEP_INTERVAL_MS) {
        this.#keptAt = now;
        c.executionCtx.waitUntil(this.#keep(value));
      }
      return this.#latest;
    } catch (error) {
      console.warn(JSON.stringify({ event: "board_unreachable", error: String(error) }));
      const copy = await this.#copy();
      if (copy !== null) this.#latest = copy;
      return copy;
    }
  }

  async #copy(): Promise<Latest<Value> | null> {
    const value = this.#latest?.value ?? (await this.#kept());
    return value === null ? null : { value, isCopy: true, until: Date.now() + FAILED_KEPT_MS };
  }

  async #keep(value: Value): Promise<void> {
    const headers = { "cache-control": `public, max-age=${KEPT_MS / SECOND}` };
    await caches.default.put(this.#key, Response.json(value, { headers }));
  }

  async #kept(): Promise<Value | null> {
    const copy = await caches.default.match(this.#key);
    // Put there by `#keep`.
    return copy === undefined ? null : copy.json<Value>();
  }
}
