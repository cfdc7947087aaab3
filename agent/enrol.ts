/** Brings the agent from "has a key" to "the edge knows it", over wrong clocks, lost answers and an edge that is down. */
import { readFileSync } from "node:fs";
import type { AgentConfig } from "./config.ts";
import type { Clock } from "./clock.ts";
import { retryDelay } from "./core/backoff.ts";
import { enrol, loadEnrolment, saveEnrolment, type Identity } from "./identity.ts";
import type { Log } from "./log.ts";

/** A clock that is further off than this would have every signature refused, ms. */
const CLOCK_OFF_MS = 30_000;

export interface EnrolOptions {
  readonly config: AgentConfig;
  readonly identity: Identity;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Whether the edge takes a push of this key: an earlier enrolment may have arrived although its answer did not. */
  readonly isKnown: () => Promise<boolean>;
}

/** Null once enrolled; else why it cannot be done, for a person. Goes on trying while the edge is only unreachable. */
export async function ensureEnrolled(options: EnrolOptions): Promise<string | null> {
  const { config, identity, clock, log } = options;
  if (loadEnrolment(config.dataDir, config.cluster, config.edge, identity.keyId) !== null) return null;
  const code = readCode(config);
  if (!code.ok) return code.reason;
  let wasMended = false;
  for (let failures = 1; ; failures++) {
    const sentAt = clock.raw();
    const offBefore = clock.skewMs();
    const answer = await enrol(identity, config.edge, config.cluster, code.value, clock.now());
    if (answer.serverTime !== null) clock.learn(sentAt, clock.raw(), answer.serverTime);
    if (answer.outcome === "enrolled") {
      save(options, answer.state);
      return null;
    }
    if (answer.outcome === "refused") {
      const wasClock = !wasMended && Math.abs(clock.skewMs() - offBefore) > CLOCK_OFF_MS;
      wasMended = true;
      if (wasClock) continue;
      if (await options.isKnown()) {
        save(options, "active");
        return null;
      }
      return `the edge refused the enrolment: ${answer.reason}\nA code works once and for a short time: make a new one (npm run -s enroll -- --cluster ${config.cluster}) and put it into enroll.code.`;
    }
    const waitMs = retryDelay(failures, options.random());
    if (failures === 1)
      log("warn", "cannot enrol yet; sources are read and windows kept meanwhile", {
        edge: config.edge,
        reason: answer.reason,
      });
    await options.sleep(waitMs);
  }
}

function save({ config, identity, log }: EnrolOptions, state: "active" | "pending"): void {
  saveEnrolment(config.dataDir, { cluster: config.cluster, edge: config.edge, keyId: identity.keyId, state });
  log("info", state === "active" ? "enrolled" : "enrolled; an operator has to compare the fingerprint and accept it", {
    cluster: config.cluster,
    fingerprint: identity.fingerprint,
  });
}

/** The one-time code from the configuration or the file that it names. */
export function readCode(config: AgentConfig): { ok: true; value: string } | { ok: false; reason: string } {
  const { enroll } = config;
  if (enroll?.code !== undefined) return { ok: true, value: enroll.code };
  if (enroll?.codeFile === undefined) {
    return {
      ok: false,
      reason: `this agent is not enrolled as "${config.cluster}" at ${config.edge} and has no code.\nMake one (npm run -s enroll -- --cluster ${config.cluster}) and put it into enroll.code.`,
    };
  }
  try {
    const code = readFileSync(enroll.codeFile, "utf8").trim();
    return /^[A-Z2-7]{32}$/.test(code)
      ? { ok: true, value: code }
      : { ok: false, reason: `${enroll.codeFile} holds no enrolment code (32 characters, A-Z and 2-7)` };
  } catch {
    return { ok: false, reason: `enroll.codeFile: ${enroll.codeFile} cannot be read` };
  }
}
