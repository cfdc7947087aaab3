/**
 * Bundles the browser's script and the style into web/view/assets.generated.ts, with the hashes that the
 * Content-Security-Policy names. Runs in a fraction of a second: `node web/build.ts`.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ASSETS = {
  PAGE_STYLE: "style/page.css",
  PAGE_SCRIPT: "client/page.ts",
  PAGES_STYLE: "style/pages.css",
  PAGES_SCRIPT: "client/pages.ts",
  FRAME_STYLE: "style/embed.css",
  FRAME_SCRIPT: "client/embed-frame.ts",
  EMBED_SCRIPT: "client/embed.ts",
  COMPONENT_STYLE: "style/component.css",
  ADMIN_STYLE: "style/admin.css",
  ADMIN_SCRIPT: "client/admin.ts",
};
const OUT = fileURLToPath(new URL("view/assets.generated.ts", import.meta.url));

/** One self-contained text. Browsers of the last two years or so: what knows oklch and `findLast`. */
async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    target: ["chrome111", "firefox113", "safari16.4"],
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
  });
  return (outputFiles[0]?.text ?? "").trim();
}

const lines = await Promise.all(
  Object.entries(ASSETS).map(async ([name, entry]) => {
    const text = await bundle(entry);
    const hash = createHash("sha256").update(text).digest("base64");
    return `export const ${name} = ${JSON.stringify(text)};\nexport const ${name}_HASH = "sha256-${hash}";\n`;
  }),
);
const text = `// Written by web/build.ts\n${lines.join("")}`;
// An unchanged file keeps its time, so that watchers and incremental builds stay quiet.
if ((await readFile(OUT, "utf8").catch(() => "")) !== text) await writeFile(OUT, text);
