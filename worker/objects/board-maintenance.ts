/**
 * Maintenances and their leases: what operators start and end, the errands that carry it to the Clusters, and what the
 * agents answer. A maintenance stands here before the Cluster, the page or anybody else hears of it.
 */
import type { LeaseReport } from "../../protocol/lease.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Announcing } from "../core/announce.ts";
import type { AnnouncementRequest, LeaseRequest, Made } from "../core/announce-maintenance.ts";
import { announceLeased, cancelledMaintenance } from "../core/announce-maintenance.ts";
import type { Maintenance, MaintenanceRequest } from "../core/maintenance.ts";
import {
  maintenanceStatus,
  operatorMaintenance,
  startMaintenance,
  withLeaseGiven,
  withReport,
} from "../core/maintenance.ts";
import { withRenewal } from "../core/renewal.ts";
import type { Restored } from "../core/restore.ts";
import type { BoardBooks } from "./board-books.ts";
import type { BoardMemory, Errand } from "./board-memory.ts";
import type { TellMemory } from "./tell-memory.ts";
import { freshId } from "./crypto.ts";
import type { Env } from "./env.ts";
import { clusterOf } from "./env.ts";
import { RELAY_ADMIN } from "./relay.ts";

export class BoardMaintenance {
  readonly #env: Env;
  readonly #memory: BoardMemory;
  readonly #tells: TellMemory;
  readonly #books: BoardBooks;
  /** Runs of errands that are under way, by cluster. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(
    env: Env,
    held: { readonly memory: BoardMemory; readonly tells: TellMemory; readonly books: BoardBooks },
  ) {
    this.#env = env;
    this.#memory = held.memory;
    this.#tells = held.tells;
    this.#books = held.books;
  }

  start(request: MaintenanceRequest, by: string): Result<Maintenance, "target_busy"> {
    const now = Date.now();
    if (this.#isBusy(request, now)) return failure("target_busy");
    const maintenance = startMaintenance(request, freshId(), by, now);
    this.begin(maintenance, "maintenance.start", now);
    return success(maintenance);
  }

  /** Also by one that is to come: a target has one lease. */
  #isBusy({ cluster, service }: Pick<Maintenance, "cluster" | "service">, now: Millis): boolean {
    return this.#memory
      .all("maintenance")
      .some(
        (other) =>
          other.cluster === cluster && other.service === service && maintenanceStatus(other, now) !== "completed",
      );
  }

  /** Keeps one with a lease, which goes to its cluster at once. */
  begin(maintenance: Maintenance, act: string, now: Millis): void {
    this.#books.change(now, maintenance.cluster, () => {
      this.#keep(maintenance);
      this.#memory.audit(act, maintenance.id, maintenance.by, now);
      this.#sendErrand("set", maintenance, now);
    });
  }

  /** Announces one for later; its lease goes to the cluster at once, and begins by itself. */
  announce(request: AnnouncementRequest, lease: LeaseRequest, made: Made, now: Millis): Announcing<Maintenance> {
    if (this.#isBusy(lease, now)) return failure({ code: "busy", which: `${lease.cluster}/${lease.service}` });
    const announced = announceLeased(request, lease, made, this.#books.noticeMs, now);
    if (announced.ok) this.begin(announced.value, "maintenance.announce", now);
    return announced;
  }

  end(id: string, by: string): Maintenance | null {
    const maintenance = this.#memory.get("maintenance", id);
    const now = Date.now();
    if (maintenance === null) return null;
    const ended = this.change(id, "maintenance.end", by, now, (one) => cancelledMaintenance(one, now));
    return ended.ok ? ended.value : maintenance;
  }

  /** Changes what is announced of one; one that is over by that gives its lease back. */
  change(
    id: string,
    act: string,
    by: string,
    now: Millis,
    changed: (one: Maintenance) => Announcing<Maintenance>,
  ): Announcing<Maintenance> {
    const maintenance = this.#memory.get("maintenance", id);
    if (maintenance === null) return failure({ code: "unknown", which: id });
    const next = changed(maintenance);
    if (!next.ok || next.value === maintenance) return next;
    const { endedAt, endsAt } = next.value;
    const kept = withRenewal(maintenance, next.value);
    this.#books.change(now, maintenance.cluster, () => {
      this.#keep(kept);
      this.#memory.audit(act, id, by, now);
      if (endedAt !== maintenance.endedAt) this.#sendErrand("release", kept, now);
      else if (endsAt !== maintenance.endsAt) this.#sendErrand("set", kept, now);
    });
    return success(kept);
  }

  /** The maintenances whose leases a cluster should hold now; null while this Board does not know all of them. */
  leasesOf(cluster: string): readonly Maintenance[] | null {
    if (this.#memory.get("restore", "restore")?.phase === "documents") return null;
    const now = Date.now();
    return this.#memory
      .all("maintenance")
      .filter((asked) => asked.cluster === cluster && maintenanceStatus(asked, now) !== "completed");
  }

  /** Takes in what came back from the archive, and sees to leases that may not be as they should. Within a change. */
  restore({ maintenances, unsure }: Pick<Restored, "maintenances" | "unsure">, now: Millis): void {
    for (const maintenance of maintenances) this.#memory.put("maintenance", maintenance.id, maintenance);
    for (const { act, maintenance } of unsure) this.#sendErrand(act, maintenance, now);
  }

  /** Adds what an agent reported. Within a change of the books. */
  takeReport(cluster: string, report: LeaseReport, now: Millis): void {
    for (const maintenance of this.#memory.all("maintenance")) {
      const answered = maintenance.cluster === cluster ? withReport(maintenance, report, now) : maintenance;
      if (answered !== maintenance) this.#keep(answered);
    }
  }

  /** Errands one after the other within a cluster, clusters beside each other: one that fails holds up no other's. */
  async runErrands(): Promise<void> {
    const clusters = new Set(this.#memory.errands().map(({ cluster }) => cluster));
    const results = await Promise.allSettled([...clusters].map((cluster) => this.#runErrandsOf(cluster)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** One run a cluster at a time: a second would repeat what the first is about to do. */
  #runErrandsOf(cluster: string): Promise<void> {
    const run = async (): Promise<void> => {
      for (;;) {
        const errand = this.#memory.errands().find((waiting) => waiting.cluster === cluster);
        if (errand === undefined) return;
        await this.#run(errand);
      }
    };
    const running = this.#running.get(cluster) ?? run().finally(() => this.#running.delete(cluster));
    this.#running.set(cluster, running);
    return running;
  }

  async #run(errand: Errand): Promise<void> {
    const maintenance = this.#memory.get("maintenance", errand.maintenance);
    // One that ended before its lease was given out needs none.
    if (maintenance === null || (errand.act === "set" && maintenance.endedAt !== null))
      return this.#memory.done(errand);
    const cluster = clusterOf(this.#env, errand.cluster);
    if (errand.act === "set") return this.#keepLease(errand, maintenance, await cluster.setLease(maintenance));
    await cluster.releaseLease(maintenance);
    this.#memory.done(errand);
  }

  #keepLease(errand: Errand, sent: Maintenance, given: Result<number, string>): void {
    const now = Date.now();
    // Read again: while the Cluster was asked, somebody may have ended it, or moved its end.
    const asked = this.#memory.get("maintenance", errand.maintenance);
    this.#books.change(now, errand.cluster, () => {
      this.#memory.done(errand);
      if (asked === null) return;
      this.#keep(withLeaseGiven(asked, sent, given, now));
      if (asked.endsAt !== sent.endsAt) this.#sendErrand("set", asked, now);
      // The release may have reached the Cluster before the lease did.
      if (asked.endedAt !== null) this.#sendErrand("release", asked, now);
      // The agent may have answered before the Cluster's own answer came back.
      const tell = this.#tells.get(asked.cluster);
      if (tell !== null) this.takeReport(asked.cluster, tell.leases, now);
    });
  }

  #sendErrand(act: Errand["act"], { id, cluster }: Maintenance, at: Millis): void {
    this.#memory.send({ key: `${id}:${act}`, at, act, cluster, maintenance: id });
  }

  #keep(maintenance: Maintenance): void {
    const { id, updatedAt } = maintenance;
    this.#books.mark();
    this.#memory.put("maintenance", id, maintenance);
    this.#memory.queue({ kind: "maintenance", key: id, revision: updatedAt, at: updatedAt, body: { ...maintenance } });
    const frame = { type: "maintenance", maintenance: operatorMaintenance(maintenance, Date.now()) };
    this.#books.speak(RELAY_ADMIN, JSON.stringify(frame));
  }
}
