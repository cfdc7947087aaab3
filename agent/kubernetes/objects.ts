/** The kinds of objects that the agent reads, where each is served, and what of it is kept. */
import * as v from "valibot";
import { AutoscalerSchema, DeploymentStateSchema, PodStateSchema, WarningSchema } from "../core/workload.ts";
import type { AutoscalerState, DeploymentState, PodState, Warning } from "../core/workload.ts";

const Count = v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0);
const Text = v.optional(v.string(), "");
const MetaSchema = v.object({
  name: v.string(),
  namespace: Text,
  resourceVersion: v.string(),
  generation: Count,
  annotations: v.optional(v.record(v.string(), v.string()), {}),
});
const ManagedSchema = v.object({
  manager: Text,
  operation: Text,
  subresource: Text,
  fieldsV1: v.optional(v.unknown()),
});

/** A deployment as the actuator needs it. Only these fields are kept. */
const DeploymentSchema = v.object({
  metadata: v.object({ ...MetaSchema.entries, managedFields: v.optional(v.array(ManagedSchema), []) }),
  spec: v.object({ replicas: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 1) }),
  status: v.optional(v.object({ observedGeneration: Count, replicas: Count, readyReplicas: Count }), {}),
});
export type Deployment = Readonly<v.InferOutput<typeof DeploymentSchema>>;
export type Autoscaler = AutoscalerState;

/** The Lease of a leader election. `renewTime` and `acquireTime` are MicroTime: exactly six digits of a second. */
export const LeaderLeaseSchema = v.object({
  metadata: v.object({ name: v.string(), namespace: Text, resourceVersion: Text }),
  spec: v.optional(
    v.object({
      holderIdentity: v.optional(v.nullable(v.string()), null),
      leaseDurationSeconds: v.optional(v.nullable(v.number()), null),
      acquireTime: v.optional(v.nullable(v.string()), null),
      renewTime: v.optional(v.nullable(v.string()), null),
      leaseTransitions: v.optional(v.nullable(v.number()), null),
    }),
    {},
  ),
});
export type LeaderLease = Readonly<v.InferOutput<typeof LeaderLeaseSchema>>;

/** A kind of object: where it is served, what is asked for of it, and what of it is kept. */
export interface Resource<T> {
  /** As it stands in the path: `api/v1`, `apis/GROUP/VERSION`. */
  readonly group: string;
  readonly plural: string;
  readonly schema: v.GenericSchema<unknown, T>;
  /** Objects a page; without it client-go's number. */
  readonly pageLimit?: number;
  /** About what a page may weigh, bytes: how many objects are asked for follows from the pages before. */
  readonly pageBytes?: number;
  /** Selectors, as query parameters. */
  readonly select?: Readonly<Record<string, string>>;
}

export const DEPLOYMENTS: Resource<Deployment> = {
  group: "apis/apps/v1",
  plural: "deployments",
  schema: DeploymentSchema,
};
export const DEPLOYMENT_STATES: Resource<DeploymentState> = { ...DEPLOYMENTS, schema: DeploymentStateSchema };
/** Pods weigh 5 to 20 KB each: 100 of them are 0.5 to 2 MB at once. With 200 an agent of 2,000 pods took 20 MiB more. */
export const PODS: Resource<PodState> = { group: "api/v1", plural: "pods", schema: PodStateSchema, pageLimit: 100 };
export const WARNINGS: Resource<Warning> = {
  group: "api/v1",
  plural: "events",
  schema: WarningSchema,
  select: { fieldSelector: "type=Warning" },
};
/** v2 from 1.23 on, v2beta2 before. */
export const AUTOSCALERS = {
  group: "autoscaling",
  versions: ["v2", "v2beta2"],
  of: (version: string): Resource<AutoscalerState> => ({
    group: `apis/autoscaling/${version}`,
    plural: "horizontalpodautoscalers",
    schema: AutoscalerSchema,
  }),
} as const;

export function collectionPath({ group, plural }: Resource<unknown>, namespace: string): string {
  return `/${group}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
}
