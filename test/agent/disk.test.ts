import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Spool } from "../../agent/spool.ts";

function readDeployed(name: string): string {
  return readFileSync(join(import.meta.dirname, "../../agent/deploy", name), "utf8");
}

const PROGRAM = join(import.meta.dirname, "spool-process.ts");
let folder = "";
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "disk-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A disk of 8 MB of its own. Containers mostly allow it in a namespace of their own. */
const ON_SMALL_DISK = 'mount -t tmpfs -o size=8m tmpfs "$1" && exec "$2" "$3" "$4" "$1"';
const canMount = spawnSync("unshare", ["-Urm", "sh", "-c", "mount -t tmpfs tmpfs /tmp"]).status === 0;

function run(
  command: string,
  args: readonly string[],
): { readonly lines: readonly string[]; readonly code: number | null } {
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: "utf8" });
  expect(stderr.replace(/^\(node:.*ExperimentalWarning.*\n.*\n/m, "")).toBe("");
  return { lines: stdout.trim().split("\n"), code: status };
}

function runOnSmallDisk(mode: string): ReturnType<typeof run> {
  return run("unshare", ["-Urm", "sh", "-c", ON_SMALL_DISK, "sh", folder, process.execPath, PROGRAM, mode]);
}

describe.runIf(canMount)("on a full disk", () => {
  it("a gap that found no room takes nobody's place, and counts once", () => {
    const { lines } = runOnSmallDisk("gap");
    const windows = Number(lines[0]?.split(" ")[1]);
    expect(lines[1]).toBe(`closed yes ${windows}`);
    expect(lines.slice(2).toSorted()).toEqual([`gap ${windows}`, ...Array<string>(3).fill("pod.oom_killed 1")]);
  });

  it("windows wait, events use the reserve, a restart comes up, and what is sent makes room", () => {
    const { lines, code } = runOnSmallDisk("full");
    const written = Number(lines[0]?.split(" ")[1]);
    expect(written).toBeGreaterThan(5_000);
    expect(lines.slice(0, -1)).toEqual([
      `windows ${written} wait`,
      "event taken",
      `again the same 11 0 ${written + 1 - 10}`,
      `numbered ${written + 1}`,
      "windows wait",
      "held 0",
      "windows taken",
      "reserve none",
      "last the same 0",
    ]);
    expect(lines.at(-1)).toMatch(
      `fail the disk that holds ${join(folder, "spool")} is full: free some of it or give the agent a larger volume`,
    );
    expect(code).toBe(74);
  });
});

/** Starts the agent on a disk of 4 MB, once with room for its reserve and once on what another program has filled. */
const START_TWICE = `mount -t tmpfs -o size=4m tmpfs "$1" && timeout 4 "$2" "$3" --config "$4"
  head -c 8000000 /dev/zero > "$1/filler" 2>/dev/null; timeout 4 "$2" "$3" --config "$4"; cat "$1/spool/numbers.log" | wc -c`;

describe.runIf(canMount)("an agent whose disk another program has filled", () => {
  it("starts again, with its spool as it was", () => {
    const config = join(folder, "agent.yaml");
    const data = join(folder, "data");
    mkdirSync(data);
    writeFileSync(
      config,
      `{ edge: "http://127.0.0.1:1", cluster: demo, dataDir: ${data}, enroll: { code: ${"A".repeat(32)} }, sources: { scrape: { targets: ["http://127.0.0.1:1"] } } }`,
    );
    const agent = join(import.meta.dirname, "../../agent/main.ts");
    const { lines } = run("unshare", ["-Urm", "sh", "-c", START_TWICE, "sh", data, process.execPath, agent, config]);
    expect(lines.filter((line) => line.includes('"agent starts"'))).toHaveLength(2);
    expect(lines.join("\n")).not.toContain("new identity");
    expect(lines.filter((line) => line.includes('"agent stops"'))).toHaveLength(2);
    expect(Number(lines.at(-1))).toBeGreaterThan(100);
  });
});

