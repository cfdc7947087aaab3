/** `npm run -s maintenance`: planned maintenances from the notice to the all-clear, and series of them. */
import * as v from "valibot";
import { messageOf, momentOf, oneOf, tellMaintenance } from "./announcing.ts";
import { command, Usage } from "./command.ts";
import { ask, findOperator } from "./edge.ts";

const HELP = `
npm run -s maintenance -- list                            all plans, the latest first, then the series
npm run -s maintenance -- plan "NAME" --from MOMENT --to MOMENT (--component NAME … | --target SERVICE[=REPLICAS] …)
npm run -s maintenance -- show ID                         checklist, checks, clusters and notices, as JSON
npm run -s maintenance -- move ID [--from MOMENT] [--to MOMENT]
npm run -s maintenance -- cancel ID                       calls it off
npm run -s maintenance -- tick ID ITEM …                  of the checklist; untick takes it back
npm run -s maintenance -- verify ID                       the work is done: traffic comes back, and it is watched
npm run -s maintenance -- all-clear ID                    refused until the checks were good for 30 minutes, unless --anyway
npm run -s maintenance -- series "NAME" --rule RRULE --start WALL --hours N (--component NAME … | --target …)
npm run -s maintenance -- end-series ID                   calls off what is to come of it

  --from, --to MOMENT   2026-11-28T02:00:00Z, or +60 for in an hour
  --component NAME      whom it is about, by name, "group / name" or id; as often as there are any
  --target SERVICE[=N]  cluster/namespace/name of a deployment that its cluster puts into maintenance meanwhile, scaled to N
                        replicas if there is a number; as often as there are any, with --reason TEXT for its owners
  --message TEXT        what visitors read of it, in Markdown; - reads it from standard input
  --closing checks      the checks give the all-clear by themselves; else a person does
  --emergency           it is told of later than the page's policy asks (7 days before it starts), and visitors read so
  --rule RRULE          such as FREQ=WEEKLY;BYDAY=SU or FREQ=MONTHLY;BYDAY=1SU, on the wall of --zone (Etc/UTC)
  --start WALL          its first time there, such as 2026-11-29T03:00

  It prints id, status, begin, end, name and address; of a series id, rule, next begin and name.

  npm run -s maintenance -- plan "Upgrade to 1.1" --from 2026-12-05T02:00:00Z --to 2026-12-05T04:00:00Z --component Payments
  npm run -s maintenance -- tick 4k2j9x0qw7ab backup backup-uploaded rollback
  npm run -s maintenance -- move 4k2j9x0qw7ab --to 2026-12-05T05:00:00Z
  npm run -s maintenance -- series "Database maintenance" --rule 'FREQ=WEEKLY;BYDAY=SU' --start 2026-12-06T03:00 --hours 1 --component Ledger
`;

const OPTIONS = {
  from: { type: "string" },
  to: { type: "string" },
  component: { type: "string", multiple: true },
  target: { type: "string", multiple: true },
  reason: { type: "string" },
  message: { type: "string" },
  closing: { type: "string" },
  emergency: { type: "boolean" },
  anyway: { type: "boolean" },
  rule: { type: "string" },
  start: { type: "string" },
  zone: { type: "string" },
  hours: { type: "string" },
} as const;

const Plan = v.object({
  id: v.string(),
  name: v.string(),
  status: v.string(),
  overdue: v.nullable(v.string()),
  emergency: v.boolean(),
  startsAt: v.string(),
  endsAt: v.string(),
  ticked: v.object({ done: v.number(), of: v.number() }),
  clusters: v.object({ confirmed: v.number(), of: v.number() }),
  url: v.string(),
});
const PlanAnswer = v.object({ plan: Plan });
const Series = v.object({
  id: v.string(),
  name: v.string(),
  rule: v.string(),
  next: v.nullable(v.string()),
  endedAt: v.nullable(v.string()),
});
const SeriesAnswer = v.object({ series: Series });
const List = v.object({ plans: v.array(Plan), series: v.array(Series) });

interface Said {
  readonly component?: readonly string[] | undefined;
  readonly target?: readonly string[] | undefined;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly closing?: string | undefined;
}

