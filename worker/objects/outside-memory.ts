/** What was seen of public addresses from outside: in memory, and in one row that each round of probes writes anew. */
import type { Millis } from "../../protocol/time.ts";
import type { Outside } from "../core/probe.ts";
import { withProbe } from "../core/probe.ts";
import type { Meter } from "./meter.ts";
import type { Probed } from "./prober.ts";

const SLOT = 1;

export class OutsideMemory {
  readonly #sql: Meter;
  #seen: ReadonlyMap<string, Outside> = new Map();

  constructor(sql: Meter) {
    this.#sql = sql;
    // A table of its own: a release before this one stops at a document of a kind that it does not know.
    sql.exec("CREATE TABLE IF NOT EXISTS outside (slot INTEGER PRIMARY KEY, body TEXT NOT NULL)");
    for (const { body } of sql.exec<{ body: string }>("SELECT body FROM outside WHERE slot = ?", SLOT))
      // Written by `put` below.
      this.#seen = new Map((JSON.parse(body) as readonly Outside[]).map((one) => [one.url, one]));
  }

  get map(): ReadonlyMap<string, Outside> {
    return this.#seen;
  }

  /** Takes in a round of probes, and forgets addresses that no component has any more. */
  put(round: readonly Probed[], urls: ReadonlySet<string>): void {
    const seen = new Map([...this.#seen].filter(([url]) => urls.has(url)));
    for (const { url, probe } of round) if (urls.has(url)) seen.set(url, withProbe(seen.get(url) ?? null, url, probe));
    this.#seen = seen;
    this.#sql.exec(
      "INSERT OR REPLACE INTO outside (slot, body) VALUES (?, ?)",
      SLOT,
      JSON.stringify([...seen.values()]),
    );
  }

  /** When an address was asked last; 0 if it never was. */
  askedAt(url: string): Millis {
    return this.#seen.get(url)?.probes.at(-1)?.at ?? 0;
  }
}
