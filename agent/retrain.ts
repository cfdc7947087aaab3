/** `agent retrain-baseline`: learns what is usual anew, by hand. A running agent takes it up by itself. */
import { failure, success, type Result } from "../protocol/result.ts";
import type { Millis } from "../protocol/time.ts";
import { knownMaintenance } from "./anomalies.ts";
import { previewThresholds, retrain, timeText } from "./baseline.ts";
import type { AgentConfig } from "./config.ts";
import type { LeftOut } from "./core/model.ts";
import { rollBack } from "./model-file.ts";
import { ownGolden } from "./own-golden.ts";
import { prometheusGolden, type GoldenSource } from "./source/golden.ts";

/** A time such as `2026-11-23T10:00:00Z/2026-11-23T12:00:00Z`, with `=namespace/service` where it was one service. */
export function parseLeftOut(text: string): Result<LeftOut, string> {
  const [span = "", service = null] = text.split("=");
  const [from, to] = span.split("/").map((moment) => Date.parse(moment));
  const isSpan = from !== undefined && to !== undefined && to > from && span.split("/").length === 2;
  return isSpan
    ? success({ from, to, service, why: "left out by hand" })
    : failure(
        `--without ${text}: write FROM/TO or FROM/TO=namespace/service, such as 2026-11-23T10:00:00Z/2026-11-23T12:00:00Z`,
      );
}

/** Where nothing is there to be learnt from. */
export const NO_SIGNALS =
  "anomalies are looked for in what a mesh reports: configure sources.prometheus or sources.scrape";

/** Where this agent's points come from: Prometheus, or what it keeps itself; null without either. */
export function goldenOf({ sources, dataDir }: Pick<AgentConfig, "sources" | "dataDir">): GoldenSource | null {
  if (sources.prometheus !== undefined) return prometheusGolden(sources.prometheus);
  return sources.scrape === undefined ? null : ownGolden(dataDir);
}

/** Prints what it does. False if nothing was changed. */
export async function retrainBaseline(
  { sources, dataDir, anomalies }: AgentConfig,
  without: readonly LeftOut[],
  now: Millis,
  print: (line: string) => void,
): Promise<boolean> {
  const golden = goldenOf({ sources, dataDir });
  if (golden === null) {
    print(NO_SIGNALS);
    return false;
  }
  const leftOut = [...without, ...knownMaintenance(dataDir, now)];
  const progress = (done: number, of: number): void => print(`read day ${done} of ${of}`);
  const learnt = await retrain({ golden, dataDir, now, leftOut, threshold: anomalies.threshold, progress });
  if (!learnt.ok) {
    print(`nothing is changed: ${learnt.failure.says}`);
    return false;
  }
  const { about, services, shadow } = learnt.value;
  for (const one of about.leftOut)
    print(`left out ${timeText(one.from)} to ${timeText(one.to)} of ${one.service ?? "all services"}: ${one.why}`);
  print(
    `baseline ${about.version}: ${services} services, ${about.points} points, ${timeText(about.from)} to ${timeText(about.to)}`,
  );
  print(
    shadow.before === null
      ? `in the last 24 hours it would have raised ${shadow.now} anomalies`
      : `in the last 24 hours it would have raised ${shadow.now} anomalies, the one before it ${shadow.before}`,
  );
  print("it is in use; a running agent takes it up within its interval. --roll-back puts the one before it back");
  return true;
}

/** Prints what another threshold would have raised in the last seven days. False if that cannot be said. */
export async function previewThreshold(
  { sources, dataDir, anomalies }: AgentConfig,
  threshold: number,
  now: Millis,
  print: (line: string) => void,
): Promise<boolean> {
  const golden = goldenOf({ sources, dataDir });
  const given = { dataDir, now, leftOut: knownMaintenance(dataDir, now), progress: () => {} };
  if (golden === null) {
    print(NO_SIGNALS);
    return false;
  }
  const seen = await previewThresholds({ ...given, golden }, [threshold, anomalies.threshold]);
  if (!seen.ok) {
    print(seen.failure.says);
    return false;
  }
  const [would, did] = seen.value.raised;
  const sum = (raised: ReadonlyMap<string, number>): number => [...raised.values()].reduce((all, one) => all + one, 0);
  print(
    `${threshold} would have raised ${sum(would)} instead of ${sum(did)} anomalies in the last 7 days (${anomalies.threshold} is in force)`,
  );
  for (const subject of new Set([...did.keys(), ...would.keys()]))
    print(`  ${subject}: ${would.get(subject) ?? 0} instead of ${did.get(subject) ?? 0}`);
  return true;
}

/** Prints which baseline is in use again. */
export function rollBackBaseline({ dataDir }: AgentConfig, print: (line: string) => void): boolean {
  const model = rollBack(dataDir);
  print(
    model.ok
      ? `baseline ${model.value.version}, learnt until ${timeText(model.value.to)}, is in use again`
      : model.failure,
  );
  return model.ok;
}
