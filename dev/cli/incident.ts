import { INCIDENT_STATUSES } from "../../protocol/page.ts";
import { INDICATORS } from "../../protocol/status.ts";
import type { IncidentLine } from "./announcing.ts";
import {
  listIncidents,
  messageOf,
  momentOf,
  oneOf,
  revisionOf,
  saidOf,
  showIncident,
  tellIncident,
} from "./announcing.ts";
import { command, Usage } from "./command.ts";
import { findOperator } from "./edge.ts";

const HELP = `
npm run -s incident -- open "NAME" --message TEXT [OPTIONS]   opens an incident
npm run -s incident -- update ID --message TEXT [OPTIONS]     says more of one
npm run -s incident -- resolve ID --message TEXT              says that it is over
npm run -s incident -- list                                   all of them, the newest first
npm run -s incident -- show ID                                one with its revision and all that was said, as JSON

  --message TEXT            what visitors read, in Markdown; - reads it from standard input
  --status STATUS           ${INCIDENT_STATUSES.join(", ")}
  --component NAME=STATUS   what is said of a component, by name, "group / name" or id; as often as there are any.
                            It is shown at least that bad until the incident is over, and never better than it is
  --impact IMPACT           ${INDICATORS.join(", ")}; computed from the components unless told
  --name NAME               another name, with update
  --impact-reason TEXT      for operators: why it is not the computed one; the audit keeps it
  --at MOMENT               when it was so, if not now: 2026-11-23T02:00:00Z
  --if-revision N           with update and resolve: only if nobody wrote since you looked; \`show ID\` prints it

  The page shows it at once, also while Postgres is down. It prints id, status, impact, begin, name and address.

  npm run -s incident -- open "Some payments fail" --component "Payments=partial_outage" --message "We are looking into it."
  npm run -s incident -- update 4k2j9x0qw7ab --status identified --message "A certificate expired. We are replacing it."
  npm run -s incident -- resolve 4k2j9x0qw7ab --message "Payments work again."
`;

const OPTIONS = {
  message: { type: "string" },
  status: { type: "string" },
  component: { type: "string", multiple: true },
  impact: { type: "string" },
  name: { type: "string" },
  at: { type: "string" },
  "impact-reason": { type: "string" },
  "if-revision": { type: "string" },
} as const;

await command(HELP, OPTIONS, async ({ values, positionals }) => {
  const [verb, of, ...rest] = positionals;
  if (rest.length > 0) throw new Usage(`"${rest.join(" ")}" means nothing here: quote what has spaces`);
  if (verb === "list") {
    for (const one of await listIncidents(findOperator())) tell(one);
    return;
  }
  if (verb === "show") {
    if (of === undefined) throw new Usage("say which one: `list` has the ids");
    console.log(JSON.stringify(await showIncident(findOperator(), of), null, 2));
    return;
  }
  if (verb !== "open" && verb !== "update" && verb !== "resolve")
    throw new Usage("say open, update, resolve, show or list");
  if (of === undefined)
    throw new Usage(verb === "open" ? "say what it is called" : "say which one: `list` has the ids");
  if (values.message === undefined) throw new Usage("--message is needed: visitors read it");
  const said = {
    status: verb === "resolve" ? "resolved" : oneOf("status", INCIDENT_STATUSES, values.status),
    impact: oneOf("impact", INDICATORS, values.impact),
    components: (values.component ?? []).map(saidOf),
    at: momentOf("at", values.at),
    name: verb === "open" ? of : values.name,
    impactReason: values["impact-reason"],
    ...(verb !== "open" && { revision: revisionOf(values["if-revision"]) }),
  };
  const operator = findOperator();
  const body = await messageOf(values.message);
  tell(await tellIncident(operator, verb === "open" ? null : of, { ...said, body }));
});

function tell({ id, status, impact, startedAt, name, url }: IncidentLine): void {
  console.log([id, status.padEnd(13), impact.padEnd(11), startedAt, name, url].join("  "));
}
