import * as v from "valibot";
import { command, Usage } from "./command.ts";
import { ask, findOperator } from "./edge.ts";

const HELP = `
npm run -s charts -- set CHART …   the charts of the first view, at most six
npm run -s charts -- default       those that it has by itself: p95, errors and requests of the whole page

  CHART   p95, error_ratio or request_rate of the whole page, or of a component: p95:Checkout
          by its name, "group / name" or id; with a name of its own behind a =

  npm run -s charts -- set p95 error_ratio "p95:Shop / Checkout=Checkout answers in"
`;

const KINDS = ["p95", "error_ratio", "request_rate"] as const;
const Charts = v.object({
  charts: v.array(v.object({ id: v.string(), name: v.string(), kind: v.string(), component: v.nullable(v.string()) })),
});

/** `KIND[:COMPONENT][=NAME]` */
function chartOf(text: string): object {
  const [, word = "", component = null, name = ""] = /^([^:=]*)(?::([^=]*))?(?:=(.*))?$/.exec(text) ?? [];
  const kind = KINDS.find((one) => one === word);
  if (kind === undefined) throw new Usage(`"${text}" is no chart: it begins with ${KINDS.join(", ")}`);
  return { kind, component, name };
}

await command(HELP, {}, async ({ positionals }) => {
  const [verb, ...texts] = positionals;
  if (verb !== "set" && verb !== "default") throw new Usage("say set or default");
  if (verb === "default" && texts.length > 0) throw new Usage("default takes no charts");
  const charts = verb === "default" ? null : texts.map(chartOf);
  const answer = await ask(findOperator(), "PUT", "/cli/v1/charts", { charts }, Charts);
  for (const { id, kind, component, name } of answer.charts)
    console.log([id, kind, component ?? "whole page", name].join("\t").trim());
});
