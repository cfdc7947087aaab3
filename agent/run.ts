/** The agent at work: sources fill the spool and the readings, pushes carry them, the session and the receipts bring desired state. */
import { AGENT_KNOWS } from "../protocol/agent.ts";
import type { HealthReport } from "../protocol/health.ts";
import type { SignedDesired } from "../protocol/lease.ts";
import type { Live, SourceState } from "../protocol/push.ts";
import type { EventRecord } from "../protocol/record.ts";
import type { Millis } from "../protocol/time.ts";
import type { Topology } from "../protocol/topology.ts";
import { startActuator, type Actuator } from "./actuator.ts";
import { nobodyLooks, startAnomalies, type Anomalies } from "./anomalies.ts";
import { openAudit } from "./audit.ts";
import { createClock, type Clock } from "./clock.ts";
import type { AgentConfig } from "./config.ts";
import type { OwnFacts } from "./core/own-metrics.ts";
import { liveServices, remember, type ReadingHistory } from "./core/readings.ts";
import { workloadHealth } from "./core/workload-health.ts";
import { edgeKeys } from "./desired.ts";
import { EventDoor } from "./door.ts";
import { ensureEnrolled } from "./enrol.ts";
import type { Health } from "./health.ts";
import type { Keyring } from "./identity.ts";
import { createKubernetesClient } from "./kubernetes/client.ts";
import { onChange, type Log } from "./log.ts";
import { AGENT_VERSION, Pusher, PushLoop, type PushOutcome } from "./push.ts";
import { goldenOf, NO_SIGNALS } from "./retrain.ts";
import { Rotation } from "./rotation.ts";
import { keeping, windowSink } from "./sink.ts";
import { startSession, type Session } from "./session.ts";
import { startCertificatesSource } from "./source/certificates.ts";
import { startKubernetesSource, type KubernetesSource } from "./source/kubernetes.ts";
import type { MeshSource, WindowSink } from "./source/mesh.ts";
import { startPrometheusSource } from "./source/prometheus.ts";
import { startPrometheusHealth, type PrometheusHealthSource } from "./source/prometheus-health.ts";
import { startScrapeSource } from "./source/scrape.ts";
import { Spool } from "./spool.ts";
import { inTurn } from "./turn.ts";
import { Wishes } from "./wishes.ts";

/** sysexits.h: EX_CONFIG. A fenced agent must not be restarted into a fight. */
const EXIT_FENCED = 78;
/** sysexits.h: EX_NOPERM. */
export const EXIT_NOT_ENROLLED = 77;
/** sysexits.h: EX_SOFTWARE. */
export const EXIT_FAULT = 70;
/** sysexits.h: EX_IOERR. */
export const EXIT_DISK = 74;
/** A push goes out with the readings that came in time, ms. */
const COLLECT_WITHIN_MS = 3_000;
/** Between two looks for the first readings, ms. */
const FIRST_READING_PAUSE_MS = 500;
/** An expiry waits this long at most for the edge to confirm the time: it must be met within 30 s, ms. */
const LEASE_PATIENCE_MS = 20_000;
/** A stop takes at most this long, ms. */
const LAST_PUSH_MS = 1_500;
const SESSION_CLOSE_MS = 500;

export interface RunOptions {
  readonly config: AgentConfig;
  readonly identity: Keyring;
  readonly log: Log;
  /** Take the cluster over from another agent that fenced this one. */
  readonly takeOver: boolean;
  readonly exit: (code: number, message: string) => never;
  readonly health?: Health | null;
  /** Whether this agent holds the Lease of several; absent where it is the only one. */
  readonly isLeading?: () => boolean;
}

export interface Agent {
  stop(): Promise<void>;
}

