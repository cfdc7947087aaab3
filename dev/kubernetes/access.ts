/** Who may do what: paths and methods as verbs on resources, and the rules that allow them. */
import { kindOf, type Kind, type Served } from "./objects.ts";

/** What a user may do. `*` stands for all; without `names` every name, and only then list, watch and create. */
export interface Rule {
  readonly user: string;
  readonly verbs: readonly string[];
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  readonly namespaces: readonly string[];
  readonly names?: readonly string[];
}

export interface Target {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

/** What a request wants to do, in RBAC's words. */
export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete";

/** `/api/v1/…` and `/apis/GROUP/VERSION/…`, of the whole cluster or of one namespace. */
export function targetOf(path: string, served: Served): Target | null {
  const match =
    /^\/(?:api\/v1|apis\/([^/]+)\/([^/]+))(?:\/namespaces\/([^/]+))?\/([a-z]+)(?:\/([^/]+))?(?:\/([a-z]+))?$/.exec(
      path,
    );
  if (match === null) return null;
  const [, group = "", version = "v1", namespace = "", plural = "", name = "", subresource = ""] = match;
  const kind = kindOf(group, version, plural, served);
  if (kind === null || (subresource !== "" && subresource !== "status")) return null;
  return { kind, namespace, name: decodeURIComponent(name), subresource };
}

const COLLECTION: Readonly<Record<string, Verb>> = { GET: "list", POST: "create" };
const OBJECT: Readonly<Record<string, Verb>> = { GET: "get", PUT: "update", PATCH: "patch", DELETE: "delete" };

export function verbOf(method: string, { name }: Target, query: URLSearchParams): Verb | null {
  if (name !== "") return OBJECT[method] ?? null;
  const isWatch = method === "GET" && ["true", "1"].includes(query.get("watch") ?? "");
  return isWatch ? "watch" : (COLLECTION[method] ?? null);
}

/** One question to the authorizer. `name` empty: whatever the name. */
export interface Asked {
  readonly group: string;
  /** With its subresource: `deployments/scale`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

export function askedOf({ kind, namespace, name, subresource }: Target): Asked {
  const resource = subresource === "" ? kind.plural : `${kind.plural}/${subresource}`;
  return { group: kind.group, resource, namespace, name };
}

/** Names cannot limit list and watch: a rule with names does not grant them. */
export function allowed(
  rules: readonly Rule[],
  user: string,
  verb: string,
  { group, resource, namespace, name }: Asked,
): boolean {
  const covers = (list: readonly string[], value: string): boolean => list.includes("*") || list.includes(value);
  return rules.some(
    (rule) =>
      rule.user === user &&
      covers(rule.verbs, verb) &&
      covers(rule.groups, group) &&
      covers(rule.resources, resource) &&
      covers(rule.namespaces, namespace) &&
      (rule.names === undefined || (name !== "" && rule.names.includes(name))),
  );
}