await command(HELP, OPTIONS, async ({ values, positionals }) => {
  const [verb, of, ...rest] = positionals;
  const isTick = verb === "tick" || verb === "untick";
  if (rest.length > 0 && !isTick) throw new Usage(`"${rest.join(" ")}" means nothing here: quote what has spaces`);
  switch (verb) {
    case "list":
      return list();
    case "plan": {
      const [startsAt, endsAt] = [momentOf("from", values.from), momentOf("to", values.to)];
      if (of === undefined) throw new Usage("say what it is called");
      if (startsAt === undefined || endsAt === undefined) throw new Usage("--from and --to are needed");
      const { emergency } = values;
      return planned("/cli/v1/plans", { name: of, startsAt, endsAt, emergency, ...(await saidOf(values)) });
    }
    case "series": {
      const { rule, start, zone: timeZone = "Etc/UTC" } = values;
      if (of === undefined) throw new Usage("say what it is called");
      if (rule === undefined || start === undefined) throw new Usage("--rule and --start are needed");
      const recurs = { name: of, rule, start, timeZone, hours: hoursOf(values.hours) };
      return recurring("/cli/v1/series", { ...recurs, ...(await saidOf(values)) });
    }
    case "show":
      return console.log(
        JSON.stringify(await ask(findOperator(), "GET", `/cli/v1/plans/${idOf(of)}`, null, v.unknown()), null, 2),
      );
    case "move":
    case "cancel":
      return changed(verb, idOf(of), values);
    case "tick":
    case "untick":
      if (rest.length === 0) throw new Usage("say which items: `show` has them");
      for (const item of rest)
        await planned(`/cli/v1/plans/${idOf(of)}/tick`, { item, isDone: verb === "tick" }, item === rest.at(-1));
      return;
    case "verify":
      return planned(`/cli/v1/plans/${idOf(of)}/verify`, {});
    case "all-clear":
      return planned(`/cli/v1/plans/${idOf(of)}/complete`, { anyway: values.anyway });
    case "end-series":
      return recurring(`/cli/v1/series/${idOf(of)}/end`, {});
    default:
      throw new Usage("say list, plan, show, move, cancel, tick, untick, verify, all-clear, series or end-series");
  }
});

function idOf(told: string | undefined): string {
  if (told === undefined) throw new Usage("say which one: `list` has the ids");
  return encodeURIComponent(told);
}

function hoursOf(told: string | undefined): number {
  const hours = Number(told);
  if (told === undefined || Number.isNaN(hours)) throw new Usage("--hours is a number, such as 1 or 0.5");
  return hours;
}

async function saidOf({ component, target, reason, message, closing }: Said) {
  const body = await messageOf(message);
  const isByChecks = oneOf("closing", ["person", "checks"], closing) === "checks";
  return {
    components: component,
    targets: target?.map(targetOf),
    reason,
    body,
    ...(isByChecks && { closing: "checks" }),
  };
}

/** "eu-1/shop/checkout=1" */
function targetOf(told: string) {
  const [service = "", count, ...more] = told.split("=");
  if (more.length > 0 || (count !== undefined && !/^\d{1,4}$/.test(count)))
    throw new Usage("--target is cluster/namespace/name, or that with =REPLICAS");
  return { service, ...(count !== undefined && { replicas: Number(count) }) };
}

async function list(): Promise<void> {
  const { plans, series } = await ask(findOperator(), "GET", "/cli/v1/plans", null, List);
  for (const plan of plans) tell(plan);
  for (const one of series) tellSeries(one);
}

async function planned(path: string, body: object, isTold = true): Promise<void> {
  const { plan } = await ask(findOperator(), "POST", path, body, PlanAnswer);
  if (isTold) tell(plan);
}

async function recurring(path: string, body: object): Promise<void> {
  tellSeries((await ask(findOperator(), "POST", path, body, SeriesAnswer)).series);
}

async function changed(
  verb: "move" | "cancel",
  id: string,
  values: { from?: string; to?: string; emergency?: boolean },
) {
  const startsAt = momentOf("from", values.from);
  const endsAt = momentOf("to", values.to);
  if (verb === "move" && (startsAt ?? endsAt) === undefined) throw new Usage("--from or --to is needed");
  const body = verb === "move" ? { startsAt, endsAt, emergency: values.emergency } : {};
  await tellMaintenance(findOperator(), { id, act: verb === "move" ? "change" : "cancel" }, body);
  tell((await ask(findOperator(), "GET", `/cli/v1/plans/${id}`, null, PlanAnswer)).plan);
}

function tell({
  id,
  status,
  overdue,
  emergency,
  startsAt,
  endsAt,
  name,
  url,
  ticked,
  clusters,
}: v.InferOutput<typeof Plan>): void {
  const state = overdue === null ? status : `${status}, overdue: ${overdue}`;
  const marks = [
    ...(emergency ? ["emergency"] : []),
    `checklist ${ticked.done} of ${ticked.of}`,
    ...(clusters.of > 0 ? [`confirmed by ${clusters.confirmed} of ${clusters.of}`] : []),
  ];
  console.log([id, state.padEnd(11), startsAt, endsAt, name, marks.join(", "), url].join("  "));
}

function tellSeries({ id, rule, next, endedAt, name }: v.InferOutput<typeof Series>): void {
  const state = endedAt === null ? (next ?? "nothing to come") : "ended";
  console.log([id, "series".padEnd(11), rule, state, name].join("  "));
}
