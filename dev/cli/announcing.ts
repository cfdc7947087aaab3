/** What `incident` and `announce` share: the edge's answers, and how a command line says components, moments and texts. */
import { text } from "node:stream/consumers";
import * as v from "valibot";
import { INCIDENT_STATUSES, MAINTENANCE_STATUSES } from "../../protocol/page.ts";
import { COMPONENT_STATUSES, INDICATORS } from "../../protocol/status.ts";
import { namesDay } from "../../protocol/time.ts";
import { Usage } from "./command.ts";
import type { Operator } from "./edge.ts";
import { ask } from "./edge.ts";

const IncidentAnswer = v.object({
  id: v.string(),
  name: v.string(),
  status: v.picklist(INCIDENT_STATUSES),
  impact: v.picklist(INDICATORS),
  startedAt: v.string(),
  url: v.string(),
});
export type IncidentLine = v.InferOutput<typeof IncidentAnswer>;

const MaintenanceAnswer = v.object({
  id: v.string(),
  name: v.string(),
  status: v.picklist(MAINTENANCE_STATUSES),
  startsAt: v.string(),
  endsAt: v.string(),
  cancelledAt: v.nullable(v.string()),
  /** Null of one that visitors cannot see. */
  url: v.nullable(v.string()),
});
export type MaintenanceLine = v.InferOutput<typeof MaintenanceAnswer>;

/** Opens an incident, or with an id adds to one. */
export async function tellIncident(operator: Operator, id: string | null, body: object): Promise<IncidentLine> {
  return actOnIncident(operator, id === null ? [] : [id, "updates"], body);
}

/** @param path what follows the address of all incidents, a segment each */
export async function actOnIncident(operator: Operator, path: readonly string[], body: object): Promise<IncidentLine> {
  const at = ["/cli/v1/incidents", ...path.map(encodeURIComponent)].join("/");
  return (await ask(operator, "POST", at, body, v.object({ incident: IncidentAnswer }))).incident;
}

export async function listIncidents(operator: Operator): Promise<readonly IncidentLine[]> {
  const answer = v.object({ incidents: v.array(IncidentAnswer) });
  return (await ask(operator, "GET", "/cli/v1/incidents", null, answer)).incidents;
}

/** One in full, as the edge has it. */
export async function showIncident(operator: Operator, id: string): Promise<Readonly<Record<string, unknown>>> {
  const answer = v.object({ incident: v.record(v.string(), v.unknown()) });
  return (await ask(operator, "GET", `/cli/v1/incidents/${encodeURIComponent(id)}`, null, answer)).incident;
}

/** A revision as `show` printed it; absent stays absent. */
export function revisionOf(told: string | undefined): number | undefined {
  if (told !== undefined && !/^\d{1,15}$/.test(told)) throw new Usage("--if-revision is a number that `show` printed");
  return told === undefined ? undefined : Number(told);
}

/** Announces a maintenance, or with an id and an act changes one. */
export async function tellMaintenance(
  operator: Operator,
  of: { readonly id: string; readonly act: "updates" | "change" | "cancel" } | null,
  body: object,
): Promise<MaintenanceLine> {
  const path = of === null ? "" : `/${encodeURIComponent(of.id)}/${of.act}`;
  const answer = v.object({ maintenance: MaintenanceAnswer });
  return (await ask(operator, "POST", `/cli/v1/maintenances${path}`, body, answer)).maintenance;
}

export async function listMaintenances(operator: Operator): Promise<readonly MaintenanceLine[]> {
  const answer = v.object({ maintenances: v.array(MaintenanceAnswer) });
  return (await ask(operator, "GET", "/cli/v1/maintenances", null, answer)).maintenances;
}

/** "Checkout=partial_outage". */
export function saidOf(told: string): { readonly component: string; readonly status: string } {
  const split = told.lastIndexOf("=");
  const status = COMPONENT_STATUSES.find((one) => one === told.slice(split + 1));
  if (split < 1 || status === undefined)
    throw new Usage(`--component is "NAME=STATUS" with one of ${COMPONENT_STATUSES.join(", ")}`);
  return { component: told.slice(0, split), status };
}

/** One of a few words; absent stays absent. */
export function oneOf<const Word extends string>(
  option: string,
  words: readonly Word[],
  told: string | undefined,
): Word | undefined {
  if (told === undefined) return undefined;
  const word = words.find((one) => one === told);
  if (word === undefined) throw new Usage(`--${option} is one of ${words.join(", ")}`);
  return word;
}

/** RFC 3339, or +MINUTES from now; absent stays absent. */
export function momentOf(option: string, told: string | undefined): string | undefined {
  if (told === undefined) return undefined;
  const ahead = /^\+(\d{1,6})$/.exec(told)?.[1];
  const at = ahead === undefined ? Date.parse(told) : Date.now() + Number(ahead) * 60_000;
  if (Number.isNaN(at) || (ahead === undefined && !/^\d{4}-\d\d-\d\d[T ].*(Z|[+-]\d\d:\d\d)$/.test(told)))
    throw new Usage(`--${option} is a moment such as 2026-11-28T02:00:00Z, or +60 for in an hour`);
  if (ahead === undefined && !namesDay(told)) throw new Usage(`--${option}: there is no ${told.slice(0, 10)}`);
  return new Date(at).toISOString();
}

/** Markdown as it was typed, or from standard input. */
export async function messageOf(told: string | undefined): Promise<string | undefined> {
  return told === "-" ? (await text(process.stdin)).trimEnd() : told;
}
