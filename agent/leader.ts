/** Stands for election: one of several agents of a cluster works, the others wait for its Lease to end. */
import type { KubernetesClient } from "./kubernetes/client.ts";
import type { LeaderLease } from "./kubernetes/objects.ts";
import { refusalText } from "./kubernetes/refusal.ts";
import {
  ELECTION_PACE,
  isLeading,
  leaderStep,
  microTime,
  type ElectionPace,
  type LeaseView,
  type Seen,
} from "./core/leader.ts";

export interface ElectionOptions {
  readonly client: Pick<KubernetesClient, "lease" | "putLease">;
  /** `namespace/name` of the Lease, which the manifests make: names cannot limit who may create. */
  readonly lease: string;
  /** Unlike any other agent's, also one that ran under this name before. */
  readonly identity: string;
  /** Called once, when this agent leads. */
  readonly onLead: () => void;
  /** Called once, when it no longer does: nothing may be written from then on. */
  readonly onLost: (reason: string) => void;
  readonly onState: (state: string) => void;
  readonly pace?: ElectionPace;
}

export interface Election {
  isLeading(): boolean;
  /** Gives the Lease back, so that the next one need not wait for its end. */
  stop(): Promise<void>;
}

export function startElection(options: ElectionOptions): Election {
  const election = new LeaderElection(options);
  election.start();
  return election;
}

class LeaderElection implements Election {
  readonly #options: ElectionOptions;
  readonly #pace: ElectionPace;
  readonly #namespace: string;
  readonly #name: string;
  #seen: Seen | null = null;
  /** When the call that last wrote the Lease was begun; null while another has it. */
  #renewedAt: number | null = null;
  #last: LeaderLease | null = null;
  #timer: NodeJS.Timeout | null = null;
  #deadline: NodeJS.Timeout | null = null;
  #round: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#pace = options.pace ?? ELECTION_PACE;
    const [namespace = "", name = ""] = options.lease.split("/");
    this.#namespace = namespace;
    this.#name = name;
  }

  start(): void {
    this.#round = this.#look();
  }

  isLeading(): boolean {
    return !this.#isOver && isLeading(this.#renewedAt, this.#pace, performance.now());
  }

  async stop(): Promise<void> {
    const wasLeading = this.isLeading();
    this.#end();
    await this.#round;
    const lease = this.#last;
    if (!wasLeading || lease === null) return;
    const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 };
    await this.#options.client.putLease(this.#namespace, this.#name, { ...lease, spec });
  }

  async #look(): Promise<void> {
    await this.#stand();
    if (this.#isOver) return;
    // Full jitter for those who wait, so that they do not all grasp at once.
    const { retryMs } = this.#pace;
    const delayMs = this.#renewedAt === null ? retryMs * (0.5 + Math.random() / 2) : retryMs;
    this.#timer = setTimeout(() => (this.#round = this.#look()), delayMs);
  }

  async #stand(): Promise<void> {
    const { client, identity, lease: ref, onState } = this.#options;
    const read = await client.lease(this.#namespace, this.#name);
    if (this.#isOver) return;
    if (!read.ok) return onState(`cannot read the Lease ${ref}: ${refusalText(read.failure)}`);
    const now = performance.now();
    const { step, seen } = leaderStep(
      identity,
      viewOf(read.value),
      this.#seen,
      now,
      microTime(new Date().toISOString()),
    );
    this.#seen = seen;
    if (step.act === "wait") {
      onState(`stands by: ${step.holder} leads`);
      if (this.#renewedAt !== null) this.#lose(`${step.holder} leads now`);
      return;
    }
    await this.#write(read.value, step.acquireTime, step.transitions);
  }

  async #write({ metadata }: LeaderLease, acquireTime: string, leaseTransitions: number): Promise<void> {
    const { client, identity, onState, onLead } = this.#options;
    const startedAt = performance.now();
    const renewTime = microTime(new Date().toISOString());
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: this.#pace.leaseSeconds,
      acquireTime,
      renewTime,
      leaseTransitions,
    };
    const written = await client.putLease(this.#namespace, this.#name, { metadata, spec });
    if (this.#isOver) return;
    // 409: another one was faster. Whether it leads is read at the next look.
    if (!written.ok) return onState(`cannot write the Lease ${this.#options.lease}: ${refusalText(written.failure)}`);
    const isFirst = this.#renewedAt === null;
    this.#last = written.value;
    this.#renewedAt = startedAt;
    if (this.#deadline !== null) clearTimeout(this.#deadline);
    const leftMs = startedAt + this.#pace.deadlineMs - performance.now();
    this.#deadline = setTimeout(() => this.#lose("the Lease could not be renewed in time"), leftMs);
    onState("leads");
    if (isFirst) onLead();
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    this.#end();
    this.#options.onLost(reason);
  }

  #end(): void {
    this.#isOver = true;
    for (const timer of [this.#timer, this.#deadline]) if (timer !== null) clearTimeout(timer);
  }
}

function viewOf({ metadata, spec }: LeaderLease): LeaseView {
  return {
    resourceVersion: metadata.resourceVersion,
    holder: spec.holderIdentity ?? null,
    seconds: spec.leaseDurationSeconds ?? null,
    acquireTime: spec.acquireTime ?? null,
    transitions: spec.leaseTransitions ?? 0,
  };
}