export function startAgent(options: RunOptions): Agent {
  const { config, identity, log } = options;
  const clock = createClock(Date.now, { dataDir: config.dataDir });
  /** For what is dropped by its age. */
  const surely = (): Millis | null => (clock.isConfirmed() ? clock.now() : null);
  const spool = openSpool(options);
  const audit = config.audit ? openAudit(config.dataDir, config.cluster, spool.heldWindows()) : null;
  const say = onChange(log);
  const sink = windowSink(config.dataDir, { spool, audit, surely, say });
  let loop: PushLoop | null = null;
  const changed = (): void => loop?.request();
  const door = new EventDoor((event) => {
    spool.append([event], surely());
    changed();
  });
  const onEvent = (event: EventRecord): void => door.offer(event);
  const sources = startSources(options, clock, { sink, onEvent, changed, say });
  const { actuator } = sources;
  const readings = createReadings(config, clock, sources, spool, say);
  const shared = { edge: config.edge, cluster: config.cluster, identity, clock, random: Math.random, log };
  const onDesired = (desired: SignedDesired): void => actuator.offer(desired);
  let session: Session | null = null;
  const overSession = (): Session | null => session;
  const topology = (): Topology | null => sources.mesh?.topology() ?? null;
  const onAccepts = (accepts: readonly string[]): void => door.hear(accepts);
  const onWish = (wish: SignedDesired): void => sources.detector.offer(wish);
  const rotation = rotationOf(options, clock, () => session?.renew());
  const onRotate = (): void => rotation.ask();
  const carried = { live: readings.live, topology, onDesired, onWish, onAccepts, onRotate, session: overSession };
  const mayTakeOver = options.isLeading === undefined ? {} : { mayTakeOver: options.isLeading };
  const push = { spool, intervalMs: config.interval, ...carried, ...mayTakeOver };
  const pusher = new Pusher({ ...shared, ...push });
  const pushes = countPushes(clock);
  options.health?.tellBy(() => ownFacts(options, sources, spool, pushes.counts()));
  let isStopping = false;
  let stopTicks = (): void => {};
  const begin = async (): Promise<void> => {
    const isKnown = async (): Promise<boolean> => (await pusher.pushOnce()).accepted;
    const refusal = await ensureEnrolled({ config, identity, clock, log, random: Math.random, sleep, isKnown });
    if (isStopping) return;
    if (refusal !== null) return options.exit(EXIT_NOT_ENROLLED, refusal);
    session = startSession({ ...shared, onDesired, observedGeneration: () => actuator.report().observedGeneration });
    await ready;
    if (isStopping) return;
    loop = new PushLoop(pusher, config.interval, (outcome) => {
      pushes.count(outcome);
      reportOutcome(options, say, outcome);
    });
    loop.tick();
  };
  // Before the first readings a push would replace the last evidence that the edge has by nothing.
  const ready = firstReadings(readings, config.interval, () => isStopping).then(() => {
    if (isStopping) return;
    stopTicks = everyInterval(config.interval, async () => {
      await Promise.race([readings.collect(), sleep(Math.min(COLLECT_WITHIN_MS, config.interval / 2))]);
      loop?.tick();
      options.health?.beat();
    });
  });
  void begin();
  return {
    async stop() {
      isStopping = true;
      stopTicks();
      await loop?.stop(LAST_PUSH_MS);
      await Promise.race([session?.stop(), sleep(SESSION_CLOSE_MS)]);
      await Promise.race([sources.stop(), sleep(SESSION_CLOSE_MS)]);
      spool.close();
      audit?.close();
    },
  };
}

function rotationOf({ config, identity, log }: RunOptions, clock: Clock, onRotated: () => void): Rotation {
  const { edge, cluster, dataDir } = config;
  return new Rotation({ edge, cluster, dataDir, clock, keyring: identity, onRotated, log });
}

interface Readings {
  live(this: void): Live;
  /** Asks the mesh for what is now. */
  collect(): Promise<void>;
  /** Whether a push would have something to say of the mesh. */
  isReady(): boolean;
}

function createReadings(
  config: AgentConfig,
  clock: Clock,
  sources: Sources,
  spool: Spool,
  say: ReturnType<typeof onChange>,
): Readings {
  const { mesh, kubernetes, all, actuator, detector } = sources;
  let history: ReadingHistory = new Map();
  return {
    live: () => ({
      at: clock.now(),
      services: liveServices(history, kubernetes?.replicas() ?? new Map()),
      sources: Object.fromEntries(all.map((source) => [source.name, source.state()])),
      leases: actuator.report(),
      detector: detector.report(),
      health: healthOf(sources),
      agent: { spool: { records: spool.records, bytes: spool.bytes }, knows: [...AGENT_KNOWS] },
    }),
    async collect() {
      const latest = await mesh?.collect();
      history = remember(history, latest ?? new Map(), clock.now(), config.interval);
      for (const source of all) {
        const { state, detail } = source.state();
        say(source.name, state === "ok" ? "info" : "warn", detail === null ? state : `${state}: ${detail}`);
      }
    },
    isReady: () => mesh === null || history.size > 0,
  };
}

