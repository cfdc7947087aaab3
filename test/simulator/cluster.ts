/** One cluster of the world: its pods, its Cluster object, its part of Postgres, and what is on the way between them. */
import type { EventRecord } from "../../protocol/record.ts";
import { DAY, type Millis } from "../../protocol/time.ts";
import type { Dice } from "./dice.ts";
import { copyDisk, type Disk, newDisk } from "./disk.ts";
import { Edge, type Statement } from "./edge.ts";
import { idOf, Ledger } from "./ledger.ts";
import { judgeFreed, nameOf, type Violation } from "./oracle.ts";
import { type Flight, Pod, type PodWorld } from "./pod.ts";
import { Archive, type EventRow } from "./postgres.ts";
import type { Profile } from "./profile.ts";
import type { Outcome, Reply } from "./pusher.ts";
import type { Rules } from "./rules.ts";

/** A push or, with a reply, an answer under way. */
export interface Message {
  readonly flight: Flight;
  readonly reply: Reply | null;
}

/** Tells what happens, one line each; building the line costs nothing unless somebody listens. */
export type Say = (line: () => string) => void;

/** An event that the edge refuses with the whole push. */
const POISON = "poison";
const PODS_MAX = 4;

export class Cluster {
  readonly ledger = new Ledger();
  readonly name: string;
  readonly edge: Edge;
  readonly pods: Pod[] = [];
  wire: Message[] = [];
  statements: Statement[] = [];
  archive = new Archive();
  #backup: { readonly archive: Archive; readonly at: Millis } | null = null;
  /** What Postgres was set back to, until somebody asks for the events again. */
  #restored: { readonly at: Millis; readonly gone: readonly EventRow[] } | null = null;
  wasRestored = false;
  violation: Violation | null = null;
  /** Whose session is open. */
  #session: Pod | null = null;
  #shelf: Disk | null = null;
  #spools = 0;
  #events = 0;
  readonly #dice: Dice;
  readonly #rules: Rules;
  readonly #say: Say;
  readonly #podWorld: PodWorld;

  constructor(name: string, profile: Profile, rules: Rules, dice: Dice, dataFrom: Millis, say: Say) {
    this.name = name;
    this.#dice = dice;
    this.#rules = rules;
    this.#say = say;
    const { ledger } = this;
    const newSpool = (): string => idOf(`${name} ${++this.#spools}`);
    const { batchMax, services, spoolRecordsMax: recordsMax } = profile;
    this.#podWorld = { rules, ledger, dice, newSpool, recordsMax, batchMax, services, dataFrom };
    const { outboxRecordsMax, flushRecordsMax, flushIntervalMs } = profile;
    const send = (statement: Statement): void => {
      this.statements.push(statement);
      say(() => `${name} edge: flush of ${statement.records.map(({ epoch, seq }) => `${epoch}:${seq}`).join(" ")}`);
    };
    const bounds = { outboxRecordsMax, flushRecordsMax, flushIntervalMs };
    this.edge = new Edge({ rules, ledger, dice, ...bounds, send, isPoison });
  }

  /** The running pods. */
  get running(): readonly Pod[] {
    return this.pods.filter((pod) => pod.isRunning);
  }

  // ── pods ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  addPod(disk: Disk | null, takeOver: boolean, now: Millis): void {
    if (this.pods.length >= PODS_MAX) return;
    const name = `${this.name}/pod${this.pods.length + 1}`;
    const pod = new Pod(this.#podWorld, name, disk ?? newDisk(this.#podWorld.newSpool()));
    this.pods.push(pod);
    this.startPod(pod, takeOver, now);
  }

  startPod(pod: Pod, takeOver: boolean, now: Millis): void {
    pod.start(now, takeOver);
    this.#say(() => `${pod.name} starts${takeOver ? " to take over" : ""}: ${stateOf(pod)}`);
  }