describe("where a file may not grow any more", () => {
  it("windows wait, a restart comes up, and an event that finds no room ends the process with what to do", () => {
    const limited = ["-c", 'ulimit -f 2100 && exec "$1" "$2" full "$3"', "sh", process.execPath, PROGRAM, folder];
    const { lines, code } = run("sh", limited);
    const written = Number(lines[0]?.split(" ")[1]);
    expect(written).toBeGreaterThan(1_000);
    expect(lines[0]).toBe(`windows ${written} wait`);
    expect(lines.at(-1)).toMatch(/^fail the disk that holds .* is full: free some of it/);
    expect(code).toBe(74);
    // Started again on the same disk it comes up, and ends only with the next event.
    const again = run("sh", limited);
    expect(again.lines[0]).toMatch(/^windows \d+ wait$/);
    expect(again.code).toBe(74);
    const reopened = open(folder);
    expect([reopened.damagedAtStart, reopened.renewedBecause]).toEqual([0, null]);
    while (reopened.waiting > 0) reopened.batch(reopened.next, 500, 1e9);
    expect(reopened.next).toBeGreaterThan(written);
    reopened.close();
  });
});

function open(dataDir: string): Spool {
  const fail = (message: string): never => {
    throw new Error(message);
  };
  return new Spool({ dataDir, fail });
}

/** Lets the program work for a moment and kills it; what it has said. */
async function workAndBeKilled(forMs: number): Promise<readonly string[]> {
  const child = spawn(process.execPath, [PROGRAM, "work", folder], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    if (text === "") setTimeout(() => child.kill("SIGKILL"), forMs);
    text += chunk;
  });
  await once(child, "close");
  // The last line may be half of one.
  return text.split("\n").slice(0, -1);
}

describe("an agent in the container that the manifests give it", () => {
  it("has the memory for all that its spool may hold", () => {
    const [flags = ""] = /(?<=^ENTRYPOINT \["node", ).*(?=, "agent)/m.exec(readDeployed("Dockerfile")) ?? [];
    const [limitMb] = /(?<=limits:\s+memory: )\d+(?=Mi)/.exec(readDeployed("manifests.yaml")) ?? [];
    const { lines } = run(process.execPath, [...(JSON.parse(`[${flags}]`) as string[]), PROGRAM, "large", folder]);
    const [, held, again] = lines[0]?.split(" ").map(Number) ?? [];
    expect(held).toBeGreaterThan(216_000);
    expect(again).toBe(held);
    // What the agent has besides its spool takes 20 MB, and 40 more with 5,000 pods.
    expect(Number(lines[1]?.split(" ")[1])).toBeLessThan(Number(limitMb) - 60);
  }, 120_000);
});

describe("a process that is killed again and again", () => {
  it("keeps all that it said was closed, under the numbers that it said, and gives none twice", async () => {
    const keys = new Map<number, string>();
    let closed = 0;
    let freed = 1;
    for (let kill = 0; kill < 12; kill++) {
      for (const line of await workAndBeKilled(20 + 20 * kill)) {
        const [what, first, key = ""] = line.split(" ");
        if (what === "closed") closed = Number(first);
        else if (what === "freed") freed = Number(first);
        else {
          expect(keys.get(Number(first)) ?? key, line).toBe(key);
          keys.set(Number(first), key);
        }
      }
      const spool = open(folder);
      expect([spool.damagedAtStart, spool.renewedBecause], `kill ${kill}`).toEqual([0, null]);
      expect(spool.closedUntil ?? 0).toBeGreaterThanOrEqual(1_795_392_000_000 + closed * 60_000);
      for (let from = spool.base; from < spool.next;) {
        const { first, items } = spool.batch(from, Math.min(500, spool.next - from), 1e9);
        items.forEach((record, i) => {
          const key =
            record.kind === "window" ? `${record.service}@${(record.at - 1_795_392_000_000) / 60_000}` : record.id;
          // One that was numbered, but killed before it could say so.
          expect(keys.get(first + i) ?? key).toBe(key);
          keys.set(first + i, key);
        });
        from = first + items.length;
      }
      // Freeing is not made sure of at once, but what a process wrote outlives it as long as the system runs.
      expect(spool.base).toBeGreaterThanOrEqual(freed);
      expect(spool.next - 1 + spool.waiting).toBe((((spool.closedUntil ?? 0) - 1_795_392_000_000) / 60_000) * 2);
      expect(new Set(keys.values()).size).toBe(keys.size);
      expect(Math.max(...keys.keys())).toBe(spool.next - 1);
      spool.close();
    }
    expect(closed).toBeGreaterThan(100);
    expect(readdirSync(join(folder, "spool"))).toContain("numbers.log");
  });
});
