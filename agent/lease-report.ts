/** What is said of leases: to the edge with every push, and as an event where a state was reached. */
import { createHash } from "node:crypto";
import { LEASES_MAX, type Lease, type LeaseReport, type LeaseResult, type LeaseState } from "../protocol/lease.ts";
import type { EventRecord } from "../protocol/record.ts";
import { MINUTE, type Millis } from "../protocol/time.ts";
import { targetOf, type LeasesConfig } from "./core/lease.ts";
import type { TargetView } from "./core/lease-step.ts";
import { plainLine } from "./core/text.ts";
import type { LeaseMemory } from "./lease-memory.ts";

/** How long before its end a lease that will be held is warned about, ms. */
const HOLD_WARNING_MS = 15 * MINUTE;

export interface ReporterOptions {
  readonly leases: LeasesConfig;
  readonly cluster: string;
  readonly now: () => Millis;
  /** A result or the observed generation has changed: push it. */
  readonly onChange: () => void;
  readonly onEvent: (event: EventRecord) => void;
}

export class LeaseReporter {
  readonly #options: ReporterOptions;
  readonly #memory: LeaseMemory;
  readonly #warned = new Set<string>();

  constructor(options: ReporterOptions, memory: LeaseMemory) {
    this.#options = options;
    this.#memory = memory;
  }

  report(): LeaseReport {
    const { leases } = this.#options;
    const desired = new Set(this.#memory.desired?.leases.map((lease) => lease.target));
    // What is desired is reported before what is over, the newest first.
    const rank = (result: LeaseResult): number => (desired.has(result.target) ? 0 : 1);
    const targets = this.#memory.results
      .toSorted((a, b) => rank(a) - rank(b) || b.at - a.at || (a.target < b.target ? -1 : 1))
      .slice(0, LEASES_MAX);
    const allowed = leases.targets.map(({ ref, modes, floor }) => ({
      ref,
      modes: modes.filter((mode) => mode === "announce" || !leases.killSwitch),
      floor,
    }));
    return { observedGeneration: this.#memory.desired?.generation ?? 0, targets, allowed };
  }

  tell(ref: string, generation: number, state: LeaseState, reason: string, view: TargetView | null): void {
    const former = this.#memory.target(ref);
    const evidence = view === null ? null : { replicas: view.replicas, ready: view.readyReplicas };
    const text = plainLine(reason, 500);
    const { result } = former;
    const isSame = result?.generation === generation && result.state === state;
    const at = isSame ? result.at : this.#options.now();
    this.#memory.put(ref, { ...former, result: { target: ref, generation, state, reason: text, evidence, at } });
    if (isSame && result.reason === text) return;
    if (!isSame && state !== "pending" && state !== "unverified") this.#emit(ref, generation, state, state, text, at);
    this.#options.onChange();
  }

  warnOfHold(ref: string, generation: number, expiresAt: Millis, now: Millis): void {
    const key = `${ref} ${generation}`;
    const isHeld = targetOf(this.#options.leases, ref)?.onExpiry === "hold";
    if (!isHeld || now < expiresAt - HOLD_WARNING_MS || this.#warned.has(key)) return;
    this.#warned.add(key);
    this.#emit(ref, generation, "applied", "hold_warning", "ends soon and will be held: onExpiry is hold", now);
  }

  #emit(ref: string, generation: number, state: LeaseState, occasion: string, reason: string, at: Millis): void {
    const { lease, result } = this.#memory.target(ref);
    const asked: Lease | null = lease?.generation === generation ? lease : (this.#memory.wish(ref)?.lease ?? null);
    const told =
      asked?.generation === generation ? { mode: asked.mode, maintenance: asked.maintenance, by: asked.by } : {};
    const identity = [this.#options.cluster, ref, generation, occasion].join("\0");
    this.#options.onEvent({
      kind: "lease.result",
      id: createHash("sha256").update(identity).digest("hex").slice(0, 32),
      at,
      subject: ref,
      body: {
        generation,
        state,
        reason,
        replicas: result?.evidence?.replicas ?? null,
        ready: result?.evidence?.ready ?? null,
        ...told,
      },
    });
  }
}