  stopPod(pod: Pod, powerLost: boolean): void {
    if (this.#session === pod) this.closeSession();
    pod.stop(powerLost);
    this.#say(() => `${pod.name} ${powerLost ? "loses power" : "stops"}`);
  }

  /** The book of numbers decays while nobody has it open. */
  damageBook(pod: Pod): void {
    pod.disk.isBookDamaged = true;
    this.#say(() => `${pod.name}: its book of numbers decays`);
  }

  /** The disk goes, and what only it held. */
  loseDisk(pod: Pod): void {
    for (const { record } of pod.spool?.unfreed ?? pod.disk.records) this.ledger.excuse(record, "on a lost disk");
    this.stopPod(pod, false);
    this.pods.splice(this.pods.indexOf(pod), 1);
    this.#say(() => `${pod.name} and its disk are lost`);
  }

  /** Copies a disk; later a pod may start from the copy. */
  copyDisk(pod: Pod): void {
    this.#shelf = copyDisk(pod.disk);
    this.#say(() => `${pod.name}: its disk is copied`);
  }

  startCopy(takeOver: boolean, now: Millis): void {
    if (this.#shelf === null) return;
    this.addPod(copyDisk(this.#shelf), takeOver, now);
    this.#shelf = null;
  }

  seeEvent(now: Millis, isBad: boolean): void {
    const dice = this.#dice;
    const [first] = this.running;
    if (first === undefined) return;
    const serial = ++this.#events;
    const subject = isBad && dice.chance(60) ? POISON : `pod ${serial}`;
    const id = isBad && subject !== POISON ? `malformed ${serial}` : idOf(`${this.name} event ${serial}`);
    const kind = "pod.crash_loop";
    const event: EventRecord = this.ledger.event({ kind, id, at: first.time(now), subject, body: {} });
    for (const pod of this.running) {
      if (pod !== first && dice.chance(30)) continue;
      pod.see(event, now);
      this.#say(() => `${pod.name} sees event ${serial}${isBad ? ` (bad: ${subject})` : ""}: ${stateOf(pod)}`);
    }
  }

  closeMinutes(pod: Pod, now: Millis, most: number): void {
    const closed = pod.close(now, most);
    if (closed > 0) this.#say(() => `${pod.name} closes ${closed} minutes: ${stateOf(pod)}`);
  }

  push(pod: Pod, now: Millis): void {
    const flight = pod.push(now, this.#session === pod);
    if (flight === null) return;
    this.wire.push({ flight, reply: null });
    this.#say(() => `${pod.name} ${flight.viaSession ? "sends" : "posts"} ${pushOf(flight)}`);
  }

  giveUp(pod: Pod, now: Millis): void {
    if (pod.flight === null) return;
    this.#say(() => `${pod.name} waits no longer`);
    if (this.#session === pod) this.closeSession();
    if (pod.flight !== null) this.#hear(pod.flight, null, now);
  }

  // ── network ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  openSession(pod: Pod): void {
    if (this.#session !== null) this.closeSession();
    this.#session = pod;
    this.edge.openSession();
    this.#say(() => `${pod.name} opens a session`);
  }

  /** What was on the way over it is lost, and the agent knows that it has no answer. */
  closeSession(): void {
    const pod = this.#session;
    if (pod === null) return;
    this.#session = null;
    this.edge.closeSession();
    this.wire = this.wire.filter(({ flight }) => flight.pod !== pod || !flight.viaSession);
    this.#say(() => `${pod.name}: its session ends`);
    if (pod.flight?.viaSession === true) pod.hear(pod.flight, null, 0);
  }

  /** Delivers what is at `index` of the wire, or what goes before it on the same session. A copy may stay. */
  deliver(index: number, keepsCopy: boolean, edgeNow: Millis, now: Millis): void {
    const wanted = this.wire[index];
    if (wanted === undefined) return;
    const isSame = ({ flight }: Message): boolean => flight.viaSession && flight.pod === wanted.flight.pod;
    const at = wanted.flight.viaSession ? this.wire.findIndex(isSame) : index;
    const message = this.wire[at];
    if (message === undefined) return;
    if (!keepsCopy || message.flight.viaSession) this.wire.splice(at, 1);
    const { flight, reply } = message;
    if (reply !== null) {
      this.#hear(flight, reply, now);
      return;
    }
    const answer = this.edge.take(flight.sent.push, edgeNow);
    this.wire.push({ flight, reply: answer });
    this.#say(() => `${this.name} edge takes ${pushOf(flight)}: ${replyOf(answer)}`);
  }

  drop(index: number): void {
    const message = this.wire[index];
    if (message === undefined || message.flight.viaSession) return;
    this.wire.splice(index, 1);
    this.#say(() => `lost on the way: ${message.reply === null ? pushOf(message.flight) : replyOf(message.reply)}`);
  }

  #hear(flight: Flight, reply: Reply | null, now: Millis): void {
    const outcome = flight.pod.hear(flight, reply, now);
    if (outcome === null) return;
    this.#say(() => `${flight.pod.name} hears ${reply === null ? "nothing" : replyOf(reply)}: ${outcomeOf(outcome)}`);
    if (outcome.kind === "fenced" && this.#session === flight.pod) this.closeSession();
    if (outcome.kind !== "accepted" || this.wasRestored) return;
    for (const { record } of outcome.freed) this.violation ??= judgeFreed(this.ledger, this.archive, record);
  }

  // ── Postgres ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A statement arrives; its answer reaches the object, or not. Then it may be that the object still waits. */
  execute(statement: Statement, isAnswered: boolean, now: Millis): void {
    this.statements = this.statements.filter((other) => other !== statement);
    this.archive.flush(this.#rules, statement.records, now);
    this.#say(
      () =>
        `${this.name} Postgres takes ${statement.records.length} records${isAnswered ? "" : ", its answer is lost"}`,
    );
    if (isAnswered) this.edge.landed(statement, true, now);
  }

  /** A statement fails, or the object stops waiting; `arrivesLater` leaves it on its way. */
  fail(statement: Statement, arrivesLater: boolean, now: Millis): void {
    if (!arrivesLater) this.statements = this.statements.filter((other) => other !== statement);
    this.#say(() => `${this.name} edge: a flush ${arrivesLater ? "is given up" : "fails"}`);
    this.edge.landed(statement, false, now);
  }

  /** Not while events are missing that are still to come again: nobody keeps such a Postgres to go back to. */
  backUp(now: Millis): void {
    if (this.#restored !== null || this.edge.sendsAgain) return;
    this.#backup = { archive: new Archive(this.archive), at: now };
  }

  /** Postgres goes back to the backup. Windows that were freed are gone with it; events come again when asked for. */
  restore(): void {
    const backup = this.#backup;
    if (backup === null) return;
    const { archive } = backup;
    for (const { record } of this.ledger.facts) {
      const isGone = record.kind === "window" && !holds(archive, record.service, record.at);
      if (isGone && holds(this.archive, record.service, record.at)) this.ledger.excuse(record, "Postgres was restored");
    }
    const gone = [...this.archive.events.values()].filter(({ id }) => !archive.events.has(id));
    this.archive = new Archive(archive);
    this.#backup = null;
    this.#restored = { at: backup.at, gone };
    this.wasRestored = true;
    this.#say(() => `${this.name} Postgres is restored to an earlier time`);
  }

  get awaitsReflush(): boolean {
    return this.#restored !== null;
  }

  /** An operator asks for what the restored Postgres may lack. What came to it more than 48 h ago is no longer kept. */
  reflush(now: Millis): void {
    if (this.#restored === null) return;
    const { at, gone } = this.#restored;
    for (const { id, storedAt } of gone) if (now - storedAt > 2 * DAY) this.ledger.forget(id);
    this.edge.reflush(at, now);
    this.#restored = null;
    this.#say(() => `${this.name} operator: reflush`);
  }
}

function holds(archive: Archive, service: string, at: Millis): boolean {
  for (const row of archive.windows.values())
    if (row.service === service && row.at <= at && at < row.at + row.spanMs) return true;
  return false;
}

function isPoison(item: unknown): boolean {
  return typeof item === "object" && item !== null && "subject" in item && item.subject === POISON;
}

function stateOf(pod: Pod): string {
  const { spool } = pod;
  if (spool === null) return "stopped";
  const held = spool.unfreed.map(({ id, record }) => `${id}:${nameOf(record)}`);
  return `epoch ${spool.epoch}, base ${spool.base}, next ${spool.next}, held ${held.join(", ")}`;
}

function pushOf({ sent: { push } }: Flight): string {
  const { first, items } = push.records;
  return `push of ${push.epoch ?? "no epoch"} base ${push.base} [${first}..${first + items.length - 1}]`;
}

function replyOf({ answer, receipt }: Reply): string {
  if (receipt !== null) return `200 epoch ${receipt.epoch} received ${receipt.received} persisted ${receipt.persisted}`;
  return `${answer.status} ${answer.code}${answer.expected === null ? "" : ` expected ${answer.expected}`}`;
}

function outcomeOf(outcome: Outcome): string {
  return outcome.kind === "fenced"
    ? "exits"
    : outcome.kind === "held"
      ? outcome.note
      : `${outcome.note}, frees ${outcome.freed.length}`;
}
