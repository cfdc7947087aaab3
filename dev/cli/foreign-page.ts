/**
 * Another status page, read through Statuspage's public API. Whoever serves it is a stranger: every answer is bounded in
 * time and size and checked, and of each text only what one of ours may be is kept.
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { oneLine, printable } from "../../protocol/name.ts";
import { INCIDENT_STATUSES, MAINTENANCE_STATUSES } from "../../protocol/page.ts";
import { COMPONENT_STATUSES, INDICATORS } from "../../protocol/status.ts";
import { parseJson, reasonOf, Refusal } from "./edge.ts";

const TIMEOUT_MS = 15_000;
/** Pages with hundreds of components and 50 long incidents stay far below. */
const ANSWER_MAX_BYTES = 16 * 1_048_576;
const NAME_MAX = 255;
const DESCRIPTION_MAX = 1_000;

export interface ForeignComponent {
  readonly id: string;
  readonly name: string;
  readonly group: string | null;
  readonly description: string | null;
  readonly createdAt: string;
}

interface ForeignUpdate {
  readonly id: string;
  readonly status: string;
  readonly body: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly displayAt: string;
  readonly affected: readonly { component: string; name: string; from: string; to: string }[];
}

export interface ForeignIncident {
  readonly id: string;
  readonly name: string;
  readonly impact: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly startedAt: string;
  readonly updates: readonly ForeignUpdate[];
}

interface ForeignMaintenance {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly startsAt: string;
  readonly endsAt: string;
  /** When it was said to be over; null if it ends, or ended, by the clock. */
  readonly endedAt: string | null;
  readonly components: readonly string[];
  readonly updates: readonly ForeignUpdate[];
}

/** What a page has. Moments are RFC 3339 as it wrote them. */
export interface ForeignPage {
  readonly name: string;
  readonly timeZone: string | null;
  readonly components: readonly ForeignComponent[];
  readonly incidents: readonly ForeignIncident[];
  readonly maintenances: readonly ForeignMaintenance[];
}

/** As the edge wants them; other products write them without seconds, or with a space and a word for the zone. */
const RFC_3339 = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
/** Also none: the year 1, which is how some say that something has no moment. */
const Moment = v.pipe(
  v.string(),
  v.check((text) => Date.parse(text) > 0 && Date.parse(text) < 4e12, "is no moment"),
  v.transform((text) => (RFC_3339.test(text) ? text : new Date(text).toISOString())),
);
const Status = v.picklist(COMPONENT_STATUSES.filter((status) => status !== "unknown"));
const Page = v.object({ name: v.string(), time_zone: v.fallback(v.nullable(v.string()), null) });

const ComponentRow = v.object({
  id: v.string(),
  name: v.string(),
  description: v.fallback(v.nullable(v.string()), null),
  created_at: Moment,
  group: v.fallback(v.boolean(), false),
  group_id: v.fallback(v.nullable(v.string()), null),
});

const Affected = v.object({ code: v.string(), name: v.string(), old_status: Status, new_status: Status });

function updateOf<const Statuses extends readonly string[]>(statuses: Statuses) {
  return v.object({
    id: v.fallback(v.nullable(v.string()), null),
    status: v.picklist(statuses),
    body: v.fallback(v.string(), ""),
    created_at: Moment,
    updated_at: v.fallback(v.nullable(Moment), null),
    display_at: v.fallback(v.nullable(Moment), null),
    affected_components: v.fallback(v.nullable(v.array(Affected)), null),
  });
}

function rowOf<const Statuses extends readonly string[]>(statuses: Statuses) {
  return {
    id: v.string(),
    name: v.string(),
    status: v.picklist(statuses),
    created_at: Moment,
    updated_at: v.fallback(v.nullable(Moment), null),
    started_at: v.fallback(v.nullable(Moment), null),
    resolved_at: v.fallback(v.nullable(Moment), null),
    impact: v.fallback(v.picklist(INDICATORS), "none"),
    incident_updates: v.fallback(v.array(updateOf(statuses)), []),
    components: v.fallback(v.array(v.object({ id: v.string(), name: v.string() })), []),
  };
}

const IncidentRow = v.object(rowOf(INCIDENT_STATUSES));
const MaintenanceRow = v.object({
  ...rowOf(MAINTENANCE_STATUSES),
  scheduled_for: Moment,
  scheduled_until: Moment,
});
type Update = v.InferOutput<ReturnType<typeof updateOf>>;

