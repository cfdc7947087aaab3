import { command, Usage } from "./command.ts";
import type { Imported, Operator, TakenOver } from "./edge.ts";
import { findOperator, importAnnounced, importComponents } from "./edge.ts";
import type { ForeignIncident, ForeignPage } from "./foreign-page.ts";
import { originOf, readForeignPage } from "./foreign-page.ts";

const HELP = `
npm run -s import -- https://status.example.com [--dry-run]

  Reads another status page through Statuspage's public API and takes it over into the running one: components with
  their groups, the 50 newest incidents and the 50 newest maintenances with all that was said of them, at the moments
  at which it was said and under the ids by which readers and programs know them.

  Components come without services, so nothing is known of them: they say so until each is told what it stands for, on
  its page in the admin or with PUT /cli/v1/components. What is here already stays as it is. Doing it again adds what is
  new there, and brings up to date what nobody has changed here.

  --dry-run   only says what it would take over; needs no running system

  npm run -s import -- https://status.example.com --dry-run
  npm run -s import -- https://status.example.com
`;

/** Of one request, bytes of JSON: the edge takes 2 MiB. */
const BATCH_MAX = 1_500_000;
/** Of one request, entries. */
const BATCH_ENTRIES_MAX = 100;

await command(HELP, { "dry-run": { type: "boolean" } }, async ({ values, positionals }) => {
  const [address, ...others] = positionals;
  if (address === undefined || others.length > 0) throw new Usage("name one address to read");
  const origin = originOf(address);
  const operator = values["dry-run"] === true ? null : findOperator();
  const say = (line: string): void => console.error(line);
  const page = await readForeignPage(origin, say);
  if (operator === null) return tellPlan(page);
  await takeOver(operator, page, say);
});

function tellPlan({ name, timeZone, components, incidents, maintenances }: ForeignPage): void {
  const groups = new Set(components.flatMap(({ group }) => group ?? []));
  // Days are cut there: in another zone an incident of the night stands at another day.
  console.log(timeZone === null ? `${name} has` : `${name} in ${timeZone} (here PAGE_TIME_ZONE says it) has`);
  console.log(`${count(components.length, "component")} in ${count(groups.size, "group")}`);
  for (const { name: component, group } of components)
    console.log(`  ${group === null ? "" : `${group}: `}${component}`);
  console.log(count(incidents.length, "incident"));
  for (const incident of incidents)
    console.log(
      `  ${dayOf(incident.startedAt)} ${incident.name} (${stateOf(incident)}, ${count(incident.updates.length, "update")})`,
    );
  console.log(count(maintenances.length, "maintenance"));
  for (const { startsAt, name: maintenance } of maintenances) console.log(`  ${dayOf(startsAt)} ${maintenance}`);
  console.log("Nothing was written: this was a dry run.");
}

async function takeOver(operator: Operator, page: ForeignPage, say: (line: string) => void): Promise<void> {
  say(`writing ${count(page.components.length, "component")}`);
  const taken: TakenOver[] = [];
  for (const batch of batches(page.components)) taken.push(...(await importComponents(operator, batch)));
  const ids = new Map(taken.map(({ id, as }) => [id, as]));
  const incidents = page.incidents.map((one) => ({ ...one, updates: renamed(one.updates, ids) }));
  const maintenances = page.maintenances.map((one) => ({
    ...one,
    updates: renamed(one.updates, ids),
    components: one.components.map((id) => ids.get(id) ?? id),
  }));
  say(`writing ${count(incidents.length, "incident")} and ${count(maintenances.length, "maintenance")}`);
  const ofIncidents: Imported[] = [];
  for (const batch of batches(incidents))
    ofIncidents.push(await importAnnounced(operator, { incidents: batch, maintenances: [] }));
  const ofMaintenances: Imported[] = [];
  for (const batch of batches(maintenances))
    ofMaintenances.push(await importAnnounced(operator, { incidents: [], maintenances: batch }));
  const fresh = taken.filter(({ isNew }) => isNew).length;
  console.log(`${count(fresh, "component")} added, ${taken.length - fresh} known already`);
  console.log(`incidents: ${summed(ofIncidents)}`);
  console.log(`maintenances: ${summed(ofMaintenances)}`);
  // What it says of components holds until somebody says that it is over.
  for (const incident of page.incidents)
    if (!isOver(incident)) console.log(`open: ${incident.id}  ${stateOf(incident)}  ${incident.name}`);
  if (fresh > 0)
    console.log(
      `Nothing is known of ${fresh === 1 ? "it" : "them"} yet: say what each component stands for, in the admin under Components.`,
    );
}

/** With the ids that the components have here. */
function renamed(updates: ForeignIncident["updates"], ids: ReadonlyMap<string, string>): ForeignIncident["updates"] {
  return updates.map((update) => ({
    ...update,
    affected: update.affected.map((one) => ({ ...one, component: ids.get(one.component) ?? one.component })),
  }));
}

/** In order, each small enough for one request; what is larger alone is refused by the edge, which says so. */
function batches<One>(all: readonly One[]): readonly (readonly One[])[] {
  const result: One[][] = [];
  let room = 0;
  for (const one of all) {
    const size = Buffer.byteLength(JSON.stringify(one));
    if (size > room || (result.at(-1)?.length ?? 0) >= BATCH_ENTRIES_MAX) {
      result.push([]);
      room = BATCH_MAX;
    }
    result.at(-1)?.push(one);
    room -= size;
  }
  return result;
}

function stateOf({ updates }: ForeignIncident): string {
  return updates.at(-1)?.status ?? "";
}

function isOver(incident: ForeignIncident): boolean {
  return ["resolved", "postmortem"].includes(stateOf(incident));
}

function summed(imported: readonly Imported[]): string {
  const of = (key: keyof Imported): number => imported.reduce((sum, one) => sum + one[key], 0);
  return `${of("added")} added, ${of("renewed")} brought up to date, ${of("known") - of("renewed")} unchanged`;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** YYYY-MM-DD, as the page wrote it. */
function dayOf(moment: string): string {
  return moment.slice(0, 10);
}
