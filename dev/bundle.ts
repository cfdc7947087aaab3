/**
 * The agent as one file, for its image: `node dev/bundle.ts OUT.mjs`. Its TypeScript runs as it is too, but what Node
 * needs to strip the types stays in memory: 15 to 25 MiB that a container is billed for.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { build } from "esbuild";

const ROOT = resolve(import.meta.dirname, "..");

export async function bundleAgent(out: string): Promise<void> {
  await build({
    entryPoints: [resolve(ROOT, "agent/main.ts")],
    outfile: out,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    // One of its libraries is CommonJS and asks for Node's own modules so.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "warning",
  });
}

/** How the image runs that file: Node's options, and what stands in the environment. */
export function imageSettings(): {
  readonly options: readonly string[];
  readonly env: Readonly<Record<string, string>>;
} {
  const text = readFileSync(resolve(ROOT, "agent/deploy/Dockerfile"), "utf8");
  const [, list = "[]"] = /^ENTRYPOINT (\[.*\])$/m.exec(text) ?? [];
  const options = (JSON.parse(list) as readonly string[]).filter((word) => word.startsWith("--"));
  const variables = [...text.matchAll(/^ENV (.*)$/gm)].flatMap(([, line = ""]) => line.split(" "));
  const env = Object.fromEntries(
    variables.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
  if (options.length === 0 || variables.length === 0) throw new Error("the Dockerfile no longer says how Node is run");
  return { options, env };
}

if (import.meta.main) {
  const [, , out] = process.argv;
  if (out === undefined) {
    console.error("node dev/bundle.ts OUT.mjs");
    process.exit(2);
  }
  await bundleAgent(resolve(out));
}
