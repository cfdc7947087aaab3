/** Real processes for flow tests: started, killed as a crash kills them, frozen, started again. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import type { WriteStream } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface Program {
  readonly command: readonly [string, ...string[]];
  /** Output goes here, for when a test fails. */
  readonly logFile: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Resolves once the program does its work; asked again until it does. */
  readonly isReady: () => Promise<boolean>;
}

const READY_TIMEOUT_MS = 60_000;

/** A program in a process group of its own, so that what it started dies with it. */
export class RunningProgram {
  readonly #program: Program;
  readonly #log: WriteStream;
  #child: ChildProcess | null = null;

  constructor(program: Program) {
    this.#program = program;
    this.#log = createWriteStream(program.logFile, { flags: "a" });
  }

  /** Starts it and waits until it does its work. */
  async start(): Promise<void> {
    this.launch();
    await this.untilReady();
  }

  /** Starts it and does not wait: what it needs may not be there. */
  launch(): void {
    const [file, ...args] = this.#program.command;
    const env = { ...process.env, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1", CI: "1", ...this.#program.env };
    const child = spawn(file, args, { cwd: ROOT, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.pipe(this.#log, { end: false });
    child.stderr.pipe(this.#log, { end: false });
    this.#child = child;
  }

  async untilReady(): Promise<void> {
    const [file, argument] = this.#program.command;
    const what = `${file} ${argument} to be ready; see ${this.#program.logFile}`;
    await eventually(() => this.#program.isReady(), READY_TIMEOUT_MS, what);
  }

  /** The whole group at once, without a word. */
  async kill9(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Stops its clock but leaves its connections open: what a cut network looks like from the other side. */
  freeze(): void {
    this.#signal("SIGSTOP");
  }

  thaw(): void {
    this.#signal("SIGCONT");
  }

  get exitCode(): number | null {
    return this.#child?.exitCode ?? null;
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    this.#signal(signal);
    const ended = await Promise.race([gone.then(() => true), sleep(10_000, false)]);
    if (!ended) this.#signal("SIGKILL");
    await gone;
    // A grandchild may outlive the leader by a moment, and hold its port.
    this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      if (this.#child?.pid !== undefined) process.kill(-this.#child.pid, signal);
    } catch {
      // The group is gone already.
    }
  }
}

/** Asks again until the answer is yes. */
export async function eventually(
  question: () => Promise<boolean> | boolean,
  timeoutMs: number,
  what: string,
): Promise<number> {
  const since = Date.now();
  for (;;) {
    let yes = false;
    try {
      yes = await question();
    } catch {
      // Not reachable yet is not yet.
    }
    if (yes) return Date.now() - since;
    if (Date.now() - since > timeoutMs) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await sleep(200);
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
