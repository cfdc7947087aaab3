/** What a threshold would have raised over points that are past. */
import type { Millis } from "../../protocol/time.ts";
import { AnomalyWatch, NOTHING_OPEN } from "./anomalies.ts";
import { POINT_MS } from "./golden.ts";
import { pointAt, type GoldenSeries, type LeftOut, type Model } from "./model.ts";

/** A piece of the past; its first point is at `from`. */
export interface Part {
  readonly from: Millis;
  readonly services: ReadonlyMap<string, GoldenSeries>;
}

/**
 * Anomalies by their subject, as the agent would have said them: one a service, one of the mesh. It yields after each
 * service and each point: a week of 500 of them is seconds of work, and whoever goes on with it has other things to do.
 *
 * @param parts one after the other
 */
export function* replay(
  model: Model,
  parts: Iterable<Part>,
  leftOut: readonly LeftOut[],
  threshold: number,
): Generator<void, ReadonlyMap<string, number>> {
  const watch = new AnomalyWatch(model.version, NOTHING_OPEN);
  for (const [service, signals] of model.services) {
    watch.add(service, signals);
    yield;
  }
  const raised = new Map<string, number>();
  for (const { from, services } of parts) {
    const points = Math.max(0, ...[...services.values()].map(({ rate }) => rate.length));
    for (let i = 0; i < points; i++) {
      const at = from + i * POINT_MS;
      const out = leftOut.filter((one) => at > one.from && at - POINT_MS < one.to);
      const maintained = new Set(out.flatMap(({ service }) => service ?? [...services.keys()]));
      for (const { kind, subject } of watch.round({ at, services: pointAt(services, i), maintained, threshold }))
        if (kind === "raised") raised.set(subject, (raised.get(subject) ?? 0) + 1);
      yield;
    }
  }
  return raised;
}
