/** What a maintenance would do, said before it is done. The Worker and the browser both render it. */
import type { LeaseMode } from "../../../protocol/lease.ts";
import { HOUR } from "../../../protocol/time.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { shape } from "../shape.ts";
import type { AdminFrame, MaintenanceField, TargetModel } from "./model.ts";
import { moment } from "../english.ts";

export const HOURS_DEFAULT = "4";
/** Hours; LEASE_HOURS_MAX of the protocol. */
export const HOURS_MAX = 24;

export function targetRef({ cluster, service }: Pick<TargetModel, "cluster" | "service">): string {
  return `${cluster}/${service}`;
}

/** What the form as it stands would do; the browser renders it again with each change. */
export function consequenceRegion(
  targets: readonly TargetModel[],
  values: Readonly<Partial<Record<MaintenanceField, string>>>,
  { now, timeZone }: Pick<AdminFrame, "now" | "timeZone">,
): Html {
  const target = targets.find((candidate) => targetRef(candidate) === values.target);
  if (target === undefined) return markup`<p class="soft">Choose a target to see what will happen in its cluster.</p>`;
  const hours = Math.min(HOURS_MAX, Math.max(0, Number(values.hours ?? HOURS_DEFAULT) || 0));
  const replicas = values.replicas === undefined || values.replicas.trim() === "" ? null : Number(values.replicas);
  const { fatal, text } = consequence(
    target,
    values.mode === "scale" ? "scale" : "announce",
    replicas,
    moment(now + hours * HOUR, now, timeZone),
  );
  const names = target.published.map((published) => published.name).join(", ");
  const page = names === "" ? "No public component shows it." : `The public page shows ${names} as under maintenance.`;
  return markup`<p class="${fatal ? "fault" : "plan"}">${shape(fatal ? "major_outage" : "under_maintenance")} <span>${text}${!fatal && ` ${page}`}</span></p>`;
}

/**
 * What will happen in the cluster, before it happens. `fatal` if the agent will refuse. `untilText` says the latest end.
 */
export function consequence(
  target: TargetModel,
  mode: LeaseMode,
  replicas: number | null,
  untilText: string,
): { readonly fatal: boolean; readonly text: string } {
  const { cluster, service, allowed } = target;
  const refused = (why: string) => ({ fatal: true, text: `The agent of ${cluster} will refuse: ${why}.` });
  if (allowed === null) return refused(`its configuration does not allow ${service} as a target`);
  if (!allowed.modes.includes(mode)) return refused(`its configuration does not allow to ${mode} ${service}`);
  if (mode === "scale" && replicas !== null && replicas < allowed.floor) {
    return refused(`its configuration keeps at least ${allowed.floor} replicas of ${service}`);
  }
  const before = target.replicas?.desired ?? null;
  const wait = target.reporting ? "" : ` ${cluster} is silent now: this waits until its agent is back.`;
  const text =
    mode === "scale"
      ? `Deployment ${service}: ${before ?? "?"} → ${replicas ?? "?"} replicas in cluster ${cluster}, restored by ${untilText} at the latest.`
      : `Deployment ${service} in cluster ${cluster} gets the annotation maintenance="true"; its ${before ?? "?"} replicas stay. Removed by ${untilText} at the latest.`;
  return { fatal: false, text: text + wait };
}