function openSpool({ config, log, exit, takeOver }: RunOptions): Spool {
  const spool = new Spool({ dataDir: config.dataDir, fail: (message) => exit(EXIT_DISK, message) });
  if (spool.damagedAtStart > 0)
    log("error", "records on disk were damaged; they are declared as gaps", { count: spool.damagedAtStart });
  if (spool.renewedBecause !== null) log("warn", "the spool has a new identity", { reason: spool.renewedBecause });
  if (takeOver) spool.renew();
  return spool;
}

interface NamedSource {
  readonly name: "prometheus" | "scrape" | "kubernetes" | "certificates";
  state(): SourceState;
  stop(): Promise<void>;
}

interface Sources {
  readonly mesh: MeshSource | null;
  readonly kubernetes: KubernetesSource | null;
  readonly prometheus: PrometheusHealthSource | null;
  /** Every source with its state, the mesh's first. */
  readonly all: readonly NamedSource[];
  readonly actuator: Actuator;
  readonly detector: RunningDetector;
  stop(): Promise<unknown>;
}

interface Told {
  readonly sink: WindowSink;
  readonly onEvent: (event: EventRecord) => void;
  readonly changed: () => void;
  readonly say: ReturnType<typeof onChange>;
}

function startSources(options: RunOptions, clock: Clock, { sink, onEvent, changed, say }: Told): Sources {
  const { config } = options;
  const { cluster, dataDir, interval: intervalMs, sources, leases } = config;
  const now = (): Millis => clock.now();
  const isTimeKnown = (): boolean => clock.isConfirmed(LEASE_PATIENCE_MS);
  const isConfirmed = (): boolean => clock.isConfirmed();
  const mesh =
    sources.prometheus !== undefined
      ? startPrometheusSource({ config: sources.prometheus, intervalMs, now, isConfirmed, sink })
      : sources.scrape !== undefined
        ? startScrapeSource({
            config: sources.scrape,
            intervalMs,
            dataDir,
            now,
            isConfirmed,
            sink: keeping(dataDir, sink, say),
          })
        : null;
  const all: NamedSource[] = mesh === null ? [] : [mesh];
  const turn = inTurn();
  const client = sources.kubernetes === undefined ? null : createKubernetesClient(sources.kubernetes, turn);
  let kubernetes: KubernetesSource | null = null;
  if (client !== null) {
    const { namespaces } = client;
    kubernetes = startKubernetesSource({ client, cluster, namespaces, now, onEvent, onChange: changed });
    all.push(named("kubernetes", kubernetes));
  }
  if (sources.certificates !== undefined) {
    const prometheusUrl = sources.prometheus?.url ?? null;
    const of = { config: sources.certificates, cluster, dataDir, client, prometheusUrl };
    all.push(named("certificates", startCertificatesSource({ ...of, now, isConfirmed, onEvent })));
  }
  const prometheus =
    sources.prometheus === undefined
      ? null
      : startPrometheusHealth({
          url: sources.prometheus.url,
          cluster,
          dataDir,
          now,
          isConfirmed,
          onEvent,
          inTurn: turn,
        });
  const onDryRun = (ref: string, patch: string): void => say(`dry run ${ref}`, "info", `would patch ${ref}: ${patch}`);
  const told = { onChange: changed, onEvent, onDryRun };
  const actuator = startActuator({ client, leases, cluster, dataDir, now, isTimeKnown, ...told });
  const detector = startDetector(options, clock, actuator, { onEvent, changed });
  const stop = (): Promise<unknown> =>
    Promise.all([actuator.stop(), detector.stop(), prometheus?.stop(), ...all.map((source) => source.stop())]);
  return { mesh, kubernetes, prometheus, all, actuator, detector, stop };
}

interface RunningDetector extends Pick<Anomalies, "report" | "stop"> {
  /** Takes in what the edge wishes of it. */
  offer(signed: SignedDesired): void;
}

