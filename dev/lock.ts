/**
 * `npm ci` refuses a lockfile without workerd's builds for the systems that the registry at hand does not carry.
 * Without arguments: fails if one is missing. With --write: adds them, as npm itself would for an optional build.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FILE = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const BUILDS = [
  { name: "@cloudflare/workerd-darwin-64", os: "darwin", cpu: "x64" },
  { name: "@cloudflare/workerd-darwin-arm64", os: "darwin", cpu: "arm64" },
  { name: "@cloudflare/workerd-windows-64", os: "win32", cpu: "x64" },
] as const;

interface Lock {
  packages: Record<string, { version?: string; [field: string]: unknown }>;
}

const lock = JSON.parse(readFileSync(FILE, "utf8")) as Lock;
const version = lock.packages["node_modules/workerd"]?.version ?? "";
const missing = BUILDS.filter(({ name }) => lock.packages[`node_modules/${name}`]?.version !== version);

if (missing.length > 0 && process.argv.includes("--write")) {
  for (const { name, os, cpu } of missing) {
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      dev: true,
      license: "Apache-2.0",
      optional: true,
      os: [os],
    };
  }
  const sorted = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(FILE, `${JSON.stringify({ ...lock, packages: sorted }, null, 2)}\n`);
} else if (missing.length > 0) {
  console.error(`package-lock.json lacks ${missing.map(({ name }) => name).join(", ")}: run "npm run lock"`);
  process.exitCode = 1;
}
