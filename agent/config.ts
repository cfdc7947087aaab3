/** agent.yaml: one parse at start that reports every fault at once, each with its line and what to do. */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import * as v from "valibot";
import { LineCounter, parseDocument, type Document } from "yaml";
import { THRESHOLD, THRESHOLD_MAX, THRESHOLD_MIN } from "../protocol/detector.ts";
import { ClusterName, ServiceName } from "../protocol/name.ts";
import { LeasesConfigSchema } from "./core/lease.ts";
import { REPORTERS } from "./core/mesh.ts";
import { failure, success, type Result } from "../protocol/result.ts";
import { KubernetesConfigSchema } from "./kubernetes/config.ts";
import { CertificatesConfigSchema } from "./source/certificates-config.ts";

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
const INTERVAL_MIN_MS = 1_000;
const INTERVAL_MAX_MS = 600_000;
const TARGETS_MAX = 200;
const CONFIG_BYTES_MAX = 1_048_576;
/** A short file with aliases of aliases could otherwise unfold into gigabytes. */
const ALIASES_MAX = 50;

/** A length such as `10s`, `1m` or `500ms`, in ms. */
function duration(minMs: number, maxMs: number) {
  return v.pipe(
    v.string("write a length with its unit, such as 10s, 1m or 1h"),
    v.regex(/^\d{1,7}(ms|s|m|h)$/, "write a length with its unit, such as 10s, 1m or 1h"),
    v.transform((text) => {
      const [, digits = "0", unit = "ms"] = /^(\d+)(ms|s|m|h)$/.exec(text) ?? [];
      return Number(digits) * UNITS[unit as keyof typeof UNITS];
    }),
    v.minValue(minMs, `must be at least ${minMs / 1_000}s`),
    v.maxValue(maxMs, `must be at most ${maxMs / 1_000}s`),
  );
}

const HTTP_URL = "must be an http:// or https:// URL without credentials, query or fragment";
const Url = v.pipe(
  v.string(HTTP_URL),
  v.check((text) => {
    if (!URL.canParse(text)) return false;
    const url = new URL(text);
    return (
      /^https?:$/.test(url.protocol) &&
      url.username === "" &&
      url.password === "" &&
      url.search === "" &&
      url.hash === ""
    );
  }, HTTP_URL),
  v.transform((text) => text.replace(/\/+$/, "")),
);
/** A scraped URL may carry a query: some exporters want one. */
const TargetUrl = v.pipe(
  v.string("must be an http:// or https:// URL"),
  v.check(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    "must be an http:// or https:// URL",
  ),
);
const Listen = v.pipe(
  v.string("must be host:port"),
  v.regex(/^(\[[0-9a-fA-F:]+\]|[^:\s]+):([1-9]\d{0,4})$/, "must be host:port, such as 0.0.0.0:8080"),
  v.check((text) => Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535, "must be host:port, such as 0.0.0.0:8080"),
);
const Path = v.pipe(v.string("must be a path"), v.minLength(1, "must be a path"));
const Code = v.pipe(
  v.string(),
  v.regex(/^[A-Z2-7]{32}$/, "must be the 32 characters that the edge printed (A-Z, 2-7)"),
);
const ReporterName = v.optional(v.picklist(REPORTERS, `must be one of ${REPORTERS.join(", ")}`), "destination");

