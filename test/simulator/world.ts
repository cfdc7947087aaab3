/**
 * A world: clusters, a clock and dice. First troubles come in any order, one step at a time; then they stop, everything
 * must come to rest in a bounded number of rounds, and the oracle compares.
 */
import { DAY, HOUR, MINUTE, SECOND, type Millis } from "../../protocol/time.ts";
import { Cluster, type Say } from "./cluster.ts";
import { Dice } from "./dice.ts";
import { judge, type Violation } from "./oracle.ts";
import type { Pod } from "./pod.ts";
import { type Profile, profileOf } from "./profile.ts";
import type { Rules } from "./rules.ts";

/** Noon, and the data of the mesh begins a little before. */
const BEGIN: Millis = Date.UTC(2026, 10, 23, 12, 0);
const DATA_BEFORE_MS = 3 * MINUTE;
/** Rounds that a pod may take to hand over what its disk holds, and a few a record. */
const ROUNDS_LEAST = 40;
const ROUNDS_PER_RECORD = 6;
const ROUND_MS = 20 * SECOND;
/** Pods that are told to take over though nobody fenced them. */
const TAKE_OVER_PERCENT = 30;

/** What is played. `say` hears the time line. */
export interface Play {
  readonly rules: Rules;
  readonly say?: ((line: string) => void) | null;
}

/** Something that goes wrong in a cluster, maybe with a pod. */
type Trouble = (cluster: Cluster, pod: Pod | null) => unknown;

export class World {
  readonly #dice: Dice;
  readonly #profile: Profile;
  readonly #clusters: readonly Cluster[];
  readonly #say: Say;
  #now = BEGIN;
  #edgeSkewMs = 0;
  readonly #troubles: readonly Trouble[];
  #isPostgresDown = false;
  #step = 0;

  constructor(seed: number, { rules, say = null }: Play) {
    this.#dice = new Dice(seed);
    this.#profile = profileOf(this.#dice);
    this.#say = (line) =>
      say?.(`${String(this.#step).padStart(3)} ${new Date(this.#now).toISOString().slice(11, 19)} ${line()}`);
    this.#troubles = this.#troublesOf(this.#profile);
    const { clusters } = this.#profile;
    this.#clusters = Array.from(
      { length: clusters },
      (_, i) => new Cluster("abc".charAt(i), this.#profile, rules, this.#dice, BEGIN - DATA_BEFORE_MS, this.#say),
    );
    this.#say(() => `world ${JSON.stringify(this.#profile)}`);
  }

