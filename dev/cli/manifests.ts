import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { RELEASE, renderChart } from "../chart/chart.ts";
import type { Value } from "../chart/functions.ts";
import { command, Usage } from "./command.ts";
import { Refusal } from "./edge.ts";

const HELP = `
npm run -s manifests -- --values FILE [--namespace NAME]     prints the agent's Helm chart as plain manifests

  --values FILE      what npm run -s enroll printed, and what you added to it
  --namespace NAME   where the agent runs, "${RELEASE.namespace}" without it

  npm run -s enroll -- --cluster eu-1 --namespace shop > agent.yaml
  npm run -s manifests -- --values agent.yaml | kubectl apply -f -
`;

await command(
  HELP,
  { values: { type: "string" }, namespace: { type: "string", default: RELEASE.namespace } },
  async ({ values: { values, namespace }, positionals }) => {
    if (positionals.length > 0) throw new Usage(`"${positionals.join(" ")}" means nothing here`);
    if (values === undefined) throw new Usage("--values FILE is missing");
    process.stdout.write(manifests(values, namespace));
  },
);

function manifests(file: string, namespace: string): string {
  try {
    const values = parse(readFileSync(file, "utf8")) as { readonly [key: string]: Value };
    return renderChart(values, { ...RELEASE, namespace });
  } catch (error) {
    throw new Refusal(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
