/**
 * One status page: components, maintenances, sessions, what the Clusters told, and the snapshot that visitors get.
 *
 * Decides nothing: `core` decides, this object remembers, wakes and speaks. What people write is stored here before
 * anyone hears of it, so that it works while Postgres is down; Postgres receives it through the outbox. This class is
 * the entrances; each subject has its own: books, tells, components, maintenance, doors, archive.
 */
import { DurableObject } from "cloudflare:workers";
import type { ChainEntry, Correction } from "../../protocol/chain.ts";
import type { DetectorCommand } from "../../protocol/detector.ts";
import type { PageLog, PageSnapshot } from "../../protocol/page.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Door, Scope } from "../core/access.ts";
import type { Announcing } from "../core/announce.ts";
import type { Alert } from "../core/alert.ts";
import type { Brand, BrandFault, BrandWish } from "../core/brand.ts";
import type { Changed } from "../core/audit.ts";
import { brandFrom, brandRevision } from "../core/brand.ts";
import type { MetricChoice, MetricWish } from "../core/day.ts";
import { clustersToWake } from "../core/archive.ts";
import type { Backlog, ClusterIdentity, Component, Tell } from "../core/component.ts";
import type { Draft, DraftRule, DraftView } from "../core/draft.ts";
import type { AmendRefusal } from "../core/freeze.ts";
import type { Question } from "../core/detector.ts";
import type { Graphs } from "../core/graph.ts";
import { graphsOf } from "../core/graph.ts";
import { HISTORY_MS } from "../core/history.ts";
import type { Incident } from "../core/incident.ts";
import type { Announcement, Maintenance, MaintenanceRequest } from "../core/maintenance.ts";
import type { MetricsFacts } from "../core/metrics.ts";
import type { Move } from "../core/order.ts";
import type { PeopleRefusal, Person } from "../core/people.ts";
import type { Policies } from "../core/policies.ts";
import { nextReminderAt } from "../core/reminder.ts";
import { RETRY_MAX_MS, retryDelay } from "../core/retry.ts";
import type { Series } from "../core/schedule.ts";
import { publicChange } from "../core/snapshot.ts";
import { isNews, isOvertaken } from "../core/tell.ts";
import type { Template, TemplateAct, TemplateRefusal } from "../core/template.ts";
import type { Thresholds } from "../core/thresholds.ts";
import { withTopology } from "../core/topology.ts";
import { remembering } from "../core/usual.ts";
import type { Watched } from "../core/watch.ts";
import type { AnnounceAct, Announces } from "./board-announcements.ts";
import { BoardAnnouncements } from "./board-announcements.ts";
import { BoardArchive } from "./board-archive.ts";
import type { AuditView } from "./board-audit.ts";
import { BoardAudit } from "./board-audit.ts";
import { BoardBooks } from "./board-books.ts";
import type { ComponentRequest, ForeignComponent, TakenOver } from "./board-components.ts";
import { BoardComponents } from "./board-components.ts";
import type { ConfigAct, ConfigPlan, ConfigRefusal, ConfigView } from "./board-config.ts";
import { BoardConfig } from "./board-config.ts";
import type { Charted } from "./board-day.ts";
import { BoardDay } from "./board-day.ts";
import type { DetectorPage } from "./board-detectors.ts";
import { BoardDetectors } from "./board-detectors.ts";
import type { DraftRefusal, PublishRequest } from "./board-drafts.ts";
import { BoardDrafts } from "./board-drafts.ts";
import type { Arrival, Secret, SessionHolder } from "./board-doors.ts";
import { BoardDoors } from "./board-doors.ts";
import type { Imported, ImportRefusal } from "./board-import.ts";
import { BoardImport } from "./board-import.ts";
import { BoardIncidents } from "./board-incidents.ts";
import { BoardMaintenance } from "./board-maintenance.ts";
import { BoardMemory } from "./board-memory.ts";
import { BoardNews } from "./board-news.ts";
import type { Views } from "./board-metrics.ts";
import { BoardMetrics } from "./board-metrics.ts";
import type { PlanAct, PlanView } from "./board-plans.ts";
import { BoardPlans } from "./board-plans.ts";
import type { AccountAct, AccountView, PasskeyUse, PeopleAct, PeopleDone } from "./board-people.ts";
import { BoardPeople } from "./board-people.ts";
import { BoardPolicies } from "./board-policies.ts";
import type { ReflushRefusal } from "./board-reflush.ts";
import { BoardReflush } from "./board-reflush.ts";
import { OutsideMemory } from "./outside-memory.ts";
import type { Probed } from "./prober.ts";
import { BoardWatch } from "./board-watch.ts";
import { TellMemory } from "./tell-memory.ts";
import { BoardTemplates } from "./board-templates.ts";
import { BoardUpkeep } from "./board-upkeep.ts";
import type { ChainMark, UptimeView } from "./board-uptime.ts";
import { BoardUptime } from "./board-uptime.ts";
import type { Reflush } from "./board-memory.ts";
import type { Env } from "./env.ts";
import type { Costs } from "./meter.ts";
import { Meter } from "./meter.ts";
import type { OperatorView, ToldView } from "./operator-view.ts";
import { RELAY_ADMIN } from "./relay.ts";
import { UptimeMemory } from "./uptime-memory.ts";

