/** What the actuator knows: the desired state in force, and each target's memory, on the disk before anything follows from it. */
import type { KeyObject } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { DesiredState, Lease, LeaseResult, SignedDesired } from "../protocol/lease.ts";
import { DAY, type Millis } from "../protocol/time.ts";
import { SHARE_BUDGET_MS, TARGET_BUDGET_MS, type LeaseChange } from "./core/lease.ts";
import { NO_MEMORY, type Step, type Wish } from "./core/lease-step.ts";
import { plainLine } from "./core/text.ts";
import { openDesired, type DesiredRefusal } from "./desired.ts";
import { readLeaseStore, writeLeaseStore, type LeaseStore, type StoredTarget } from "./lease-store.ts";

/** Results of targets that are no longer desired are reported for this long, ms. */
const RESULT_KEEP_MS = DAY;
const NEW_TARGET: StoredTarget = { ...NO_MEMORY, lease: null, result: null };

/** A step that writes to the cluster. */
export type Deed = Exclude<Step, { act: "report" | "idle" }>;

export interface MemoryOptions {
  readonly dataDir: string;
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly cluster: string;
  readonly now: () => Millis;
}

export class LeaseMemory {
  readonly #options: MemoryOptions;
  #store: LeaseStore;
  #desired: DesiredState | null = null;

  constructor(options: MemoryOptions) {
    this.#options = options;
    this.#store = readLeaseStore(options.dataDir);
    const { desired } = this.#store;
    // The disk is not trusted with what may be done to the cluster: the signature is checked again.
    const opened = desired === null ? null : openDesired(desired, options.keys, options.cluster);
    if (opened?.ok === true) this.#desired = opened.value;
  }

  get desired(): DesiredState | null {
    return this.#desired;
  }

  get changes(): readonly LeaseChange[] {
    return this.#store.changes;
  }

  get results(): readonly LeaseResult[] {
    return Object.values(this.#store.targets).flatMap(({ result }) => (result === null ? [] : [result]));
  }

  /** Every target that is desired or remembered. */
  refs(): ReadonlySet<string> {
    return new Set([
      ...(this.#desired?.leases ?? []).map((lease) => lease.target),
      ...Object.keys(this.#store.targets),
    ]);
  }

  wish(ref: string): Wish | null {
    if (this.#desired === null) return null;
    const lease = this.#desired.leases.find(({ target }) => target === ref) ?? null;
    return { generation: this.#desired.generation, lease };
  }

  target(ref: string): StoredTarget {
    return this.#store.targets[ref] ?? NEW_TARGET;
  }

  /** Takes in a desired state that is newer than the newest; "same" is no news, anything else is refused. */
  offer(signed: SignedDesired): "taken" | "same" | DesiredRefusal | "not_stored" {
    const opened = openDesired(signed, this.#options.keys, this.#options.cluster);
    if (!opened.ok) return opened.failure;
    const { generation } = opened.value;
    if (generation < this.#store.generation) return "went_back";
    if (generation === this.#store.generation && this.#desired !== null) {
      // Another state under the same number is one that went back.
      return signed.payload === this.#store.desired?.payload ? "same" : "went_back";
    }
    const former = this.#store;
    const { payload, keyId, signature } = signed;
    if (!this.#save({ desired: { payload, keyId, signature }, generation })) {
      // A generation that is not on the disk could go back at the next start: it is offered again with the next receipt.
      this.#store = former;
      return "not_stored";
    }
    this.#desired = opened.value;
    return "taken";
  }

  /**
   * Before the patch, so that a death after it leaves a memory that explains what the cluster then shows. If the patch
   * fails the memory does no harm: a mark on the deployment counts more. False where an application could not be
   * remembered; a restore goes on without a disk.
   */
  remember(ref: string, step: Deed, now: Millis): boolean {
    const former = this.target(ref);
    switch (step.act) {
      case "apply": {
        const changes = this.#changesWith(step.lease, step.spends, now);
        const { lease, note } = step;
        const next = { ...former, lease, note, acknowledged: null, ending: null, reverts: 0, inForce: null };
        return this.#save({ changes, targets: { ...this.#store.targets, [ref]: next } });
      }
      case "reapply": {
        const inForce = { generation: step.generation, at: now, settled: false };
        return this.put(ref, { ...former, reverts: former.reverts + 1, inForce });
      }
      case "restore": {
        const { generation, state, reason } = step;
        const lease = this.#leaseOf(ref, generation);
        const ending = { generation, state, reason: plainLine(reason, 400), at: now, lease };
        this.put(ref, { ...former, lease, inForce: null, ending });
        return true;
      }
    }
  }

  /** What was in force ended without a step of this agent's, and stays so; false if the report is of something else. */
  rememberGone(ref: string, { generation, state, reason }: Extract<Step, { act: "report" }>, now: Millis): boolean {
    const former = this.target(ref);
    if (former.inForce?.generation !== generation) return false;
    const lease = this.#leaseOf(ref, generation);
    this.put(ref, { ...former, lease, inForce: null, ending: { generation, state, reason, at: now, lease } });
    return true;
  }

  /** What the deployment's annotations say is in force. */
  rememberMark(ref: string, generation: number, isApplied: boolean, now: Millis): void {
    const former = this.target(ref);
    const known = former.inForce?.generation === generation ? former.inForce : null;
    const settled = isApplied || known?.settled === true;
    const inForce = { generation, at: known?.at ?? now, settled };
    this.put(ref, { ...former, lease: this.#leaseOf(ref, generation), inForce });
  }

  put(ref: string, target: StoredTarget): boolean {
    const now = this.#options.now();
    const desired = new Set(this.#desired?.leases.map((lease) => lease.target));
    const isKept = ([key, { result, inForce }]: readonly [string, StoredTarget]): boolean =>
      key === ref || desired.has(key) || inForce !== null || (result !== null && now - result.at < RESULT_KEEP_MS);
    const targets = Object.entries({ ...this.#store.targets, [ref]: target }).filter(isKept);
    return this.#save({ targets: Object.fromEntries(targets) });
  }

  #leaseOf(ref: string, generation: number): Lease | null {
    const leases = [this.target(ref).lease, this.wish(ref)?.lease];
    return leases.find((one) => one?.generation === generation) ?? null;
  }

  /** A lease counts once, however often the agent died while it was applied. */
  #changesWith({ target, generation }: Lease, spends: boolean, now: Millis): LeaseStore["changes"] {
    const recent = this.#store.changes.filter(({ at }) => at > now - Math.max(TARGET_BUDGET_MS, SHARE_BUDGET_MS));
    const isCounted = recent.some((change) => change.target === target && change.generation === generation);
    return spends && !isCounted ? [...recent, { target, generation, at: now }] : recent;
  }

  /** Remembers in any case; false if the disk refused. */
  #save(changed: Partial<LeaseStore>): boolean {
    const next = { ...this.#store, ...changed };
    if (isDeepStrictEqual(next, this.#store)) return true;
    this.#store = next;
    return writeLeaseStore(this.#options.dataDir, next);
  }
}
