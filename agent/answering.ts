/** Carries out what the edge asks of the detector: once, within what agent.yaml allows, and with an answer in any case. */
import type { DetectorAnswer, DetectorCommand } from "../protocol/detector.ts";
import { PREVIEWED_MAX } from "../protocol/detector.ts";
import type { Result } from "../protocol/result.ts";
import type { Millis } from "../protocol/time.ts";
import { previewThresholds, retrain, timeText, type LearnOptions, type Learnt, type Unlearnt } from "./baseline.ts";
import type { LeftOut } from "./core/model.ts";
import { plainLine } from "./core/text.ts";
import { refusalOf } from "./core/wish.ts";
import { messageOf } from "./disk.ts";
import type { Log } from "./log.ts";
import { rollBack } from "./model-file.ts";
import type { GoldenSource } from "./source/golden.ts";
import type { Wishes } from "./wishes.ts";

/** Between two queries: a week is 126 of them, and an operator waits, ms. */
const PAUSE_MS = 100;
/** An operator waits: a fourth of a core until it is done. In pieces of this, in which little garbage piles up, ms. */
const BUSY_MS = 5;
const REST_SHARE = 3;
/** Of an answer, as the protocol has it. */
const SAYS_MAX = 500;

export interface Answering {
  readonly golden: GoldenSource;
  readonly dataDir: string;
  readonly wishes: Wishes;
  readonly leftOut: () => readonly LeftOut[];
  readonly now: () => Millis;
  readonly pause: (ms: number) => Promise<void>;
  readonly log: Log;
}

type Said = Pick<DetectorAnswer, "state" | "says" | "preview">;

export async function carryOut(command: DetectorCommand, to: Answering): Promise<void> {
  const { wishes, now, log } = to;
  const answer = ({ says, ...said }: Said): boolean =>
    wishes.answer({ id: command.id, kind: command.kind, at: now(), says: plainLine(says, SAYS_MAX), ...said });
  const refusal = refusalOf(command, wishes.allowed, now());
  if (refusal !== null) return void answer(refusal);
  // What is not on the disk could be done twice.
  if (!answer({ state: "running", says: "begun" })) return;
  log("info", "the edge asks the detector", { kind: command.kind, by: command.by });
  const said = await answerTo(command, to).catch((error: unknown): Said => ({
    state: "failed",
    says: `nothing is changed: ${messageOf(error)}`,
  }));
  log(said.state === "done" ? "info" : "warn", "the detector answers the edge", {
    kind: command.kind,
    says: said.says,
  });
  answer(said);
}

async function answerTo(command: DetectorCommand, to: Answering): Promise<Said> {
  const { golden, dataDir, wishes, leftOut, now, pause } = to;
  if (command.kind === "roll_back") return rolledBack(dataDir);
  const progress = (done: number, of: number): void => wishes.wait(command, `day ${done} of ${of} is read`);
  const pace = { progress, pause: () => pause(PAUSE_MS), rest: breathing(pause) };
  const options = { golden, dataDir, now: now(), leftOut: leftOut(), threshold: wishes.threshold, ...pace };
  return command.kind === "preview"
    ? previewed(options, command.threshold, wishes.threshold)
    : learnt(await retrain(options));
}

/** Leaves the processor to others for three fourths of the time. */
function breathing(pause: (ms: number) => Promise<void>): () => Promise<void> {
  let since = performance.now();
  return async () => {
    const busyMs = performance.now() - since;
    if (busyMs < BUSY_MS) return;
    await pause(REST_SHARE * busyMs);
    since = performance.now();
  };
}

async function previewed(options: LearnOptions, threshold: number, against: number): Promise<Said> {
  const seen = await previewThresholds(options, [threshold, against]);
  if (!seen.ok) return { state: seen.failure.code, says: seen.failure.says };
  const [would, did] = seen.value.raised;
  const sum = (raised: ReadonlyMap<string, number>): number => [...raised.values()].reduce((all, one) => all + one, 0);
  const subjects = [...new Set([...did.keys(), ...would.keys()])].map((subject) => ({
    subject,
    would: would.get(subject) ?? 0,
    did: did.get(subject) ?? 0,
  }));
  const changed = (one: { readonly would: number; readonly did: number }): number => Math.abs(one.would - one.did);
  const first = subjects.toSorted((a, b) => changed(b) - changed(a) || b.did - a.did).slice(0, PREVIEWED_MAX);
  const more = subjects.length > first.length ? `; ${subjects.length - first.length} more services are not listed` : "";
  return {
    state: "done",
    says: `replayed from ${timeText(seen.value.from)} to ${timeText(options.now)} by the baseline in use${more}`,
    preview: { threshold, against, would: sum(would), did: sum(did), subjects: first },
  };
}

function learnt(result: Result<Learnt, Unlearnt>): Said {
  if (!result.ok) return { state: result.failure.code, says: `nothing is changed: ${result.failure.says}` };
  const { about, services, shadow } = result.value;
  const out = about.leftOut.map(
    (one) => `${one.service ?? "all services"} ${timeText(one.from)} to ${timeText(one.to)} (${one.why})`,
  );
  const left = out.length === 0 ? "nothing was left out" : `left out: ${out.join(", ")}`;
  const before = shadow.before === null ? "" : `, the one before it ${shadow.before}`;
  const learntFrom = `${timeText(about.from)} to ${timeText(about.to)}, ${services} services, ${about.points} points`;
  return {
    state: "done",
    says: `baseline ${about.version} is in use: learnt from ${learntFrom}; in the last 24 hours it would have raised ${shadow.now}${before}; ${left}`,
  };
}

function rolledBack(dataDir: string): Said {
  const model = rollBack(dataDir);
  return model.ok
    ? {
        state: "done",
        says: `baseline ${model.value.version}, learnt until ${timeText(model.value.to)}, is in use again for a day at least`,
      }
    : { state: "failed", says: model.failure };
}
