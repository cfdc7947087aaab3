/** The page as code: `npm run -s config -- export | plan FILE | apply FILE`. The edge judges; this one knows the lines. */
import { readFileSync, writeFileSync } from "node:fs";
import * as v from "valibot";
import type { Document } from "yaml";
import { LineCounter, parseDocument } from "yaml";
import { command, Usage } from "./command.ts";
import { findOperator, parseJson, Refusal, send } from "./edge.ts";
import type { Operator } from "./edge.ts";

const HELP = `
npm run -s config -- export [FILE]   the whole page as YAML: to FILE, or printed
npm run -s config -- plan FILE       what applying FILE would change; nothing is changed
npm run -s config -- apply FILE      changes it: all of it, or nothing if anything is wrong with it

  --detailed        plan ends with 2 if there is anything to change, as terraform's -detailed-exitcode
  --revision R      apply only if nothing has changed since the plan that printed R

  FILE has the page's name and looks, limits, components with their order, charts, rules for drafts, thresholds of
  anomalies and ignored services; no users, keys or secrets, and nothing that happened. - reads what is piped in.
  A section that FILE leaves out stays as it is. In one that it has, components that are not there are deleted.

  npm run -s config -- export status.yaml
  npm run -s config -- plan status.yaml
  npm run -s config -- apply status.yaml
`;

const OPTIONS = { detailed: { type: "boolean" }, revision: { type: "string" } } as const;

/** A short file with aliases of aliases could otherwise unfold into gigabytes. */
const ALIASES_MAX = 50;

const Field = v.object({ path: v.string(), before: v.nullable(v.string()), after: v.nullable(v.string()) });
const Change = v.object({
  act: v.picklist(["create", "change", "delete", "move"]),
  section: v.string(),
  name: v.nullable(v.string()),
  fields: v.array(Field),
  place: v.optional(v.object({ before: v.number(), after: v.number() })),
});
type Change = v.InferOutput<typeof Change>;
const Plan = v.object({ revision: v.string(), changes: v.array(Change) });
type Plan = v.InferOutput<typeof Plan>;
const Fault = v.object({ path: v.array(v.union([v.string(), v.number()])), message: v.string() });
const Faults = v.object({ faults: v.pipe(v.array(Fault), v.minLength(1)) });
const Failure = v.object({ error: v.object({ code: v.string(), message: v.string() }) });

interface File {
  readonly name: string;
  readonly value: unknown;
  /** Where something in it stands: "status.yaml:12:5". */
  readonly place: (path: readonly (string | number)[]) => string;
}

function readFile(path: string): File {
  const name = path === "-" ? "standard input" : path;
  let text: string;
  try {
    text = readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    throw new Refusal(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    const said = document.errors.map(({ pos, message }) => `${at(pos[0])}: ${message.split(" at line")[0]}`);
    throw new Refusal(said.join("\n"));
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    throw new Refusal(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { name, value, place: (path) => at(offsetOf(document, path)) };
}

/** Of what is missing, where the thing begins that it is missing in. */
function offsetOf(document: Document, path: readonly (string | number)[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true) as { readonly range?: readonly number[] } | undefined;
    if (node?.range?.[0] !== undefined) return node.range[0];
  }
  return 0;
}

/** Asks the edge; what is wrong with the file is said line by line. */
async function ask(operator: Operator, file: File, act: "plan" | "apply", revision: string | null): Promise<Plan> {
  const [method, path] = act === "plan" ? ["POST", "/cli/v1/config/plan"] : ["PUT", "/cli/v1/config"];
  const body = act === "plan" ? { file: file.value } : { file: file.value, revision };
  const answer = await send(operator, method ?? "", path ?? "", body);
  const json = parseJson(await answer.text());
  const plan = v.safeParse(Plan, json);
  if (answer.ok && plan.success) return plan.output;
  const faulty = v.safeParse(Faults, json);
  if (faulty.success)
    throw new Refusal(
      faulty.output.faults
        .map(({ path: where, message }) => `${file.place(where)}: ${where.join(".")}: ${message}`)
        .join("\n"),
    );
  const failed = v.safeParse(Failure, json);
  throw new Refusal(failed.success ? failed.output.error.message : `${operator.url} answered ${answer.status}`);
}

const SIGNS = { create: "+", change: "~", delete: "-", move: ">" } as const;

function print({ changes, revision }: Plan): void {
  for (const change of changes) for (const line of linesOf(change)) console.log(line);
  const count = (act: Change["act"]): number => changes.filter((change) => change.act === act).length;
  console.log(
    changes.length === 0
      ? "No changes: the page is as the file says."
      : `\n${count("create")} to create, ${count("change")} to change, ${count("delete")} to delete, ${count("move")} to move. Revision ${revision}.`,
  );
}

function linesOf({ act, section, name, fields, place }: Change): readonly string[] {
  const subject = name === null ? section : `${section}: ${name}`;
  const moved = place === undefined ? "" : ` from place ${place.before} to ${place.after}`;
  const said = fields.map(({ path, before, after }) => {
    const of = path === "" ? "" : `${path}: `;
    return act === "create"
      ? `    ${of}${after ?? "nothing"}`
      : `    ${of}${before ?? "nothing"} → ${after ?? "nothing"}`;
  });
  return [`${SIGNS[act]} ${subject}${moved}`, ...said];
}

async function exportTo(operator: Operator, path: string | undefined): Promise<void> {
  const answer = await send(operator, "GET", "/cli/v1/config", null, { accept: "application/yaml" });
  if (!answer.ok)
    throw new Refusal(`${operator.url} answered ${answer.status}: is it an Observatory Edge of this version?`);
  const text = await answer.text();
  if (path === undefined || path === "-") {
    process.stdout.write(text);
    return;
  }
  writeFileSync(path, text);
  console.log(`The page is in ${path}.`);
}

await command(HELP, OPTIONS, async ({ positionals, values }) => {
  const [verb, path, ...rest] = positionals;
  if (rest.length > 0) throw new Usage(`"${rest.join(" ")}" means nothing here`);
  if (verb !== "export" && verb !== "plan" && verb !== "apply") throw new Usage("say export, plan or apply");
  const operator = findOperator();
  if (verb === "export") return exportTo(operator, path);
  if (path === undefined) throw new Usage(`say which file to ${verb}`);
  const file = readFile(path);
  const plan = await ask(operator, file, "plan", null);
  print(plan);
  if (verb === "plan") {
    if (values.detailed === true && plan.changes.length > 0) process.exitCode = 2;
    return;
  }
  if (plan.changes.length === 0) return;
  await ask(operator, file, "apply", values.revision ?? plan.revision);
  console.log("Applied.");
});
