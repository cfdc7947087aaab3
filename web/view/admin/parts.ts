/** What several admin pages show alike. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import { MINUTE } from "../../../protocol/time.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { age, marked, segment } from "./elements.ts";
import type { AdminFrame, ClusterModel, ClusterState, MaintenanceModel, ServiceModel, SourceModel } from "./model.ts";
import { standing, STANDING_WORDS } from "./steps.ts";
import { moment, quantileText, rateText, ratioText, statusWord } from "../english.ts";

const CLUSTER_WORDS: Record<ClusterState, readonly [string, ComponentStatus]> = {
  reporting: ["reporting", "operational"],
  silent: ["silent", "unknown"],
  pending: ["waits to be accepted", "unknown"],
  waiting: ["waits for its agent", "unknown"],
  revoked: ["revoked", "major_outage"],
};

export function clusterState({ state }: ClusterModel): Html {
  const [word, status] = CLUSTER_WORDS[state];
  return marked(status, word);
}

export function clusterLink(name: string): Html {
  return markup`<a href="/admin/clusters/${segment(name)}">${name}</a>`;
}

const SOURCE_MARKS: Record<SourceModel["state"], ComponentStatus> = {
  ok: "operational",
  stale: "degraded_performance",
  down: "major_outage",
};

export function sourceList(sources: readonly SourceModel[], frame: AdminFrame): Html {
  if (sources.length === 0) return markup`<span class="soft">none reported</span>`;
  const items = sources.map(({ name, state, detail, okAt }) => {
    const trouble =
      state !== "ok" &&
      markup`<br><small>${detail}${okAt !== null && ` Last good ${moment(okAt, frame.now, frame.timeZone)}.`}</small>`;
    return markup`<li>${marked(SOURCE_MARKS[state], name, " ", state, trouble)}</li>`;
  });
  return markup`<ul>${items}</ul>`;
}

/** The agent corrects itself by our time; a clock this wrong is a machine to be mended, ms. */
const SKEW_MAX_MS = 5 * MINUTE;

/** "0.3 s ahead" of us, "2.3 s behind"; above five minutes marked as skewed. */
export function skewText(skewMs: number | null): Html | string {
  if (skewMs === null) return "–";
  const seconds = Math.round(Math.abs(skewMs) / 100) / 10;
  const words = `${seconds} s ${skewMs > 0 ? "ahead" : "behind"}`;
  if (Math.abs(skewMs) > SKEW_MAX_MS) return marked("degraded_performance", `skewed: ${words}`);
  return seconds === 0 ? "in step" : words;
}

/** "12 records, 1.2 MB": a few are always on their way. */
export function spoolText(spool: ClusterModel["spool"]): string {
  if (spool === null) return "–";
  const { records, bytes } = spool;
  if (records === 0) return "empty";
  const size = bytes < 1_000_000 ? `${Math.ceil(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
  return `${records.toLocaleString("en-US")} ${records === 1 ? "record" : "records"}, ${size}`;
}

export function readingCells(service: ServiceModel, { now, timeZone }: AdminFrame): Html[] {
  const { fresh, status, reason, quietSince, p95, errorRatio, requestsPerSecond: rate, replicas } = service;
  // Old numbers would read as news.
  const cells = [
    fresh && quantileText(p95),
    fresh && ratioText(errorRatio),
    fresh && rate !== null && rateText(rate),
    replicas !== null && `${replicas.ready} of ${replicas.desired}`,
  ];
  return [
    marked(
      status,
      statusWord(status),
      markup`<br><small>${reason}${quietSince !== null && markup`<br>no requests since ${moment(quietSince, now, timeZone)}`}</small>`,
    ),
    ...cells.map((cell) => markup`<span class="number">${cell === false ? "–" : cell}</span>`),
  ];
}

export const READING_HEAD = ["State", "p95", "Error ratio", "Requests", "Ready"] as const;

export function standingMark(m: MaintenanceModel, frame: Pick<AdminFrame, "now">): Html {
  const [word, status] = STANDING_WORDS[standing(m, frame.now)];
  return marked(status, word);
}

export function maintenanceLink({ id, name }: Pick<MaintenanceModel, "id" | "name">): Html {
  return markup`<a href="/admin/maintenance/${segment(id)}">${name}</a>`;
}

export function maintenanceChange({ mode, replicas }: Pick<MaintenanceModel, "mode" | "replicas">): string {
  return mode === "scale" ? `scale to ${replicas ?? "?"}` : "announce";
}

export function heard(cluster: ClusterModel, frame: AdminFrame): Html {
  return age(cluster.heardAt, frame);
}