  /** The first rule that was broken; null if none was. */
  play(): Violation | null {
    for (const cluster of this.#clusters) cluster.addPod(null, false, this.#now);
    const { steps } = this.#profile;
    for (; this.#step < steps; this.#step++) {
      const cluster = this.#clusters[this.#dice.below(this.#clusters.length)];
      if (cluster === undefined) continue;
      if (this.#dice.chance(this.#profile.troublePercent)) this.#trouble(cluster);
      else this.#work(cluster);
      if (cluster.violation !== null) return cluster.violation;
    }
    this.#isPostgresDown = false;
    // What an object wrote in a future that it no longer believes in waits until then.
    if (this.#profile.edgeClock) this.#now += 4 * HOUR;
    this.#edgeSkewMs = 0;
    for (const cluster of this.#clusters) {
      const violation = this.#rest(cluster) ?? judge(cluster.ledger, cluster.archive);
      if (violation !== null) return violation;
    }
    return null;
  }

  get #edgeNow(): Millis {
    return this.#now + this.#edgeSkewMs;
  }

  // ── work ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #work(cluster: Cluster): void {
    const dice = this.#dice;
    const pod = this.#somePod(cluster);
    const drawn = dice.below(100);
    if (drawn < 18) this.#pass(cluster);
    else if (drawn < 24) cluster.seeEvent(this.#now, this.#profile.badRecords && dice.chance(25));
    else if (drawn < 48) {
      if (pod !== null) cluster.push(pod, this.#now);
    } else if (drawn < 80) this.#deliver(cluster);
    else this.#serve(cluster);
  }

  /** Time passes, and what has become due is closed. */
  #pass(cluster: Cluster): void {
    const dice = this.#dice;
    const { longPauses, isTight } = this.#profile;
    const pause = dice.chance(isTight ? 50 : 75) ? dice.between(5, 90) * SECOND : dice.between(2, 12) * MINUTE;
    const longPause = dice.chance(8) ? 8 * DAY : dice.between(1, 30) * HOUR;
    this.#now += longPauses && dice.chance(15) ? longPause : pause;
    for (const pod of cluster.running) cluster.closeMinutes(pod, this.#now, 8);
  }

  #deliver(cluster: Cluster): void {
    const dice = this.#dice;
    const { lossyNet } = this.#profile;
    const { length } = cluster.wire;
    if (length === 0) {
      const pod = this.#somePod(cluster);
      if (pod !== null) cluster.push(pod, this.#now);
      return;
    }
    const index = lossyNet ? dice.below(length) : 0;
    if (lossyNet && dice.chance(12)) cluster.drop(index);
    else cluster.deliver(index, lossyNet && dice.chance(10), this.#edgeNow, this.#now);
  }

  /** Postgres serves a statement, or the object's alarm comes. */
  #serve(cluster: Cluster): void {
    const dice = this.#dice;
    const { slowPostgres } = this.#profile;
    const statement = cluster.statements[slowPostgres ? dice.below(cluster.statements.length) : 0];
    if (statement === undefined) cluster.edge.ring(this.#edgeNow);
    else if (this.#isPostgresDown) cluster.fail(statement, false, this.#edgeNow);
    else if (!slowPostgres || dice.chance(70)) cluster.execute(statement, true, this.#edgeNow);
    else if (dice.chance(50)) cluster.execute(statement, false, this.#edgeNow);
    else cluster.fail(statement, dice.chance(70), this.#edgeNow);
    if (dice.chance(40)) cluster.edge.settle();
  }

  #somePod(cluster: Cluster): Pod | null {
    return cluster.running[this.#dice.below(cluster.running.length)] ?? null;
  }

  // ── trouble ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #trouble(cluster: Cluster): void {
    const trouble = this.#troubles[this.#dice.below(this.#troubles.length)];
    trouble?.(cluster, cluster.pods[this.#dice.below(cluster.pods.length)] ?? null);
  }

  /** Those that this world has, each as often as it is to happen. */
  #troublesOf(p: Profile): readonly Trouble[] {
    const when = (is: boolean, ...troubles: readonly Trouble[]): readonly Trouble[] => (is ? troubles : []);
    const dice = this.#dice;
    const restart: Trouble = (cluster, pod) => pod !== null && this.#restart(cluster, pod);
    const evict: Trouble = (cluster) => this.#evict(cluster);
    const disaster: Trouble = (cluster) => this.#disaster(cluster);
    return [
      restart,
      ...when(p.lossyNet, (cluster, pod) => pod !== null && cluster.giveUp(pod, this.#now)),
      ...when(p.sessions, (cluster) => this.#changeSession(cluster)),
      ...when(p.crashes, restart, restart),
      ...when(p.diskLoss, (cluster, pod) => this.#loseDisk(cluster, pod)),
      ...when(p.zombies, (cluster) => cluster.addPod(null, false, this.#now)),
      ...when(p.copies, (cluster, pod) => this.#copy(cluster, pod)),
      ...when(p.agentClock || p.edgeClock, (_, pod) => this.#moveClocks(pod)),
      ...when(p.evictions, evict, evict),
      ...when(p.disaster !== "none", disaster, disaster),
      ...when(p.postgresDown, () => (this.#isPostgresDown = !this.#isPostgresDown)),
      ...when(p.slowPostgres, (cluster) => {
        if (cluster.edge.flight !== null) cluster.fail(cluster.edge.flight, dice.chance(80), this.#edgeNow);
      }),
      ...when(p.damage, (cluster, pod) => pod !== null && this.#damage(cluster, pod)),
    ];
  }

  #changeSession(cluster: Cluster): void {
    const pod = this.#somePod(cluster);
    if (cluster.edge.hasSession && this.#dice.chance(50)) cluster.closeSession();
    else if (pod !== null) cluster.openSession(pod);
  }

  #loseDisk(cluster: Cluster, pod: Pod | null): void {
    if (pod !== null && this.#dice.chance(40)) cluster.loseDisk(pod);
    if (cluster.pods.length === 0) cluster.addPod(null, false, this.#now);
  }

  /** A copy is started as the handbook says: to take over. */
  #copy(cluster: Cluster, pod: Pod | null): void {
    if (pod !== null && this.#dice.chance(50)) cluster.copyDisk(pod);
    else cluster.startCopy(true, this.#now);
  }

  #restart(cluster: Cluster, pod: Pod): void {
    if (pod.isFenced) {
      if (this.#dice.chance(40)) cluster.startPod(pod, true, this.#now);
    } else if (!pod.isRunning) cluster.startPod(pod, this.#dice.chance(TAKE_OVER_PERCENT), this.#now);
    else if (this.#profile.crashes) {
      cluster.stopPod(pod, this.#dice.chance(60));
      if (this.#dice.chance(70)) cluster.startPod(pod, this.#dice.chance(TAKE_OVER_PERCENT), this.#now);
    }
  }

  #moveClocks(pod: Pod | null): void {
    const dice = this.#dice;
    const jump = (dice.chance(50) ? 1 : -1) * dice.between(1, 180) * MINUTE;
    if (this.#profile.agentClock && pod !== null) {
      pod.jump(jump, this.#now);
      this.#say(() => `${pod.name}: its clock jumps by ${jump / MINUTE} min`);
    }
    if (this.#profile.edgeClock) {
      this.#edgeSkewMs = this.#edgeSkewMs === 0 ? jump : 0;
      this.#say(() => `the edge's clock is off by ${this.#edgeSkewMs / MINUTE} min`);
    }
  }

  #evict(cluster: Cluster): void {
    cluster.edge.evict();
    this.#say(() => `${cluster.name} edge is evicted`);
  }

  #disaster(cluster: Cluster): void {
    const dice = this.#dice;
    const { disaster } = this.#profile;
    if (disaster === "rewind" && dice.chance(70)) {
      if (dice.chance(50)) cluster.closeSession();
      this.#now += dice.between(1, 30) * SECOND;
      cluster.edge.rewind(dice.chance(15) ? Infinity : dice.between(1, 12));
      this.#say(() => `${cluster.name} edge is rewound to ${JSON.stringify(cluster.edge.marks)}`);
    }
    if (disaster !== "restore") return;
    if (cluster.awaitsReflush) cluster.reflush(this.#edgeNow);
    // The operator asks from earlier on where the object's clock is not to be trusted.
    else if (dice.chance(50)) cluster.backUp(this.#edgeNow - (this.#profile.edgeClock ? 4 * HOUR : 0));
    else cluster.restore();
  }

  #damage(cluster: Cluster, pod: Pod): void {
    const { spool } = pod;
    if (spool === null && this.#dice.chance(50)) return cluster.damageBook(pod);
    const victim = spool?.unfreed[this.#dice.below(spool.unfreed.length)];
    if (spool === null || victim === undefined || victim.record.kind === "gap") return;
    spool.damage(victim.id);
    this.#say(() => `${pod.name}: record ${victim.id} is damaged`);
  }

  // ── rest ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Nothing goes wrong any more: pods hand over one after the other, as an operator would have them. */
  #rest(cluster: Cluster): Violation | null {
    this.#say(() => `${cluster.name}: the troubles are over`);
    while (cluster.wire.length > 0) cluster.deliver(0, false, this.#edgeNow, this.#now);
    while (cluster.statements[0] !== undefined) cluster.execute(cluster.statements[0], true, this.#edgeNow);
    cluster.reflush(this.#edgeNow);
    for (const pod of cluster.pods.toReversed()) {
      for (const other of cluster.running) if (other !== pod) cluster.stopPod(other, false);
      if (!pod.isRunning) cluster.startPod(pod, pod.isFenced, this.#now);
      if (!this.#drain(cluster, pod)) {
        // It was fenced only now, by what it had slept through.
        if (!pod.isFenced) return { rule: "stuck", what: `${pod.name} does not come to rest` };
        cluster.startPod(pod, true, this.#now);
        if (!this.#drain(cluster, pod)) return { rule: "stuck", what: `${pod.name} does not come to rest` };
      }
      if (cluster.violation !== null) return cluster.violation;
    }
    return null;
  }

  /** True once Postgres holds all that the pod's disk held, and both know. */
  #drain(cluster: Cluster, pod: Pod): boolean {
    const held = pod.spool?.unfreed.length ?? 0;
    for (let rounds = ROUNDS_LEAST + held * ROUNDS_PER_RECORD; rounds > 0; rounds--) {
      this.#step++;
      this.#now += ROUND_MS;
      cluster.push(pod, this.#now);
      while (cluster.wire.length > 0) cluster.deliver(0, false, this.#edgeNow, this.#now);
      if (!pod.isRunning) return false;
      cluster.giveUp(pod, this.#now);
      const { alarm } = cluster.edge;
      if (alarm !== null && alarm <= this.#edgeNow) cluster.edge.ring(this.#edgeNow);
      cluster.edge.settle();
      while (cluster.statements[0] !== undefined) cluster.execute(cluster.statements[0], true, this.#edgeNow);
      // Its answer was lost: the object stops waiting.
      if (cluster.edge.flight !== null) cluster.fail(cluster.edge.flight, false, this.#edgeNow);
      if (pod.isIdle && cluster.edge.isQuiet) return true;
    }
    return false;
  }
}
