/**
 * The walls of the house: each is shown to hold by an import that breaks it. The compiler holds those between folders
 * (one project a folder), the linter those inside `worker/` and around packages, clocks and dice.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROOT } from "../support/process.ts";

let copy: string;

/** A copy of the sources to plant violations in: the tree itself may be in use. */
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "walls-"));
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "*.ts", "*.json", ".oxlintrc.json"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const made = ["web/view/assets.generated.ts", "web/view/pictures.generated.ts"];
  for (const file of [...files.trim().split("\n"), ...made]) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(ROOT, file), join(copy, file));
  }
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const built = spawnSync(join(ROOT, "node_modules/.bin/tsc"), ["-b"], { cwd: copy, encoding: "utf8" });
  expect(built.stdout).toBe("");
});

afterAll(() => rmSync(copy, { recursive: true, force: true }));

/** Writes `source` to a file in `folder`, runs `tool`, takes the file away; what the tool said of it. */
function planted(folder: string, source: string, tool: readonly [string, ...string[]]): string {
  const file = join(copy, folder, "planted.ts");
  writeFileSync(file, source);
  try {
    const [name, ...args] = tool;
    const { stdout, stderr } = spawnSync(join(ROOT, "node_modules/.bin", name), args, { cwd: copy, encoding: "utf8" });
    return `${stdout}${stderr}`;
  } finally {
    rmSync(file);
  }
}

describe("the compiler", () => {
  it.each([
    ["protocol", "knows no rules", 'import "../worker/core/cluster.ts";'],
    ["protocol", "knows no platform", "export const a = () => fetch;"],
    ["worker/core", "knows no SQL", 'import "../store/flush.ts";'],
    ["worker/core", "knows no objects", 'import "../objects/body.ts";'],
    ["worker/core", "knows no markup", 'import "../../web/view/page.ts";'],
    ["worker/core", "does no I/O", 'export const a = () => fetch("https://example.com");'],
    ["worker/core", "has no storage", "export let a: DurableObjectState;"],
    ["worker/store", "knows no objects", 'import "../objects/body.ts";'],
    ["worker/store", "knows no routes", 'import "../routes/table.ts";'],
    ["worker/objects", "know no routes", 'import "../routes/table.ts";'],
    ["worker/objects", "know no markup", 'import "../../web/view/page.ts";'],
    ["worker/routes", "know no agent", 'import "../../agent/clock.ts";'],
    ["web/view", "knows no rules", 'import "../../worker/core/cluster.ts";'],
    ["web/view", "touches no DOM", "export const a = () => document;"],
    ["web/client", "knows no rules", 'import "../../worker/core/cluster.ts";'],
    ["web/client", "knows no Node", 'import "node:fs";'],
    ["agent/core", "knows no Node", 'import "node:fs";'],
    ["agent/core", "knows no shell", 'import "../clock.ts";'],
    ["agent", "knows no Worker", 'import "../worker/core/cluster.ts";'],
    ["dev", "knows no Worker", 'import "../worker/core/cluster.ts";'],
  ])("%s %s", (folder, _rule, source) => {
    expect(planted(folder, `${source}\nexport {};\n`, ["tsc", "-b", folder])).toMatch(/planted\.ts.*error TS/);
  });

  it("finds nothing where nothing is planted", () =>
    expect(planted("worker/core", "export const planted = 1;\n", ["tsc", "-b", "worker/core"])).toBe(""));
});

describe("the linter", () => {
  it.each([
    ["worker/core", "reads no clock", "export const a = () => Date.now();", "Date"],
    ["worker/core", "rolls no dice", "export const a = () => Math.random();", "dice"],
    [
      "worker/core",
      "uses no framework",
      'import { Hono } from "hono";\nexport const a = Hono;',
      "no-restricted-imports",
    ],
    ["agent/core", "reads no clock", "export const a = () => Date.now();", "Date"],
    ["web/view", "reads no clock", "export const a = () => Date.now();", "Date"],
    [
      "worker/objects",
      "leave SQL to the store",
      'import { sql } from "drizzle-orm";\nexport const a = sql;',
      "no-restricted-imports",
    ],
    ["worker/objects", "know no Hono", 'import { Hono } from "hono";\nexport const a = Hono;', "no-restricted-imports"],
    [
      "worker/routes",
      "know no SQL",
      'import { sql } from "drizzle-orm";\nexport const a = sql;',
      "no-restricted-imports",
    ],
    ["worker/routes", "tell nobody", 'import "../notify/slack.ts";\nexport {};', "no-restricted-imports"],
    ["worker/store", "knows no HTTP", 'import { Hono } from "hono";\nexport const a = Hono;', "no-restricted-imports"],
    ["web/client", "carries no library", 'import * as v from "valibot";\nexport const a = v;', "no-restricted-imports"],
    [
      "worker/objects",
      "forget no promise",
      "export function a(b: () => Promise<void>): void {\n  b();\n}",
      "no-floating-promises",
    ],
    [
      "worker/core",
      "misses no case",
      'export function a(b: "x" | "y"): number {\n  switch (b) {\n    case "x":\n      return 1;\n  }\n  return 2;\n}',
      "switch-exhaustiveness-check",
    ],
  ])("%s %s", (folder, _rule, source, said) => {
    expect(planted(folder, `${source}\n`, ["oxlint", `${folder}/planted.ts`])).toContain(said);
  });
});

it("a route is mounted through the table and nowhere else", () => {
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "worker"], {
    cwd: ROOT,
    encoding: "utf8",
  })
    .trim()
    .split("\n");
  const mounting = files.filter((file) =>
    /\bapp\.(get|post|put|patch|delete|all|on|route|use)\(/.test(readFileSync(join(ROOT, file), "utf8")),
  );
  expect(mounting).toEqual(["worker/routes/table.ts"]);
});

it("only the store knows SQL tables' names, but for the objects' own memories", () => {
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "worker"], {
    cwd: ROOT,
    encoding: "utf8",
  })
    .trim()
    .split("\n");
  const speaking = files.filter((file) =>
    /\b(INSERT (OR|INTO)|SELECT|DELETE FROM)\b/.test(readFileSync(join(ROOT, file), "utf8")),
  );
  expect(speaking.filter((file) => !file.startsWith("worker/store/") && !file.endsWith("-memory.ts"))).toEqual([]);
});
