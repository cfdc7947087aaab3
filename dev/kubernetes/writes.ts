/** What a write makes of an object, and what the server refuses of it. */
import { replicasOwnedBy } from "./controllers.ts";
import { isObject, type Json, type JsonObject, type Kind, type KubernetesObject } from "./objects.ts";
import * as refuse from "./status.ts";

const DOMAIN_ANNOTATIONS_MAX = 256 * 1024;

export function problemOf(kind: Kind, name: string, merged: Json): refuse.Refusal | null {
  const object = asObject(merged);
  const { replicas } = asObject(object["spec"]);
  if (kind.plural === "deployments" && replicas !== undefined) {
    if (typeof replicas !== "number" || !Number.isInteger(replicas)) {
      return refuse.badRequest(
        `Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal into Go struct field DeploymentSpec.spec.replicas of type int32`,
      );
    }
    if (replicas < 0)
      return refuse.invalid(kind, name, "spec.replicas", String(replicas), "must be greater than or equal to 0");
  }
  const annotations = asObject(asObject(object["metadata"])["annotations"]);
  if (Object.values(annotations).some((value) => typeof value !== "string")) {
    return refuse.badRequest(
      `Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal into Go struct field ObjectMeta.metadata.annotations of type string`,
    );
  }
  const wrong = Object.keys(annotations).find(
    (key) => !/^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(key),
  );
  if (wrong !== undefined)
    return refuse.invalid(
      kind,
      name,
      "metadata.annotations",
      JSON.stringify(wrong),
      "name part must consist of alphanumeric characters",
    );
  const bytes = Buffer.byteLength(JSON.stringify(annotations));
  return bytes > DOMAIN_ANNOTATIONS_MAX
    ? refuse.invalid(kind, name, "metadata.annotations", "", "Too long: must have at most 262144 bytes")
    : null;
}

/**
 * The object as a client's write leaves it: what the server owns is kept, `generation` rises with the spec and, for
 * deployments, with the metadata's annotations (measured on 1.20).
 */
export function written(current: KubernetesObject, merged: Json, manager: string): KubernetesObject {
  const object = asObject(merged);
  const metadata = asObject(object["metadata"]);
  const spec = asObject(object["spec"]);
  const annotations = asObject(metadata["annotations"]) as Record<string, string>;
  const differs = (a: unknown, b: unknown): boolean => JSON.stringify(sorted(a)) !== JSON.stringify(sorted(b));
  const isMoved = differs(spec, current.spec) || differs(annotations, current.metadata.annotations ?? {});
  const scaled = spec["replicas"] !== current.spec["replicas"];
  const { annotations: _former, ...kept } = current.metadata;
  return {
    ...current,
    metadata: {
      ...kept,
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      generation: (kept.generation ?? 1) + (isMoved ? 1 : 0),
      ...(scaled ? { managedFields: replicasOwnedBy(kept.managedFields, manager, "") } : {}),
    },
    spec,
  };
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}

export function asJson(object: KubernetesObject): Json {
  return structuredClone(object) as unknown as Json;
}

export function asObject(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}