/** What the Board has cost since it woke, and how many components it had to judge. */
export interface BoardCosts extends Costs {
  readonly judged: number;
}

/** What was sent is kept as long as Clusters keep their events, for a Postgres that is restored to an earlier time. */
const SENT_KEPT_MS = 2 * DAY;
/** Rows wait this long for company on their way to Postgres. */
const FLUSH_DELAY_MS = SECOND;

/** From where somebody signs in. */
export type Arriving = Pick<Arrival, "device" | "instead">;
const UNKNOWN_BROWSER: Arriving = { device: "an unknown browser", instead: null };

export class Board extends DurableObject<Env> {
  readonly #meter: Meter;
  readonly #memory: BoardMemory;
  readonly #tells: TellMemory;
  readonly #outside: OutsideMemory;
  readonly #day: BoardDay;
  readonly #books: BoardBooks;
  readonly #components: BoardComponents;
  readonly #maintenance: BoardMaintenance;
  readonly #announcements: BoardAnnouncements;
  readonly #plans: BoardPlans;
  readonly #news: BoardNews;
  readonly #incidents: BoardIncidents;
  readonly #drafts: BoardDrafts;
  readonly #templates: BoardTemplates;
  readonly #import: BoardImport;
  readonly #config: BoardConfig;
  readonly #detectors: BoardDetectors;
  readonly #policies: BoardPolicies;
  readonly #doors: BoardDoors;
  readonly #people: BoardPeople;
  readonly #audit: BoardAudit;
  readonly #archive: BoardArchive;
  readonly #reflush: BoardReflush;
  readonly #upkeep: BoardUpkeep;
  readonly #uptime: BoardUptime;
  readonly #watch: BoardWatch;
  readonly #metrics: BoardMetrics;
  #failures = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const now = Date.now();
    this.#meter = new Meter(ctx.storage.sql, now);
    const memory = new BoardMemory(this.#meter, now - 2 * HISTORY_MS);
    const tells = new TellMemory(this.#meter);
    tells.adopt(memory.takeOldTells(), now);
    const uptime = new UptimeMemory(this.#meter);
    const outside = new OutsideMemory(this.#meter);
    const day = new BoardDay(env, { meter: this.#meter, memory, tells });
    const books = new BoardBooks(ctx, env, { memory, tells, uptime, outside, day }, now, () => this.#afterChange());
    this.#memory = memory;
    this.#tells = tells;
    this.#outside = outside;
    this.#day = day;
    this.#books = books;
    this.#components = new BoardComponents({ memory, books, tells });
    this.#maintenance = new BoardMaintenance(env, { memory, tells, books });
    const news = new BoardNews(env, { memory, books });
    this.#news = news;
    const incidents = new BoardIncidents({ memory, books, news });
    this.#incidents = incidents;
    this.#announcements = new BoardAnnouncements({ memory, books, maintenance: this.#maintenance, incidents });
    this.#drafts = new BoardDrafts({ memory, books, incidents });
    this.#templates = new BoardTemplates({ memory, books });
    this.#config = new BoardConfig(env, { memory, tells, books, drafts: this.#drafts });
    this.#import = new BoardImport({
      memory,
      books,
      components: this.#components,
      announcements: this.#announcements,
    });
    this.#detectors = new BoardDetectors({ memory, tells });
    this.#policies = new BoardPolicies(env, { memory, tells, detectors: this.#detectors });
    this.#doors = new BoardDoors(memory, (sessions) => this.#drop(sessions));
    this.#people = new BoardPeople(memory, this.#doors);
    this.#audit = new BoardAudit(env, memory);
    this.#archive = new BoardArchive(env, {
      memory,
      books,
      maintenance: this.#maintenance,
      announcements: this.#announcements,
      uptime,
      audit: this.#audit,
    });
    this.#archive.begin(now);
    this.#reflush = new BoardReflush(env, { memory, tells, archive: this.#archive });
    this.#upkeep = new BoardUpkeep(env, memory);
    this.#uptime = new BoardUptime(env, { memory, books, uptime });
    this.#watch = new BoardWatch(env, tells);
    this.#plans = new BoardPlans({
      memory,
      tells,
      books,
      maintenance: this.#maintenance,
      news,
      keep: (announcement, act, by, at) => this.#announcements.keepAnnouncement(announcement, act, by, at),
      watched: async () => this.#watch.watched(MINUTE),
    });
    this.#plans.begin(now);
    this.#metrics = new BoardMetrics({ meter: this.#meter, memory, tells, books, watch: this.#watch });
    books.settle(now);
    void ctx.blockConcurrencyWhile(async () => this.#armIfNeeded());
  }

  // ── what visitors get ─────────────────────────────────────────────────────────────────────────────────────────────

  /** @param views what a Worker has answered visitors meanwhile; one of the release before does not count */
  async snapshot(views?: Views): Promise<PageSnapshot> {
    this.#meter.called("snapshot");
    if (views !== undefined) this.#metrics.viewed(views);
    return this.#books.snapshot(Date.now());
  }

  /** The same for whoever holds one already; null if it is still that one. */
  async snapshotSince(version: number, generatedAt: Millis, views: Views): Promise<PageSnapshot | null> {
    const made = await this.snapshot(views);
    return made.version === version && made.generatedAt === generatedAt ? null : made;
  }

  /** All that people announced: what history, feeds and the pages of single incidents are made of. */
  async log(): Promise<PageLog> {
    this.#meter.called("log");
    return this.#books.log(Date.now());
  }

  /** Whose numbers a public chart shows, for the Worker that asks the archive; null if there is no such component. */
  async charted(component: string | null): Promise<Charted | null> {
    this.#meter.called("charted");
    return this.#day.charted(this.#books.page(), component);
  }

  /** The newest frame for open pages. */
  async liveFrame(): Promise<string> {
    this.#meter.called("liveFrame");
    const now = Date.now();
    return JSON.stringify(publicChange(this.#books.facts(now), now));
  }

  // ── what Clusters tell ────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes in an agent's evidence. Answers the limits that it should have been judged by, if others. */
  async hear(tell: Tell): Promise<Policies | undefined> {
    this.#meter.called("hear");
    const held = this.#tells.get(tell.cluster);
    const now = Date.now();
    if (isOvertaken(held, tell, now)) return undefined;
    this.#books.change(now, tell.cluster, () => {
      this.#tells.put(remembering(held, withTopology(tell, held)), isNews(held, tell), now);
      this.#components.choose(held, tell, now);
      this.#maintenance.takeReport(tell.cluster, tell.leases, now);
    });
    // Not awaited: it may ask Postgres, and a Cluster waits for the answer.
    this.ctx.waitUntil(this.#day.heard(this.#books.page(), now));
    return this.#policies.answer(tell);
  }

  /** Takes in how a cluster's alerts are now: the latest episode of each. */
  async hearAlerts(cluster: string, alerts: readonly Alert[]): Promise<void> {
    this.#meter.called("hearAlerts");
    this.#drafts.hear(cluster, alerts, Date.now());
  }

  /**
   * An agent said goodbye, or was shown the door: what it said until `heardAt` is good until `expiresAt` and no longer.
   * A goodbye that comes late shortens nothing that was heard after it.
   */
  async hush(cluster: string, heardAt: Millis, expiresAt: Millis): Promise<void> {
    this.#meter.called("hush");
    const tell = this.#tells.get(cluster);
    if (tell === null || tell.heardAt > heardAt || tell.expiresAt <= expiresAt) return;
    const now = Date.now();
    this.#books.change(now, cluster, () => {
      this.#tells.put({ ...tell, expiresAt }, true, now);
      this.#books.mark();
    });
  }