const SCORE = `must be a score from ${THRESHOLD_MIN} to ${THRESHOLD_MAX}`;
const Score = v.pipe(v.number(SCORE), v.minValue(THRESHOLD_MIN, SCORE), v.maxValue(THRESHOLD_MAX, SCORE));
const YES_OR_NO = "must be true or false";
/** What the edge's operators may wish of the detector. The cluster's owner has the last word. */
const DetectorEdgeSchema = v.pipe(
  v.strictObject({
    threshold: v.optional(v.boolean(YES_OR_NO), true),
    min: v.optional(Score, THRESHOLD_MIN),
    max: v.optional(Score, THRESHOLD_MAX),
    /** Preview, retrain and roll back: they read a week of Prometheus, and change the baseline. */
    commands: v.optional(v.boolean(YES_OR_NO), true),
    /** Whether incidents and maintenance that operators wrote down are left out of what is learnt. */
    incidents: v.optional(v.boolean(YES_OR_NO), true),
  }),
  v.forward(
    v.check(({ min, max }) => min <= max, "must not be above max"),
    ["min"],
  ),
);
const NO_SOURCE = "add at least one of prometheus, scrape, kubernetes, certificates";
const ConfigSchema = v.strictObject({
  edge: Url,
  cluster: ClusterName,
  enroll: v.optional(
    v.pipe(
      v.strictObject({ code: v.optional(Code), codeFile: v.optional(Path) }),
      v.check(
        ({ code, codeFile }) => (code === undefined) !== (codeFile === undefined),
        "give either code or codeFile",
      ),
    ),
  ),
  dataDir: v.optional(Path, "./agent-data"),
  interval: v.optional(duration(INTERVAL_MIN_MS, INTERVAL_MAX_MS), "10s"),
  audit: v.optional(v.boolean("must be true or false"), false),
  /** Where the agent answers for itself: /healthz and /metrics. Without it, nowhere. */
  health: v.optional(v.strictObject({ listen: Listen })),
  /** Of several agents of one cluster the one that holds this Lease works, and the others stand by. */
  leader: v.optional(v.strictObject({ lease: ServiceName })),
  sources: v.pipe(
    v.optional(
      v.strictObject({
        prometheus: v.optional(
          v.strictObject({
            url: Url,
            scrapeInterval: v.optional(duration(1_000, 300_000), "15s"),
            reporter: ReporterName,
          }),
        ),
        scrape: v.optional(
          v.strictObject({
            interval: v.optional(duration(1_000, 60_000), "5s"),
            targets: v.pipe(
              v.array(TargetUrl, "must be a list of URLs"),
              v.minLength(1, "list at least one URL"),
              v.maxLength(TARGETS_MAX, `list at most ${TARGETS_MAX} URLs; for more, let a Prometheus scrape them`),
            ),
            reporter: ReporterName,
          }),
        ),
        kubernetes: v.optional(KubernetesConfigSchema),
        certificates: v.optional(CertificatesConfigSchema),
      }),
      {},
    ),
    // Without any an agent would report, at every interval, that there is nothing.
    v.check((sources) => Object.keys(sources).length > 0, NO_SOURCE),
    v.check(
      ({ prometheus, scrape }) => prometheus === undefined || scrape === undefined,
      "prometheus and scrape would both close the same windows: remove one of the two",
    ),
  ),
  leases: v.optional(LeasesConfigSchema, {}),
  anomalies: v.optional(
    v.strictObject({
      enabled: v.optional(v.boolean("must be true or false"), true),
      threshold: v.optional(Score, THRESHOLD),
      edge: v.optional(DetectorEdgeSchema, {}),
    }),
    {},
  ),
});
/** What stands at the top of agent.yaml. */
export const CONFIG_KEYS: readonly string[] = Object.keys(ConfigSchema.entries);
const CheckedSchema = v.pipe(
  ConfigSchema,
  v.forward(
    v.check(
      ({ leader, sources }) => leader === undefined || sources.kubernetes !== undefined,
      "needs sources.kubernetes: the Lease is an object of that API server",
    ),
    ["leader"],
  ),
  v.forward(
    v.check(
      ({ sources: { certificates, prometheus } }) => (certificates?.mesh ?? null) === null || prometheus !== undefined,
      "mesh needs sources.prometheus: it is asked for the mesh's certificates",
    ),
    ["sources", "certificates"],
  ),
  v.forward(
    v.check(
      ({ sources: { certificates, kubernetes } }) =>
        kubernetes !== undefined || [certificates?.secrets, certificates?.certManager].every((of) => !of?.length),
      "secrets and certManager need sources.kubernetes: they are objects of that API server",
    ),
    ["sources", "certificates"],
  ),
);
export type AgentConfig = Readonly<v.InferOutput<typeof ConfigSchema>>;

/** One thing that is wrong with the file. `path` is empty for the file as a whole; `line` counts from 1. */
export interface ConfigFault {
  readonly path: string;
  readonly line: number | null;
  readonly message: string;
}

/** Reads the file; paths in it become absolute, relative to the file's folder. */
export function loadConfig(file: string): Result<AgentConfig, readonly ConfigFault[]> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const why =
      error instanceof Error && "code" in error && error.code === "ENOENT" ? "there is no such file" : String(error);
    return failure([{ path: "", line: null, message: `${file}: ${why}` }]);
  }
  return parseConfig(text, dirname(resolve(file)));
}

