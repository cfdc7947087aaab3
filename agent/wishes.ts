/**
 * What the edge wishes of the detector, kept over restarts, and what was answered: a command is carried out once an id,
 * whatever dies in between.
 *
 *   detector.json   { v, wish, generation, threshold, since, answers }   wish: the newest as it was signed
 */
import type { KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import {
  DetectorReportSchema,
  type DetectorAnswer,
  type DetectorCommand,
  type DetectorWish,
  type Unusual,
} from "../protocol/detector.ts";
import { SignedDesiredSchema, type SignedDesired } from "../protocol/lease.ts";
import type { Millis } from "../protocol/time.ts";
import { notDone, thresholdInForce, type Allowed, type InForce } from "./core/wish.ts";
import { openWish, type DesiredRefusal } from "./desired.ts";
import { messageOf } from "./disk.ts";
import { replaceFile } from "./frames.ts";
import { parseJson } from "./http.ts";
import type { Log } from "./log.ts";

const FILE = "detector.json";
/** Answers that are remembered, so that none of their commands is carried out again. */
const ANSWERS_MAX = 20;

export interface WishesOptions {
  readonly allowed: Allowed;
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly cluster: string;
  readonly dataDir: string;
  readonly now: () => Millis;
  /** There is something to push. */
  readonly onChange: () => void;
  readonly log: Log;
}

const { threshold: Threshold, since: Moment, answer: Answer } = DetectorReportSchema.entries;
const StoreSchema = v.strictObject({
  v: v.literal(1),
  wish: v.nullable(SignedDesiredSchema),
  generation: Moment,
  threshold: v.nullable(Threshold),
  since: Moment,
  answers: v.array(Answer.wrapped),
});
type Store = Readonly<v.InferOutput<typeof StoreSchema>>;

const EMPTY: Store = { v: 1, wish: null, generation: 0, threshold: null, since: 0, answers: [] };

export class Wishes {
  readonly #options: WishesOptions;
  #store: Store;
  #wish: DetectorWish | null = null;
  #refused: DesiredRefusal | "not_stored" | null = null;
  /** How far an answer is; not on the disk. */
  #progress: DetectorAnswer | null = null;

  constructor(options: WishesOptions) {
    this.#options = options;
    this.#store = read(options.dataDir);
    // The disk is trusted no more than the wire.
    const opened = this.#store.wish === null ? null : openWish(this.#store.wish, options.keys, options.cluster);
    if (opened?.ok === true) this.#wish = opened.value;
    this.#settle();
    this.#endInterrupted();
  }

  /** Takes in what is newer than the newest; what is not the edge's own changes nothing. */
  offer(signed: SignedDesired): void {
    const { keys, cluster, log, onChange } = this.#options;
    const opened = openWish(signed, keys, cluster);
    const refusal = opened.ok ? this.#take(signed, opened.value) : opened.failure;
    if (refusal === "same") return;
    if (refusal !== null && refusal !== this.#refused)
      log("warn", "what the edge wishes of the detector is not taken in", { reason: refusal });
    this.#refused = refusal;
    onChange();
  }

  #take(signed: SignedDesired, wish: DetectorWish): DesiredRefusal | "not_stored" | "same" | null {
    const { generation } = this.#store;
    if (wish.generation < generation) return "went_back";
    if (wish.generation === generation && this.#wish !== null)
      return signed.payload === this.#store.wish?.payload ? "same" : "went_back";
    const { payload, keyId, signature } = signed;
    if (!this.#save({ wish: { payload, keyId, signature }, generation: wish.generation })) return "not_stored";
    this.#wish = wish;
    this.#settle();
    return null;
  }

  get allowed(): Allowed {
    return this.#options.allowed;
  }

  get threshold(): number {
    return this.#inForce().threshold;
  }

  get unusual(): readonly Unusual[] {
    return this.#options.allowed.edge.incidents ? (this.#wish?.unusual ?? []) : [];
  }

  /** The command that is wished and was not begun; null if there is none. */
  get due(): DetectorCommand | null {
    const command = this.#wish?.command ?? null;
    return command === null || this.#answerTo(command.id) !== null ? null : command;
  }

  /** Whether it was said of the command in force that it is under way. */
  get isUnderWay(): boolean {
    return this.#progress !== null && this.#progress.id === this.#wish?.command?.id;
  }

  /** Says how far a command is, which nothing follows from. */
  wait({ id, kind }: DetectorCommand, says: string): void {
    this.#progress = { id, kind, state: "running", at: this.#options.now(), says };
    this.#options.onChange();
  }

  /** Says how a command is. On the disk before it returns; false if the disk refuses. */
  answer(answer: DetectorAnswer): boolean {
    const others = this.#store.answers.filter(({ id }) => id !== answer.id);
    const isKept = this.#save({ answers: [...others, answer].slice(-ANSWERS_MAX) });
    this.#progress = null;
    this.#options.onChange();
    return isKept;
  }

  /** What the agent says of wishes, for its report. */
  report() {
    const { allowed } = this.#options;
    const command = this.#wish?.command ?? null;
    return {
      ...this.#inForce(),
      observedGeneration: this.#store.generation,
      since: this.#store.since,
      answer: command === null ? null : this.isUnderWay ? this.#progress : this.#answerTo(command.id),
      detail: this.#refused === null ? notDone(allowed, this.#wish) : REFUSALS[this.#refused],
    };
  }

  #inForce(): InForce {
    return thresholdInForce(this.#options.allowed, this.#wish);
  }

  #answerTo(id: string): DetectorAnswer | null {
    return this.#store.answers.find((answer) => answer.id === id) ?? null;
  }

  /** Since when the threshold is what it is. */
  #settle(): void {
    const { threshold } = this.#inForce();
    if (threshold !== this.#store.threshold) this.#save({ threshold, since: this.#options.now() });
  }

  /** What was under way when the process ended is not begun again: nobody knows how far it came. */
  #endInterrupted(): void {
    const says = "the agent was started anew meanwhile; look which baseline is in use, and ask again";
    const ended = this.#store.answers.map((answer) =>
      answer.state === "running" ? { ...answer, state: "failed" as const, says } : answer,
    );
    if (this.#store.answers.some(({ state }) => state === "running")) this.#save({ answers: ended });
  }

  #save(changed: Partial<Store>): boolean {
    const next = { ...this.#store, ...changed };
    try {
      replaceFile(join(this.#options.dataDir, FILE), Buffer.from(JSON.stringify(next)));
    } catch (error) {
      this.#options.log("error", `${FILE} cannot be written: ${messageOf(error)}`);
      return false;
    }
    this.#store = next;
    return true;
  }
}

const REFUSALS: Readonly<Record<DesiredRefusal | "not_stored", string>> = {
  malformed: "a wish was refused: it is malformed",
  key_unknown: "wishes are refused: put the edge's key into leases.edgeKeys of agent.yaml",
  signature_invalid: "a wish was refused: the edge did not sign it",
  not_canonical: "a wish was refused: it is malformed",
  other_cluster: "a wish was refused: it is for another cluster",
  target_twice: "a wish was refused: it is malformed",
  went_back: "a wish was refused: it is older than the one that is held",
  not_stored: "a wish was refused: dataDir cannot be written",
};

/** Nothing at the first start, and nothing where the file is damaged. */
function read(dataDir: string): Store {
  try {
    const stored = v.safeParse(StoreSchema, parseJson(readFileSync(join(dataDir, FILE), "utf8")));
    if (stored.success) return stored.output;
  } catch {
    // There is none yet.
  }
  return EMPTY;
}
