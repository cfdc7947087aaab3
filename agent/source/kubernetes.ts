/** What the cluster knows of its services: ready and desired replicas, crash loops, kills for want of memory. */
import { createHash } from "node:crypto";
import type { SourceState } from "../../protocol/push.ts";
import type { EventRecord } from "../../protocol/record.ts";
import { SECOND, type Millis } from "../../protocol/time.ts";
import { plainLine } from "../core/text.ts";
import { follow, type Follower } from "../follow.ts";
import {
  DEPLOYMENTS,
  PODS,
  type ContainerStatus,
  type Deployment,
  type KubernetesClient,
  type Pod,
} from "../kubernetes.ts";

/** Beyond this without a word of the API server its replicas are no longer evidence, ms. */
const DOWN_AFTER_MS = 90 * SECOND;
/** Ids of reported events kept, so that a pod which is seen again and again is reported once. */
const REPORTED_MAX = 10_000;

export interface KubernetesSourceOptions {
  readonly client: KubernetesClient;
  readonly cluster: string;
  readonly namespaces: readonly string[];
  readonly now: () => Millis;
  readonly onEvent: (event: EventRecord) => void;
  /** Replicas or the source's state have changed. */
  readonly onChange: () => void;
}

interface Replicas {
  readonly ready: number;
  readonly desired: number;
}

export interface KubernetesSource {
  state(): SourceState;
  /** By service (`namespace/name`); empty while the source is down: old numbers are no evidence. */
  replicas(): ReadonlyMap<string, Replicas>;
  stop(): Promise<void>;
}

export function startKubernetesSource(options: KubernetesSourceOptions): KubernetesSource {
  const replicas = new Map<string, Replicas>();
  const reported = new Set<string>();
  const followers = options.namespaces.flatMap((namespace) => [
    followDeployments(options, namespace, replicas),
    followPods(options, namespace, reported),
  ]);
  const state = (): SourceState => stateOf(followers, options.now());
  return {
    state,
    replicas: () => (state().state === "down" ? new Map<string, Replicas>() : replicas),
    stop: async () => {
      await Promise.all(followers.map((follower) => follower.stop()));
    },
  };
}

function followDeployments(
  options: KubernetesSourceOptions,
  namespace: string,
  replicas: Map<string, Replicas>,
): Follower {
  const take = (deployment: Deployment): boolean => {
    const ref = `${namespace}/${deployment.metadata.name}`;
    const now = replicasOf(deployment);
    const former = replicas.get(ref);
    // The status still speaks of an older spec: what was known stays, until the controller has looked.
    if (now === null || (former?.ready === now.ready && former.desired === now.desired)) return false;
    replicas.set(ref, now);
    return true;
  };
  return follow({
    client: options.client,
    resource: DEPLOYMENTS,
    namespace,
    now: options.now,
    onList: (deployments) => {
      const present = new Set(deployments.map((deployment) => `${namespace}/${deployment.metadata.name}`));
      const gone = [...replicas.keys()].filter((ref) => ref.startsWith(`${namespace}/`) && !present.has(ref));
      for (const ref of gone) replicas.delete(ref);
      const changed = deployments.filter(take);
      if (gone.length > 0 || changed.length > 0) options.onChange();
    },
    onObject: (deployment) => {
      if (take(deployment)) options.onChange();
    },
    onDelete: (deployment) => {
      if (replicas.delete(`${namespace}/${deployment.metadata.name}`)) options.onChange();
    },
  });
}

function replicasOf({ metadata, spec, status }: Deployment): Replicas | null {
  if ((status.observedGeneration ?? 0) < metadata.generation) return null;
  return { ready: status.readyReplicas ?? 0, desired: spec.replicas };
}

