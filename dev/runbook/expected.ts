/** What the runbook expects of each of its commands, in its own words, and how to see that an answer is of that kind. */
import * as v from "valibot";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { RunbookCommand } from "./commands.ts";

export interface Expected {
  /** Lines of the runbook. */
  readonly says: readonly string[];
  /** The part of an answer to show beside them; a failure says what is missing. */
  readonly read: (body: string) => Result<string, string>;
}

const Reviewed = v.object({ verdict: v.string(), reason: v.string() });
const Health = v.object({ status: v.literal("ok") });
const Overview = v.object({
  services: v.object({ total: v.number(), reporting: v.number() }),
  review: v.object({
    requestRate: Reviewed,
    errorRate: Reviewed,
    p95Latency: Reviewed,
    certificates: Reviewed,
    anomalies: Reviewed,
    targets: Reviewed,
    rules: Reviewed,
    series: Reviewed,
    pods: Reviewed,
    autoscalers: Reviewed,
  }),
});
const Certificates = v.object({
  note: v.string(),
  certificates: v.array(v.object({ cluster: v.string(), location: v.string(), reason: v.string() })),
});
const Anomalies = v.object({ status: v.string(), note: v.string(), anomalies: v.array(v.unknown()) });

/** Names that the runbook's own queries ask for. */
const METRICS = ["observatory_mtls_certificates_expiring_7d", "observatory_anomaly_detections_total"] as const;

/** By path without its query. */
export const EXPECTED: Readonly<Record<string, Expected>> = {
  "/health": {
    says: ["Expected output: All services running, no critical errors, all Prometheus targets up"],
    read: (body) => shown(Health, body, ({ status }) => `status ${status}`),
  },
  "/api/v1/metrics/overview": {
    says: [
      "Threshold: Should match expected traffic (baseline ±20%)",
      "Threshold: <1% (alert if >5%)",
      "Threshold: <200ms (alert if >500ms)",
      "Expected output: All services running, no critical errors, all Prometheus targets up",
    ],
    read: (body) =>
      shown(Overview, body, ({ services, review }) =>
        [
          `${services.reporting} of ${services.total} services report`,
          ...Object.entries(review).map(([name, { verdict, reason }]) => `${name}: ${verdict} (${reason})`),
        ].join("\n"),
      ),
  },
  "/api/v1/certificates/expiring": {
    says: ["Threshold: 0 (alert if >0)"],
    read: (body) =>
      shown(Certificates, body, ({ note, certificates }) =>
        [note, ...certificates.map(({ cluster, location, reason }) => `${cluster} ${location}: ${reason}`)].join("\n"),
      ),
  },
  "/api/v1/anomalies": {
    says: ["Threshold: <0.1/s (investigate if >1/s)"],
    read: (body) =>
      shown(Anomalies, body, ({ status, note, anomalies }) => `${status}, ${anomalies.length} listed: ${note}`),
  },
  "/metrics": {
    says: [...METRICS],
    read: (body) => {
      const lines = body
        .split("\n")
        .filter((line) => METRICS.some((name) => new RegExp(`(^|\\s)${name}\\b`).test(line)));
      const missing = METRICS.filter((name) => !lines.some((line) => line.includes(name)));
      return missing.length > 0
        ? failure(`no ${missing.join(", ")}`)
        : success(lines.filter((line) => !line.startsWith("# TYPE")).join("\n"));
    },
  },
};

/** What the command's pipe lets through; a failure where it would let nothing through. */
export function piped(body: string, { pipe }: RunbookCommand): Result<string, string> {
  if (pipe.kind === "none") return success(body);
  if (pipe.kind === "json") {
    const json = parsed(body);
    return json === undefined ? failure("jq: this is no JSON") : success(JSON.stringify(json, null, 2));
  }
  const lines = body.split("\n").filter((line) => line.includes(pipe.word));
  return lines.length === 0 ? failure(`grep: no line has ${pipe.word}`) : success(lines.join("\n"));
}

function shown<Schema extends v.GenericSchema>(
  schema: Schema,
  body: string,
  show: (answer: v.InferOutput<Schema>) => string,
): Result<string, string> {
  const answer = v.safeParse(schema, parsed(body));
  if (answer.success) return success(show(answer.output));
  const [issue] = answer.issues;
  return failure(`${v.getDotPath(issue) ?? "body"}: ${issue.message}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
