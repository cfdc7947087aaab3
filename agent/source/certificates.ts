/**
 * The agent's source of certificates: looks at endpoints, stored ones and the mesh's metrics, each at its own pace, keeps
 * the book of what they showed, and says what it cannot see.
 */
import { createHash } from "node:crypto";
import type { CertificateSource } from "../../protocol/certificate.ts";
import type { SourceState } from "../../protocol/push.ts";
import type { EventRecord } from "../../protocol/record.ts";
import { MINUTE, type Millis } from "../../protocol/time.ts";
import { CertificateBook, type Told } from "../core/certificate.ts";
import { certificateQuery, certificatesOf, METRIC_SOURCES } from "../core/certificate-metrics.ts";
import { CertificateParts, type Shown } from "../core/certificate-parts.ts";
import type { KubernetesClient } from "../kubernetes/client.ts";
import { loadPlaces, savePlaces } from "./certificate-file.ts";
import type { CertificatesConfig } from "./certificates-config.ts";
import { lookAtEndpoints } from "./endpoints.ts";
import { instant } from "./query.ts";
import { lookAtCertManager, lookAtSecrets, type Stored } from "./stored.ts";

/** Looks are spread over this share of their interval, so that not all are made at the same moment. */
const JITTER_SHARE = 0.1;
/** Enough for what lives for hours, and light for the API server. */
const STORED_INTERVAL_MS = 10 * MINUTE;
/** One query: a sixth of those that the mesh's readings need in the same time. */
const MESH_INTERVAL_MS = MINUTE;
const MESH_TIMEOUT_MS = 10_000;
/** How often what time changes is looked at. */
const JUDGE_INTERVAL_MS = MINUTE;

export interface CertificatesOptions {
  readonly config: CertificatesConfig;
  readonly cluster: string;
  readonly dataDir: string;
  /** Absent where there is none; the configuration then asks for nothing of it. */
  readonly client: Pick<KubernetesClient, "list" | "groupVersion"> | null;
  readonly prometheusUrl: string | null;
  readonly now: () => Millis;
  /** Whether `now` may be acted on: a clock that is a year ahead would have everything expire. */
  readonly isConfirmed: () => boolean;
  readonly onEvent: (event: EventRecord) => void;
  /** Intervals of stored ones and of the mesh, for tests that do not wait. */
  readonly paceMs?: number;
}

export interface CertificatesSource {
  state(): SourceState;
  stop(): Promise<void>;
}

interface Look {
  readonly everyMs: number;
  /** What it speaks for. */
  readonly sources: readonly (CertificateSource | "mesh")[];
  readonly look: () => Promise<readonly Shown[]>;
}

export function startCertificatesSource(options: CertificatesOptions): CertificatesSource {
  const { now, isConfirmed, dataDir } = options;
  let isStopped = false;
  const looks = looksOf(options, () => isStopped);
  const book = new CertificateBook(loadPlaces(dataDir));
  const parts = new CertificateParts();
  for (const { sources, everyMs } of looks) for (const source of sources) parts.expect(source, everyMs);
  let writeFault: string | null = null;
  const tell = (all: readonly Told[]): void => {
    for (const told of all) options.onEvent(eventOf(options.cluster, told, now()));
    if (all.length > 0) writeFault = savePlaces(dataDir, book.places);
  };
  const judge = (): void => {
    if (isConfirmed()) tell(book.judge((sighting) => parts.isSeen(sighting, now()), now()));
  };
  tell(book.keepOnly(new Set(looks.flatMap(({ sources }) => sources.filter((source) => source !== "mesh")))));
  const stops = looks.map(({ look, everyMs }) =>
    repeat(everyMs, async () => {
      const shown = await look();
      if (isStopped) return;
      tell(shown.flatMap((one) => take(book, parts, one, now())));
      judge();
    }),
  );
  const timer = setInterval(judge, JUDGE_INTERVAL_MS);
  return {
    state: () => parts.state(book, writeFault, now()),
    stop: async () => {
      isStopped = true;
      clearInterval(timer);
      await Promise.all(stops.map((stop) => stop()));
      savePlaces(dataDir, book.places);
    },
  };
}

