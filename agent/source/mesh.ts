/** What both readers of mesh metrics offer and need: Prometheus for all, or the proxies' own endpoints. */
import type { SourceState } from "../../protocol/push.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Topology } from "../../protocol/topology.ts";
import type { ServiceReading } from "../core/mesh.ts";

/** Where closed windows go. `closedUntil` and the windows become durable together, so that no minute is closed twice. */
export interface WindowSink {
  closedUntil(): Millis | null;
  /** False if they were not taken, because the disk is full: they are to be closed again later. */
  close(windows: readonly WindowRecord[], until: Millis): boolean;
}

export interface MeshSource {
  readonly name: "prometheus" | "scrape";
  state(): SourceState;
  /** Reads what is now; resolves within the time it was given. The readings are those since the last success. */
  collect(): Promise<ReadonlyMap<string, ServiceReading>>;
  /** Who called whom when that was looked at last, which happens at a slower pace; null before the first look. */
  topology(): Topology | null;
  stop(): Promise<void>;
}
