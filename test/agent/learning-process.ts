/**
 * Learns two baselines of 800 services one after the other, in the room that Node is given, and prints of each its
 * number, its services, and whether there was none before: `node --max-old-space-size=MIB learning-process.ts DATA_DIR`.
 */
import { retrain } from "../../agent/baseline.ts";
import { POINT_MS } from "../../agent/core/golden.ts";
import type { GoldenSeries } from "../../agent/core/model.ts";
import type { GoldenSource } from "../../agent/source/golden.ts";
import { success } from "../../protocol/result.ts";
import { DAY } from "../../protocol/time.ts";

const NOW = Date.UTC(2026, 10, 22);
const SERVICES = 800;
/** Nobody saw what is older: less is quicker, and a baseline is as large. */
const SEEN_FROM = NOW - 1.2 * DAY;

/** Each point of each service is another number, so that no two levels are the same. */
function seriesOf(service: number, from: number, points: number): GoldenSeries {
  const of = (signal: number): Float32Array =>
    Float32Array.from(
      { length: points },
      (_, i) => signal * (5 + Math.sin((from / POINT_MS + i) * (service + signal))),
    );
  return { rate: of(20), errors: of(0.1), p95Ms: of(30) };
}

const golden: GoldenSource = {
  lateMs: 0,
  name: "a test",
  query: async (from, to) => {
    const points = Math.round((to - from) / POINT_MS) + 1;
    const services = from < SEEN_FROM ? 0 : SERVICES;
    const made = Array.from({ length: services }, (_, i) => [`shop/s${i}`, seriesOf(i, from, points)] as const);
    return success({ from, points, services: new Map(made) });
  },
};

const [, , dataDir = ""] = process.argv;
for (const now of [NOW, NOW + POINT_MS]) {
  const learnt = await retrain({ golden, dataDir, now, leftOut: [], progress: () => {} });
  if (!learnt.ok) throw new Error(learnt.failure.says);
  console.log(learnt.value.about.version, learnt.value.services, learnt.value.shadow.before === null);
}