/** Some pages that speak this API write null for a list with nothing in it. */
function listOf<Row extends v.GenericSchema>(row: Row) {
  return v.pipe(
    v.nullable(v.array(row)),
    v.transform((rows) => rows ?? []),
  );
}

const Components = v.object({ page: Page, components: listOf(ComponentRow) });
const Incidents = v.object({ incidents: listOf(IncidentRow) });
const Maintenances = v.object({ scheduled_maintenances: listOf(MaintenanceRow) });

/** Its origin, if it may be asked: over https, or on this machine. */
export function originOf(address: string): string {
  if (!URL.canParse(address)) throw new Refusal(`"${address}" is no address; write it as https://status.example.com`);
  const { protocol, hostname, origin } = new URL(address);
  const isHere = hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
  if (protocol === "https:" || (protocol === "http:" && isHere)) return origin;
  throw new Refusal(`${address} is not read: only https is, and http on this machine`);
}

/** Reads it all. @param say is told what is read */
export async function readForeignPage(origin: string, say: (line: string) => void): Promise<ForeignPage> {
  const { page, components } = await read(origin, "components", Components, say);
  const { incidents } = await readList(origin, "incidents", Incidents, say);
  const { scheduled_maintenances: maintenances } = await readList(origin, "scheduled-maintenances", Maintenances, say);
  const groups = new Map(components.filter(({ group }) => group).map(({ id, name }) => [id, lineOf(name, NAME_MAX)]));
  return {
    name: page.name,
    timeZone: page.time_zone,
    components: components
      .filter(({ group }) => !group)
      .map((row) => ({
        id: row.id,
        name: lineOf(row.name, NAME_MAX),
        group: row.group_id === null ? null : (groups.get(row.group_id) ?? null),
        description: descriptionOf(row.description),
        createdAt: row.created_at,
      })),
    incidents: incidents.map(incidentOf),
    maintenances: maintenances.map(maintenanceOf),
  };
}

function incidentOf(row: v.InferOutput<typeof IncidentRow>): ForeignIncident {
  return {
    ...sharedOf(row),
    impact: row.impact,
    startedAt: row.started_at ?? row.created_at,
    updates: withUnsaid(withState(updatesOf(row), row), row),
  };
}

function maintenanceOf(row: v.InferOutput<typeof MaintenanceRow>): ForeignMaintenance {
  const { scheduled_for: startsAt, scheduled_until: endsAt, updated_at: updatedAt } = row;
  const over = row.status === "completed" ? (row.resolved_at ?? updatedAt) : null;
  return {
    ...sharedOf(row),
    startsAt,
    // Some pages have maintenances of no length.
    endsAt: Date.parse(endsAt) > Date.parse(startsAt) ? endsAt : new Date(Date.parse(startsAt) + 1).toISOString(),
    endedAt: over !== null && Date.parse(over) < Date.parse(endsAt) ? over : null,
    components: row.components.map(({ id }) => id),
    updates: updatesOf(row),
  };
}

type Row = v.InferOutput<typeof IncidentRow> | v.InferOutput<typeof MaintenanceRow>;

function sharedOf({ id, name, created_at: createdAt, updated_at: updatedAt }: Row) {
  return { id: idOf(id), name: lineOf(name, NAME_MAX), createdAt, updatedAt: updatedAt ?? createdAt };
}

/** What an incident of that impact makes of a component of which it does not say more. */
const STATUS_OF = {
  none: "operational",
  maintenance: "under_maintenance",
  minor: "degraded_performance",
  major: "partial_outage",
  critical: "major_outage",
} as const satisfies Record<(typeof INDICATORS)[number], (typeof COMPONENT_STATUSES)[number]>;

/** Oldest first. */
function updatesOf({ id, incident_updates: updates }: Row): readonly ForeignUpdate[] {
  return updates
    .map((update) => updateFrom(update, id))
    .toSorted((a, b) => Date.parse(a.displayAt) - Date.parse(b.displayAt));
}

/** The last update of an incident says what it is; where a page says more than its updates do, that is said last. */
function withState(
  updates: readonly ForeignUpdate[],
  row: v.InferOutput<typeof IncidentRow>,
): readonly ForeignUpdate[] {
  const { id, status, created_at: createdAt, updated_at: updatedAt, resolved_at: resolvedAt } = row;
  if (updates.at(-1)?.status === status) return updates;
  const at = [createdAt, resolvedAt ?? updatedAt ?? createdAt, ...updates.map(({ displayAt }) => displayAt)]
    .toSorted((a, b) => Date.parse(a) - Date.parse(b))
    .at(-1);
  const moment = at ?? createdAt;
  const said = { id: idOf(`${id} ${status}`), status, body: "", affected: [] };
  return [...updates, { ...said, createdAt: moment, updatedAt: moment, displayAt: moment }];
}

