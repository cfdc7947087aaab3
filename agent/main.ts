/** The agent's command line. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { checkConfig } from "./check.ts";
import { describeFaults, loadConfig, type AgentConfig } from "./config.ts";
import { readCode } from "./enrol.ts";
import { Keyring, loadEnrolment } from "./identity.ts";
import { lockDataDir, unlockDataDir } from "./lock.ts";
import { startHealth, type Health } from "./health.ts";
import { createKubernetesClient } from "./kubernetes/client.ts";
import { startElection } from "./leader.ts";
import { log, onChange } from "./log.ts";
import { AGENT_VERSION } from "./push.ts";
import { diskFault } from "./disk.ts";
import { parseLeftOut, previewThreshold, retrainBaseline, rollBackBaseline } from "./retrain.ts";
import { EXIT_DISK, EXIT_FAULT, EXIT_NOT_ENROLLED, startAgent, type Agent } from "./run.ts";

const EXIT_UNREACHABLE = 1;
const EXIT_CONFIG = 2;
/** sysexits.h: EX_TEMPFAIL. Started again it stands by. */
const EXIT_NOT_LEADING = 75;
/** Giving the Lease back is a courtesy, ms. */
const LAST_WRITE_MS = 1_000;

const COMMANDS: ReadonlySet<string> = new Set(["retrain-baseline", "preview-threshold"]);

const HELP = `The agent of Observatory Edge: reads one cluster's mesh and reports it to the edge.

usage: node agent/main.ts --config FILE [--check] [--take-over]
       node agent/main.ts retrain-baseline --config FILE [--without FROM/TO[=NAMESPACE/SERVICE]]... [--roll-back]
       node agent/main.ts preview-threshold --config FILE --threshold SCORE

  --config FILE   the configuration, YAML
  --check         validate the configuration, try each source and the edge, and say what can be reached, and what this
                  agent may and may not do in the cluster
  --take-over     have the cluster back after another agent took it over (which then stops)
  --version       print the version
  --help          print this

  retrain-baseline   learn what is usual from Prometheus' last 7 days; a running agent takes it up, and does so daily by itself
  --without FROM/TO  leave out a time that was not usual, such as a confirmed incident; maintenance is left out by itself
  --roll-back        put the baseline before the last one back instead
  preview-threshold  say what another threshold of anomalies would have raised in the last 7 days, and change nothing

examples:
  node agent/main.ts --config agent.yaml --check
  node agent/main.ts --config /etc/observatory/agent.yaml
  node agent/main.ts retrain-baseline --config agent.yaml --without 2026-11-20T10:00:00Z/2026-11-20T12:00:00Z=shop/cart

the smallest agent.yaml:
  edge: https://status.example.com
  cluster: demo
  enroll: { code: THE-CODE-THE-EDGE-PRINTED }    # only until the agent is enrolled
  sources:
    prometheus: { url: http://prometheus.monitoring:9090, scrapeInterval: 15s }

exit codes: 0 stopped or all reachable, 1 --check could not reach something or no baseline was learnt, 2 the command or the configuration is wrong,
            70 a fault of its own, 74 the disk failed or is full, 75 another agent leads this cluster now, 77 the edge refused the enrolment, 78 another agent took this cluster over`;

async function main(): Promise<void> {
  const options = readArguments();
  if (options.help) return void process.stdout.write(`${HELP}\n`);
  if (options.version) return void process.stdout.write(`${AGENT_VERSION}\n`);
  if (options.config === undefined)
    return end(EXIT_CONFIG, "which configuration? Give --config agent.yaml, or --help for more.");
  const config = loadConfig(options.config);
  if (!config.ok) return end(EXIT_CONFIG, describeFaults(options.config, config.failure));
  if (options.command === "retrain-baseline") return retrainByHand(config.value, options);
  if (options.command === "preview-threshold") return previewByHand(config.value, options);
  if (options.check) {
    const isFine = await checkConfig(config.value, Date.now(), (line) => process.stdout.write(`${line}\n`));
    process.exitCode = isFine ? 0 : EXIT_UNREACHABLE;
    return;
  }
  run(config.value, options.takeOver);
}

