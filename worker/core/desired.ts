/** The desired state of one cluster: which leases are in force, as one document with one generation. */
import type { DesiredState, Lease } from "../../protocol/lease.ts";
import { LEASES_MAX } from "../../protocol/lease.ts";
import { FUTURE_MS } from "../../protocol/limits.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Maintenance } from "./maintenance.ts";
import { isUnanswered } from "./renewal.ts";

/** Why a lease cannot be given out. */
export type DesiredRefusal = "target_busy" | "too_many";

/** A generation above every earlier one; the clock is in it so that a rewound object gives none out twice. */
function nextGeneration(desired: DesiredState, now: Millis): number {
  return Math.max(desired.generation + 1, now);
}

/**
 * Puts a maintenance's lease into force. Asked again for the same maintenance it changes nothing, so the Board may
 * repeat itself; with another end it is a new generation of the same lease. A target that another maintenance holds is
 * refused instead of taken over.
 */
export function withLease(desired: DesiredState, maintenance: Maintenance, now: Millis): DesiredState | DesiredRefusal {
  const leases = desired.leases.filter((lease) => lease.expiresAt > now);
  const held = leases.find((lease) => lease.target === maintenance.service);
  if (held !== undefined && held.maintenance !== maintenance.id) return "target_busy";
  if (held?.expiresAt === maintenance.endsAt) return desired;
  const others = leases.filter((lease) => lease !== held);
  if (others.length >= LEASES_MAX) return "too_many";
  // Above its former one also where this object was rewound and has forgotten that.
  const generation = Math.max(nextGeneration(desired, now), (maintenance.generation ?? 0) + 1);
  return { ...desired, generation, leases: [...others, leaseOf(maintenance, generation)] };
}

function leaseOf(maintenance: Maintenance, generation: number): Lease {
  return {
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
}

/**
 * Takes a maintenance's lease out of force; unchanged if it holds none. An object that is older than the lease was
 * rewound: then its agent holds what it has forgotten, and only a newer document takes it back.
 */
export function withoutLease(desired: DesiredState, maintenance: Maintenance, now: Millis): DesiredState {
  const isHeld = desired.leases.some((lease) => lease.maintenance === maintenance.id);
  const isForgotten = maintenance.generation !== null && desired.generation < maintenance.generation;
  if (!isHeld && !isForgotten) return desired;
  return {
    ...desired,
    generation: Math.max(nextGeneration(desired, now), (maintenance.generation ?? 0) + 1),
    leases: desired.leases.filter((lease) => lease.maintenance !== maintenance.id && lease.expiresAt > now),
  };
}

/**
 * The desired state as the Board would have it, for absent means released: a lease that a rewound object has forgotten
 * comes back under the generation that it was given, one that is no longer wanted goes. The same if nothing differs.
 * What the Board has not yet got a generation for is still on its way here, and is not put into force by this.
 *
 * @param wanted the maintenances that should hold a lease now
 */
export function asWanted(desired: DesiredState, wanted: readonly Maintenance[], now: Millis): DesiredState {
  const leases = desired.leases.filter((lease) =>
    wanted.some((one) => one.id === lease.maintenance && !isOlder(lease, one)),
  );
  const kept = leases.length;
  // Of two for one target only the newer can be in force: it was started because the older one was refused.
  for (const maintenance of wanted.toSorted((a, b) => b.createdAt - a.createdAt)) {
    const isFree = !leases.some((lease) => lease.target === maintenance.service);
    const { generation } = maintenance;
    if (generation === null || isUnanswered(maintenance) || !isFree) continue;
    if (leases.length < LEASES_MAX) leases.push(leaseOf(maintenance, generation));
  }
  if (kept === desired.leases.length && leases.length === kept) return desired;
  const newest = Math.max(...leases.map((lease) => lease.generation), 0);
  return { ...desired, generation: Math.max(nextGeneration(desired, now), newest), leases };
}

/** A lease from before its end was moved, in an object that was rewound. */
function isOlder(lease: Lease, maintenance: Maintenance): boolean {
  return lease.generation < (maintenance.generation ?? 0) && !isUnanswered(maintenance);
}

/** Whether the agent holds a newer document than this object remembers. A claim from the future moves nothing. */
export function isRewound(desired: DesiredState | null, observed: number, now: Millis): boolean {
  return observed > (desired?.generation ?? 0) && observed <= now + FUTURE_MS;
}

/** The same leases under a generation that an agent which holds `observed` takes in. */
export function aboveObserved(desired: DesiredState, observed: number, now: Millis): DesiredState {
  if (desired.generation > observed) return desired;
  return { ...desired, generation: Math.max(observed + 1, now) };
}
