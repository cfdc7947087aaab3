/** The agent's Helm chart, rendered as `helm template` renders it. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import type { Value } from "./functions.ts";
import { parseTemplate, renderTemplate, type Templates } from "./template.ts";

const CHART = resolve(import.meta.dirname, "../../agent/deploy/chart");

export interface Release {
  readonly name: string;
  readonly namespace: string;
}
export const RELEASE: Release = { name: "observatory-agent", namespace: "observatory" };

type Values = { readonly [key: string]: Value };

/** The manifests, in the order of their files, as one text of several YAML documents. */
export function renderChart(values: Values, release: Release = RELEASE): string {
  const { name, version, appVersion } = parse(readFileSync(join(CHART, "Chart.yaml"), "utf8")) as Record<
    string,
    string
  >;
  const dot: Values = {
    Values: merged(parse(readFileSync(join(CHART, "values.yaml"), "utf8")) as Values, values),
    Release: { Name: release.name, Namespace: release.namespace, Service: "Helm" },
    Chart: { Name: name, Version: version, AppVersion: appVersion },
  };
  const templates: Templates = new Map();
  const folder = join(CHART, "templates");
  // Those that only define come first, whatever is rendered may include them.
  const files = readdirSync(folder)
    .toSorted()
    .map((file) => {
      return { file, nodes: parseTemplate(readFileSync(join(folder, file), "utf8"), templates) };
    });
  const rendered = files
    .filter(({ file }) => !file.startsWith("_"))
    .map(({ file, nodes }) => {
      try {
        return renderTemplate(nodes, dot, templates).trim();
      } catch (error) {
        throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    });
  return rendered
    .filter((text) => text !== "")
    .map((text) => (text.startsWith("---\n") ? text : `---\n${text}`))
    .join("\n")
    .concat("\n");
}

/** A Kubernetes object, as far as every one has the same shape. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly [field: string]: unknown;
}

export function manifestsOf(text: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

/** As Helm merges: maps by key, null takes a key out, all else replaces. */
function merged(base: Values, over: Values): Values {
  const result: { [key: string]: Value } = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const former = result[key];
    if (value === null) delete result[key];
    else result[key] = isMap(former) && isMap(value) ? merged(former, value) : value;
  }
  return result;
}

function isMap(value: Value): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