export function parseConfig(text: string, folder: string): Result<AgentConfig, readonly ConfigFault[]> {
  if (text.length > CONFIG_BYTES_MAX)
    return failure([{ path: "", line: null, message: "the file is too large to be an agent's configuration" }]);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    return failure(
      document.errors.map((error) => ({
        path: "",
        line: lines.linePos(error.pos[0]).line,
        message: `not YAML: ${error.message}`,
      })),
    );
  }
  let values: unknown;
  try {
    values = document.toJS({ maxAliasCount: ALIASES_MAX }) ?? {};
  } catch (error) {
    return failure([{ path: "", line: null, message: error instanceof Error ? error.message : String(error) }]);
  }
  const parsed = v.safeParse(CheckedSchema, values);
  if (!parsed.success) return failure(flatten(parsed.issues).map((issue) => faultOf(issue, document, lines)));
  return success(absolute(parsed.output, folder));
}

/** Where a value may be one of several shapes, the faults of the nearest shape say more than "none of them". */
function flatten(issues: readonly v.BaseIssue<unknown>[]): v.BaseIssue<unknown>[] {
  return issues.flatMap((issue) => {
    if (issue.type !== "union" || issue.issues === undefined) return [issue];
    const isWrongShape = (one: v.BaseIssue<unknown>): boolean => (one.path?.length ?? 0) === 0;
    const shapes = issue.issues.filter((one) => !isWrongShape(one));
    const inner = shapes.length > 0 ? shapes : issue.issues.slice(0, 1);
    return flatten(inner.map((one) => ({ ...one, path: joined(issue.path, one.path) })));
  });
}

type IssuePath = v.BaseIssue<unknown>["path"];
function joined(a: IssuePath, b: IssuePath): IssuePath {
  if (a === undefined || b === undefined) return a ?? b;
  return [...a, ...b] as unknown as IssuePath;
}

function faultOf(issue: v.BaseIssue<unknown>, document: Document, lines: LineCounter): ConfigFault {
  const keys = (issue.path ?? []).map((item) => ("key" in item ? (item.key as string | number) : ""));
  const path = keys.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? key : `${text}.${key}`),
    "",
  );
  return { path, line: lineOf(keys, document, lines), message: messageOf(issue) };
}

function messageOf(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "strict_object" && issue.expected === "never")
    return "is not a setting; check its spelling, or remove it";
  if (issue.received === "undefined") return "is missing; add it";
  if (issue.message.startsWith("Invalid type"))
    return `must be ${(issue.expected ?? "something else").toLowerCase()}, not ${issue.received}`;
  return issue.message;
}

/** The line of the setting itself; where it is missing, of the nearest one around it. */
function lineOf(keys: readonly (string | number)[], document: Document, lines: LineCounter): number | null {
  for (let depth = keys.length; depth > 0; depth--) {
    const node: unknown = document.getIn(keys.slice(0, depth), true);
    if (typeof node === "object" && node !== null && "range" in node && Array.isArray(node.range)) {
      const [start] = node.range as [number];
      return lines.linePos(start).line;
    }
  }
  return null;
}

function absolute(config: AgentConfig, folder: string): AgentConfig {
  const { enroll, sources, dataDir } = config;
  const { kubernetes } = sources;
  return {
    ...config,
    dataDir: resolve(folder, dataDir),
    ...(enroll?.codeFile === undefined ? {} : { enroll: { codeFile: resolve(folder, enroll.codeFile) } }),
    sources: {
      ...sources,
      ...(kubernetes === undefined || !("url" in kubernetes)
        ? {}
        : {
            kubernetes: {
              ...kubernetes,
              tokenFile: resolve(folder, kubernetes.tokenFile),
              ...(kubernetes.caFile === undefined ? {} : { caFile: resolve(folder, kubernetes.caFile) }),
            },
          }),
    },
  };
}

/** Faults as lines for a terminal. */
export function describeFaults(file: string, faults: readonly ConfigFault[]): string {
  const places = faults.map(({ path, line, message }) => {
    const where = line === null ? file : `${file}:${line}`;
    return `  ${where}  ${path === "" ? "" : `${path}: `}${message}`;
  });
  return [`${faults.length === 1 ? "1 fault" : `${faults.length} faults`} in the configuration:`, ...places].join("\n");
}
