/**
 * `npm ci` refuses a lockfile that lacks an optional build, and a registry that does not carry the builds for every
 * system makes `npm install` write such a lockfile. Without arguments: fails if one is missing. With --write: adds
 * them as npm itself would, with the system that each is for, so that no other system asks for it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FILE = fileURLToPath(new URL("../package-lock.json", import.meta.url));

interface Entry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly license?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** As Node names systems and processors, by how build packages spell them. */
const SYSTEMS = {
  android: "android",
  darwin: "darwin",
  freebsd: "freebsd",
  linux: "linux",
  openharmony: "openharmony",
  win32: "win32",
  windows: "win32",
};
const PROCESSORS = {
  x64: "x64",
  64: "x64",
  ia32: "ia32",
  arm64: "arm64",
  arm: "arm",
  ppc64: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
};

function wordOf(words: Readonly<Record<string, string>>, name: string): string[] {
  const found = name.split(/[/-]/).find((word) => word in words);
  return found === undefined ? [] : [words[found] ?? ""];
}

/** The entry of a build that the registry did not show: "@cloudflare/workerd-darwin-64" is for macOS on x64. */
function entryOf(name: string, version: string, parent: Entry): Entry {
  const os = wordOf(SYSTEMS, name);
  const cpu = wordOf(PROCESSORS, name);
  if (os.length === 0) throw new Error(`${name} does not say which system it is for`);
  const { dev, license } = parent;
  return {
    version,
    cpu,
    ...(dev === undefined ? {} : { dev }),
    ...(license === undefined ? {} : { license }),
    optional: true,
    os,
  };
}

const lock = JSON.parse(readFileSync(FILE, "utf8")) as { packages: Record<string, Entry> };
const missing = Object.values(lock.packages).flatMap((parent) =>
  Object.entries(parent.optionalDependencies ?? {})
    .filter(([name, version]) => /^\d/.test(version) && lock.packages[`node_modules/${name}`] === undefined)
    // A build for every system at once (WebAssembly) is used only where it was asked for.
    .filter(([name]) => wordOf(SYSTEMS, name).length > 0)
    .map(([name, version]) => [`node_modules/${name}`, entryOf(name, version, parent)] as const),
);

if (missing.length > 0 && process.argv.includes("--write")) {
  const packages = Object.entries({ ...lock.packages, ...Object.fromEntries(missing) });
  const sorted = Object.fromEntries(packages.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(FILE, `${JSON.stringify({ ...lock, packages: sorted }, null, 2)}\n`);
  console.log(`added ${missing.length} builds for other systems`);
} else if (missing.length > 0) {
  const names = missing.map(([path]) => path.replace("node_modules/", ""));
  console.error(`package-lock.json lacks ${names.slice(0, 3).join(", ")} (${names.length} in all): run "npm run lock"`);
  process.exitCode = 1;
}