/**
 * Components that an incident names and none of its updates does are said to be affected by the first: pages that are
 * old enough wrote them down nowhere else.
 */
function withUnsaid(
  updates: readonly ForeignUpdate[],
  { components, impact }: v.InferOutput<typeof IncidentRow>,
): readonly ForeignUpdate[] {
  const said = new Set(updates.flatMap(({ affected }) => affected.map(({ component }) => component)));
  const rest = components
    .filter(({ id }) => !said.has(id))
    .map(({ id, name }) => ({
      component: id,
      name: lineOf(name, NAME_MAX),
      from: "operational",
      to: STATUS_OF[impact],
    }));
  return updates.map((update, i) => (i === 0 ? { ...update, affected: [...update.affected, ...rest] } : update));
}

function updateFrom(update: Update, of: string): ForeignUpdate {
  return {
    id: idOf(update.id ?? `${of} ${update.status} ${update.created_at}`),
    status: update.status,
    body: printable(update.body.replaceAll("\r\n", "\n")),
    createdAt: update.created_at,
    updatedAt: update.updated_at ?? update.created_at,
    displayAt: update.display_at ?? update.created_at,
    affected: (update.affected_components ?? []).map(({ code, name, old_status: from, new_status: to }) => ({
      component: code,
      name: lineOf(name, NAME_MAX),
      from,
      to,
    })),
  };
}

/** Readers know it by this; what is no id of Statuspage's shape becomes one, the same each time. */
function idOf(id: string): string {
  if (/^[0-9a-z]{12}$/.test(id)) return id;
  return BigInt(`0x${createHash("sha256").update(id).digest("hex")}`)
    .toString(36)
    .slice(-12);
}

/** One line as ours must be, or a word that says that there was none. */
function lineOf(text: string, max: number): string {
  const line = oneLine(text);
  if (line === "") return "Untitled";
  return line.length <= max ? line : `${line.slice(0, max - 1).toWellFormed()}…`;
}

/** What we say ourselves of a component that nobody reports is no description of it. */
function descriptionOf(text: string | null): string | null {
  const line = oneLine(text ?? "");
  return line === "" || line.startsWith("Data is missing: ") ? null : lineOf(line, DESCRIPTION_MAX);
}

async function read<Schema extends v.GenericSchema>(
  origin: string,
  name: string,
  schema: Schema,
  say: (line: string) => void,
): Promise<v.InferOutput<Schema>> {
  const url = `${origin}/api/v2/${name}.json`;
  say(`reading ${url}`);
  const text = await textOf(url);
  const parsed = v.safeParse(schema, parseJson(text));
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new Refusal(
    `${url} is not what Statuspage's API answers (${v.getDotPath(issue) ?? "body"}: ${issue.message}): is this the page's own address?`,
  );
}

/** A page without such a list may have what is open in its summary. */
async function readList<Schema extends v.GenericSchema>(
  origin: string,
  name: string,
  schema: Schema,
  say: (line: string) => void,
): Promise<v.InferOutput<Schema>> {
  try {
    return await read(origin, name, schema, say);
  } catch (error) {
    if (!(error instanceof NotThere)) throw error;
    say(`${error.message}: only what is open, which the summary has, can be taken over`);
    return read(origin, "summary", schema, say);
  }
}

/** It answers 404. */
class NotThere extends Refusal {}

async function textOf(url: string): Promise<string> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(url, { headers: { accept: "application/json" }, redirect: "manual", signal });
    const location = response.headers.get("location");
    if (location !== null && response.status < 400)
      throw new Refusal(`${url} leads to ${new URL(location, url).origin}: read the page from there, if that is it`);
    if (!response.ok) throw new (response.status === 404 ? NotThere : Refusal)(`${url} answered ${response.status}`);
    return await bounded(response, url);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`${url} cannot be read (${reasonOf(error)})`);
  }
}

async function bounded({ body }: Response, url: string): Promise<string> {
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_MAX_BYTES) throw new Refusal(`${url} answers more than ${ANSWER_MAX_BYTES} bytes: too much`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
