/**
 * Which points of a mesh are anomalies, round by round, and how many things to say of them.
 *
 * A service has at most one open anomaly, whichever of its signals raised it. When more than three services in ten raise
 * one within two rounds, something that they share is the cause, and one anomaly of the mesh says so instead of fifty.
 */
import type { Millis } from "../../protocol/time.ts";
import { PackedBaseline } from "./baseline.ts";
import { Detector, type Judgement } from "./detector.ts";
import { explain, numbersOf, type Finding } from "./explain.ts";
import { POINT_MS, SIGNALS, valueOf, type Golden, type Signal, type Value } from "./golden.ts";
import type { SignalModels } from "./model.ts";
import { QUIET, raise, type Raising } from "./raise.ts";
import { TUNING } from "./tuning.ts";

/** What an anomaly of the whole mesh is about; no service has this name, for a service's has a slash. */
const MESH = "mesh";
const MESH_SHARE = 0.3;
/** Two of six services are no mesh. */
const MESH_SERVICES_MIN = 3;
/** Until when after it was raised an anomaly counts as one of those that are raised now. */
const TOGETHER_MS = POINT_MS;

type Body = Readonly<Record<string, string | number | boolean | null>>;

/** `raisedAt` names the anomaly together with its subject. */
export type Happening =
  | { readonly kind: "raised"; readonly subject: string; readonly raisedAt: Millis; readonly body: Body }
  | { readonly kind: "closed"; readonly subject: string; readonly raisedAt: Millis; readonly at: Millis };

/** What must be known after a restart: which series are raised, and which anomalies are open. */
export interface Memory {
  readonly at: Millis;
  /** By `service signal`. */
  readonly raising: Readonly<Record<string, Raising>>;
  /** By subject. `members` of the mesh's are the services that joined it. */
  readonly open: Readonly<Record<string, { readonly raisedAt: Millis; readonly members: readonly string[] }>>;
}

export const NOTHING_OPEN: Memory = { at: 0, raising: {}, open: {} };

export interface Round {
  readonly at: Millis;
  readonly services: ReadonlyMap<string, Golden>;
  /** Services in maintenance: what they do is neither raised nor learnt. */
  readonly maintained: ReadonlySet<string>;
  readonly threshold: number;
}

interface Watched {
  readonly signal: Signal;
  readonly baseline: PackedBaseline;
  readonly detector: Detector;
  raising: Raising;
}

interface Open {
  readonly raisedAt: Millis;
  readonly members: Set<string>;
}

export class AnomalyWatch {
  readonly version: number;
  /** Of each service the signals of which something was learnt. */
  readonly #series = new Map<string, readonly Watched[]>();
  readonly #open: Map<string, Open>;
  #at: Millis;

  readonly #raising: Memory["raising"];

