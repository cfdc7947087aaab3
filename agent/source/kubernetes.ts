/** What the cluster knows of its services: ready and desired replicas, and what its workloads say is wrong with them. */
import { createHash } from "node:crypto";
import type { SourceState } from "../../protocol/push.ts";
import type { EventRecord } from "../../protocol/record.ts";
import { SECOND, type Millis } from "../../protocol/time.ts";
import { momentOf, Signals } from "../core/signals.ts";
import { plainLine } from "../core/text.ts";
import type { AutoscalerState, DeploymentState, PodState, Trouble, Warning } from "../core/workload.ts";
import type { KubernetesClient } from "../kubernetes/client.ts";
import { follow, PACE, type Follower, type FollowOptions, type Pace } from "../kubernetes/follow.ts";
import { AUTOSCALERS, DEPLOYMENT_STATES, PODS, WARNINGS, type Resource } from "../kubernetes/objects.ts";

/** Beyond this without a word of the API server its replicas are no longer evidence, ms. */
const DOWN_AFTER_MS = 90 * SECOND;
/** Objects of which the last Warning is kept, a namespace. */
const WARNINGS_MAX = 500;

export interface KubernetesSourceOptions {
  readonly client: KubernetesClient;
  readonly cluster: string;
  readonly namespaces: readonly string[];
  readonly now: () => Millis;
  readonly onEvent: (event: EventRecord) => void;
  /** Replicas or the source's state have changed. */
  readonly onChange: () => void;
  readonly pace?: Pace;
}

interface Replicas {
  readonly ready: number;
  readonly desired: number;
}

/** `isAtLimit`: it would have more replicas than it may. */
type KnownAutoscaler = Omit<AutoscalerState, "troubles"> & { readonly isAtLimit: boolean };

/** What is kept of a cluster: by `namespace/name`, without what is wrong with each, which is told as events. */
interface ClusterState {
  readonly pods: ReadonlyMap<string, Omit<PodState, "troubles">>;
  readonly autoscalers: ReadonlyMap<string, KnownAutoscaler>;
  /** Changes that a watch had kept back and a list brought: there should be none. */
  readonly missed: number;
}

export interface KubernetesSource {
  state(): SourceState;
  /** By service (`namespace/name`); empty while the source is down: old numbers are no evidence. */
  replicas(): ReadonlyMap<string, Replicas>;
  cluster(): ClusterState;
  stop(): Promise<void>;
}

export function startKubernetesSource(options: KubernetesSourceOptions): KubernetesSource {
  const replicas = new Map<string, Replicas>();
  const pods = new Map<string, Omit<PodState, "troubles">>();
  const autoscalers = new Map<string, KnownAutoscaler>();
  const signals = new Signals();
  const followers = options.namespaces.flatMap((namespace) => {
    const warnings = new Map<string, string>();
    const tell = teller(options, namespace, signals, warnings);
    return [
      followWarnings(options, namespace, warnings),
      followDeployments(options, namespace, replicas, tell),
      followPods(options, namespace, pods, tell),
      followAutoscalers(options, namespace, autoscalers, tell),
    ];
  });
  const state = (): SourceState => stateOf(followers, options.now());
  return {
    state,
    replicas: () => (state().state === "down" ? new Map<string, Replicas>() : replicas),
    cluster: () => {
      const missed = followers.reduce((sum, follower) => sum + follower.state().missed, 0);
      return { pods, autoscalers, missed };
    },
    stop: async () => {
      await Promise.all(followers.map((follower) => follower.stop()));
    },
  };
}

/** What is the same for every kind: whose objects, from where, how patiently. */
function common<T>(options: KubernetesSourceOptions, namespace: string, resource: Resource<T>) {
  const { client, now, pace = PACE } = options;
  return { client, namespace, now, pace, isNeeded: true, resource: async () => resource } satisfies Partial<
    FollowOptions<T>
  >;
}

function followDeployments(
  options: KubernetesSourceOptions,
  namespace: string,
  replicas: Map<string, Replicas>,
  tell: Teller,
): Follower {
  const take = ({ name, uid, replicas: now, troubles }: DeploymentState): boolean => {
    const ref = `${namespace}/${name}`;
    tell(name, `Deployment/${name}`, uid, troubles, {});
    const former = replicas.get(ref);
    // The status still speaks of an older spec: what was known stays, until the controller has looked.
    if (now === null || (former?.ready === now.ready && former.desired === now.desired)) return false;
    replicas.set(ref, now);
    return true;
  };
  return follow({
    ...common(options, namespace, DEPLOYMENT_STATES),
    onList: (deployments) => {
      const isGone = keepOnly(replicas, namespace, deployments);
      const changed = deployments.filter(take);
      if (isGone || changed.length > 0) options.onChange();
    },
    onObject: (deployment) => {
      if (take(deployment)) options.onChange();
    },
    onDelete: ({ name }) => {
      if (replicas.delete(`${namespace}/${name}`)) options.onChange();
    },
  });
}

/** Takes out what a namespace has no longer; whether there was any. */
function keepOnly(
  held: Map<string, unknown>,
  namespace: string,
  present: readonly { readonly name: string }[],
): boolean {
  const refs = new Set(present.map(({ name }) => `${namespace}/${name}`));
  const gone = [...held.keys()].filter((ref) => ref.startsWith(`${namespace}/`) && !refs.has(ref));
  for (const ref of gone) held.delete(ref);
  return gone.length > 0;
}