/** A part with a fault has not seen all there is: nothing of it is gone. */
function take(book: CertificateBook, parts: CertificateParts, shown: Shown, now: Millis): readonly Told[] {
  parts.take(shown, now);
  const { source, sightings, unseen, fault } = shown;
  return source === "mesh" || fault !== null ? [] : book.see(source, sightings, new Set(unseen.keys()), now);
}

function looksOf(options: CertificatesOptions, isStopped: () => boolean): readonly Look[] {
  const { config, client, now, paceMs, prometheusUrl } = options;
  const { endpoints, intervalMs, certManager, secrets, mesh } = config;
  const stored = (source: "secret" | "cert-manager", look: () => Promise<Stored>): Look => ({
    everyMs: paceMs ?? STORED_INTERVAL_MS,
    sources: [source],
    look: async () => [{ source, ...(await look()) }],
  });
  return [
    ...(endpoints.length === 0 ? [] : [endpointsLook(endpoints, intervalMs, isStopped)]),
    ...(client === null || secrets.length === 0 ? [] : [stored("secret", () => lookAtSecrets(client, secrets, now))]),
    ...(client === null || certManager.length === 0
      ? []
      : [stored("cert-manager", () => lookAtCertManager(client, certManager))]),
    ...(mesh === null || prometheusUrl === null
      ? []
      : [meshLook(prometheusUrl, mesh.workloadLifetimeMs, paceMs ?? MESH_INTERVAL_MS, now)]),
  ];
}

function endpointsLook(endpoints: CertificatesConfig["endpoints"], everyMs: number, isStopped: () => boolean): Look {
  return {
    everyMs,
    sources: ["tls"],
    look: async () => {
      const { sightings, unseen } = await lookAtEndpoints(endpoints, isStopped);
      const [first] = unseen;
      const fault =
        sightings.length > 0 || first === undefined
          ? null
          : `${unseen.size} of ${endpoints.length} not seen: ${first.join(" ")}`;
      return [{ source: "tls", sightings, unseen, fault, note: null }];
    },
  };
}

/** All metrics in one query; what was told before and is not any more makes its source blind, not empty. */
function meshLook(url: string, workloadLifetimeMs: number | null, everyMs: number, now: () => Millis): Look {
  const nothing = { sightings: [], unseen: new Map<string, string>(), note: null };
  return {
    everyMs,
    sources: ["mesh", ...METRIC_SOURCES],
    look: async () => {
      const at = now();
      const answer = await instant(url, certificateQuery(), at, MESH_TIMEOUT_MS);
      if (!answer.ok) {
        const all = ["mesh", ...METRIC_SOURCES] as const;
        return all.map((source) => ({ ...nothing, source, fault: `Prometheus: ${answer.failure}` }));
      }
      const found = certificatesOf(answer.value.rows, at, workloadLifetimeMs);
      const none =
        found.size === 0 ? "Prometheus has no metric of certificates: does it scrape istiod and proxies?" : null;
      const each = METRIC_SOURCES.map((source): Shown => {
        const sightings = found.get(source) ?? [];
        return { ...nothing, source, sightings, fault: sightings.length === 0 ? "Prometheus has nothing of it" : null };
      });
      return [{ ...nothing, source: "mesh", fault: none }, ...each];
    },
  };
}

/** Now and at every interval, never twice at once. */
function repeat(everyMs: number, work: () => Promise<void>): () => Promise<void> {
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;
  const round = async (): Promise<void> => {
    await work();
    if (!isStopped) timer = setTimeout(() => (running = round()), everyMs * (1 - JITTER_SHARE * Math.random()));
  };
  let running = round();
  return async () => {
    isStopped = true;
    if (timer !== null) clearTimeout(timer);
    await running;
  };
}

function eventOf(cluster: string, { kind, key, subject, moments, body }: Told, at: Millis): EventRecord {
  const id = createHash("sha256")
    .update([cluster, kind, ...key].join("\0"))
    .digest("hex")
    .slice(0, 32);
  const dates = Object.entries(moments).map(([name, moment]) => [name, rfc3339(moment)] as const);
  return { kind, id, at, subject, body: { ...body, ...Object.fromEntries(dates) } };
}

/** A date that no calendar knows is null, as the wire has it, not a crash. */
function rfc3339(at: Millis | null): string | null {
  const date = new Date(at ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
