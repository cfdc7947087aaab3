import { command, Usage } from "./command.ts";
import { amendUptime, findOperator } from "./edge.ts";

const HELP = `
npm run -s uptime:amend -- --component ID --from MOMENT --to MOMENT --status STATUS --reason TEXT

  --component ID   as in /api/v2/summary.json
  --from, --to     the stretch that was not what it was taken for, RFC 3339; past days only
  --status         operational, degraded_performance, partial_outage, major_outage, under_maintenance or unknown
  --reason TEXT    for operators; visitors see that the day was corrected, and what stood there before

  Nothing is overwritten: a correction is a new entry of the chain of frozen days. It prints one line a day.

  npm run -s uptime:amend -- --component checkout0000 --from 2026-11-22T06:00:00Z --to 2026-11-22T08:00:00Z \\
    --status operational --reason "the gateway's probe was wrong"
`;

const OPTIONS = {
  component: { type: "string" },
  from: { type: "string" },
  to: { type: "string" },
  status: { type: "string" },
  reason: { type: "string" },
} as const;

await command(HELP, OPTIONS, async ({ values, positionals }) => {
  if (positionals.length > 0) throw new Usage(`"${positionals.join(" ")}" means nothing here`);
  const { component, from, to, status, reason } = values;
  if (component === undefined || from === undefined || to === undefined || status === undefined || reason === undefined)
    throw new Usage("--component, --from, --to, --status and --reason are all needed");
  for (const entry of await amendUptime(findOperator(), { component, from, to, status, reason }))
    console.log(`${entry.day} corrected, entry ${entry.n}, hash ${entry.hash}`);
});
