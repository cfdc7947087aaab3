import { command, Usage } from "./command.ts";
import { beginReflush, findOperator, lastReflush, Refusal } from "./edge.ts";
import type { Reflush } from "./edge.ts";

const HELP = `
npm run -s reflush -- --since MOMENT [--cluster NAME]   sends again what a restored Postgres may have lost

  --since MOMENT   the time whose state Postgres has now, RFC 3339; earlier is safe
  --cluster NAME   that cluster alone; otherwise all of them, and what the page itself wrote

  Doing it twice, or without need, changes nothing. It prints how many facts went out.

  npm run -s reflush -- --since 2026-11-23T02:00:00Z
`;

/** Asked this often how far it is; it goes on without us too. */
const LOOK_MS = 500;
const WAIT_MAX_MS = 600_000;

await command(HELP, { since: { type: "string" }, cluster: { type: "string" } }, async ({ values, positionals }) => {
  if (positionals.length > 0) throw new Usage(`"${positionals.join(" ")}" means nothing here`);
  const at = Date.parse(values.since ?? "");
  if (Number.isNaN(at)) throw new Usage("--since is a moment such as 2026-11-23T02:00:00Z");
  const operator = findOperator();
  let reflush = await beginReflush(operator, new Date(at).toISOString(), values.cluster ?? null);
  const until = Date.now() + WAIT_MAX_MS;
  while (reflush.finishedAt === null && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    reflush = await lastReflush(operator);
    if (process.stderr.isTTY) process.stderr.write(`\r${reflush.pending.length} clusters to go `);
  }
  tell(reflush);
});

function tell({ own, facts, asked, unreachable, finishedAt, pending }: Reflush): void {
  console.log(`${own} facts of the page, ${facts} facts of ${asked - unreachable.length} clusters`);
  if (finishedAt === null) throw new Refusal(`${pending.length} clusters are still to be asked: it goes on by itself`);
  if (unreachable.length === 0) return;
  const names = unreachable.map(({ cluster, reason }) => `${cluster} (${reason})`).join(", ");
  throw new Refusal(`could not be reached, ask again for each with --cluster: ${names}`);
}
