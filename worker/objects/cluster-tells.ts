/** What a Cluster tells the Board of its agent, and when: `core/tell.ts` decides, this remembers and speaks. */
import type { DetectorWish } from "../../protocol/detector.ts";
import type { Extra, Live, Push } from "../../protocol/push.ts";
import { EXTRAS } from "../../protocol/push.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Tell } from "../core/component.ts";
import type { Policies } from "../core/policies.ts";
import { RUNBOOK } from "../core/policies.ts";
import type { ServiceStatus } from "../core/service.ts";
import type { Heard, Judge, News, Told } from "../core/tell.ts";
import {
  afterSilence,
  isQuiet,
  isTellAhead,
  isTellDue,
  newsOf,
  silentAt,
  statusesOf,
  tellOf,
  toldOf,
} from "../core/tell.ts";
import type { ToldTopology } from "../core/topology.ts";
import { topologyIn } from "../core/topology.ts";
import type { ClusterCounts } from "./cluster-counts.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import type { ClusterSessions } from "./cluster-sessions.ts";
import type { Env } from "./env.ts";
import { boardOf, isOverloaded } from "./env.ts";

/** What the tells ask of their object. */
interface TellsOwner {
  readonly ctx: DurableObjectState;
  readonly env: Env;
  readonly memory: ClusterMemory;
  readonly sessions: ClusterSessions;
  readonly counted: ClusterCounts;
  /** The cluster's name; null if it was never made. */
  cluster(this: void): string | null;
}

const EXTRAS_EVER = EXTRAS.filter((extra) => extra !== "topology");

export class ClusterTells {
  readonly #owner: TellsOwner;
  #judge: Judge;
  /** Moment of the newest `live`. Not the whole of it: what outlives its push costs the collector as much as the push did. */
  #liveAt: Millis = 0;
  #told: Told | null;
  #news: News | null = null;
  /** Who calls whom, where it came with a push that was not told: it goes with the next that is. */
  #topology: ToldTopology | null = null;
  #telling: Promise<void> = Promise.resolve();

  constructor(owner: TellsOwner) {
    this.#owner = owner;
    this.#judge = {
      policies: owner.memory.read<Policies>("policies") ?? RUNBOOK,
      statuses: owner.memory.read<Record<string, ServiceStatus>>("statuses") ?? {},
    };
    this.#told = owner.sessions.kept.told;
  }

  /** Resolves when no tell is on its way: what must come after it waits for this. */
  get arrived(): Promise<void> {
    return this.#telling;
  }

  /** What is wished of the agent's detector, as the Board said last. */
  get wish(): DetectorWish | undefined {
    return this.#judge.policies.detector;
  }

  /** Replaces what the agent says now, and tells the Board if that is news or if it was long ago. */
  hear(push: Push, now: Millis): void {
    const { ctx, memory, sessions, counted } = this.#owner;
    const cluster = this.#owner.cluster();
    this.#remember(afterSilence(this.#judge.statuses, this.#lastHeard(), now));
    sessions.keep({ heardAt: now, intervalMs: push.intervalMs, counts: counted.counts });
    // A clock that was ahead once must not silence the agent until the world has caught up with it.
    const newest = Math.min(this.#liveAt, now);
    if (push.live === null || cluster === null || push.live.at < newest) return;
    this.#liveAt = push.live.at;
    this.#topology = topologyIn(push.live, now) ?? this.#topology;
    if (this.#isQuiet(push, push.live, now)) return;
    const tell = tellOf(cluster, push, push.live, this.#judge, memory.backlog, now);
    this.#remember(statusesOf(tell, this.#judge.statuses));
    const news = (this.#news = newsOf(this.#news, tell));
    if (!isTellDue(this.#told, news, now)) return;
    this.#telling = this.#tell({ ...this.#withTopology(tell), gateway: counted.counts }, toldOf(tell, news));
    ctx.waitUntil(this.#telling);
  }

  /** What readings say: a row where that is another than before. */
  #remember(statuses: Judge["statuses"]): void {
    if (statuses === this.#judge.statuses) return;
    this.#owner.memory.write("statuses", statuses);
    this.#judge = { policies: this.#judge.policies, statuses };
  }

  /** When the agent was heard before; null if nobody knows, as of one without a session once the object left memory. */
  #lastHeard(): Heard | null {
    const { memory, sessions } = this.#owner;
    const { heardAt, intervalMs } = sessions.kept;
    const goodbye = memory.read<Heard>("goodbye");
    // It says nothing of pushes after this one.
    if (goodbye !== null) memory.write("goodbye", null);
    return heardAt === null ? goodbye : { heardAt, intervalMs };
  }

  #isQuiet(push: Push, live: Live, now: Millis): boolean {
    const before = this.#news;
    return before !== null && !isTellDue(this.#told, before, now) && isQuiet(before, push, live, this.#judge);
  }

  /** What the next push may bring along. A graph is for the Board: it is taken where that push will be told. */
  extras(now: Millis, intervalMs: number): readonly Extra[] {
    return isTellAhead(this.#told, now, intervalMs) ? EXTRAS : EXTRAS_EVER;
  }

  #withTopology(tell: Tell): Tell {
    const topology = this.#topology;
    this.#topology = null;
    return topology === null ? tell : { ...tell, topology };
  }

  /** Takes over an operator's limits: the next push is judged by them, and told because that is news. */
  judgeBy(policies: Policies): void {
    if (this.#owner.cluster() === null || policies.hash === this.#judge.policies.hash) return;
    this.#owner.memory.write("policies", policies);
    this.#judge = { policies, statuses: this.#judge.statuses };
  }

  /** A session that ends is told at once: silence then counts from the last push, not from the last tell. */
  async ended(socket: WebSocket): Promise<void> {
    const kept = this.#owner.sessions.endOf(socket);
    const cluster = this.#owner.cluster();
    if (kept === null || kept.heardAt === null || cluster === null) return;
    const { heardAt, intervalMs } = kept;
    this.#owner.memory.write("goodbye", { heardAt, intervalMs } satisfies Heard);
    // The next push, should one come, is news again.
    this.forget();
    // A tell on its way would otherwise come after the goodbye.
    await this.#telling;
    await boardOf(this.#owner.env).hush(cluster, heardAt, silentAt(heardAt, intervalMs));
  }

  /** Whatever is pushed next is news. */
  forget(): void {
    this.#keep(null);
  }

  async #tell(tell: Tell, told: Told): Promise<void> {
    // At once, so that a push which comes meanwhile does not tell the same.
    this.#told = told;
    try {
      const policies = await boardOf(this.#owner.env).hear(tell);
      // A Board of the release before answers nothing.
      if (policies !== undefined) this.judgeBy(policies);
      if (this.#told === told) this.#keep(told);
    } catch (error) {
      this.#topology ??= tell.topology ?? null;
      // The next push tells again; but a Board that has too much to do is left alone until the next tell is due.
      if (this.#told === told) this.#keep(isOverloaded(error) ? told : null);
      console.warn(JSON.stringify({ event: "tell_failed", cluster: tell.cluster, error: String(error) }));
    }
  }

  #keep(told: Told | null): void {
    this.#told = told;
    this.#owner.sessions.keep({ told });
  }
}
