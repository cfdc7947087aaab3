/** A push in the newest form that an edge takes. `accepts` is what its last receipt said: empty for an edge not known yet. */
import { compactRecord, compactService } from "../../protocol/compact.ts";
import type { ExponentialLatency } from "../../protocol/exponential.ts";
import { boundAt } from "../../protocol/exponential.ts";
import type { ExplicitLatency, Latency } from "../../protocol/latency.ts";
import { explicitLatency } from "../../protocol/latency.ts";
import type { Extra, Live, Push, SourceState } from "../../protocol/push.ts";
import type { FactRecord } from "../../protocol/record.ts";

export function wireForm(push: Push, accepts: readonly string[]): unknown {
  const { live, records } = push;
  const uses = usesOf(records.items as readonly FactRecord[], accepts);
  return {
    ...push,
    ...(uses.length === 0 ? {} : { uses }),
    live: live && wireLive(live, accepts),
    ...(takes(accepts, "compact") ? { records: compactRecords(records) } : {}),
  };
}

/** `live` as the push of `wireForm` carries it: what it weighs there is half of what it weighs spelled out. */
export function wireLive(live: Live, accepts: readonly string[]): unknown {
  return takes(accepts, "compact") ? { ...live, services: live.services.map(compactService) } : live;
}

function compactRecords({ first, items }: Push["records"]): unknown {
  return { first, items: (items as readonly FactRecord[]).map(compactRecord) };
}

function usesOf(items: readonly FactRecord[], accepts: readonly string[]): readonly Extra[] {
  const windows = items.filter((item) => item.kind === "window");
  const isExponential = windows.some(({ latency }) => latency?.scheme === "exponential");
  return [
    ...(windows.length > 0 && takes(accepts, "compact") ? (["compact"] as const) : []),
    ...(isExponential ? (["exponential"] as const) : []),
  ];
}

/** `live` with histograms of the schemes that the edge knows, of its sources what the edge knows, and a detector, a health and the agent itself only if it asks for them. */
export function knownLive(live: Live, accepts: readonly string[]): Live {
  const { certificates } = live.sources;
  const { detector, health, agent, ...rest } = live;
  return {
    ...rest,
    ...(detector === undefined || !takes(accepts, "detector") ? {} : { detector }),
    ...(health === undefined || !takes(accepts, "health") ? {} : { health }),
    ...(agent === undefined || !takes(accepts, "agent") ? {} : { agent }),
    ...(takes(accepts, "exponential") ? {} : { services: live.services.map(withKnownLatency) }),
    ...(certificates === undefined || takes(accepts, "certificates")
      ? {}
      : { sources: { ...live.sources, certificates: withoutBlind(certificates) } }),
  };
}

function withoutBlind({ state, detail, okAt }: SourceState): SourceState {
  return { state, detail, okAt };
}

/** A record likewise. An edge that does not know its scheme would refuse the whole window, once and for all. */
export function knownRecord(record: FactRecord, accepts: readonly string[]): FactRecord {
  return record.kind !== "window" || takes(accepts, "exponential") ? record : withKnownLatency(record);
}

function takes(accepts: readonly string[], extra: Extra): boolean {
  return accepts.includes(extra);
}

function withKnownLatency<Holder extends { readonly latency: Latency | null }>(holder: Holder): Holder {
  return holder.latency?.scheme === "exponential" ? { ...holder, latency: asExplicit(holder.latency) } : holder;
}

/** Powers of two, half a millisecond to 17 minutes: bounds of every scale from 0 on, so the counts stay exact. */
const POWERS: readonly number[] = Array.from({ length: 22 }, (_, i) => 2 ** (i - 1));

/** The same counts, coarser; null of buckets that are wider than the bounds. */
function asExplicit({ scale, zeros, offset, counts, sum }: ExponentialLatency): ExplicitLatency | null {
  if (scale < 0) return null;
  const result = Array.from({ length: POWERS.length + 1 }, () => 0);
  for (const [i, count] of [zeros, ...counts].entries()) {
    const upper = i === 0 ? 0 : boundAt(scale, offset + i);
    const found = POWERS.findIndex((bound) => upper <= bound);
    const at = found === -1 ? POWERS.length : found;
    result[at] = (result[at] ?? 0) + count;
  }
  return explicitLatency(POWERS, result, sum);
}