function startDetector(
  { config, log }: RunOptions,
  clock: Clock,
  actuator: Actuator,
  { onEvent, changed: onChange }: Pick<Told, "onEvent" | "changed">,
): RunningDetector {
  const { cluster, dataDir, interval: intervalMs, anomalies: allowed } = config;
  const golden = goldenOf(config);
  const now = (): Millis => clock.now();
  const wishes = new Wishes({ allowed, keys: edgeKeys(config.leases.edgeKeys), cluster, dataDir, now, onChange, log });
  if (!allowed.enabled || golden === null) return nobodyLooks(wishes, allowed.enabled ? NO_SIGNALS : DISABLED, now);
  // In maintenance is what a lease of ours has changed.
  const maintained = (): ReadonlySet<string> =>
    new Set(actuator.report().targets.flatMap(({ target, state }) => (state === "applied" ? [target] : [])));
  const facts = { now, isConfirmed: () => clock.isConfirmed(), maintained, golden };
  const offer = (signed: SignedDesired): void => wishes.offer(signed);
  return { offer, ...startAnomalies({ wishes, cluster, dataDir, intervalMs, ...facts, onEvent, log }) };
}

const DISABLED = "anomalies.enabled is false in agent.yaml";

interface PushCounts {
  readonly accepted: number;
  readonly failed: number;
  readonly acceptedAt: Millis | null;
}

function countPushes(clock: Clock): { count(outcome: PushOutcome): void; counts(): PushCounts } {
  let counts: PushCounts = { accepted: 0, failed: 0, acceptedAt: null };
  return {
    count: ({ accepted }) => {
      counts = accepted
        ? { ...counts, accepted: counts.accepted + 1, acceptedAt: clock.now() }
        : { ...counts, failed: counts.failed + 1 };
    },
    counts: () => counts,
  };
}

function ownFacts({ config, isLeading }: RunOptions, sources: Sources, spool: Spool, pushes: PushCounts): OwnFacts {
  const { kubernetes, prometheus, all, actuator } = sources;
  return {
    isLeading: isLeading?.() ?? true,
    version: AGENT_VERSION,
    cluster: config.cluster,
    sources: all.map((source) => ({ name: source.name, state: source.state() })),
    pushes,
    spooled: spool.records,
    leases: actuator.report().targets,
    ...kubernetes?.cluster(),
    prometheus: prometheus?.report() ?? null,
  };
}

/** The runbook's morning list; what is not seen now is null. */
function healthOf({ prometheus, kubernetes }: Sources): HealthReport {
  const isSeen = kubernetes !== null && kubernetes.state().state !== "down";
  const { pods, autoscalers } = isSeen ? kubernetes.cluster() : { pods: new Map(), autoscalers: new Map() };
  return { prometheus: prometheus?.report() ?? null, workloads: isSeen ? workloadHealth(pods, autoscalers) : null };
}

function named(name: NamedSource["name"], source: Omit<NamedSource, "name">): NamedSource {
  return { name, state: () => source.state(), stop: () => source.stop() };
}

function reportOutcome({ exit }: RunOptions, say: ReturnType<typeof onChange>, outcome: PushOutcome): void {
  if (outcome.fenced) {
    return exit(
      EXIT_FENCED,
      "another agent reports as this cluster now, so this one stops. Stop the other and start this one with --take-over to have it back.",
    );
  }
  say(
    "edge",
    outcome.accepted ? "info" : "warn",
    outcome.accepted ? "pushes are accepted" : `push not accepted: ${outcome.reason}`,
  );
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Reads until there is something to report, for at most `withinMs`. */
async function firstReadings(readings: Readings, withinMs: number, isStopping: () => boolean): Promise<void> {
  const until = performance.now() + withinMs;
  for (;;) {
    await Promise.race([readings.collect(), sleep(withinMs)]);
    if (readings.isReady() || isStopping() || performance.now() + FIRST_READING_PAUSE_MS >= until) return;
    await sleep(FIRST_READING_PAUSE_MS);
  }
}

/** Runs `work` now and at every interval after, never twice at once. Returns what stops it. */
function everyInterval(intervalMs: number, work: () => Promise<void>): () => void {
  let isRunning = false;
  const run = (): void => {
    if (isRunning) return;
    isRunning = true;
    void work().finally(() => (isRunning = false));
  };
  const timer = setInterval(run, intervalMs);
  run();
  return () => clearInterval(timer);
}