  constructor(version: number, memory: Memory) {
    this.version = version;
    this.#at = memory.at;
    this.#raising = memory.raising;
    this.#open = new Map(
      Object.entries(memory.open).map(([subject, { raisedAt, members }]) => [
        subject,
        { raisedAt, members: new Set(members) },
      ]),
    );
  }

  /** From now on this service is judged by what was learnt of it. */
  add(service: string, signals: SignalModels): void {
    const watched = SIGNALS.flatMap((signal) => {
      const learnt = signals[signal];
      if (learnt === undefined) return [];
      const [baseline, detector] = [new PackedBaseline(learnt.baseline), new Detector(learnt.detector)];
      return [{ signal, baseline, detector, raising: this.#raising[keyOf(service, signal)] ?? QUIET }];
    });
    if (watched.length > 0) this.#series.set(service, watched);
  }

  /** The moment of the last round. */
  get at(): Millis {
    return this.#at;
  }

  /** How many services can be judged. */
  get services(): number {
    return this.#series.size;
  }

  /** Takes in what happened before anybody asked: it belongs to the level of now, and raises nothing. */
  warm(services: ReadonlyMap<string, Golden>): void {
    for (const [service, golden] of services)
      for (const { signal, detector } of this.#series.get(service) ?? []) {
        const value = valueOf(signal, golden);
        if (value !== null) detector.pass(value.value);
      }
  }

  /** One round of points. A round that is not newer than the last one changes nothing. */
  round(round: Round): readonly Happening[] {
    if (round.at <= this.#at) return [];
    this.#at = round.at;
    const findings: Finding[] = [];
    let scored = 0;
    for (const [service, golden] of round.services) {
      const { isScored, finding } = this.#judge(service, this.#series.get(service) ?? [], golden, round);
      if (isScored) scored++;
      if (finding !== null) findings.push(finding);
    }
    for (const [service, signals] of this.#series)
      if (!round.services.has(service)) for (const watched of signals) miss(watched, round.threshold);
    return [...this.#raise(findings, scored, round), ...this.#close(round.at)];
  }

  memory(): Memory {
    const raising = [...this.#series].flatMap(([service, signals]) =>
      signals.flatMap((one) =>
        one.raising.since === null ? [] : [[keyOf(service, one.signal), one.raising] as const],
      ),
    );
    const open = [...this.#open].map(([subject, { raisedAt, members }]) => [
      subject,
      { raisedAt, members: [...members] },
    ]);
    return { at: this.#at, raising: Object.fromEntries(raising), open: Object.fromEntries(open) };
  }

  /** Of a service its rarest finding; `isScored` unless none of its signals has a point. */
  #judge(
    service: string,
    signals: readonly Watched[],
    golden: Golden,
    round: Round,
  ): { readonly isScored: boolean; readonly finding: Finding | null } {
    let isScored = false;
    let finding: Finding | null = null;
    for (const watched of signals) {
      const given = valueOf(watched.signal, golden);
      if (given === null) {
        miss(watched, round.threshold);
        continue;
      }
      isScored = true;
      const judgement = judge(watched, given, round.maintained.has(service), round);
      const next = judgement === null ? null : { service, signal: watched.signal, judgement };
      if (next !== null && (finding === null || rarityOf(next) > rarityOf(finding))) finding = next;
    }
    return { isScored, finding };
  }

  #raise(findings: readonly Finding[], scored: number, { at, threshold }: Round): readonly Happening[] {
    const fresh = findings.filter(({ service }) => !this.#open.has(service));
    const mesh = this.#open.get(MESH);
    if (mesh !== undefined) {
      for (const { service } of fresh) mesh.members.add(service);
      return [];
    }
    const before = [...this.#open].filter(([, { raisedAt }]) => at - raisedAt <= TOGETHER_MS);
    const together = before.length + fresh.length;
    if (fresh.length > 0 && together >= MESH_SERVICES_MIN && together > MESH_SHARE * scored) {
      this.#open.set(MESH, { raisedAt: at, members: new Set(fresh.map(({ service }) => service)) });
      const first = before[0]?.[0] ?? fresh[0]?.service ?? "";
      return [
        {
          kind: "raised",
          subject: MESH,
          raisedAt: at,
          body: this.#meshBody(fresh, first, together, scored, threshold),
        },
      ];
    }
    return fresh.map((finding) => {
      this.#open.set(finding.service, { raisedAt: at, members: new Set([finding.service]) });
      const body = { ...numbersOf(finding), threshold, baseline: this.version, says: explain(finding) };
      return { kind: "raised", subject: finding.service, raisedAt: at, body };
    });
  }

  #meshBody(fresh: readonly Finding[], first: string, together: number, scored: number, threshold: number): Body {
    const largest = fresh.reduce((a, b) => (rarityOf(b) > rarityOf(a) ? b : a));
    const says = `${together} of ${scored} services are unusual at once, ${first} first: something that they share. The largest: ${explain(largest)}`;
    const numbers = { ...numbersOf(largest), threshold, baseline: this.version };
    return { services: together, of: scored, first, largest: largest.service, ...numbers, says };
  }

  /** What is calm again, or is not watched any more. */
  #close(at: Millis): readonly Happening[] {
    const isCalm = (service: string): boolean =>
      (this.#series.get(service) ?? []).every(({ raising }) => raising.calm === null);
    return [...this.#open].flatMap(([subject, { raisedAt, members }]) => {
      if (![...members].every(isCalm)) return [];
      this.#open.delete(subject);
      return [{ kind: "closed", subject, raisedAt, at } as const];
    });
  }
}

function keyOf(service: string, signal: Signal): string {
  return `${service} ${signal}`;
}

/** One point of one series; what is unusual of it if it is raised. */
function judge(
  watched: Watched,
  { value, noise }: Value,
  isMaintained: boolean,
  { at, threshold }: Round,
): Judgement | null {
  const { baseline, detector, raising } = watched;
  const usual = baseline.usual(at);
  const score = isMaintained ? null : detector.score(value, usual, noise);
  const { next, act } = raise(raising, score, threshold, TUNING.refractoryPoints);
  watched.raising = next;
  const judgement = act === "raise" ? detector.judge(value, usual, noise) : null;
  // While an anomaly is open, what it does must not become what it usually does.
  if (isMaintained || next.calm !== null) detector.pass(value);
  else detector.learn(value, usual, noise);
  return judgement;
}

/** A series without a point in this round: time passes for it all the same. */
function miss(watched: Watched, threshold: number): void {
  watched.raising = raise(watched.raising, null, threshold, TUNING.refractoryPoints).next;
}

function rarityOf({ judgement }: Finding): number {
  return Math.abs(judgement.deviations[0]?.sigmas ?? 0) * (judgement.deviations[0]?.onceIn ?? 1);
}
