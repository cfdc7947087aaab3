/**
 * The agent as one file, for its image: `node dev/bundle.ts OUT.mjs`. Its TypeScript runs as it is too, but what Node
 * needs to strip the types stays in memory: 15 to 25 MiB that a container is billed for.
 */
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

if (import.meta.main) {
  const [, , out] = process.argv;
  if (out === undefined) {
    console.error("node dev/bundle.ts OUT.mjs");
    process.exit(2);
  }
  await bundleAgent(resolve(out));
}
