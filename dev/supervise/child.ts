/**
 * One child of the supervisor: kept running, in a process group of its own.
 *
 * `wrangler dev` is three processes deep, and the middle one does not notice the death of the last. So a child is its
 * whole group: whenever the leader ends, or the child's own health check says that it no longer answers, the rest of
 * the group is killed before a new one starts on the same port.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { openLog, type Log } from "./log.ts";

const BACKOFF_FIRST_MS = 300;
const BACKOFF_MAX_MS = 10_000;
/** A child that lived this long is forgiven its earlier deaths. */
const SETTLED_MS = 20_000;
const STOP_GRACE_MS = 4_000;
const HEALTH_INTERVAL_MS = 1_000;
/** Without any answer for this long, ms, the group is killed: the proxy of `wrangler dev` hangs when its workerd is dead. */
const SILENCE_MAX_MS = 15_000;
/** The same when nobody even listens. */
const REFUSED_MAX_MS = 3_000;
/** How long a child may take to serve for the first time, ms. */
const START_MAX_MS = 90_000;
/** The agent's words for "starting me again cannot help": 77 not enrolled, 78 a newer agent took over. */
const EXITS_GIVE_UP: readonly (number | null)[] = [77, 78];

/** `alive` answers, but does not serve yet; `refused` means that nobody listens. */
export type Health = "good" | "alive" | "silent" | "refused";

export interface ChildSpec {
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** A line of its output that says it serves; null when it says nothing. */
  readonly readyLine: RegExp | null;
  /** Asked once a second; null when death is the only fault that can be seen. */
  readonly health: (() => Promise<Health>) | null;
}

export interface ChildEvents {
  /** A sentence for the operator. */
  say(text: string): void;
  /** The group's leader changed: null when there is none. */
  moved(name: string, pid: number | null): void;
}

export interface Child {
  readonly name: string;
  readonly logFile: string;
  /** Resolves when it first serves; rejects with a sentence when it cannot start. */
  readonly ready: Promise<void>;
  /** Says that it serves, for a child whose own words and health say nothing. From now on a death is only a restart. */
  confirm(): void;
  stop(): Promise<void>;
}

/** Starts a child and keeps it running until `stop`. */
export function keepRunning(spec: ChildSpec, events: ChildEvents): Child {
  const log = openLog(spec.logFile);
  const { promise: ready, resolve: served, reject: failed } = Promise.withResolvers<void>();
  // A rejection that comes before anybody waits must not end the supervisor.
  ready.catch(() => undefined);
  const state = {
    leader: null as ChildProcess | null,
    stopping: false,
    wasReady: false,
    backoffMs: BACKOFF_FIRST_MS,
    early: 0,
  };
  let timer: NodeJS.Timeout | null = null;

  const becomeReady = (): void => {
    if (state.wasReady) events.say(`${spec.name} is back`);
    state.wasReady = true;
    served();
  };

  function start(): void {
    const startedAt = Date.now();
    const leader = launch(spec, log, becomeReady);
    state.leader = leader;
    events.moved(spec.name, leader.pid ?? null);
    const watch = watchHealth(spec, leader, becomeReady, events);
    // Those that the leader leaves behind hold its output open: "close" only comes once they are gone too.
    leader.once("exit", () => killGroup(leader, "SIGKILL"));
    const gone = (how: string): void => {
      clearInterval(watch);
      state.leader = null;
      events.moved(spec.name, null);
      if (!state.stopping) again(how, leader.exitCode, Date.now() - startedAt);
    };
    leader.once("close", (code, signal) => gone(signal ?? `exit code ${code ?? "none"}`));
    leader.once("error", (error) => {
      log.write(`${error.message}\n`);
      if (leader.pid === undefined) gone("it cannot be started");
    });
  }

  function again(how: string, code: number | null, livedMs: number): void {
    if (!state.wasReady && ++state.early >= EARLY_DEATHS_MAX) {
      failed(
        new Error(`${spec.name} does not start (${how}): ${log.lastWords() ?? "it said nothing"}; see ${spec.logFile}`),
      );
      return;
    }
    if (EXITS_GIVE_UP.includes(code)) {
      const text = `${spec.name} gave up (${how}): ${log.lastWords() ?? "it said nothing"}; see ${spec.logFile}`;
      failed(new Error(text));
      events.say(text);
      return;
    }
    if (livedMs > SETTLED_MS) state.backoffMs = BACKOFF_FIRST_MS;
    events.say(`${spec.name} stopped (${how}), starting it again in ${state.backoffMs / 1_000} s; see ${spec.logFile}`);
    timer = setTimeout(start, state.backoffMs);
    state.backoffMs = Math.min(BACKOFF_MAX_MS, state.backoffMs * 2);
  }

  start();
  return {
    name: spec.name,
    logFile: spec.logFile,
    ready,
    confirm: becomeReady,
    async stop() {
      state.stopping = true;
      if (timer !== null) clearTimeout(timer);
      if (state.leader !== null) await endGroup(state.leader);
      log.close();
    },
  };
}

/** Deaths before the first "ready" that end the start: the second try helps against a port that was still being freed. */
const EARLY_DEATHS_MAX = 3;

function launch(spec: ChildSpec, log: Log, onReady: () => void): ChildProcess {
  const [file = "", ...parameters] = spec.command;
  const leader = spawn(file, parameters, {
    cwd: spec.cwd,
    env: spec.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  log.write(`--- ${new Date().toISOString()} ${spec.name} starts, pid ${leader.pid ?? "none"}\n`);
  let line = "";
  let seen = spec.readyLine === null;
  const take = (chunk: Buffer): void => {
    log.write(chunk.toString("utf8"));
    if (seen || spec.readyLine === null) return;
    line = (line + chunk.toString("utf8")).slice(-LINE_MAX);
    if (!spec.readyLine.test(line)) return;
    seen = true;
    onReady();
  };
  leader.stdout?.on("data", take);
  leader.stderr?.on("data", take);
  return leader;
}

/** How much of a child's output is looked at for its ready line, characters. */
const LINE_MAX = 4_096;

function watchHealth(
  spec: ChildSpec,
  leader: ChildProcess,
  onGood: () => void,
  events: ChildEvents,
): NodeJS.Timeout | undefined {
  const { health } = spec;
  if (health === null) return undefined;
  const state = { served: false, heardAt: Date.now(), asking: false };
  return setInterval(() => {
    if (state.asking) return;
    state.asking = true;
    void health().then((answer) => {
      state.asking = false;
      if (answer === "good" && !state.served) {
        state.served = true;
        onGood();
      }
      if (answer === "good" || (answer === "alive" && state.served)) state.heardAt = Date.now();
      const patienceMs = !state.served ? START_MAX_MS : answer === "refused" ? REFUSED_MAX_MS : SILENCE_MAX_MS;
      if (Date.now() - state.heardAt < patienceMs) return;
      events.say(`${spec.name} does not answer, ending it`);
      state.heardAt = Date.now();
      killGroup(leader, "SIGKILL");
    });
  }, HEALTH_INTERVAL_MS);
}

async function endGroup(leader: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    leader.once("close", () => resolve());
  });
  killGroup(leader, "SIGTERM");
  const timer = setTimeout(() => killGroup(leader, "SIGKILL"), STOP_GRACE_MS);
  await ended;
  clearTimeout(timer);
}

function killGroup(leader: ChildProcess, signal: NodeJS.Signals): void {
  if (leader.pid === undefined) return;
  try {
    process.kill(-leader.pid, signal);
  } catch {
    // The whole group is gone already: what was wanted.
  }
}
