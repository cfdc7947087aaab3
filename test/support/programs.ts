/**
 * The system programs that tests need: Chromium, Prometheus, Alertmanager, PostgreSQL, Python's dateutil. Looked up; where one is missing and `apt-get`
 * and root are there, installed; else the run stops and names what to install. No test is skipped in silence.
 *
 * `node test/support/programs.ts` does so for all of them, before the tests.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

const POSTGRESQL_ROOT = "/usr/lib/postgresql";
const INSTALL_TIMEOUT_MS = 8 * 60_000;

interface Program {
  /** What a person would call it. */
  readonly title: string;
  /** Debian's package. */
  readonly package: string;
  /** An environment variable that names another one. */
  readonly variable: string;
  readonly find: () => string | null;
}

const PROGRAMS = {
  chromium: {
    title: "Chromium",
    package: "chromium",
    variable: "CHROMIUM",
    find: () => onPath("chromium", "chromium-browser", "google-chrome"),
  },
  prometheus: {
    title: "Prometheus",
    package: "prometheus",
    variable: "PROMETHEUS",
    find: () => onPath("prometheus"),
  },
  promtool: {
    title: "Prometheus' promtool",
    package: "prometheus",
    variable: "PROMTOOL",
    find: () => onPath("promtool"),
  },
  alertmanager: {
    title: "Alertmanager",
    package: "prometheus-alertmanager",
    variable: "ALERTMANAGER",
    find: () => onPath("prometheus-alertmanager", "alertmanager"),
  },
  postgres: {
    title: "PostgreSQL server",
    package: "postgresql",
    variable: "POSTGRES",
    find: () => inNewestPostgresql("postgres") ?? onPath("postgres"),
  },
  initdb: {
    title: "PostgreSQL's initdb",
    package: "postgresql",
    variable: "INITDB",
    find: () => inNewestPostgresql("initdb") ?? onPath("initdb"),
  },
  dateutil: {
    title: "Python with dateutil",
    package: "python3-dateutil",
    variable: "PYTHON",
    // Debian's package is for Debian's Python, which may not be the first.
    find: () =>
      [onPath("python3"), "/usr/bin/python3"].find(
        (python) =>
          python !== null && existsSync(python) && spawnSync(python, ["-c", "import dateutil.tz"]).status === 0,
      ) ?? null,
  },
} as const satisfies Record<string, Program>;
export type ProgramName = keyof typeof PROGRAMS;

/** The absolute path of a program. Throws, with what to install, if it is missing and cannot be installed. */
export function program(name: ProgramName): string {
  const found = locate(name);
  if (found !== null) return found;
  install([name]);
  const installed = locate(name);
  if (installed === null) throw new Error(advice([name]));
  return installed;
}

/** Every program of the tests; installs what is missing in one go. */
export function allPrograms(): ReadonlyMap<ProgramName, string> {
  const names = Object.keys(PROGRAMS) as ProgramName[];
  const missing = names.filter((name) => locate(name) === null);
  if (missing.length > 0) install(missing);
  return new Map(names.map((name) => [name, program(name)]));
}

function locate(name: ProgramName): string | null {
  const { variable, find } = PROGRAMS[name];
  const named = process.env[variable];
  return named !== undefined && runnable(named) ? named : find();
}

function install(names: readonly ProgramName[]): void {
  if (process.getuid?.() !== 0 || onPath("apt-get") === null) throw new Error(advice(names));
  const packages = packagesOf(names);
  console.error(`installing ${packages.join(", ")} for the tests`);
  withoutDaemons(() => {
    aptGet(["update", "-qq"]);
    aptGet(["install", "-y", "-qq", "--no-install-recommends", ...packages]);
  });
}

/**
 * Debian's packages start what they install; tests bring their own servers on ports of their own. A `policy-rc.d` that
 * answers 101 is Debian's way to say "start nothing" (invoke-rc.d(8)); one that is already there is left alone.
 */
function withoutDaemons(work: () => void): void {
  const policy = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    work();
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

function aptGet(parameters: readonly string[]): void {
  const { status, stderr, error } = spawnSync("apt-get", parameters, {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    timeout: INSTALL_TIMEOUT_MS,
  });
  if (status === 0) return;
  throw new Error(`apt-get ${parameters.join(" ")} failed: ${(stderr || error?.message || "no reason given").trim()}`);
}

function packagesOf(names: readonly ProgramName[]): string[] {
  return [...new Set(names.map((name) => PROGRAMS[name].package))];
}

function advice(names: readonly ProgramName[]): string {
  const titles = names.map((name) => `${PROGRAMS[name].title} (or set ${PROGRAMS[name].variable} to its path)`);
  return `the tests need ${titles.join(", ")}: install with  sudo apt-get install ${packagesOf(names).join(" ")}`;
}

function onPath(...names: readonly string[]): string | null {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const name of names) {
    const found = folders.map((folder) => join(folder, name)).find(runnable);
    if (found !== undefined) return found;
  }
  return null;
}

/** Debian keeps the server's programs off the PATH, a folder for each major version. */
function inNewestPostgresql(name: string): string | null {
  if (!existsSync(POSTGRESQL_ROOT)) return null;
  const versions = readdirSync(POSTGRESQL_ROOT).toSorted((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(POSTGRESQL_ROOT, version, "bin", name)).find(runnable) ?? null;
}

function runnable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  try {
    for (const [name, path] of allPrograms()) console.log(`${name.padEnd(12)}${path}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
