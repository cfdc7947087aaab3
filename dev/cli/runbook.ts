import { readFileSync } from "node:fs";
import type { Result } from "../../protocol/result.ts";
import { failure } from "../../protocol/result.ts";
import type { RunbookCommand } from "../runbook/commands.ts";
import { runbookCommands } from "../runbook/commands.ts";
import { EXPECTED, piped } from "../runbook/expected.ts";
import { command } from "./command.ts";
import type { Operator } from "./edge.ts";
import { findOperator, makeToken, reasonOf, Refusal } from "./edge.ts";

const HELP = `
npm run runbook     runs every curl of docs/runbook.md that speaks to the Observatory, against the running system,
                    and prints what the runbook expects beside what was answered; fails if one of them does
`;

const RUNBOOK = new URL("../../docs/runbook.md", import.meta.url);
const TIMEOUT_MS = 15_000;

await command(HELP, {}, async () => {
  const operator = findOperator();
  const token = await makeToken(operator, "read");
  const commands = runbookCommands(readFileSync(RUNBOOK, "utf8"));
  let failed = 0;
  for (const one of commands) {
    const answer = await run(operator, token, one);
    if (!answer.ok) failed++;
    print(operator, one, answer);
  }
  if (failed > 0) throw new Refusal(`${failed} of ${commands.length} commands failed`);
  console.log(`All ${commands.length} commands of the runbook work.`);
});

/** What the answer says of what the runbook expects, or why the command fails. */
async function run(operator: Operator, token: string, one: RunbookCommand): Promise<Result<string, string>> {
  const expected = EXPECTED[new URL(one.path, operator.url).pathname];
  if (expected === undefined) return failure("nothing is known of what the runbook expects here");
  try {
    const response = await fetch(operator.url + one.path, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body = await response.text();
    if (!response.ok) return failure(`${response.status} ${body.slice(0, 300)}`);
    const through = piped(body, one);
    return through.ok ? expected.read(through.value) : through;
  } catch (error) {
    return failure(`${operator.url} does not answer (${reasonOf(error)})`);
  }
}

function print(operator: Operator, one: RunbookCommand, answer: Result<string, string>): void {
  const { line, text, path } = one;
  const { says = [] } = EXPECTED[new URL(path, operator.url).pathname] ?? {};
  console.log(`${answer.ok ? "ok    " : "FAILED"}  docs/runbook.md:${line}  ${text.trim()}`);
  console.log(`        asked     ${operator.url}${path}`);
  console.log(block("runbook", says.join("\n")));
  console.log(block("answer", answer.ok ? answer.value : answer.failure));
}

/** A name, and lines that stand below each other beside it. */
function block(name: string, lines: string): string {
  return `        ${name.padEnd(10)}${lines.replaceAll("\n", `\n${" ".repeat(18)}`)}`;
}
