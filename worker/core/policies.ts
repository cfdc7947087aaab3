/** By which limits a Cluster judges its services: an operator's, where they are not the runbook's. */
import type { DetectorWish } from "../../protocol/detector.ts";
import type { Component } from "./component.ts";
import { splitService } from "./component.ts";
import { shortHash } from "./hash.ts";
import type { Thresholds } from "./thresholds.ts";
import { THRESHOLDS } from "./thresholds.ts";

/** What a Cluster judges by. It keeps this and says its `hash` with every tell; the Board answers with what differs. */
export interface Policies {
  /** Stands for all that follows; empty for the runbook's alone. */
  readonly hash: string;
  /** For every service. */
  readonly base: Thresholds;
  /** By service (namespace/name): the components that have limits of their own for it. */
  readonly own: Readonly<Record<string, readonly Policy[]>>;
  /** For its agent, which judges what is unusual. Absent if nothing was ever wished, and in what an earlier version wrote. */
  readonly detector?: DetectorWish;
}

interface Policy {
  readonly component: string;
  readonly thresholds: Thresholds;
}

/** What everything is judged by where nobody said otherwise. */
export const RUNBOOK: Policies = { hash: "", base: THRESHOLDS, own: {} };

/**
 * @param components those that name a service of this cluster
 * @param limits the page's own, for every component; what is absent is the runbook's
 * @param detector what is wished of the cluster's detector; null if nothing ever was
 */
export function policiesOf(
  cluster: string,
  components: readonly Component[],
  limits: Partial<Thresholds> = {},
  detector: DetectorWish | null = null,
): Policies {
  const special = components.filter(({ thresholds }) => thresholds !== undefined);
  if (special.length === 0 && Object.keys(limits).length === 0 && detector === null) return RUNBOOK;
  const base = { ...THRESHOLDS, ...limits };
  const own: Record<string, Policy[]> = {};
  for (const { id, services, thresholds } of special) {
    for (const ref of services.filter((one) => splitService(one).cluster === cluster))
      (own[splitService(ref).service] ??= []).push({ component: id, thresholds: { ...base, ...thresholds } });
  }
  if (detector === null) return { hash: shortHash(JSON.stringify([base, own])), base, own };
  return { hash: shortHash(JSON.stringify([base, own, detector.generation])), base, own, detector };
}
