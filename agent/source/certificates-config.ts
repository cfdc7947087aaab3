/** `sources.certificates` of agent.yaml. */
import * as v from "valibot";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import { Namespaces } from "../kubernetes/config.ts";
import { EndpointSchema } from "./endpoints.ts";

const ENDPOINTS_MAX = 1_000;
const ENDPOINTS_INTERVAL_MS = HOUR;
const LENGTH_MIN_MS = 1_000;
const INTERVAL_MAX_MS = 24 * HOUR;
/** Ten years. */
const LIFETIME_MAX_MS = 87_600 * HOUR;
const UNITS = { s: 1_000, m: MINUTE, h: HOUR } as const;

function length(mostMs: number, most: string) {
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,5}[smh]$/, "must be a length such as 30s, 10m or 1h"),
    v.transform((text) => Number(text.slice(0, -1)) * UNITS[text.slice(-1) as keyof typeof UNITS]),
    v.minValue(LENGTH_MIN_MS, "must be at least 1s"),
    v.maxValue(mostMs, `must be at most ${most}`),
  );
}

const Stored = v.strictObject({ namespaces: Namespaces });

/** `intervalMs` comes out of `interval: 1h`, and likewise `workloadLifetimeMs`; null: not known. */
export const CertificatesConfigSchema = v.pipe(
  v.strictObject({
    interval: v.optional(length(INTERVAL_MAX_MS, "24h"), `${ENDPOINTS_INTERVAL_MS / HOUR}h`),
    endpoints: v.optional(v.pipe(v.array(EndpointSchema), v.maxLength(ENDPOINTS_MAX)), []),
    mesh: v.optional(v.strictObject({ workloadLifetime: v.optional(length(LIFETIME_MAX_MS, "87600h")) })),
    certManager: v.optional(Stored),
    secrets: v.optional(Stored),
  }),
  v.check(
    ({ endpoints, mesh, certManager, secrets }) =>
      endpoints.length > 0 || [mesh, certManager, secrets].some((part) => part !== undefined),
    "add at least one of endpoints, mesh, certManager, secrets",
  ),
  v.transform(({ interval, endpoints, mesh, certManager, secrets }) => ({
    intervalMs: interval,
    endpoints,
    mesh: mesh === undefined ? null : { workloadLifetimeMs: mesh.workloadLifetime ?? null },
    certManager: certManager?.namespaces ?? [],
    secrets: secrets?.namespaces ?? [],
  })),
);
export type CertificatesConfig = Readonly<v.InferOutput<typeof CertificatesConfigSchema>>;
