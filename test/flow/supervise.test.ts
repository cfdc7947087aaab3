import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepRunning, type Child, type Health } from "../../dev/supervise/child.ts";
import { edgePublicKey, envFile, keepEnv, readEnv } from "../../dev/supervise/secrets.ts";

/** A leader with a child of its own, as `wrangler dev` has workerd; both write down who they are. */
const FAMILY = `echo $$ >> leaders; sh -c 'echo $$ >> followers; exec sleep 60' & echo serving; wait`;

let folder: string;
const children: Child[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "supervise-"));
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop()));
  rmSync(folder, { recursive: true, force: true });
});

function keep(script: string, said: string[], health: (() => Promise<Health>) | null = null): Child {
  const child = keepRunning(
    {
      name: "family",
      command: ["/bin/sh", "-c", script],
      cwd: folder,
      env: process.env,
      logFile: join(folder, "family.log"),
      readyLine: health === null ? /^serving$/m : null,
      health,
    },
    { say: (text) => said.push(text), moved: () => undefined },
  );
  children.push(child);
  return child;
}

/** The process ids that were written to a file so far. */
function pids(file: string): number[] {
  const path = join(folder, file);
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").map(Number) : [];
}

function lives(pid: number | undefined): boolean {
  try {
    process.kill(pid ?? 0, 0);
    // A zombie still has its number; it is gone all the same.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

const soon = { interval: 20 };

describe("a child of the supervisor", () => {
  it("is started again when it is killed, after what it left behind is gone", async () => {
    const said: string[] = [];
    await keep(FAMILY, said).ready;
    await expect.poll(() => pids("followers").length, soon).toBe(1);
    process.kill(pids("leaders")[0] ?? 0, "SIGKILL");
    await expect.poll(() => pids("followers").length, soon).toBe(2);
    expect(pids("leaders").map(lives)).toEqual([false, true]);
    expect(pids("followers").map(lives)).toEqual([false, true]);
    expect(said[0]).toContain("family stopped (SIGKILL), starting it again");
    expect(said).toContain("family is back");
  });

  it("is started again when nobody listens any more though it lives", async () => {
    const said: string[] = [];
    const answers: Health[] = ["good"];
    await keep(FAMILY, said, () => Promise.resolve(answers.shift() ?? "refused")).ready;
    await expect.poll(() => pids("leaders").length, soon).toBe(2);
    expect(said[0]).toBe("family does not answer, ending it");
  });

  it("that cannot start says why, in one line, and where to read on", async () => {
    const child = keep("echo 'error: no disk' >&2; exit 3", []);
    await expect(child.ready).rejects.toThrow(
      /^family does not start \(exit code 3\): error: no disk; see .*family\.log$/,
    );
  });

  it("that says it must not be started again is believed", async () => {
    const child = keep("echo x >> starts; exit 78", []);
    await expect(child.ready).rejects.toThrow("gave up");
    expect(readFileSync(join(folder, "starts"), "utf8")).toBe("x\n");
  });

  it("does not outlive a supervisor that was killed", async () => {
    const script = join(folder, "supervisor.ts");
    const modules = join(import.meta.dirname, "../../dev/supervise");
    writeFileSync(
      script,
      `import { keepRunning } from ${JSON.stringify(join(modules, "child.ts"))};
       import { startGuard } from ${JSON.stringify(join(modules, "guard.ts"))};
       const guard = startGuard();
       keepRunning({ name: "family", command: ["/bin/sh", "-c", ${JSON.stringify(FAMILY)}], cwd: ${JSON.stringify(folder)},
         env: process.env, logFile: ${JSON.stringify(join(folder, "log"))}, readyLine: null, health: null },
         { say: () => undefined, moved: (_name, pid) => guard.watch(pid === null ? [] : [pid]) });`,
    );
    const supervisor = spawn(process.execPath, [script], { stdio: "ignore" });
    await expect.poll(() => pids("followers").length, soon).toBe(1);
    supervisor.kill("SIGKILL");
    await expect.poll(() => [...pids("leaders"), ...pids("followers")].some(lives), soon).toBe(false);
  });
});

describe("the edge's secrets on a laptop", () => {
  it("are made once, kept over starts, and readable by their owner alone", () => {
    const first = keepEnv(folder, { NEON_FETCH_ENDPOINT: "http://127.0.0.1:1/sql" });
    const second = keepEnv(folder, { NEON_FETCH_ENDPOINT: "http://127.0.0.1:2/sql" });
    expect(second).toEqual(first);
    expect(readEnv(folder)).toEqual({ NEON_FETCH_ENDPOINT: "http://127.0.0.1:2/sql", ...first });
    expect(statSync(envFile(folder)).mode & 0o777).toBe(0o600);
    expect(Buffer.from(edgePublicKey(first.EDGE_SIGNING_KEY), "base64")).toHaveLength(32);
  });
});
