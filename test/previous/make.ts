/**
 * Makes the release that the next one has to live beside: `node test/previous/make.ts COMMIT`.
 *
 * Run it once when a release is cut. A checkout of history is not there where tests run, so the two programs are kept
 * as they were shipped, bundled: the Worker as a deploy bundles it, the agent in one file.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import type { BuildOptions } from "esbuild";
import { ROOT } from "../support/process.ts";
import { previousFile } from "./release.ts";

const [commit] = process.argv.slice(2);
if (commit === undefined) throw new Error("say which commit: node test/previous/make.ts COMMIT");

const PROGRAMS = {
  edge: { entryPoints: ["worker/index.ts"], conditions: ["workerd", "worker", "browser"], external: ["cloudflare:*"] },
  // Its libraries are CommonJS in part, and a bundle of modules has no `require` of its own.
  agent: {
    entryPoints: ["agent/main.ts"],
    platform: "node",
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  },
} as const satisfies Record<string, BuildOptions>;

const checkout = join(mkdtempSync(join(tmpdir(), "previous-")), "release");
execFileSync("git", ["worktree", "add", "--detach", checkout, commit], { cwd: ROOT });
try {
  symlinkSync(join(ROOT, "node_modules"), join(checkout, "node_modules"));
  execFileSync(process.execPath, ["web/build.ts"], { cwd: checkout });
  for (const [name, options] of Object.entries(PROGRAMS)) {
    const { outputFiles } = await build({
      ...options,
      absWorkingDir: checkout,
      bundle: true,
      write: false,
      minify: true,
      format: "esm",
      target: "es2024",
      legalComments: "none",
    });
    writeFileSync(previousFile(name), gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }));
  }
} finally {
  execFileSync("git", ["worktree", "remove", "--force", checkout], { cwd: ROOT });
  rmSync(join(checkout, ".."), { recursive: true, force: true });
}