function followPods(
  options: KubernetesSourceOptions,
  namespace: string,
  pods: Map<string, Omit<PodState, "troubles">>,
  tell: Teller,
): Follower {
  const take = ({ troubles, ...pod }: PodState): void => {
    pods.set(`${namespace}/${pod.name}`, pod);
    tell(pod.owner, `Pod/${pod.name}`, pod.uid, troubles, { pod: pod.name, restarts: pod.restarts });
  };
  return follow({
    ...common(options, namespace, PODS),
    onList: (list) => {
      keepOnly(pods, namespace, list);
      list.forEach(take);
    },
    onObject: take,
    onDelete: ({ name }) => void pods.delete(`${namespace}/${name}`),
  });
}

/** Their group has been renamed between releases and may be missing: which version there is, is asked at each list. */
function followAutoscalers(
  options: KubernetesSourceOptions,
  namespace: string,
  autoscalers: Map<string, KnownAutoscaler>,
  tell: Teller,
): Follower {
  const { client } = options;
  const take = ({ troubles, ...autoscaler }: AutoscalerState): void => {
    const { name, uid, target, current, desired, max } = autoscaler;
    const isAtLimit = troubles.some(({ kind }) => kind === "autoscaler.at_limit");
    autoscalers.set(`${namespace}/${name}`, { ...autoscaler, isAtLimit });
    const facts = { autoscaler: name, current, desired, max };
    tell(target.name, `HorizontalPodAutoscaler/${name}`, uid, troubles, facts);
  };
  return follow<AutoscalerState>({
    ...common(options, namespace, AUTOSCALERS.of("v2")),
    isNeeded: false,
    resource: async () => {
      const version = await client.groupVersion(AUTOSCALERS.group, AUTOSCALERS.versions);
      if (!version.ok) return version.failure;
      return version.value === null ? null : AUTOSCALERS.of(version.value);
    },
    onList: (list) => {
      keepOnly(autoscalers, namespace, list);
      list.forEach(take);
    },
    onObject: take,
    onDelete: ({ name }) => void autoscalers.delete(`${namespace}/${name}`),
  });
}

/**
 * The last Warning of each object, for as many as there is room for. API servers send no bookmarks for events: a quiet
 * watch of them is begun anew after each silence, which the server's answer shows to be harmless.
 */
function followWarnings(options: KubernetesSourceOptions, namespace: string, warnings: Map<string, string>): Follower {
  const take = ({ about, text }: Warning): void => {
    warnings.delete(about);
    warnings.set(about, text);
    const [oldest] = warnings.keys();
    if (warnings.size > WARNINGS_MAX && oldest !== undefined) warnings.delete(oldest);
  };
  return follow({
    ...common(options, namespace, WARNINGS),
    isNeeded: false,
    onList: (list) => list.forEach(take),
    onObject: take,
    // The server forgets an event after an hour; what it said of an object that still fails stays true.
    onDelete: () => {},
  });
}

/** Tells what is wrong with one object of a workload, each occurrence once. */
type Teller = (
  workload: string,
  object: string,
  uid: string,
  troubles: readonly Trouble[],
  facts: EventRecord["body"],
) => void;

function teller(
  options: KubernetesSourceOptions,
  namespace: string,
  signals: Signals,
  warnings: ReadonlyMap<string, string>,
): Teller {
  return (workload, object, uid, troubles, facts) => {
    const now = options.now();
    const subject = plainLine(`${namespace}/${workload}`, 256);
    for (const trouble of troubles) {
      const { kind, key, container } = trouble;
      const at = momentOf(kind, Date.parse(trouble.at ?? ""), now);
      if (at === null) continue;
      // Seen again, also by an agent started anew, an occurrence keeps its id.
      const id = createHash("sha256").update([options.cluster, kind, key].join("\0")).digest("hex").slice(0, 32);
      const told = signals.take({ id, kind, subject, place: `${uid}/${container ?? ""}` }, now);
      if (told === null) continue;
      const body = { ...facts, ...bodyOf(trouble), warning: warnings.get(object) ?? null };
      const unsaid = told.unsaid === 0 ? {} : { unsaid: told.unsaid };
      options.onEvent({ kind, id, at, subject, body: { ...body, ...unsaid } });
    }
  };
}

function bodyOf({ container, exitCode, reason, message }: Trouble): EventRecord["body"] {
  return {
    reason,
    ...(container === null ? {} : { container, exitCode }),
    ...(message === "" ? {} : { message }),
  };
}

/** One follower that is not heard is said; `down` when one of them was never heard, or not for too long. */
function stateOf(followers: readonly Follower[], now: Millis): SourceState {
  const all = followers.map((follower) => follower.state());
  // What may not be seen is said, but it is no reason to distrust the rest.
  const states = all.filter(({ hidden }) => hidden === null);
  const heard = states.map(({ heardAt }) => heardAt);
  const okAt = heard.includes(null) ? null : Math.min(...heard.filter((at) => at !== null));
  const fault = states.find((state) => state.fault !== null)?.fault ?? null;
  const said = fault ?? all.find(({ hidden }) => hidden !== null)?.hidden ?? null;
  const detail = said === null ? null : plainLine(said, 300);
  if (okAt === null) return { state: "down", detail, okAt };
  if (now - okAt > DOWN_AFTER_MS) return { state: "down", detail: detail ?? "API server: silent", okAt };
  return { state: fault === null ? "ok" : "stale", detail, okAt };
}
