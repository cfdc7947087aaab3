/** By which limits Clusters judge: they ask with every tell, and are told at once when an operator changes them. */
import type { Tell } from "../core/component.ts";
import type { Policies } from "../core/policies.ts";
import { policiesOf } from "../core/policies.ts";
import type { PageSettings } from "../core/snapshot.ts";
import type { Thresholds } from "../core/thresholds.ts";
import type { BoardDetectors } from "./board-detectors.ts";
import type { BoardMemory } from "./board-memory.ts";
import type { TellMemory } from "./tell-memory.ts";
import type { Env } from "./env.ts";
import { clusterOf } from "./env.ts";

/** An operator waits for few clusters to know; the others ask within 30 s anyway. */
const TOLD_AT_ONCE_MAX = 100;

export class BoardPolicies {
  readonly #env: Env;
  readonly #memory: BoardMemory;
  readonly #tells: TellMemory;
  readonly #detectors: BoardDetectors;
  /** What each cluster was given last. Forgotten with the object, it is what the cluster told last. */
  readonly #known = new Map<string, string>();

  constructor(
    env: Env,
    held: { readonly memory: BoardMemory; readonly tells: TellMemory; readonly detectors: BoardDetectors },
  ) {
    this.#env = env;
    this.#detectors = held.detectors;
    this.#memory = held.memory;
    this.#tells = held.tells;
  }

  /** What a cluster that tells this should judge by, if it judges otherwise; undefined if not, or if nobody knows. */
  answer({ cluster, policies = "" }: Tell): Policies | undefined {
    const right = this.#otherwise(cluster, policies);
    this.#known.set(cluster, right?.hash ?? policies);
    return right;
  }

  /** Sets the limits of all components that have none of their own; null for the runbook's. */
  setLimits(limits: Partial<Thresholds> | null, page: PageSettings, by: string): void {
    const { thresholds: _, ...rest } = page;
    const changed = { ...rest, ...(limits === null ? {} : { thresholds: limits }) };
    this.#memory.putPage(changed, "limits.change", by, Date.now());
  }

  #otherwise(cluster: string, hash: string): Policies | undefined {
    // A Board that is getting its components back would take away limits that it does not know yet.
    if (this.#memory.get("restore", "restore")?.phase === "documents") return undefined;
    const limits = this.#memory.get("page", "page")?.thresholds;
    const wish = this.#detectors.wishFor(cluster);
    const right = policiesOf(cluster, this.#memory.componentsOf(cluster), limits, wish);
    return right.hash === hash ? undefined : right;
  }

  /** Tells those that judge otherwise. As good as it gets: whom this does not reach hears it in answer to a tell. */
  async tellAll(): Promise<void> {
    const told = [...this.#tells.map.values()].flatMap(({ cluster, policies: hash = "" }) => {
      const policies = this.#otherwise(cluster, this.#known.get(cluster) ?? hash);
      return policies === undefined ? [] : [{ cluster, policies }];
    });
    const calls = told.slice(0, TOLD_AT_ONCE_MAX).map(async ({ cluster, policies }) => {
      await clusterOf(this.#env, cluster).judgeBy(policies);
      this.#known.set(cluster, policies.hash);
    });
    for (const result of await Promise.allSettled(calls))
      if (result.status === "rejected")
        console.warn(JSON.stringify({ event: "judge_by_failed", error: String(result.reason) }));
  }
}