/** Works at once, or where several agents share a cluster, as soon as this one holds the Lease. */
function run(config: AgentConfig, takeOver: boolean): void {
  dataDir = config.dataDir;
  const onFault = (message: string): void => log("error", message);
  const health = config.health === undefined ? null : startHealth({ ...config.health, onFault });
  const { leader } = config;
  const { kubernetes } = config.sources;
  if (leader === undefined || kubernetes === undefined) {
    const agent = work(config, takeOver, health, undefined);
    return stopOnSignal(async () => {
      await agent.stop();
      unlockDataDir(config.dataDir);
    });
  }
  let agent: Agent | null = null;
  const say = onChange(log);
  const election = startElection({
    client: createKubernetesClient(kubernetes),
    lease: leader.lease,
    // Unlike that of a process that ran under this name before, and may still write.
    identity: `${hostname()}_${randomUUID()}`,
    onLead: () => (agent = work(config, takeOver, health, () => election.isLeading())),
    onLost: (reason) => {
      log("error", `no longer the leader: ${reason}`);
      process.exit(EXIT_NOT_LEADING);
    },
    onState: (state) => {
      health?.beat();
      say("election", "info", state);
    },
  });
  stopOnSignal(async () => {
    await agent?.stop();
    if (agent !== null) unlockDataDir(config.dataDir);
    await Promise.race([election.stop(), new Promise((resolve) => setTimeout(resolve, LAST_WRITE_MS))]);
  });
}

function stopOnSignal(end: () => Promise<void>): void {
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    log("info", "agent stops");
    void end().finally(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

async function previewByHand(config: AgentConfig, options: ReturnType<typeof readArguments>): Promise<void> {
  const threshold = Number(options.threshold ?? Number.NaN);
  if (!(threshold > 0 && threshold <= 1)) return end(EXIT_CONFIG, "--threshold must be a score from 0 to 1");
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  process.exitCode = (await previewThreshold(config, threshold, Date.now(), print)) ? 0 : EXIT_UNREACHABLE;
}

async function retrainByHand(config: AgentConfig, options: ReturnType<typeof readArguments>): Promise<void> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const given = options.without.map(parseLeftOut);
  for (const one of given) if (!one.ok) return end(EXIT_CONFIG, one.failure);
  const without = given.flatMap((one) => (one.ok ? [one.value] : []));
  const isDone = options["roll-back"]
    ? rollBackBaseline(config, print)
    : await retrainBaseline(config, without, Date.now(), print);
  process.exitCode = isDone ? 0 : EXIT_UNREACHABLE;
}

/** Known from the configuration on; for what the agent says when the disk under it fails. */
let dataDir = "the data folder";

function work(
  config: AgentConfig,
  takeOver: boolean,
  health: Health | null,
  isLeading: (() => boolean) | undefined,
): Agent {
  const holder = lockDataDir(config.dataDir);
  if (holder !== null)
    return end(
      EXIT_CONFIG,
      `process ${holder} is an agent that uses ${config.dataDir} already; stop it, or give this one a dataDir of its own.`,
    );
  const identity = new Keyring(config.dataDir);
  const isEnrolled = loadEnrolment(config.dataDir, config.cluster, config.edge, identity.keyId) !== null;
  const code = readCode(config);
  if (!isEnrolled && !code.ok) return end(EXIT_NOT_ENROLLED, code.reason);
  log("info", "agent starts", {
    cluster: config.cluster,
    edge: config.edge,
    key: identity.keyId,
    fingerprint: identity.fingerprint,
    version: AGENT_VERSION,
  });
  return startAgent({
    config,
    identity,
    log,
    takeOver,
    health,
    ...(isLeading === undefined ? {} : { isLeading }),
    exit: (exitCode, message) => {
      log("error", message);
      process.exit(exitCode);
    },
  });
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        without: { type: "string", multiple: true, default: [] },
        threshold: { type: "string" },
        "roll-back": { type: "boolean", default: false },
        config: { type: "string" },
        check: { type: "boolean", default: false },
        "take-over": { type: "boolean", default: false },
        version: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const [command = null, ...more] = positionals;
    if ((command !== null && !COMMANDS.has(command)) || more.length > 0)
      throw new Error(`"${positionals.join(" ")}" is no command of the agent`);
    return { ...values, command, takeOver: values["take-over"] };
  } catch (error) {
    return end(EXIT_CONFIG, `${error instanceof Error ? error.message : String(error)}\nTry --help.`);
  }
}

function end(code: number, message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(code);
}

process.on("uncaughtException", (error) => {
  const fault = diskFault(error, dataDir);
  if (fault !== null) {
    log("error", fault);
    process.exit(EXIT_DISK);
  }
  log("error", "the agent met a fault of its own and ends; nothing that was closed is lost", {
    error: error.stack ?? error.message,
  });
  process.exit(EXIT_FAULT);
});
await main();
