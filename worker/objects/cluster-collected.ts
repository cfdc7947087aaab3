/**
 * What a Cluster hears from an OpenTelemetry Collector in place of an agent. `core/collected.ts` decides what is new;
 * that, and the windows made of it, are stored together before the answer leaves.
 */
import type { Push } from "../../protocol/push.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { MINUTE } from "../../protocol/time.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import type { Collected, PointRefusal } from "../core/collected.ts";
import { closeMinutes, closesAt, COLLECTED_SERVICES_MAX, liveOf, SERIES_MAX, takePoints } from "../core/collected.ts";
import { gunzip, parseJson } from "./body.ts";
import type { ClusterArchive } from "./cluster-archive.ts";
import type { InputRefusal } from "./cluster-inputs.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import type { ClusterTells } from "./cluster-tells.ts";
import type { ReadExport } from "./otlp-body.ts";
import { OTLP_DEPTH_MAX, OTLP_UNPACKED_MAX, readExport } from "./otlp-body.ts";

interface CollectedOwner {
  readonly memory: ClusterMemory;
  readonly archive: ClusterArchive;
  readonly tells: ClusterTells;
  /** Whether an agent may speak for the cluster. */
  hasAgent(this: void): boolean;
}

/** OTLP's `partialSuccess`: data points that were not taken, and why, or what to mend. `message` is empty if all is well. */
export interface ExportReceipt {
  readonly rejected: number;
  readonly message: string;
}

/** Exports close minutes; this long after the last of them the alarm does. */
const NET_MS = 2 * MINUTE;

const REFUSED: Readonly<Record<PointRefusal, string>> = {
  future: "its time lies ahead: compare the clocks",
  too_old: "it is older than 7 days",
  overlap: "it covers time that a former one covered",
  too_many_series: `more than ${SERIES_MAX} series in a cluster: drop attributes that nobody needs`,
  too_many_services: `more than ${COLLECTED_SERVICES_MAX} services in a cluster`,
};

const UNREAD = "of metrics that are not read here: send http.server.request.duration or Istio's request duration alone";

export class ClusterCollected {
  readonly #owner: CollectedOwner;
  #held: Collected | null | undefined;

  constructor(owner: CollectedOwner) {
    this.#owner = owner;
  }

  /** Takes in an export's body. */
  take(body: Uint8Array, isGzip: boolean): Result<ExportReceipt, InputRefusal> {
    if (this.#owner.hasAgent()) {
      const message = "An agent reports for this cluster. Give the collector a cluster of its own.";
      return failure({ code: "forbidden", message });
    }
    const read = readBody(body, isGzip);
    if (!read.ok) return read;
    if (this.#owner.memory.isFull)
      return failure({ code: "unavailable", message: "Too many facts wait for Postgres. Try again." });
    const now = Date.now();
    const { collected, windows, rejected } = takePoints(this.#collected, read.value.points, now);
    this.#keep(collected, windows, now);
    this.#owner.tells.hear(pushOf(collected, now), now);
    return success(receiptOf(read.value, rejected));
  }

  /** Closes what is over, for when nobody exports any more. */
  close(now: Millis): void {
    const held = this.#collected;
    if (held === null) return;
    const { collected, windows } = closeMinutes(held, now);
    if (windows.length > 0) this.#keep(collected, windows, now);
    else this.#net(collected);
  }

  /** Read when it is asked for: most Clusters never hear from a collector. */
  get #collected(): Collected | null {
    if (this.#held === undefined) this.#held = this.#owner.memory.read<Collected>("collected");
    return this.#held;
  }

  #keep(collected: Collected, windows: ReturnType<typeof closeMinutes>["windows"], now: Millis): void {
    const { memory, archive } = this.#owner;
    memory.keepOwn(windows, { collected }, now);
    this.#held = collected;
    archive.told(now);
    this.#net(collected);
  }

  #net(collected: Collected): void {
    const at = closesAt(collected);
    if (at !== null) this.#owner.archive.arm(at + NET_MS);
  }
}

function readBody(body: Uint8Array, isGzip: boolean): Result<ReadExport, InputRefusal> {
  const unpacked = isGzip ? gunzip(body, OTLP_UNPACKED_MAX) : success(body);
  if (!unpacked.ok && unpacked.failure === "too_large")
    return failure({ code: "request_too_large", message: `More than ${OTLP_UNPACKED_MAX} bytes unpacked.` });
  const json = unpacked.ok ? parseJson(unpacked.value, OTLP_DEPTH_MAX) : unpacked;
  const read = json.ok ? readExport(json.value) : null;
  return read === null
    ? failure({ code: "request_malformed", message: "The body is no ExportMetricsServiceRequest in JSON." })
    : success(read);
}

/** As an agent would say it. */
function pushOf(collected: Collected, now: Millis): Push {
  return {
    v: PROTOCOL_VERSION,
    spool: "0".repeat(32),
    epoch: null,
    sentAt: now,
    skewMs: 0,
    intervalMs: collected.intervalMs,
    agentVersion: "OTLP",
    live: {
      at: now,
      services: [...liveOf(collected)],
      sources: {},
      leases: { observedGeneration: 0, targets: [], allowed: [] },
    },
    base: 1,
    records: { first: 1, items: [] },
  };
}

function receiptOf(read: ReadExport, refused: Readonly<Partial<Record<PointRefusal, number>>>): ExportReceipt {
  const reasons = [
    ...Object.entries(read.rejected),
    ...Object.entries(refused).map(([why, count]) => [REFUSED[why as PointRefusal], count] as const),
  ];
  const rejected = reasons.reduce((sum, [, count]) => sum + count, 0);
  const words = reasons.map(([why, count]) => `${count}: ${why}`);
  if (read.unread > 0) words.push(`${read.unread} data points are ${UNREAD}`);
  return { rejected, message: words.join("; ").slice(0, 1_000) };
}
