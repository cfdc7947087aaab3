/**
 * What was said here and is to be told outside. A message stands in the same write as the act that it tells of; the
 * Outbox takes it over, and only then it goes from here. Handed over twice it is told once.
 */
import type { Announced, Announcement } from "../core/maintenance.ts";
import type { Incident } from "../core/incident.ts";
import type { Message } from "../core/notify-message.ts";
import { incidentMessage, noticeMessage } from "../core/notify-message.ts";
import type { Notice } from "../core/notices.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMemory } from "./board-memory.ts";
import type { Env } from "./env.ts";
import { outboxOf } from "./env.ts";

/** Of one call. */
const HANDED_MAX = 100;
/** While the Outbox takes nothing; far beyond what people say in weeks. The oldest go first. */
const WAITING_MAX = 5_000;
/** Of the number in front of a key. */
const PLACES = 12;

export class BoardNews {
  readonly #env: Env;
  readonly #memory: BoardMemory;
  readonly #books: BoardBooks;
  /** The handing over that is under way. */
  #handing: Promise<void> | null = null;

  constructor(env: Env, held: { readonly memory: BoardMemory; readonly books: BoardBooks }) {
    this.#env = env;
    this.#memory = held.memory;
    this.#books = held.books;
  }

  /** Within the change that says it. */
  ofIncident(incident: Incident): void {
    this.#put(incidentMessage(incident, this.#facts()));
  }

  /** Within the write that records the notice. */
  ofNotice(notice: Notice, of: Announced & Partial<Pick<Announcement, "components">>): void {
    this.#put(noticeMessage(notice, of, this.#facts()));
  }

  #facts() {
    return { page: this.#books.page(), components: this.#memory.all("component") };
  }

  #put(message: Message | null): void {
    if (message === null) return;
    const keys = this.#keys;
    const last = keys.at(-1);
    const [oldest] = keys;
    if (keys.length >= WAITING_MAX && oldest !== undefined) {
      console.error(JSON.stringify({ event: "news_dropped", key: oldest }));
      this.#memory.remove("message", oldest);
    }
    const number = last === undefined ? 0 : Number(last.slice(0, PLACES)) + 1;
    this.#memory.put("message", `${String(number).padStart(PLACES, "0")}:${message.key}`, message);
  }

  /** In the order in which it was said: memory gives them by their keys after a wake, and as they came before. */
  get #keys(): readonly string[] {
    return [...this.#memory.map("message").keys()].toSorted();
  }

  get isWaiting(): boolean {
    return this.#memory.map("message").size > 0;
  }

  /** Hands over what waits. Throws if the Outbox does not take it: the alarm tries again. */
  async handOver(): Promise<void> {
    this.#handing ??= this.#hand().finally(() => (this.#handing = null));
    return this.#handing;
  }

  async #hand(): Promise<void> {
    while (this.isWaiting) {
      const keys = this.#keys.slice(0, HANDED_MAX);
      const messages = keys.map((key) => this.#memory.get("message", key)).filter((one) => one !== null);
      await outboxOf(this.#env).take(messages);
      for (const key of keys) this.#memory.remove("message", key);
    }
  }
}
