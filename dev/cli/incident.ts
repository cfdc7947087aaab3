import * as v from "valibot";
import { INCIDENT_STATUSES } from "../../protocol/page.ts";
import { INDICATORS } from "../../protocol/status.ts";
import type { IncidentLine } from "./announcing.ts";
import {
  actOnIncident,
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
import { findOperator, Refusal } from "./edge.ts";

const HELP = `
npm run -s incident -- open "NAME" --message TEXT [OPTIONS]   opens an incident
npm run -s incident -- update ID --message TEXT [OPTIONS]     says more of one
npm run -s incident -- resolve ID --message TEXT              says that it is over
npm run -s incident -- list                                   all of them, the newest first
npm run -s incident -- show ID                                one with its revision and all that was said, as JSON
npm run -s incident -- correct ID UPDATE [--message TEXT] [--at MOMENT]   mends one of its updates
npm run -s incident -- delete ID [UPDATE]                     takes back one of its updates, or within an hour all of it
npm run -s incident -- merge ID --into ID                     makes one of two; the first one's address shows the other
npm run -s incident -- postmortem ID [--message TEXT] [--publish]   keeps a draft of it; publishes that, or what is given
npm run -s incident -- remind ID --in MINUTES|never [--promise]     reminds to say more, and tells visitors by when

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
  npm run -s incident -- postmortem 4k2j9x0qw7ab --message - --publish < postmortem.md
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
  into: { type: "string" },
  publish: { type: "boolean" },
  in: { type: "string" },
  promise: { type: "boolean" },
} as const;

/** What was given of them. */
type Given = {
  readonly [Name in keyof typeof OPTIONS]?:
    | ((typeof OPTIONS)[Name] extends { readonly multiple: true }
        ? readonly string[]
        : (typeof OPTIONS)[Name]["type"] extends "boolean"
          ? boolean
          : string)
    | undefined;
};

type Act = (of: string, given: Given, update: string | undefined) => Promise<void>;

const ACTS: Readonly<Record<string, Act>> = {
  open: (name, given) => say(null, { ...given, name }, undefined),
  update: (id, given) => say(id, given, undefined),
  resolve: (id, given) => say(id, given, "resolved"),
  show: async (id) => console.log(JSON.stringify(await showIncident(findOperator(), id), null, 2)),
  correct,
  delete: remove,
  merge,
  postmortem,
  remind,
};

async function say(id: string | null, given: Given, status: "resolved" | undefined): Promise<void> {
  if (given.message === undefined) throw new Usage("--message is needed: visitors read it");
  const said = {
    status: status ?? oneOf("status", INCIDENT_STATUSES, given.status),
    impact: oneOf("impact", INDICATORS, given.impact),
    components: (given.component ?? []).map(saidOf),
    at: momentOf("at", given.at),
    name: given.name,
    impactReason: given["impact-reason"],
    ...(id !== null && guardOf(given)),
  };
  const operator = findOperator();
  tell(await tellIncident(operator, id, { ...said, body: await messageOf(given.message) }));
}

async function correct(id: string, given: Given, update: string | undefined): Promise<void> {
  if (update === undefined) throw new Usage("say which of its updates: `show ID` has their ids");
  const [body, at] = [await messageOf(given.message), momentOf("at", given.at)];
  if (body === undefined && at === undefined) throw new Usage("say what it should be: --message, --at or both");
  tell(await actOnIncident(findOperator(), [id, "updates", update, "correct"], { body, at, ...guardOf(given) }));
}

async function remove(id: string, given: Given, update: string | undefined): Promise<void> {
  const path = update === undefined ? [id, "delete"] : [id, "updates", update, "delete"];
  const left = await actOnIncident(findOperator(), path, guardOf(given));
  if (update === undefined) console.log(`${id}  deleted  ${left.name}`);
  else tell(left);
}

async function merge(id: string, given: Given): Promise<void> {
  const { into } = given;
  if (into === undefined) throw new Usage("--into is needed: the id of the one that stays");
  tell(await actOnIncident(findOperator(), [id, "merge"], { into, ...guardOf(given) }));
}

const Draft = v.object({ revision: v.number(), postmortem: v.optional(v.object({ body: v.string() })) });

async function postmortem(id: string, given: Given): Promise<void> {
  const operator = findOperator();
  const body = await messageOf(given.message);
  if (given.publish !== true) {
    if (body === undefined) throw new Usage("--message is needed; --publish alone publishes the draft");
    return tell(await actOnIncident(operator, [id, "postmortem"], { body, ...guardOf(given) }));
  }
  // What is published is what was looked at: with the revision of that.
  const draft = v.parse(Draft, await showIncident(operator, id));
  const said = body ?? draft.postmortem?.body;
  if (said === undefined) throw new Refusal("It has no draft: give the text with --message.");
  const guard = { revision: draft.revision, ...guardOf(given) };
  tell(await tellIncident(operator, id, { status: "postmortem", body: said, ...guard }));
}

async function remind(id: string, given: Given): Promise<void> {
  const after = given.in ?? "";
  if (after !== "never" && !/^\d{1,4}$/.test(after)) throw new Usage("--in is a number of minutes, or never");
  const minutes = after === "never" ? null : Number(after);
  tell(await actOnIncident(findOperator(), [id, "remind"], { minutes, isPublic: given.promise === true }));
}

function guardOf(given: Given): { readonly revision?: number } {
  const revision = revisionOf(given["if-revision"]);
  return revision === undefined ? {} : { revision };
}

function tell({ id, status, impact, startedAt, name, url }: IncidentLine): void {
  console.log([id, status.padEnd(13), impact.padEnd(11), startedAt, name, url].join("  "));
}

await command(HELP, OPTIONS, async ({ values, positionals }) => {
  const [verb = "", of, update, ...rest] = positionals;
  const unexpected =
    verb === "correct" || verb === "delete" ? rest : [...(update === undefined ? [] : [update]), ...rest];
  if (unexpected.length > 0) throw new Usage(`"${unexpected.join(" ")}" means nothing here: quote what has spaces`);
  if (verb === "list") {
    for (const one of await listIncidents(findOperator())) tell(one);
    return;
  }
  const act = ACTS[verb];
  if (act === undefined) throw new Usage(`say ${Object.keys(ACTS).join(", ")} or list`);
  if (of === undefined)
    throw new Usage(verb === "open" ? "say what it is called" : "say which one: `list` has the ids");
  await act(of, values, update);
});
