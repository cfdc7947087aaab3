/**
 * Maintenance as desired state: the edge says what each target should be until when, the agent decides whether its own
 * configuration allows it, applies it, restores by itself at expiry, and reports what Kubernetes shows.
 */
import * as v from "valibot";
import { ClusterName, line, ServiceName } from "./name.ts";

/** No lease outlives a day: a forgotten one ends by itself. */
export const LEASE_HOURS_MAX = 24;
export const LEASES_MAX = 100;
export const LEASE_REPLICAS_MAX = 1_000;

const Moment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const LEASE_MODES = ["announce", "scale"] as const;
export type LeaseMode = (typeof LEASE_MODES)[number];

/** `announce` only annotates (`replicas` is null); `scale` also sets `spec.replicas`. Times are Millis. */
const LeaseSchema = v.strictObject({
  target: ServiceName,
  mode: v.picklist(LEASE_MODES),
  replicas: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(LEASE_REPLICAS_MAX))),
  /** Rises with every change of this cluster's desired state; what refuses a replay. */
  generation: Moment,
  notBefore: Moment,
  expiresAt: Moment,
  /** The maintenance that asked for it. */
  maintenance: v.pipe(v.string(), v.regex(/^[a-z0-9]{12}$/)),
  reason: line(500),
  by: line(200),
});
export type Lease = Readonly<v.InferOutput<typeof LeaseSchema>>;

/** The whole desired state of one cluster. A target that is absent is released: serving is the safe direction. */
export const DesiredStateSchema = v.strictObject({
  v: v.literal(1),
  cluster: ClusterName,
  generation: Moment,
  leases: v.pipe(v.array(LeaseSchema), v.maxLength(LEASES_MAX)),
});
export type DesiredState = Readonly<v.InferOutput<typeof DesiredStateSchema>>;

/**
 * `payload` is the canonical JSON of a DesiredState, kept as the very text that was signed; `signature` is base64 of
 * Ed25519 over SHA-256(`desiredStateMessage(payload)`); `keyId` names the edge key pinned in the cluster.
 */
export const SignedDesiredSchema = v.strictObject({
  payload: v.pipe(v.string(), v.maxLength(131_072)),
  keyId: v.pipe(v.string(), v.maxLength(64)),
  signature: v.pipe(v.string(), v.maxLength(128)),
});
export type SignedDesired = Readonly<v.InferOutput<typeof SignedDesiredSchema>>;

/** The text whose SHA-256 is signed. The prefix keeps the signature from meaning anything elsewhere. */
export function desiredStateMessage(payload: string): string {
  return `observatory-lease-v1\0${payload}`;
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** JSON with sorted keys and no spaces (RFC 8785 for strings, integers, booleans and null), so equal states have equal bytes. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
}

/**
 * What became of a lease in the cluster. `applied` only when Kubernetes shows it; `released` when the former state is
 * back; `expired` the same, by the agent alone at the lease's end; `superseded` when somebody else changed the target
 * meanwhile and was left alone; `forbidden` when the agent's own configuration or the API server refuses.
 */
export const LEASE_STATES = [
  "pending",
  "applied",
  "released",
  "expired",
  "conflict",
  "forbidden",
  "superseded",
  "unverified",
] as const;
export type LeaseState = (typeof LEASE_STATES)[number];

const LeaseResultSchema = v.strictObject({
  target: ServiceName,
  generation: Moment,
  state: v.picklist(LEASE_STATES),
  /** Why, for the operator: which rule of the agent's configuration, which answer of Kubernetes. */
  reason: line(500),
  /** The deployment as last seen. */
  evidence: v.nullable(
    v.strictObject({
      replicas: v.pipe(v.number(), v.integer(), v.minValue(0)),
      ready: v.pipe(v.number(), v.integer(), v.minValue(0)),
    }),
  ),
  at: Moment,
});
export type LeaseResult = Readonly<v.InferOutput<typeof LeaseResultSchema>>;

/** The agent's side of the loop: the newest generation it has taken in, each target's result, and what it would allow. */
export const LeaseReportSchema = v.strictObject({
  observedGeneration: Moment,
  targets: v.pipe(v.array(LeaseResultSchema), v.maxLength(LEASES_MAX)),
  allowed: v.pipe(
    v.array(
      v.strictObject({
        ref: ServiceName,
        modes: v.array(v.picklist(LEASE_MODES)),
        floor: v.pipe(v.number(), v.integer(), v.minValue(0)),
      }),
    ),
    v.maxLength(LEASES_MAX),
  ),
});
export type LeaseReport = Readonly<v.InferOutput<typeof LeaseReportSchema>>;
