/** The part of a push that is replaced by the next one: what each service does now. */
import { READINGS_MAX, SERVICES_MAX, SILENT_INTERVALS } from "../../protocol/limits.ts";
import type { Live, LiveService, Reading } from "../../protocol/push.ts";
import { SECOND, type Millis } from "../../protocol/time.ts";
import type { ServiceReading } from "./mesh.ts";

/** The last readings of each service, oldest first, and the newest one's histogram. */
export type ReadingHistory = ReadonlyMap<
  string,
  { readonly readings: readonly Reading[]; readonly latency: ServiceReading["latency"] }
>;

/** A held reading this far in the future was stamped by a clock that has been corrected since, ms. */
const AHEAD_MAX_MS = 5 * SECOND;

/**
 * The history with the newest readings. One that is not newer than what is held is no new evidence ("2 of 3" must not
 * count a reading twice), and one that nothing followed for three intervals is no evidence any more.
 */
export function remember(
  history: ReadingHistory,
  latest: ReadonlyMap<string, ServiceReading>,
  now: Millis,
  intervalMs: number,
): ReadingHistory {
  const result = new Map(
    [...history].map(([service, held]) => {
      const readings = held.readings.filter(({ at }) => at <= now + AHEAD_MAX_MS);
      return [service, { ...held, readings }] as const;
    }),
  );
  for (const [service, { reading, latency }] of latest) {
    const former = result.get(service)?.readings ?? [];
    const last = former.at(-1);
    if (last !== undefined && last.at >= reading.at) continue;
    result.set(service, { readings: [...former, reading].slice(-READINGS_MAX), latency });
  }
  const expired = now - SILENT_INTERVALS * intervalMs - 5 * SECOND;
  for (const [service, { readings }] of result) {
    if ((readings.at(-1)?.at ?? 0) < expired) result.delete(service);
  }
  return result;
}

/** Every service that a source knows, by name: a deployment without traffic is reported with no reading, never with a zero. */
export function liveServices(
  history: ReadingHistory,
  replicas: ReadonlyMap<string, { readonly ready: number; readonly desired: number }>,
): LiveService[] {
  const names = [...new Set([...history.keys(), ...replicas.keys()])].toSorted();
  return names.slice(0, SERVICES_MAX).map((service) => {
    const known = history.get(service);
    return {
      service,
      readings: [...(known?.readings ?? [])],
      latency: known?.latency ?? null,
      replicas: replicas.get(service) ?? null,
    };
  });
}

/** What is given up, in this order, until `live` fits: histograms, all but two readings, all but one, and in the end services. */
const DIETS: readonly ((service: LiveService) => LiveService)[] = [
  (service) => service,
  (service) => ({ ...service, latency: null }),
  (service) => ({ ...service, latency: null, readings: service.readings.slice(-2) }),
  (service) => ({ ...service, latency: null, readings: service.readings.slice(-1) }),
];

/** `live` in at most `bytesMax` bytes of JSON. 1,000 services with all they have would not fit into a push. */
export function fitLive(live: Live, bytesMax: number, bytesOf: (live: Live) => number): Live {
  let fitted = live;
  for (const diet of DIETS) {
    fitted = { ...live, services: live.services.map(diet) };
    if (bytesOf(fitted) <= bytesMax) return fitted;
  }
  while (fitted.services.length > 0 && bytesOf(fitted) > bytesMax) {
    fitted = { ...fitted, services: fitted.services.slice(0, Math.floor(fitted.services.length * 0.9)) };
  }
  return fitted;
}
