/** What an operator at the edge wishes of the detector, against what the cluster's owner allows. */
import type {
  DetectorAnswer,
  DetectorCommand,
  DetectorReport,
  DetectorWish,
  Unusual,
} from "../../protocol/detector.ts";
import type { Millis } from "../../protocol/time.ts";
import type { LeftOut } from "./model.ts";

/** `anomalies` of agent.yaml, as far as it is about wishes. */
export interface Allowed {
  readonly threshold: number;
  readonly edge: {
    readonly threshold: boolean;
    readonly min: number;
    readonly max: number;
    readonly commands: boolean;
    readonly incidents: boolean;
  };
}

/** The threshold in force, and whose it is. */
export type InForce = Pick<DetectorReport, "threshold" | "setBy">;

export function thresholdInForce({ threshold, edge }: Allowed, wish: DetectorWish | null): InForce {
  const wished = wish?.threshold ?? null;
  if (wished === null || !edge.threshold) return { threshold, setBy: "agent" };
  const limited = Math.min(edge.max, Math.max(edge.min, wished));
  return { threshold: limited, setBy: limited === wished ? "edge" : "limited" };
}

/** What is wished and not done, for the operator; null if all is. */
export function notDone({ threshold, edge }: Allowed, wish: DetectorWish | null): string | null {
  const wished = wish?.threshold ?? null;
  if (wished === null) return null;
  if (!edge.threshold) return `agent.yaml keeps the threshold at ${threshold}: anomalies.edge.threshold is false`;
  if (wished >= edge.min && wished <= edge.max) return null;
  return `agent.yaml allows thresholds from ${edge.min} to ${edge.max}: ${wished} was asked for`;
}

/** Times that are not learnt from; one that lasts still, until now. */
export function leftOutOf(unusual: readonly Unusual[], now: Millis): readonly LeftOut[] {
  return unusual
    .filter(({ from }) => from < now)
    .map(({ from, to, service, kind, name }) => ({ from, to: to ?? now, service, why: `${kind}: ${name}` }));
}

/** Services in maintenance at a moment, of those that there are. */
export function maintainedAt(unusual: readonly Unusual[], services: Iterable<string>, at: Millis): ReadonlySet<string> {
  const now = unusual.filter(({ kind, from, to }) => kind === "maintenance" && at > from && (to === null || at <= to));
  return new Set(now.flatMap(({ service }) => service ?? [...services]));
}

/** What becomes of a command before anything is done: null if it is to be carried out. */
export function refusalOf(
  command: DetectorCommand,
  { edge }: Allowed,
  now: Millis,
): Pick<DetectorAnswer, "state" | "says"> | null {
  if (!edge.commands)
    return { state: "forbidden", says: "agent.yaml does not allow it: anomalies.edge.commands is false" };
  if (now > command.expiresAt) return { state: "expired", says: "it came too late: nothing was done. Ask again" };
  return null;
}