function followPods(options: KubernetesSourceOptions, namespace: string, reported: Set<string>): Follower {
  const take = (pod: Pod): void => {
    for (const event of eventsOf(options.cluster, namespace, pod, options.now())) {
      if (reported.has(event.id)) continue;
      reported.add(event.id);
      const [oldest] = reported;
      if (reported.size > REPORTED_MAX && oldest !== undefined) reported.delete(oldest);
      options.onEvent(event);
    }
  };
  return follow({
    client: options.client,
    resource: PODS,
    namespace,
    now: options.now,
    onList: (pods) => pods.forEach(take),
    onObject: take,
    onDelete: () => {},
  });
}

/** What a pod says of itself now. Seen again, also by an agent started anew, each event keeps its id. */
function eventsOf(cluster: string, namespace: string, pod: Pod, now: Millis): readonly EventRecord[] {
  // A terminating pod is not a failing one.
  if (pod.metadata.deletionTimestamp !== null) return [];
  const statuses = [...(pod.status.initContainerStatuses ?? []), ...(pod.status.containerStatuses ?? [])];
  const subject = `${namespace}/${ownerOf(pod)}`;
  return statuses.flatMap((container) => {
    const events: EventRecord[] = [];
    const killed = [container.state.terminated, container.lastState.terminated].find(
      (one) => one?.reason === "OOMKilled",
    );
    if (killed !== undefined) events.push(event("pod.oom_killed", cluster, subject, pod, container, killed, now));
    if (container.state.waiting?.reason === "CrashLoopBackOff") {
      const last = container.lastState.terminated;
      events.push(event("pod.crash_loop", cluster, subject, pod, container, last, now));
    }
    return events;
  });
}

/** The deployment of a pod, read from its ReplicaSet's name, so that no ReplicaSet need be asked for. */
function ownerOf(pod: Pod): string {
  const owner = pod.metadata.ownerReferences.find(({ kind }) => kind === "ReplicaSet");
  const hash = pod.metadata.labels["pod-template-hash"];
  if (owner === undefined || hash === undefined || !owner.name.endsWith(`-${hash}`))
    return owner?.name ?? pod.metadata.name;
  return owner.name.slice(0, -hash.length - 1);
}

type Terminated = NonNullable<ContainerStatus["state"]["terminated"]>;

/** `lastState` persists for ever, so an event is the death it speaks of: the container's id and `finishedAt`. */
function event(
  kind: "pod.oom_killed" | "pod.crash_loop",
  cluster: string,
  subject: string,
  pod: Pod,
  container: ContainerStatus,
  death: Terminated | undefined,
  now: Millis,
): EventRecord {
  const finishedAt = Date.parse(death?.finishedAt ?? "");
  const containerID = death?.containerID || container.containerID;
  const parts = [
    cluster,
    kind,
    containerID === "" ? `${pod.metadata.uid}/${container.name}` : containerID,
    death?.finishedAt ?? "",
  ];
  return {
    kind,
    id: createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 32),
    at: Number.isFinite(finishedAt) && finishedAt >= 0 ? Math.min(finishedAt, now) : now,
    subject: plainLine(subject, 256),
    body: {
      pod: plainLine(pod.metadata.name, 256),
      container: plainLine(container.name, 256),
      restarts: container.restartCount,
      exitCode: death?.exitCode ?? null,
      reason: plainLine(kind === "pod.oom_killed" ? "OOMKilled" : "CrashLoopBackOff", 100),
    },
  };
}

/** One follower that is not heard is said; `down` when one of them was never heard, or not for too long. */
function stateOf(followers: readonly Follower[], now: Millis): SourceState {
  const states = followers.map((follower) => follower.state());
  const heard = states.map(({ heardAt }) => heardAt);
  const okAt = heard.includes(null) ? null : Math.min(...heard.filter((at) => at !== null));
  const fault = states.find((state) => state.fault !== null)?.fault ?? null;
  const detail = fault === null ? null : plainLine(fault, 300);
  if (okAt === null) return { state: "down", detail, okAt };
  if (now - okAt > DOWN_AFTER_MS) return { state: "down", detail: detail ?? "API server: silent", okAt };
  return { state: fault === null ? "ok" : "stale", detail, okAt };
}
