/** What a scrape is told, in one call. Numbers of Clusters are those of their last tell: nobody is woken for them. */
import { outlookAt } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { MetricsFacts } from "../core/metrics.ts";
import { publicChange } from "../core/snapshot.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMemory } from "./board-memory.ts";
import type { BoardWatch } from "./board-watch.ts";
import type { Meter } from "./meter.ts";
import type { TellMemory } from "./tell-memory.ts";

/** As often as facts arrive in Postgres by default: asked for every few seconds, it would never sleep. */
const WATCHED_AGE_MS = 5 * MINUTE;

/** What a Worker has answered visitors since it told of it last. */
export interface Views {
  readonly cached: number;
  readonly made: number;
}

interface MetricsOwner {
  readonly meter: Meter;
  readonly memory: BoardMemory;
  readonly tells: TellMemory;
  readonly books: BoardBooks;
  readonly watch: BoardWatch;
}

export class BoardMetrics {
  readonly #owner: MetricsOwner;
  #views: Views = { cached: 0, made: 0 };

  constructor(owner: MetricsOwner) {
    this.#owner = owner;
  }

  viewed({ cached, made }: Views): void {
    this.#views = { cached: this.#views.cached + cached, made: this.#views.made + made };
  }

  async facts(now: Millis): Promise<MetricsFacts> {
    const { meter, memory, tells, books, watch } = this.#owner;
    const watched = await watch.watched(WATCHED_AGE_MS);
    const { since: startedAt, calls, rowsWritten } = meter.costs;
    const facts = books.facts(now);
    const groups = new Map(facts.components.map(({ id, group }) => [id, group]));
    return {
      clusters: [...tells.map.values()].map((tell) => ({
        cluster: tell.cluster,
        heardAt: tell.heardAt,
        expiresAt: tell.expiresAt,
        agentVersion: tell.agentVersion,
        skewMs: tell.skewMs,
        sources: tell.sources,
        backlog: tell.backlog,
        ...(tell.gateway === undefined ? {} : { gateway: tell.gateway }),
        ...(tell.detector === undefined ? {} : { detector: tell.detector }),
        services: tell.services.length,
      })),
      // Not the snapshot: ninety days of each component are most of its work, and nobody reads them here.
      components: publicChange(facts, now).components.map((component) => ({
        id: component.id,
        name: component.name,
        group: groups.get(component.id) ?? null,
        status: outlookAt(component, now).status,
      })),
      watched,
      views: this.#views,
      board: { startedAt, calls, rowsWritten, backlog: memory.backlog() },
    };
  }
}
