/**
 * Bundles the browser's script and the style into web/view/assets.generated.ts, with the hashes that the
 * Content-Security-Policy names, and puts the pictures into web/view/pictures.generated.ts: a Worker has no files. Runs in a
 * fraction of a second: `node web/build.ts`.
 */
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ASSETS = {
  FIRST_STYLE: "style/first.css",
  PAGE_SCRIPT: "client/page.ts",
  READOUT_SCRIPT: "client/readout.ts",
  PAGES_STYLE: "style/pages.css",
  PAGES_SCRIPT: "client/pages.ts",
  FRAME_STYLE: "style/embed.css",
  FRAME_SCRIPT: "client/embed-frame.ts",
  EMBED_SCRIPT: "client/embed.ts",
  COMPONENT_STYLE: "style/component.css",
  COMPONENT_SCRIPT: "client/component.ts",
  ADMIN_STYLE: "style/admin.css",
  ADMIN_SCRIPT: "client/admin.ts",
};

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
  // esbuild leaves custom properties as they are, though a space before their value means nothing.
  return (outputFiles[0]?.text ?? "").replaceAll(/(?<=[{;]--\w+:) /g, "").trim();
}

/** A style as an address that stands between double quotes, in a tag that ends at the first `>`. */
function sheetUrl(style: string): string {
  return `data:text/css,${style.replaceAll(/[%#<>]/g, encodeURIComponent).replaceAll('"', "'")}`;
}

const lines = await Promise.all(
  Object.entries(ASSETS).map(async ([name, entry]) => {
    const text = await bundle(entry);
    const hash = createHash("sha256").update(text).digest("base64");
    return `export const ${name} = ${JSON.stringify(text)};\nexport const ${name}_HASH = "sha256-${hash}";\n`;
  }),
);
const rest = sheetUrl(await bundle("style/rest.css"));
await put("assets", [...lines, `export const REST_SHEET = ${JSON.stringify(rest)};\n`]);

const PICTURES = new URL("picture/", import.meta.url);
const pictures = ["card", "icon"].map(async (kind) => {
  const files = (await readdir(PICTURES)).filter((file) => file.startsWith(`${kind}-`)).toSorted();
  const entries = files.map(async (file) => {
    const data = (await readFile(new URL(file, PICTURES))).toString("base64");
    return `  ${file.slice(kind.length + 1, -".png".length)}: "${data}",\n`;
  });
  return `export const ${kind.toUpperCase()}S = {\n${(await Promise.all(entries)).join("")}};\n`;
});
await put("pictures", await Promise.all(pictures));

async function put(name: string, declarations: readonly string[]): Promise<void> {
  const file = fileURLToPath(new URL(`view/${name}.generated.ts`, import.meta.url));
  const text = `// Written by web/build.ts\n${declarations.join("")}`;
  // An unchanged file keeps its time, so that watchers and incremental builds stay quiet.
  if ((await readFile(file, "utf8").catch(() => "")) !== text) await writeFile(file, text);
}
