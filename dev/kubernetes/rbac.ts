/** Roles and their bindings as a cluster reads them from manifests: what each account may do. */
import type { Rule } from "./access.ts";

interface Object {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly [field: string]: unknown;
}

interface RoleRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface Binding {
  readonly roleRef: { readonly name: string };
  readonly subjects: readonly { readonly name: string; readonly namespace: string }[];
}

/** Only what is bound in a namespace counts: of cluster-wide roles the agent has none, and here they grant nothing. */
export function rulesOf(manifests: readonly Object[]): Rule[] {
  const bindings = manifests.filter(({ kind }) => kind === "RoleBinding");
  return bindings.flatMap((binding) => {
    const { roleRef, subjects } = binding as unknown as Binding;
    const { namespace } = binding.metadata;
    const role = manifests.find(
      ({ kind, metadata }) => kind === "Role" && metadata.name === roleRef.name && metadata.namespace === namespace,
    );
    const rules = (role?.["rules"] ?? []) as readonly RoleRule[];
    return subjects.flatMap((subject) =>
      rules.map(({ apiGroups, resources, verbs, resourceNames }) => ({
        user: `system:serviceaccount:${subject.namespace}:${subject.name}`,
        verbs,
        groups: apiGroups,
        resources,
        namespaces: [namespace],
        ...(resourceNames === undefined ? {} : { names: resourceNames }),
      })),
    );
  });
}
