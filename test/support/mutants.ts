/** Deliberate mistakes in the rules, each in a copy of its own, and what their tests make of them. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import * as v from "valibot";
import { ROOT } from "./process.ts";

export interface Mutant {
  /** What would be wrong with the page. */
  readonly name: string;
  /** From the root of the tree. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly from: string;
  readonly to: string;
  /** The tests that should notice, from the root of the tree. */
  readonly tests: readonly string[];
}

/** What the rules need to run: nothing else is copied. */
const PARTS = ["tsconfig.base.json", "protocol", "worker/core", "test/support/facts.ts"];
const OUTPUT_MAX = 64 * 1024 * 1024;

const Report = v.object({
  testResults: v.array(
    v.object({
      name: v.string(),
      assertionResults: v.array(v.object({ status: v.string(), fullName: v.string() })),
    }),
  ),
});

/**
 * The tests that failed, by mutant, in their order; the last list is that of a copy without any. All of them are one
 * run of vitest: starting it costs more than the tests do.
 */
export async function failuresOf(mutants: readonly Mutant[]): Promise<readonly (readonly string[])[]> {
  const root = mkdtempSync(join(tmpdir(), "observatory-mutants-"));
  try {
    symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
    writeFileSync(join(root, "package.json"), '{ "type": "module" }');
    const copies = [...mutants, null].map((mutant, i) => {
      const copy = `copy-${i}`;
      const tests = mutant?.tests ?? new Set(mutants.flatMap((one) => one.tests));
      for (const part of [...PARTS, ...tests]) {
        mkdirSync(dirname(join(root, copy, part)), { recursive: true });
        cpSync(join(ROOT, part), join(root, copy, part), {
          recursive: true,
          filter: (path) => !path.includes(".tsbuild"),
        });
      }
      if (mutant !== null) mutate(join(root, copy), mutant);
      return copy;
    });
    const report = await run(root);
    return copies.map((copy) =>
      report.testResults
        .filter(({ name }) => relative(root, name).startsWith(`${copy}/`))
        .flatMap(({ name, assertionResults }) => {
          // A file that cannot even be read finds no mistake.
          if (assertionResults.length === 0) throw new Error(`${relative(root, name)} did not run`);
          return assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName);
        }),
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function mutate(copy: string, { name, file, from, to }: Mutant): void {
  const path = join(copy, file);
  const text = readFileSync(path, "utf8");
  const found = text.split(from).length - 1;
  if (found !== 1) throw new Error(`"${name}": ${file} has its text ${found} times: ${from}`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
}

async function run(root: string): Promise<v.InferOutput<typeof Report>> {
  const report = join(root, "report.json");
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const options = ["run", "--root", root, "--reporter", "json", "--outputFile", report, "--no-isolate"];
  // Its exit code says that tests failed, which is what is wanted; what it wrote says which.
  await promisify(execFile)(process.execPath, [vitest, ...options], { cwd: root, maxBuffer: OUTPUT_MAX }).catch(
    () => {},
  );
  return v.parse(Report, JSON.parse(readFileSync(report, "utf8")));
}
