import { readFileSync } from "node:fs";
import * as v from "valibot";
import { parse } from "yaml";
import { messageOf, momentOf } from "./announcing.ts";
import { command, Usage } from "./command.ts";
import { ask, findOperator, Refusal } from "./edge.ts";

const HELP = `
npm run -s drafts -- list                    drafts of incidents that alerts made, the newest first
npm run -s drafts -- publish ID [OPTIONS]    makes an incident of one; from then on it is like any other
npm run -s drafts -- dismiss ID [--reason TEXT]   it is none; its alerts make no other draft
npm run -s drafts -- rules [FILE]            which alerts make drafts; with a YAML file sets all of them

  --name NAME      what it is called, in place of the draft's title
  --message TEXT   what visitors read first, in Markdown; - reads it from standard input
  --at MOMENT      when it began, if not now: the draft's first bad minute is in the list
  --reason TEXT    why it is none, for operators: the audit keeps it

  rules:
    - name: checkout                # of the rule; its alerts are one draft
      cluster: eu-1                 # of this cluster only; without it of all
      match:                        # all of these labels; one of several values; * at the end of one for all that begin so
        severity: [critical, page]
        service: checkout*
      components:                   # what it means for visitors
        - { component: Shop / Checkout, status: partial_outage }
      title: Checkout has trouble   # else it is made of the components' names

  Visitors see nothing of a draft until it is published. It is over when its alerts are.
`;

const OPTIONS = {
  name: { type: "string" },
  message: { type: "string" },
  at: { type: "string" },
  reason: { type: "string" },
} as const;

const Drafts = v.object({
  drafts: v.array(
    v.object({
      id: v.string(),
      state: v.string(),
      title: v.string(),
      cluster: v.string(),
      startedAt: v.string(),
      endedAt: v.nullable(v.string()),
      cause: v.string(),
      firing: v.number(),
      incident: v.nullable(v.string()),
    }),
  ),
});
const Rules = v.object({
  rules: v.array(v.object({ name: v.string(), cluster: v.nullable(v.string()), match: v.unknown() })),
});
const Published = v.object({ incident: v.object({ id: v.string(), name: v.string() }) });

await command(HELP, OPTIONS, async ({ values, positionals }) => {
  const [verb, of, ...rest] = positionals;
  if (rest.length > 0) throw new Usage(`"${rest.join(" ")}" means nothing here: quote what has spaces`);
  if (verb === "list" && of === undefined) return list();
  if (verb === "rules") return rules(of);
  if (of === undefined || (verb !== "publish" && verb !== "dismiss"))
    throw new Usage("say list, publish ID, dismiss ID or rules");
  const path = `/cli/v1/drafts/${encodeURIComponent(of)}/${verb}`;
  const body = await messageOf(values.message);
  const at = momentOf("at", values.at);
  const said = {
    ...(values.name !== undefined && { name: values.name }),
    ...(body !== undefined && { body }),
    ...(at !== undefined && { at }),
  };
  if (verb === "dismiss") {
    const { reason } = values;
    await ask(findOperator(), "POST", path, reason === undefined ? {} : { reason }, v.unknown());
    console.log(`${of}  dismissed`);
    return;
  }
  const { incident } = await ask(findOperator(), "POST", path, said, Published);
  console.log([incident.id, incident.name].join("  "));
});

async function list(): Promise<void> {
  const { drafts } = await ask(findOperator(), "GET", "/cli/v1/drafts", null, Drafts);
  for (const { id, state, title, cluster, startedAt, endedAt, firing, cause, incident } of drafts)
    console.log(
      [
        id,
        state.padEnd(9),
        cluster === "" ? "evidence" : cluster,
        startedAt,
        endedAt ?? `${firing} firing`,
        title,
        cause,
        incident ?? "",
      ]
        .join("  ")
        .trimEnd(),
    );
}

async function rules(file: string | undefined): Promise<void> {
  const asked = file === undefined ? null : rulesIn(file);
  const method = asked === null ? "GET" : "PUT";
  const answer = await ask(findOperator(), method, "/cli/v1/draft-rules", asked, Rules);
  for (const { name, cluster, match } of answer.rules)
    console.log([name, cluster ?? "every cluster", JSON.stringify(match)].join("  "));
}

function rulesIn(file: string): unknown {
  try {
    return parse(readFileSync(file, "utf8")) as unknown;
  } catch (error) {
    throw new Refusal(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
