import { LEASE_MODES } from "../../protocol/lease.ts";
import type { MaintenanceLine } from "./announcing.ts";
import { listMaintenances, messageOf, momentOf, oneOf, tellMaintenance } from "./announcing.ts";
import { command, Usage } from "./command.ts";
import { findOperator } from "./edge.ts";

const HELP = `
npm run -s announce -- plan "NAME" --from MOMENT --to MOMENT (--component NAME … | --target SERVICE --reason TEXT)
npm run -s announce -- update ID --message TEXT [--status verifying|completed]
npm run -s announce -- change ID [--name NAME] [--from MOMENT] [--to MOMENT]
npm run -s announce -- cancel ID          calls it off, or ends it if it has begun
npm run -s announce -- list               all maintenances, the latest first

  --from, --to MOMENT   2026-11-28T02:00:00Z, or +60 for in an hour
  --component NAME      whom it is about, by name, "group / name" or id; as often as there are any
  --message TEXT        what visitors read of it, in Markdown; - reads it from standard input
  --target SERVICE      cluster/namespace/name of a target of the agent's, which is put into maintenance meanwhile;
                        then it is about the components that stand on it, and lasts 24 hours at most
  --mode MODE           of the target: announce only writes it down there (unless told), scale sets --replicas N
  --reason TEXT         what the cluster's owner reads
  --emergency           it is announced later than the page's policy asks (7 days before it starts), and visitors read so

  It begins and ends by itself, and is shown as maintenance meanwhile. Calendars are told of each change.
  It prints id, status, begin, end, name and address.

  npm run -s announce -- plan "New disks" --from 2026-11-28T02:00:00Z --to 2026-11-28T04:00:00Z --component Payments
  npm run -s announce -- change 4k2j9x0qw7ab --to 2026-11-28T05:00:00Z
  npm run -s announce -- update 4k2j9x0qw7ab --status completed --message "Done."
`;

const OPTIONS = {
  from: { type: "string" },
  to: { type: "string" },
  component: { type: "string", multiple: true },
  message: { type: "string" },
  status: { type: "string" },
  name: { type: "string" },
  target: { type: "string" },
  mode: { type: "string" },
  replicas: { type: "string" },
  reason: { type: "string" },
  emergency: { type: "boolean" },
} as const;

interface LeaseValues {
  readonly target?: string | undefined;
  readonly mode?: string | undefined;
  readonly replicas?: string | undefined;
  readonly reason?: string | undefined;
}

await command(HELP, OPTIONS, async ({ values, positionals }) => {
  const [verb, of, ...rest] = positionals;
  if (rest.length > 0) throw new Usage(`"${rest.join(" ")}" means nothing here: quote what has spaces`);
  if (verb === "list") {
    for (const one of await listMaintenances(findOperator())) tell(one);
    return;
  }
  const startsAt = momentOf("from", values.from);
  const endsAt = momentOf("to", values.to);
  const { name, emergency } = values;
  switch (verb) {
    case "plan": {
      if (of === undefined) throw new Usage("say what it is called");
      if (startsAt === undefined || endsAt === undefined) throw new Usage("--from and --to are needed");
      const about = { components: values.component ?? [], lease: leaseOf(values) };
      const body = await messageOf(values.message);
      return tell(
        await tellMaintenance(findOperator(), null, { name: of, startsAt, endsAt, body, emergency, ...about }),
      );
    }
    case "update": {
      const status = oneOf("status", ["verifying", "completed"], values.status);
      if (values.message === undefined) throw new Usage("--message is needed: visitors read it");
      const body = await messageOf(values.message);
      return tell(await tellMaintenance(findOperator(), { id: idOf(of), act: "updates" }, { body, status }));
    }
    case "change":
      return tell(
        await tellMaintenance(findOperator(), { id: idOf(of), act: "change" }, { name, startsAt, endsAt, emergency }),
      );
    case "cancel":
      return tell(await tellMaintenance(findOperator(), { id: idOf(of), act: "cancel" }, {}));
    default:
      throw new Usage("say plan, update, change, cancel or list");
  }
});

function idOf(told: string | undefined): string {
  if (told === undefined) throw new Usage("say which one: `list` has the ids");
  return told;
}

function leaseOf({ target, mode, replicas, reason }: LeaseValues) {
  if (target === undefined) return null;
  const count = replicas === undefined ? null : Number(replicas);
  if (count !== null && !Number.isInteger(count)) throw new Usage("--replicas is a whole number");
  if (reason === undefined) throw new Usage("--reason is needed with --target: the cluster's owner reads it");
  return { service: target, mode: oneOf("mode", LEASE_MODES, mode ?? "announce"), replicas: count, reason };
}

function tell({ id, status, startsAt, endsAt, cancelledAt, name, url }: MaintenanceLine): void {
  const state = cancelledAt === null ? status : "cancelled";
  const where = url ?? "not on the page: no component stands on its target";
  console.log([id, state.padEnd(11), startsAt, endsAt, name, where].join("  "));
}