  /**
   * The maintenances whose leases a cluster should hold now: what a Cluster that lost its memory asks for. Null while
   * this Board has lost its own, and does not know.
   */
  async leasesOf(cluster: string): Promise<readonly Maintenance[] | null> {
    this.#meter.called("leasesOf");
    return this.#maintenance.leasesOf(cluster);
  }

  /** The public addresses of all components, the one that was asked longest ago first. */
  async addressesToProbe(): Promise<readonly string[]> {
    this.#meter.called("addressesToProbe");
    return [...this.#components.addresses()].toSorted((a, b) => this.#outside.askedAt(a) - this.#outside.askedAt(b));
  }

  /** Takes in a round of probes. */
  async probed(round: readonly Probed[]): Promise<void> {
    this.#meter.called("probed");
    this.#books.change(Date.now(), null, () => this.#outside.put(round, this.#components.addresses()));
  }

  /** Who speaks for a cluster, whenever that changes. */
  async identify(identity: ClusterIdentity): Promise<void> {
    this.#meter.called("identify");
    this.#archive.identify(identity);
    await this.#armIfNeeded();
  }

  // ── what operators do ─────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * @param whose clusters whose services come along, which are nearly all of a view: a thousand clusters' fill the
   *   32 MiB that one call may answer. Null for all of them
   */
  async operatorView(whose: readonly string[] | null = null): Promise<OperatorView> {
    this.#meter.called("operatorView");
    return {
      page: this.#books.page(),
      // Memory gives them as they came, and after a wake by their keys: an operator's lists must not jump.
      components: this.#memory.all("component").toSorted((a, b) => a.position - b.position),
      maintenances: this.#memory.all("maintenance").toSorted((a, b) => a.createdAt - b.createdAt),
      announcements: this.#memory.all("announcement").toSorted((a, b) => a.createdAt - b.createdAt),
      incidents: this.#memory.all("incident").toSorted((a, b) => a.createdAt - b.createdAt),
      clusters: this.#memory.all("cluster").toSorted(byCluster),
      tells: [...this.#tells.map.values()]
        .toSorted(byCluster)
        .map((tell) => toldView(tell, whose === null || whose.includes(tell.cluster))),
      outside: [...this.#outside.map.values()],
      drafts: this.#drafts.listed,
      inbox: this.#components.waiting,
      overdue: this.#plans.overdue(Date.now()),
      series: this.#memory.all("series").toSorted((a, b) => a.createdAt - b.createdAt),
      reminders: this.#incidents.reminders,
      unarchived: Object.fromEntries(this.#memory.waitingSince("incident")),
      archive: {
        delays: this.#books.delays(Date.now()),
        failure: this.#archive.failure,
        waiting: this.#memory.backlog().waiting,
      },
      backlog: this.#memory.backlog(),
    };
  }

  /** Who calls whom, and what is likely the cause of trouble: in one cluster, or in the first few, troubled ones first. */
  async graphs(cluster: string | null): Promise<Graphs> {
    this.#meter.called("graphs");
    return graphsOf([...this.#tells.map.values()].toSorted(byCluster), cluster, Date.now());
  }

  /**
   * What events told of certificates and anomalies, read again if that is older than this; null while Postgres is away
   * and there is no copy.
   */
  async watched(maxAgeMs: number): Promise<Watched | null> {
    this.#meter.called("watched");
    return this.#watch.watched(maxAgeMs);
  }

  /** What a scrape is told. */
  async metrics(): Promise<MetricsFacts> {
    this.#meter.called("metrics");
    return this.#metrics.facts(Date.now());
  }

  /** Publishes components or changes the ones that are known by the same group and name. */
  async putComponents(
    requests: readonly ComponentRequest[],
    by: string,
  ): Promise<Result<readonly Component[], "too_many">> {
    return this.#judgedAnew(this.#components.putAll(requests, by));
  }

  /** Publishes what another page had, without services: unknown until somebody says what it stands for. */
  async importComponents(
    foreign: readonly ForeignComponent[],
    by: string,
  ): Promise<Result<readonly TakenOver[], "too_many">> {
    return this.#judgedAnew(this.#import.components(foreign, by));
  }

  /** Takes over what another page announced, at the moments at which it was said. */
  async importAnnounced(
    announced: Parameters<BoardImport["announced"]>[0],
    by: string,
  ): Promise<Result<Imported, ImportRefusal>> {
    return this.#import.announced(announced, by);
  }

  /** Publishes what must not exist yet: a form shows one service, and must not replace what it does not show. */
  async addComponent(
    requests: ComponentRequest | readonly ComponentRequest[],
    by: string,
  ): Promise<Result<readonly Component[], "too_many" | "exists">> {
    return this.#judgedAnew(this.#components.add([requests].flat(), by));
  }

  /** Has a component stand for more services. False if there is none. */
  async joinServices(id: string, services: readonly string[], by: string): Promise<boolean> {
    return this.#judgedAnew(this.#components.join(id, services, by));
  }

  /** Has services wait no more to be published, or again. False if too many would be ignored. */
  async ignoreServices(what: Parameters<BoardComponents["ignore"]>[0], by: string): Promise<boolean> {
    const isDone = this.#components.ignore(what, by);
    await this.#armIfNeeded();
    return isDone;
  }

  /** Changes a component: what the form on its page shows is what it is from now on. */
  async changeComponent(
    id: string,
    request: ComponentRequest,
    by: string,
    revision?: string,
  ): Promise<Result<Component, "unknown" | "exists" | "changed">> {
    return this.#judgedAnew(this.#components.change(id, request, by, revision));
  }

  /** Gives a component or a group another place, or a group another name. */
  async arrange(
    act: { readonly move: Move } | { readonly rename: { readonly from: string; readonly to: string | null } },
    by: string,
  ): Promise<Result<readonly Component[], "unknown" | "exists">> {
    return "move" in act
      ? this.#components.move(act.move, by)
      : this.#components.renameGroup(act.rename.from, act.rename.to, by);
  }

  /** What stands, as a file of the page as code. */
  async configView(): Promise<ConfigView> {
    return this.#config.view();
  }

  /** Says what a file would change, or has it changed: all of it or nothing. */
  async config(act: ConfigAct, by: string): Promise<Result<ConfigPlan, ConfigRefusal>> {
    if (act.act === "plan") return this.#config.run(act, by);
    return this.#judgedAnew(this.#steered(() => this.#config.run(act, by)));
  }

  /** Sets the limits of all components that have none of their own; null for the runbook's. */
  async setLimits(limits: Partial<Thresholds> | null, by: string): Promise<void> {
    this.#policies.setLimits(limits, this.#books.page(), by);
    await this.#judgedAnew(this.#armIfNeeded());
  }

  /** Sets from which score on a cluster's agent raises anomalies; null for its own. False if there is no such cluster. */
  async setAnomalyThreshold(cluster: string, threshold: number | null, by: string): Promise<boolean> {
    const isSet = this.#detectors.setThreshold(cluster, threshold, this.#books.page(), by);
    await this.#judgedAnew(this.#armIfNeeded());
    return isSet;
  }

  /** What a cluster's detector is, and was asked; null if there is no such cluster. */
  async detectorPage(cluster: string): Promise<DetectorPage | null> {
    return this.#detectors.pageOf(cluster, this.#books.page());
  }

  /** Asks a cluster's detector, whose agent answers with its next pushes. */
  async askDetector(
    cluster: string,
    question: Question,
    by: string,
  ): Promise<Result<DetectorCommand, "not_found" | "deaf" | "busy">> {
    const asked = this.#detectors.ask(cluster, question, by);
    await this.#judgedAnew(this.#armIfNeeded());
    return asked;
  }

  /** Sets which charts the first view has; null for those that it has by itself. */
  async chooseCharts(wishes: readonly MetricWish[] | null, by: string): Promise<Announcing<readonly MetricChoice[]>> {
    const chosen = this.#day.choose(wishes, this.#books.page(), by);
    await this.#armIfNeeded();
    return chosen;
  }

  /** Sets how the page looks and where it stands; null asks what it is now. A fault changes nothing. */
  async brand(
    wish: BrandWish | null,
    by: string,
    revision?: string,
  ): Promise<Result<{ readonly name: string; readonly brand: Brand }, BrandFault>> {
    const held = this.#books.page().brand ?? {};
    if (revision !== undefined && revision !== brandRevision(held))
      return failure({ field: "revision", message: "somebody changed it" });
    if (wish !== null) {
      const made = brandFrom(wish, held);
      if (!made.ok) return made;
      this.#books.brand(made.value, by, Date.now());
      await this.#armIfNeeded();
    }
    const { name, brand = {} } = this.#books.page();
    return success({ name, brand });
  }

  /** Takes a component off the page. False if there is none. */
  async removeComponent(id: string, by: string): Promise<boolean> {
    return this.#judgedAnew(this.#components.remove(id, by));
  }

  /** Starts a maintenance: it stands here before the Cluster, the page or anybody else hears of it. */
  async startMaintenance(request: MaintenanceRequest, by: string): Promise<Result<Maintenance, "target_busy">> {
    return this.#steered(() => this.#maintenance.start(request, by));
  }

  /** Ends a maintenance now. Null if there is none; one that ended already stays as it is. */
  async endMaintenance(id: string, by: string): Promise<Maintenance | null> {
    return this.#steered(() => this.#maintenance.end(id, by));
  }

  /** What people announce: it stands here before anybody hears of it. */
  async announce(act: AnnounceAct, by: string): Promise<Announcing<Announces>> {
    return this.#steered(() => this.#announcements.run(act, by));
  }

  /** What people do to planned maintenances, series, and the policy of notice. Null where nothing is to be shown. */
  async steer(act: PlanAct, by: string): Promise<Announcing<Announcement | Series | null>> {
    return this.#steered(() => this.#plans.run(act, by, Date.now()));
  }

  /** What an operator sees of a planned maintenance beside what is announced; null if there is none. */
  async plan(id: string): Promise<PlanView | null> {
    this.#meter.called("plan");
    return this.#plans.view(id, Date.now());
  }

  /** What the clock brought comes first: an act may be what makes it no news. */
  #steered<T>(act: () => T): T {
    this.#plans.settle(Date.now());
    const done = act();
    this.#plans.settle(Date.now());
    this.ctx.waitUntil(this.#armIfNeeded());
    this.#tellNews();
    return done;
  }

  /** Texts to begin an incident with, after what an operator does to them. */
  async templates(act: TemplateAct, by: string): Promise<Result<readonly Template[], TemplateRefusal>> {
    return this.#steered(() => this.#templates.run(act, by, Date.now()));
  }

  /** Sets which alerts make drafts; null asks which do. */
  async draftRules(rules: readonly DraftRule[] | null, by: string): Promise<Announcing<readonly DraftRule[]>> {
    if (rules === null) return success(this.#drafts.rules);
    const set = this.#drafts.setRules(rules, by, Date.now());
    await this.#armIfNeeded();
    return set;
  }

  /** Drafts of incidents, the newest first. */
  async drafts(): Promise<readonly DraftView[]> {
    return this.#drafts.listed;
  }

  async publishDraft(
    id: string,
    request: PublishRequest,
    by: string,
  ): Promise<Result<Announcing<Incident>, DraftRefusal>> {
    return this.#drafts.publish(id, request, by, Date.now());
  }

  /** @param reason absent in what a Worker of the release before says */
  async dismissDraft(id: string, by: string, reason?: string): Promise<Result<Draft, DraftRefusal>> {
    const dismissed = this.#drafts.dismiss(id, reason ?? null, by, Date.now());
    await this.#armIfNeeded();
    return dismissed;
  }

  /** What is known of a component's uptime; null if there is no such component. */
  async uptimeOf(component: string): Promise<UptimeView | null> {
    this.#meter.called("uptimeOf");
    return this.#uptime.view(component, Date.now());
  }

  /** Corrects frozen days: what stood there stays visible. */
  async amendUptime(correction: Correction): Promise<Result<readonly ChainEntry[], AmendRefusal>> {
    return this.#uptime.amend(correction);
  }

  /** How far the chain of frozen days has got. */
  async uptimeHead(): Promise<ChainMark> {
    return this.#uptime.mark;
  }

  /**
   * Sends again what a Postgres that was restored to its state of `since` may have lost: the page's own facts, and those
   * of every cluster or of one. It goes on by itself: `reflushed` says how far it is.
   */
  async reflush(since: Millis, cluster: string | null, by: string): Promise<Result<Reflush, ReflushRefusal>> {
    const begun = this.#reflush.begin(since, cluster, by, Date.now());
    if (begun.ok) this.ctx.waitUntil(this.#goOn());
    return begun;
  }

  /** The last run of `reflush`, or the one under way; null if there never was one. */
  async reflushed(): Promise<Reflush | null> {
    return this.#memory.get("reflush", "latest");
  }

  /** An operator waits for it. What fails is tried again by the alarm. */
  async #goOn(): Promise<void> {
    await this.#armIfNeeded();
    await this.#reflush.run();
  }

  // ── doors ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a one-time sign-in link's token for whoever holds the operator's key. */
  async createLink(): Promise<Secret> {
    return this.#doors.createLink(null, "link", "command line");
  }

  /** Spends a link for a session's secret; null if it is unknown, spent or expired. */
  async redeemLink(token: string, from: Arriving = UNKNOWN_BROWSER): Promise<string | null> {
    const now = Date.now();
    const link = await this.#doors.spendLink(token, now);
    return this.#arrived("link", link, { ...from, verifiedAt: now });
  }

  /** Signs in by a passkey's assertion that was verified. Null if this use of it opens nothing. */
  async redeemPasskey(use: PasskeyUse, from: Arriving): Promise<string | null> {
    const now = Date.now();
    const used = this.#people.use(use, now);
    return this.#arrived("passkey", used.ok ? { person: used.value.id } : null, { ...from, verifiedAt: now });
  }

  /** Signs in whom Cloudflare Access knows by this hash of their address. Null if nobody here is known by it. */
  async redeemAccess(addressHash: string, from: Arriving): Promise<string | null> {
    const person = this.#people.byAddress(addressHash);
    return this.#arrived("access", person && { person: person.id }, { ...from, verifiedAt: 0 });
  }

  /** Writes down a sign-in that was refused before anybody here was asked. */
  async refuseSignIn(door: Door): Promise<void> {
    await this.#arrived(door, null, { ...UNKNOWN_BROWSER, verifiedAt: 0 });
  }

  async #arrived(
    door: Door,
    who: { readonly person: string | null } | null,
    from: Omit<Arrival, "person" | "door">,
  ): Promise<string | null> {
    if (who === null) this.#doors.refused(door, Date.now());
    const secret = who && (await this.#doors.begin({ ...from, door, person: who.person }, Date.now()));
    await this.#armIfNeeded();
    return secret;
  }

  /** Who holds this session; null if it is over. @param isSeen whether somebody is there, and not only their open page */
  async session(secret: string, isSeen = true): Promise<SessionHolder | null> {
    return this.#doors.session(secret, isSeen);
  }

  /** Whether there is a session of this hash. */
  async isHeld(hash: string): Promise<boolean> {
    return this.#doors.isHeld(hash);
  }

  /** Ends a session, and what it listens to. */
  async endSession(secret: string): Promise<void> {
    return this.#doors.endSession(secret);
  }

  /** Whose a passkey is; null if nobody's. */
  async credential(id: string): Promise<Person | null> {
    return this.#people.byCredential(id);
  }

  /** Everybody who may sign in, by name. */
  async people(): Promise<readonly Person[]> {
    return this.#people.listed;
  }

  /** What an owner does, or the command line. */
  async changePeople(act: PeopleAct, by: string): Promise<Result<PeopleDone, PeopleRefusal>> {
    const done = await this.#people.run(act, by);
    await this.#armIfNeeded();
    return done;
  }

  /** What somebody sees of their own account; null if the session is over. */
  async accountView(secret: string): Promise<AccountView | null> {
    return this.#people.view(secret);
  }

  /** What somebody does with it. Answers the secret that their session has from now on; null if it keeps its own. */
  async account(secret: string, act: AccountAct): Promise<Result<string | null, PeopleRefusal>> {
    const done = await this.#people.account(secret, act);
    await this.#armIfNeeded();
    return done;
  }

  /** @param scope absent from a Worker of the release before, whose tokens read everything */
  async createToken(scope: Scope = "read"): Promise<string> {
    return this.#doors.createToken(scope);
  }

  async tokenScope(token: string): Promise<Scope | null> {
    return this.#doors.tokenScope(token);
  }

  /** What the audit holds that the archive may not have, and where its chain is. */
  async audit(): Promise<AuditView> {
    this.#meter.called("audit");
    return this.#audit.view();
  }

  /** Writes down an act that left no other trace here. */
  async note(act: string, subject: string, by: string, change: Changed | null = null): Promise<void> {
    this.#memory.audit(act, subject, by, Date.now(), change);
    await this.#armIfNeeded();
  }

  // ── wakes ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A wake from outside, for an alarm that was lost. Anybody may cause it, so it does next to nothing. */
  async wake(): Promise<void> {
    this.#meter.called("wake");
    await this.#armIfNeeded();
  }

  /**
   * Once a minute: closes the books, which nobody else does for a cluster that fell silent, sees to Postgres' tables
   * once a day, and answers which Clusters have facts that should have left by now.
   */
  async tick(): Promise<readonly string[]> {
    this.#meter.called("tick");
    const now = Date.now();
    this.#books.settle(now);
    this.#books.tellOfArchive(now);
    this.#doors.sweep(now);
    this.#drafts.look(now);
    await this.#plans.look(now);
    this.#plans.settle(now);
    // Not awaited: the cron has clusters to wake, and Postgres may take its time.
    this.ctx.waitUntil(this.#upkeep.run(now));
    this.ctx.waitUntil(this.#uptime.freeze(now));
    await this.#armIfNeeded();
    return clustersToWake(this.#tells.map.values(), Number(this.env.FLUSH_INTERVAL_MS), now);
  }

  /**
   * What Clusters that were woken still hold: one whose agent is silent tells nothing by itself. While a deploy goes
   * out a Cluster of the release before answers nothing at all.
   */
  async learn(held: readonly { readonly cluster: string; readonly backlog: Backlog | undefined }[]): Promise<void> {
    this.#meter.called("learn");
    const at = Date.now();
    for (const { cluster, backlog } of held) {
      const tell = this.#tells.get(cluster);
      if (tell !== null && backlog !== undefined) this.#tells.put({ ...tell, backlog: { ...backlog, at } }, false, at);
    }
    this.#books.tellOfArchive(at);
  }

  /** Runs errands, sends rows to Postgres, closes the books. A wake carries no news: all of it looks at what is there. */
  override async alarm(): Promise<void> {
    this.#meter.called("alarm");
    try {
      this.#books.settle(Date.now());
      await this.#plans.look(Date.now());
      this.#plans.settle(Date.now());
      this.#incidents.tellDue(Date.now());
      this.#memory.prune(Date.now() - HISTORY_MS, Date.now() - SENT_KEPT_MS);
      // Neither waits for the other: a cluster that cannot be reached must not stop the archive.
      const runs = [this.#maintenance.runErrands(), this.#news.handOver(), this.#archive.run(), this.#reflush.run()];
      // What is restored by then may hold days that nobody froze; otherwise the minute's tick does it.
      runs.push(this.#uptime.freeze(Date.now()));
      const results = await Promise.allSettled(runs);
      const failed = results.filter((result) => result.status === "rejected");
      this.#failures = failed.length === 0 ? 0 : this.#failures + 1;
      for (const { reason } of failed)
        console.warn(JSON.stringify({ event: "board_alarm_failed", error: String(reason) }));
      this.#books.tellOfArchive(Date.now());
    } finally {
      // Re-armed here and never left to the runtime's retries, which stop for good after six.
      await this.#armIfNeeded();
    }
  }

  async costs(): Promise<BoardCosts> {
    return { ...this.#meter.costs, judged: this.#books.judged };
  }

  /** Sets the alarm if none comes soon enough; called with every push, which must not cost a row. */
  async #armIfNeeded(): Promise<void> {
    const now = Date.now();
    const isWell = this.#failures === 0;
    const delay = isWell ? FLUSH_DELAY_MS : retryDelay(this.#failures, Math.random());
    const errandAt = this.#memory.hasErrands() || this.#news.isWaiting ? now + delay : Infinity;
    const reminderAt = nextReminderAt(this.#incidents.reminders) ?? Infinity;
    // One that is due already and is not told yet waits for nobody.
    const planAt = Math.max(now, Math.min(this.#plans.nextAt(now), reminderAt));
    const at = Math.min(errandAt, planAt);
    // After a failure the alarm that is there was jittered already, and stays.
    const latest = Math.min(isWell ? errandAt : errandAt + RETRY_MAX_MS, planAt);
    if (!Number.isFinite(at)) return;
    const armed = await this.ctx.storage.getAlarm();
    if (armed !== null && armed <= latest) return;
    this.#meter.alarmSet();
    await this.ctx.storage.setAlarm(at);
  }

  /** After a change of components: their limits may have changed. */
  #judgedAnew<T>(changed: T): T {
    this.ctx.waitUntil(this.#policies.tellAll());
    return changed;
  }

  /** Ends what sessions listen to that are over. */
  #drop(sessions: readonly string[]): void {
    const relay = this.env.RELAY.getByName(RELAY_ADMIN);
    const dropped = Promise.allSettled(sessions.map((session) => relay.drop(session)));
    this.ctx.waitUntil(
      dropped.then((results) => {
        for (const result of results)
          if (result.status === "rejected")
            console.warn(JSON.stringify({ event: "drop_failed", error: String(result.reason) }));
      }),
    );
  }

  #afterChange(): void {
    this.ctx.waitUntil(this.#armIfNeeded());
    if (this.#memory.errands().length > 0) this.ctx.waitUntil(this.#hurry());
    this.#tellNews();
  }

  /** What was said goes out at once. The alarm is there for when this fails. */
  #tellNews(): void {
    if (this.#news.isWaiting) this.ctx.waitUntil(this.#news.handOver().catch(logNews));
  }

  /** An operator waits for it: errands do not wait for the alarm, which is there for when this fails. */
  async #hurry(): Promise<void> {
    try {
      await this.#maintenance.runErrands();
    } catch (error) {
      console.warn(JSON.stringify({ event: "errand_failed", error: String(error) }));
    }
  }
}

function logNews(error: unknown): void {
  console.warn(JSON.stringify({ event: "news_failed", error: String(error) }));
}

function toldView(tell: Tell, hasServices: boolean): ToldView {
  const { topology: _, ...facts } = tell;
  return { ...facts, services: hasServices ? facts.services : [], reports: facts.services.length };
}

function byCluster(a: { readonly cluster: string }, b: { readonly cluster: string }): number {
  return a.cluster < b.cluster ? -1 : 1;
}
