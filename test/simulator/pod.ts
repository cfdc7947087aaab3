/** One process with an agent's identity, its clock and the mesh it reads: mirrors `agent/run.ts` and `agent/clock.ts`. */
import { addSample, clockOffset, clockSample, isPossible, type ClockSample } from "../../agent/core/clock.ts";
import { dueSpan } from "../../agent/core/windows.ts";
import type { EventRecord } from "../../protocol/record.ts";
import { MINUTE, type Millis } from "../../protocol/time.ts";
import type { Dice } from "./dice.ts";
import { Pusher, type Outcome, type Reply, type Sent } from "./pusher.ts";
import { crashDisk, type Disk } from "./disk.ts";
import { Spool, type SpoolWorld } from "./spool.ts";

export interface PodWorld extends SpoolWorld {
  readonly dice: Dice;
  readonly batchMax: number;
  readonly services: readonly string[];
  /** True time before which the mesh has no data. */
  readonly dataFrom: Millis;
}

/** A push that waits for its answer. */
export interface Flight {
  readonly pod: Pod;
  readonly sent: Sent;
  readonly viaSession: boolean;
  /** By the raw clock. */
  readonly sentAt: Millis;
}

/** Samples of a minute may take this long, ms. */
const LATE_MS = 5_000;
/** Without an answer the clock is believed after this long, ms. */
const PATIENCE_MS = 30_000;

export class Pod {
  readonly #world: PodWorld;
  readonly name: string;
  readonly disk: Disk;
  spool: Spool | null = null;
  #pusher: Pusher | null = null;
  flight: Flight | null = null;
  isFenced = false;
  /** The raw clock is ahead of true time by this. */
  #skewMs = 0;
  #samples: readonly ClockSample[] = [];
  /** Survives the process: `clock.json`. */
  #keptOffsetMs = 0;
  #heard = false;
  #runSince: Millis = 0;

  constructor(world: PodWorld, name: string, disk: Disk) {
    this.#world = world;
    this.name = name;
    this.disk = disk;
  }

  get isRunning(): boolean {
    return this.spool !== null;
  }
  get isIdle(): boolean {
    return this.spool !== null && this.spool.unfreed.length === 0;
  }

  start(now: Millis, takeOver: boolean): void {
    this.spool = new Spool(this.#world, this.disk);
    this.isFenced = false;
    if (takeOver) this.spool.renew();
    this.#pusher = new Pusher(this.#world.rules, this.spool, this.#world.batchMax);
    this.#samples = [];
    this.#heard = false;
    this.#runSince = now;
  }

  /** The process ends; with the power gone, so does what the disk was not asked to keep. */
  stop(powerLost: boolean): void {
    this.spool = null;
    this.#pusher = null;
    this.flight = null;
    if (powerLost) crashDisk(this.disk, this.#world.dice);
  }

  jump(byMs: number, now: Millis): void {
    this.#skewMs += byMs;
    this.#heard = false;
    this.#runSince = now;
  }

  time(now: Millis): Millis {
    return now + this.#skewMs + clockOffset(this.#samples, this.#keptOffsetMs);
  }

  /** Closes minutes that are due, `most` at a time. */
  close(now: Millis, most: number): number {
    const { spool } = this;
    if (spool === null || !this.#isConfirmed(now)) return 0;
    let closed = 0;
    for (; closed < most; closed++) {
      const due = dueSpan(spool.closedUntil, this.time(now), MINUTE, LATE_MS);
      if (due === null) break;
      const hasData = due.from >= this.#world.dataFrom && due.until <= now;
      const { ledger, services } = this.#world;
      const windows = hasData ? services.map((service) => ledger.window(service, due.from)) : [];
      spool.append(windows, this.time(now), due.until);
    }
    return closed;
  }

  see(event: EventRecord, now: Millis): void {
    this.spool?.append([event], this.#isConfirmed(now) ? this.time(now) : null, null);
  }

  push(now: Millis, viaSession: boolean): Flight | null {
    if (this.#pusher === null || this.flight !== null) return null;
    this.flight = { pod: this, sent: this.#pusher.compose(this.time(now)), viaSession, sentAt: now + this.#skewMs };
    return this.flight;
  }

  /** The answer to `flight`, null if none came in time. Late answers find nobody. */
  hear(flight: Flight, reply: Reply | null, now: Millis): Outcome | null {
    if (this.flight !== flight || this.#pusher === null) return null;
    this.flight = null;
    if (reply !== null) this.#learn(clockSample(flight.sentAt, now + this.#skewMs, reply.serverTime));
    const outcome = this.#pusher.react(reply, flight.sent);
    if (outcome.kind === "fenced") {
      this.stop(false);
      this.isFenced = true;
    }
    return outcome;
  }

  #learn(sample: ClockSample): void {
    if (!isPossible(sample)) return;
    this.#samples = addSample(this.#samples, sample);
    this.#keptOffsetMs = clockOffset(this.#samples);
    this.#heard = true;
  }

  #isConfirmed(now: Millis): boolean {
    return this.#heard || now - this.#runSince >= PATIENCE_MS;
  }
}
