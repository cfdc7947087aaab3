/** The desired state of one cluster: which leases are in force, as one document with one generation. */
import type { DesiredState, Lease } from "../../protocol/lease.ts";
import { LEASES_MAX } from "../../protocol/lease.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Maintenance } from "./maintenance.ts";

/** Why a lease cannot be given out. */
export type DesiredRefusal = "target_busy" | "too_many";

/** A generation above every earlier one; the clock is in it so that a rewound object gives none out twice. */
function nextGeneration(desired: DesiredState, now: Millis): number {
  return Math.max(desired.generation + 1, now);
}

/**
 * Puts a maintenance's lease into force. Asked again for the same maintenance it changes nothing, so the Board may
 * repeat itself; a target that another maintenance holds is refused instead of taken over.
 */
export function withLease(desired: DesiredState, maintenance: Maintenance, now: Millis): DesiredState | DesiredRefusal {
  const leases = desired.leases.filter((lease) => lease.expiresAt > now);
  const held = leases.find((lease) => lease.target === maintenance.service);
  if (held?.maintenance === maintenance.id) return desired;
  if (held !== undefined) return "target_busy";
  if (leases.length >= LEASES_MAX) return "too_many";
  const generation = nextGeneration(desired, now);
  const lease: Lease = {
    target: maintenance.service,
    mode: maintenance.mode,
    replicas: maintenance.replicas,
    generation,
    notBefore: maintenance.startsAt,
    expiresAt: maintenance.endsAt,
    maintenance: maintenance.id,
    reason: maintenance.reason,
    by: maintenance.by,
  };
  return { ...desired, generation, leases: [...leases, lease] };
}

/** Takes a maintenance's lease out of force; unchanged if it holds none. */
export function withoutLease(desired: DesiredState, maintenanceId: string, now: Millis): DesiredState {
  if (!desired.leases.some((lease) => lease.maintenance === maintenanceId)) return desired;
  return {
    ...desired,
    generation: nextGeneration(desired, now),
    leases: desired.leases.filter((lease) => lease.maintenance !== maintenanceId && lease.expiresAt > now),
  };
}
