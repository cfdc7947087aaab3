/** The lease as annotations of a deployment's metadata (never its pod template), and the two patches that write them. */
import * as v from "valibot";
import { plainLine } from "./core/text.ts";
import { ownerOf, type Rivals } from "./core/lease.ts";
import type { LeaseMark, Step, TargetView } from "./core/lease-step.ts";
import { DEPLOYMENTS, type Autoscaler, type Deployment, type Resource } from "./kubernetes/objects.ts";
import { FIELD_MANAGER } from "./kubernetes/transport.ts";

/** The runbook's own annotation. */
const MAINTENANCE = "maintenance";
const PRIOR = "observatory.edge/prior-replicas";
const APPLIED = "observatory.edge/applied-replicas";
const GENERATION = "observatory.edge/generation";
const EXPIRES = "observatory.edge/expires-at";
/** Set where the annotation `maintenance` was there before the lease, so that it is left as it was. */
const PRIOR_MAINTENANCE = "observatory.edge/prior-maintenance";

const REPLICAS_MAX = 2_147_483_647;
const CONTROLLERS =
  /^(kube-controller-manager|horizontal-pod-autoscaler|argocd|argo-cd|kustomize-controller|helm-controller|flux|keda)/;

/** The deployment as the rules see it. */
export function viewOf({ metadata, spec, status }: Deployment): TargetView {
  const { annotations } = metadata;
  const manager = replicasManager(metadata.managedFields);
  return {
    replicas: spec.replicas,
    statusReplicas: status.replicas ?? 0,
    readyReplicas: status.readyReplicas ?? 0,
    observed: (status.observedGeneration ?? 0) >= metadata.generation,
    maintenance: annotations[MAINTENANCE] ?? null,
    mark: markOf(annotations),
    seenGeneration: countOf(annotations[GENERATION]),
    replicasBy: manager === null ? null : { manager: plainLine(manager, 80), kind: kindOf(manager) },
  };
}

function kindOf(manager: string): "agent" | "controller" | "other" {
  if (manager === FIELD_MANAGER) return "agent";
  return CONTROLLERS.test(manager) ? "controller" : "other";
}

/** Deployments, and of each only whether it carries a mark. */
export const MARKED: Resource<{ readonly name: string; readonly isMarked: boolean }> = {
  ...DEPLOYMENTS,
  schema: v.pipe(
    v.object({
      metadata: v.object({ name: v.string(), annotations: v.optional(v.record(v.string(), v.string()), {}) }),
    }),
    v.transform(({ metadata: { name, annotations } }) => ({ name, isMarked: isMarked(annotations) })),
  ),
};

/** A mark is there while any of its annotations is: half a mark must not pass for none. */
function isMarked(annotations: Readonly<Record<string, string>>): boolean {
  return [PRIOR, APPLIED, EXPIRES].some((key) => key in annotations);
}

/** A damaged end has come. */
function markOf(annotations: Readonly<Record<string, string>>): LeaseMark | null {
  if (!isMarked(annotations)) return null;
  const expiresAt = Date.parse(annotations[EXPIRES] ?? "");
  const prior = countOf(annotations[PRIOR]);
  return {
    generation: countOf(annotations[GENERATION]) ?? 0,
    expiresAt: Number.isFinite(expiresAt) ? expiresAt : 0,
    priorReplicas: prior === 0 || (prior ?? 0) > REPLICAS_MAX ? null : prior,
    appliedReplicas: countOf(annotations[APPLIED]),
  };
}

function countOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function replicasManager(managed: Deployment["metadata"]["managedFields"]): string | null {
  const owner = managed.find(({ fieldsV1 }) => {
    const spec = (fieldsV1 as { readonly "f:spec"?: object } | null | undefined)?.["f:spec"];
    return spec !== undefined && spec !== null && "f:replicas" in spec;
  });
  return owner?.manager ?? null;
}

/** Who else moves the replicas, each owner with the switch that stops it. */
export function rivalsOf({ metadata }: Deployment, autoscalers: readonly Autoscaler[]): Rivals {
  const { annotations, name } = metadata;
  const targets = autoscalers.filter(({ target }) => target.kind === "Deployment" && target.name === name);
  const manager = replicasManager(metadata.managedFields) ?? "";
  const isSwitchedOff = annotations["kustomize.toolkit.fluxcd.io/reconcile"] === "disabled";
  const owners = new Set([
    isSwitchedOff ? null : ownerOf(manager),
    "argocd.argoproj.io/tracking-id" in annotations ? ownerOf("argocd") : null,
    targets.some(({ isKeda }) => isKeda) ? ownerOf("keda") : null,
  ]);
  return {
    autoscalers: targets.map((autoscaler) => autoscaler.name),
    rollout: "rollout.argoproj.io/workload-generation" in annotations,
    owners: [...owners].filter((owner) => owner !== null),
  };
}

/**
 * Apply, change or put back: ONE merge-patch that fails with 409 if the deployment has moved since `deployment` was
 * read. null where the step writes nothing.
 */
export function patchOf(step: Step, { metadata }: Deployment): object | null {
  const { resourceVersion, annotations } = metadata;
  switch (step.act) {
    case "apply": {
      const { lease, replicas, prior } = step;
      const wasThere = MAINTENANCE in annotations && markOf(annotations) === null;
      return {
        metadata: {
          resourceVersion,
          annotations: {
            [MAINTENANCE]: "true",
            [PRIOR]: prior === null ? null : String(prior),
            [APPLIED]: prior === null ? null : String(replicas),
            [GENERATION]: String(lease.generation),
            [EXPIRES]: new Date(lease.expiresAt).toISOString(),
            ...(wasThere ? { [PRIOR_MAINTENANCE]: annotations[MAINTENANCE] } : {}),
          },
        },
        ...(replicas === null ? {} : { spec: { replicas } }),
      };
    }
    case "reapply":
      return { metadata: { resourceVersion }, spec: { replicas: step.replicas } };
    case "restore": {
      // Removed by hand stays removed; what was there before the lease is left as it was.
      const former = MAINTENANCE in annotations ? (annotations[PRIOR_MAINTENANCE] ?? null) : null;
      const gone = { [PRIOR]: null, [APPLIED]: null, [EXPIRES]: null, [PRIOR_MAINTENANCE]: null };
      return {
        metadata: { resourceVersion, annotations: { [MAINTENANCE]: former, ...gone } },
        ...(step.replicas === null ? {} : { spec: { replicas: step.replicas } }),
      };
    }
    case "report":
    case "idle":
      return null;
  }
}
