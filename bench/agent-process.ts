/** The agent as it ships, run as its image runs it, and what Linux says of it. */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { imageSettings } from "../dev/bundle.ts";
import { SECOND } from "../protocol/time.ts";

/** Linux tells times of processes in these, whatever its own clock (proc(5)). */
const TICKS_PER_S = 100;
const LOOK_EVERY_MS = 50;
/** Of its log, the newest. */
const LINES_MAX = 1_000;

export class AgentProcess {
  readonly #process: ChildProcess;
  #lines: string[] = [];

  /** @param main the bundled agent */
  constructor(main: string, config: string) {
    const { options, env } = imageSettings();
    this.#process = spawn(process.execPath, [...options, main, "--config", config], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    process.once("exit", this.#kill);
    if (this.#process.stdout === null) throw new Error("the agent has no log");
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      this.#lines = [...this.#lines, line].slice(-LINES_MAX);
    });
  }

  readonly #kill = (): void => void this.#process.kill("SIGKILL");

  /** Waits until a line of its log holds all of this; that line. */
  async says(parts: readonly string[], timeoutMs: number): Promise<string> {
    const giveUpAt = performance.now() + timeoutMs;
    for (;;) {
      const line = this.#lines.find((one) => parts.every((part) => one.includes(part)));
      if (line !== undefined) return line;
      this.checkRuns();
      if (performance.now() > giveUpAt)
        throw new Error(`the agent did not say ${parts.join(" ")} within ${timeoutMs / SECOND} s`);
      await sleep(LOOK_EVERY_MS);
    }
  }

  checkRuns(): void {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) throw new Error(`the agent ended with ${exitCode ?? signalCode}`);
  }

  /** What it takes now, or took at the most, MiB. */
  mib(field: "VmRSS" | "VmHWM"): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, "utf8");
    const [, kib = "NaN"] = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status) ?? [];
    return Number(kib) / 1_024;
  }

  /** Processor time of all its threads so far, user and system, s. */
  coreSeconds(): number {
    const stat = readFileSync(`/proc/${this.#process.pid}/stat`, "utf8");
    // Its name, which may hold anything, ends with a bracket.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
  }

  /** Resolves once it has ended. */
  async stop(): Promise<void> {
    process.off("exit", this.#kill);
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#kill();
    await ended;
  }
}
