/**
 * What a Cluster's agent should hold: the leases that are in force, as one signed document whose generation only grows.
 * It begins each change with what the Board wants, because this object may have been rewound; what its document leaves
 * out the agent releases.
 */
import type { DesiredState, SignedDesired } from "../../protocol/lease.ts";
import { canonicalJson, desiredStateMessage } from "../../protocol/lease.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { SessionMessage } from "../../protocol/session.ts";
import type { Millis } from "../../protocol/time.ts";
import type { DesiredRefusal } from "../core/desired.ts";
import { aboveObserved, asWanted, isRewound, withLease, withoutLease } from "../core/desired.ts";
import type { Maintenance } from "../core/maintenance.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import type { EdgeKey } from "./crypto.ts";
import type { Env } from "./env.ts";
import { boardOf } from "./env.ts";

/** What this part asks of its object. */
interface DesiredOwner {
  readonly env: Env;
  readonly memory: ClusterMemory;
  /** Tells every proved session. */
  sendAll(this: void, message: SessionMessage): void;
  edgeKey(this: void): Promise<EdgeKey>;
  /** The cluster's name; null if it was never made. */
  cluster(this: void): string | null;
}

export class ClusterDesired {
  readonly #owner: DesiredOwner;
  #desired: DesiredState | null;
  /** Changes, one after the other. */
  #changing: Promise<void> = Promise.resolve();

  constructor(owner: DesiredOwner) {
    this.#owner = owner;
    this.#desired = owner.memory.read<DesiredState>("desired");
  }

  /** Puts a maintenance's lease into force. Idempotent; answers the generation that it has. */
  async setLease(maintenance: Maintenance): Promise<Result<number, DesiredRefusal>> {
    const changed = await this.#change(maintenance.cluster, (desired, now) => withLease(desired, maintenance, now));
    if (!changed.ok) return changed;
    const lease = changed.value.leases.find((held) => held.maintenance === maintenance.id);
    return success(lease?.generation ?? changed.value.generation);
  }

  /** Takes a maintenance's lease out of force. Idempotent. */
  async releaseLease(maintenance: Maintenance): Promise<void> {
    await this.#change(maintenance.cluster, (desired, now) => withoutLease(desired, maintenance, now));
  }

  /** If this object was rewound: the agent gets a document that it takes in, once the Board has said what stands in it. */
  async heal(observed: number): Promise<void> {
    if (!isRewound(this.#desired, observed, Date.now())) return;
    const cluster = this.#owner.cluster() ?? "";
    try {
      await this.#change(cluster, (desired, now) => aboveObserved(desired, observed, now), true);
    } catch (error) {
      // The next push tries again; until then the agent keeps what it holds.
      console.warn(JSON.stringify({ event: "desired_not_healed", cluster, error: String(error) }));
    }
  }

  /** The signed document, unless `observed` says that the agent has it or a newer one, or nothing was ever desired. */
  async signed(observed: number | null): Promise<SignedDesired | undefined> {
    const desired = this.#desired;
    if (desired === null || desired.generation <= (observed ?? -1)) return undefined;
    return (await this.#owner.edgeKey()).sign(canonicalJson(desired), desiredStateMessage);
  }

  /**
   * Changes the document, one change at a time. Throws if the Board cannot be asked. A Board that has lost its own
   * memory says so: then this object goes by its own, unless `needsBoard`.
   */
  async #change(
    cluster: string,
    change: (desired: DesiredState, now: Millis) => DesiredState | DesiredRefusal,
    needsBoard = false,
  ): Promise<Result<DesiredState, DesiredRefusal>> {
    const before = this.#changing;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#changing = promise;
    try {
      await before;
      const wanted = await boardOf(this.#owner.env).leasesOf(cluster);
      if (wanted === null && needsBoard) throw new Error("the Board does not know yet what is wanted");
      const now = Date.now();
      const held = this.#desired ?? { v: 1, cluster, generation: 0, leases: [] };
      const changed = change(wanted === null ? held : asWanted(held, wanted, now), now);
      if (typeof changed === "string") return failure(changed);
      await this.#keep(changed);
      return success(changed);
    } finally {
      resolve();
    }
  }

  async #keep(desired: DesiredState): Promise<void> {
    if (desired === this.#desired) return;
    this.#desired = desired;
    this.#owner.memory.write("desired", desired);
    const signed = await this.signed(null);
    if (signed !== undefined) this.#owner.sendAll({ type: "desired", desired: signed });
  }
}
