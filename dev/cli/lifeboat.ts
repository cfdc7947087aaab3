import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import * as v from "valibot";
import { DOCUMENTS, fileOf, linksOf, relinked } from "../lifeboat/links.ts";
import { command, Usage } from "./command.ts";
import type { CopiedDocument, Operator } from "./edge.ts";
import { findOperator, parseJson, readCopy, Refusal } from "./edge.ts";

const HELP = `
npm run -s lifeboat -- DIRECTORY   writes a copy of the page as files, for a host that shares nothing with this one

  The copy says on every page that it is one, and of when. What was well when it was made is unknown in it, because
  nobody knows what is when it is read; incidents, maintenances, history, feeds and the API's documents are in it.
  It needs no script and no server of its own: any static host will do, and a folder on a disk too.
  A copy that is in DIRECTORY already is replaced at once when the new one is complete; anything else is left alone.

  npm run -s lifeboat -- out/
`;

/** More than any page has; a copy that is larger is cut, and says so. */
const FILES_MAX = 20_000;
/** Documents under way at the same time. */
const UNDER_WAY = 4;
/** What a folder has that is a copy. */
const MANIFEST = "copy.json";

const Status = v.object({ page: v.object({ url: v.string() }) });

await command(HELP, {}, async ({ positionals }) => {
  const [directory, ...others] = positionals;
  if (directory === undefined || others.length > 0) throw new Usage("name one directory to write to");
  const target = resolve(directory);
  if (existsSync(target) && readdirSync(target).length > 0 && !existsSync(join(target, MANIFEST)))
    throw new Refusal(`${directory} holds something that is no copy of the page: name another directory`);
  const operator = findOperator();
  const origin = await originOf(operator);
  const documents = await collect(operator, origin);
  write(target, origin, documents);
  console.log(`${documents.size} files in ${directory}: a copy of ${origin}`);
});

/** The address that the page says it has, which its links begin with: it may be asked by another. */
async function originOf(operator: Operator): Promise<string> {
  const answer = await readCopy(operator, "/api/v2/status.json");
  const status = v.safeParse(Status, answer === null ? null : parseJson(new TextDecoder().decode(answer.bytes)));
  return status.success ? status.output.page.url : operator.url;
}

/** From the page along its links. What is linked but not there is left out, as the page would. */
async function collect(operator: Operator, origin: string): Promise<ReadonlyMap<string, CopiedDocument>> {
  const taken = new Map<string, CopiedDocument>();
  const seen = new Set<string>(["/", ...DOCUMENTS]);
  let next = [...seen];
  while (next.length > 0) {
    const batch = next.splice(0, UNDER_WAY);
    const answers = await Promise.all(batch.map((path) => readCopy(operator, path)));
    for (const [i, answer] of answers.entries()) {
      if (answer === null) continue;
      taken.set(batch[i] ?? "", answer);
      if (!answer.isPage) continue;
      const links = linksOf(new TextDecoder().decode(answer.bytes), origin).filter((path) => !seen.has(path));
      for (const path of links) seen.add(path);
      next.push(...links);
    }
    if (taken.size + next.length > FILES_MAX) {
      console.error(`only ${FILES_MAX} documents are taken along`);
      next = next.slice(0, Math.max(0, FILES_MAX - taken.size));
    }
  }
  if (!taken.has("/")) throw new Refusal(`${operator.url} has no page to copy`);
  return taken;
}

/** Beside the old copy first, so that there is a whole one at every moment but that of the change. */
function write(target: string, origin: string, documents: ReadonlyMap<string, CopiedDocument>): void {
  mkdirSync(dirname(target), { recursive: true });
  const fresh = mkdtempSync(`${target}-`);
  const files = new Set([...documents.keys()].map(fileOf));
  for (const [path, { bytes, isPage }] of documents) {
    const file = join(fresh, fileOf(path));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, isPage ? relinked(new TextDecoder().decode(bytes), path, files, origin) : bytes);
  }
  const manifest = { origin, writtenAt: new Date().toISOString(), files: [...files].toSorted() };
  writeFileSync(join(fresh, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  rmSync(target, { recursive: true, force: true });
  renameSync(fresh, target);
}
