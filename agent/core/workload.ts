/**
 * What the agent keeps of pods, deployments, autoscalers and warnings (`reference/kubernetes.md` 3): at most 1 KB each,
 * made while the object is parsed. A whole pod weighs 5 to 20 KB, and there may be thousands.
 */
import * as v from "valibot";
import type { WorkloadKind } from "../../protocol/record.ts";
import { plainLine } from "./text.ts";

/** A pod of many containers that all fail says so of this many: they mostly fail for one reason. */
const TROUBLES_MAX = 4;
const NAME_MAX = 253;
const REASON_MAX = 60;
const MESSAGE_MAX = 200;

/** Something that an object says is wrong with it. */
export interface Trouble {
  readonly kind: WorkloadKind;
  /** Tells this occurrence from every other one of its kind: a death, a condition's last transition. */
  readonly key: string;
  /** What keeps failing, where that is narrower than the object: a container's name. */
  readonly container: string | null;
  /** When it happened, as the server wrote it; null where it does not say. */
  readonly at: string | null;
  readonly exitCode: number | null;
  readonly reason: string;
  readonly message: string;
}

export interface PodState {
  readonly name: string;
  readonly uid: string;
  /** The deployment, or whatever else made the pod; its own name where nothing did. */
  readonly owner: string;
  /** In one word, as `kubectl get pods` shows it. */
  readonly status: string;
  readonly ready: number;
  readonly containers: number;
  readonly restarts: number;
  readonly troubles: readonly Trouble[];
}

export interface DeploymentState {
  readonly name: string;
  readonly uid: string;
  /** null while the status speaks of an older spec. */
  readonly replicas: { readonly ready: number; readonly desired: number } | null;
  readonly troubles: readonly Trouble[];
}

export interface AutoscalerState {
  readonly name: string;
  readonly uid: string;
  /** What it scales: kind and name. */
  readonly target: { readonly kind: string; readonly name: string };
  /** KEDA made it for a ScaledObject: the number is KEDA's. */
  readonly isKeda: boolean;
  readonly current: number;
  readonly desired: number;
  readonly max: number;
  readonly troubles: readonly Trouble[];
}

/** A Warning of the API: evidence beside what the objects say, never instead of it. Servers drop and merge them. */
export interface Warning {
  /** Kind and name of what it is about. */
  readonly about: string;
  readonly text: string;
}

const Count = v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0);
const Text = v.optional(v.nullable(v.string()), "");
const Line = (max: number) =>
  v.pipe(
    Text,
    v.transform((text) => plainLine(text ?? "", max)),
  );
const MetaSchema = v.object({ name: Line(NAME_MAX), uid: Line(64), generation: Count });
const ConditionSchema = v.object({
  type: v.string(),
  status: v.string(),
  reason: Line(REASON_MAX),
  message: Line(MESSAGE_MAX),
  lastTransitionTime: Text,
});
type Condition = v.InferOutput<typeof ConditionSchema>;
const Conditions = v.optional(v.nullable(v.array(ConditionSchema)), []);

const TerminatedSchema = v.object({
  reason: Line(REASON_MAX),
  exitCode: v.optional(v.number(), 0),
  finishedAt: Text,
  containerID: Line(128),
});
const StateSchema = v.optional(
  v.object({
    waiting: v.optional(v.object({ reason: Line(REASON_MAX), message: Line(MESSAGE_MAX) })),
    terminated: v.optional(TerminatedSchema),
  }),
  {},
);
const ContainerSchema = v.object({
  name: Line(64),
  ready: v.optional(v.boolean(), false),
  containerID: Line(128),
  restartCount: Count,
  state: StateSchema,
  lastState: StateSchema,
});
type Container = v.InferOutput<typeof ContainerSchema>;
const Containers = v.optional(v.nullable(v.array(ContainerSchema)), []);

const RawPodSchema = v.object({
  metadata: v.object({
    ...MetaSchema.entries,
    labels: v.optional(v.record(v.string(), v.string()), {}),
    ownerReferences: v.optional(v.array(v.object({ kind: v.string(), name: Line(NAME_MAX) })), []),
    deletionTimestamp: v.optional(v.nullable(v.string()), null),
  }),
  status: v.optional(
    v.object({
      phase: Line(REASON_MAX),
      reason: Line(REASON_MAX),
      message: Line(MESSAGE_MAX),
      conditions: Conditions,
      containerStatuses: Containers,
      initContainerStatuses: Containers,
    }),
    {},
  ),
});
type RawPod = v.InferOutput<typeof RawPodSchema>;

export const PodStateSchema = v.pipe(RawPodSchema, v.transform(podState));

function podState(pod: RawPod): PodState {
  const { metadata, status } = pod;
  const own = status.containerStatuses ?? [];
  const all = [...(status.initContainerStatuses ?? []), ...own];
  // A terminating pod is not a failing one.
  const isEnding = metadata.deletionTimestamp !== null;
  const waiting = all.find((container) => container.state.waiting !== undefined)?.state.waiting?.reason;
  return {
    name: metadata.name,
    uid: metadata.uid,
    owner: ownerOf(pod),
    status: isEnding ? "Terminating" : waiting || status.reason || status.phase || "Pending",
    ready: own.filter(({ ready }) => ready).length,
    containers: own.length,
    restarts: all.reduce((sum, { restartCount }) => sum + restartCount, 0),
    troubles: isEnding
      ? []
      : [...podTroubles(pod), ...all.flatMap(containerTroubles(metadata.uid))].slice(0, TROUBLES_MAX),
  };
}

/** The deployment of a pod, read from its ReplicaSet's name, so that no ReplicaSet need be asked for. */
function ownerOf({ metadata }: RawPod): string {
  const owner = metadata.ownerReferences.find(({ kind }) => kind === "ReplicaSet") ?? metadata.ownerReferences[0];
  const hash = metadata.labels["pod-template-hash"];
  if (owner === undefined || hash === undefined || !owner.name.endsWith(`-${hash}`))
    return owner?.name ?? metadata.name;
  return owner.name.slice(0, -hash.length - 1);
}

function podTroubles({ metadata, status }: RawPod): readonly Trouble[] {
  const scheduled = (status.conditions ?? []).find(({ type }) => type === "PodScheduled");
  const unscheduled = scheduled?.status === "False" && scheduled.reason === "Unschedulable" ? [scheduled] : [];
  const evicted =
    status.reason === "Evicted"
      ? [trouble("pod.evicted", metadata.uid, { reason: "Evicted", message: status.message })]
      : [];
  return [...unscheduled.map((condition) => ofCondition("pod.unschedulable", metadata.uid, condition)), ...evicted];
}

/** Reasons under which a container waits and does not begin by itself. */
const WAITING: Readonly<Record<string, WorkloadKind>> = {
  CrashLoopBackOff: "pod.crash_loop",
  ImagePullBackOff: "pod.image_pull_failed",
  ErrImagePull: "pod.image_pull_failed",
  ErrImageNeverPull: "pod.image_pull_failed",
  InvalidImageName: "pod.image_pull_failed",
  CreateContainerConfigError: "pod.start_failed",
  CreateContainerError: "pod.start_failed",
  RunContainerError: "pod.start_failed",
};
/** 128 + SIGKILL. */
const EXIT_KILLED = 137;

const containerTroubles =
  (uid: string) =>
  (container: Container): readonly Trouble[] => {
    const { state, lastState } = container;
    const deaths = [state.terminated, lastState.terminated].flatMap((death) => (death === undefined ? [] : [death]));
    const kills = deaths
      .filter(({ reason, exitCode }) => reason === "OOMKilled" || exitCode === EXIT_KILLED)
      .map((death) => {
        const isMemory = death.reason === "OOMKilled";
        // Not "out of memory": a probe, a preemption or the node may have sent it.
        const message = isMemory ? "" : "SIGKILL: by a probe, a preemption or the node";
        return { ...ofDeath(isMemory ? "pod.oom_killed" : "pod.killed", uid, container, death), message };
      });
    const kind = WAITING[state.waiting?.reason ?? ""];
    if (kind === undefined) return kills;
    const { reason = "", message = "" } = state.waiting ?? {};
    // A loop is told by its last death; what never began by the container.
    const last = kind === "pod.crash_loop" ? lastState.terminated : undefined;
    return [...kills, { ...ofDeath(kind, uid, container, last), reason, message }];
  };

type Death = v.InferOutput<typeof TerminatedSchema>;

/** `lastState` persists for ever, so an occurrence is the death it speaks of: the container's id and `finishedAt`. */
function ofDeath(kind: WorkloadKind, uid: string, container: Container, death: Death | undefined): Trouble {
  const id = kind === "pod.image_pull_failed" ? "" : death?.containerID || container.containerID;
  return {
    ...trouble(kind, `${id === "" ? `${uid}/${container.name}` : id}\0${death?.finishedAt ?? ""}`, {
      reason: death?.reason ?? "",
      message: "",
    }),
    container: container.name,
    at: death?.finishedAt ?? null,
    exitCode: death?.exitCode ?? null,
  };
}

function ofCondition(kind: WorkloadKind, uid: string, condition: Condition): Trouble {
  const { lastTransitionTime } = condition;
  return { ...trouble(kind, `${uid}\0${lastTransitionTime ?? ""}`, condition), at: lastTransitionTime };
}

function trouble(kind: WorkloadKind, key: string, { reason, message }: { reason: string; message: string }): Trouble {
  return { kind, key, container: null, at: null, exitCode: null, reason, message };
}

export const DeploymentStateSchema = v.pipe(
  v.object({
    metadata: MetaSchema,
    spec: v.object({ replicas: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 1) }),
    status: v.optional(v.object({ observedGeneration: Count, readyReplicas: Count, conditions: Conditions }), {}),
  }),
  v.transform(({ metadata, spec, status }): DeploymentState => {
    const { name, uid, generation } = metadata;
    // Trusted only where it speaks of the spec as it is now.
    const isCurrent = (status.observedGeneration ?? 0) >= generation;
    const stuck = (status.conditions ?? []).flatMap((condition) => {
      const { type, reason } = condition;
      if (type === "Progressing" && condition.status === "False" && reason === "ProgressDeadlineExceeded")
        return [ofCondition("deployment.rollout_stuck", uid, condition)];
      if (type === "ReplicaFailure" && condition.status === "True")
        return [ofCondition("deployment.replica_failure", uid, condition)];
      return [];
    });
    return {
      name,
      uid,
      replicas: isCurrent ? { ready: status.readyReplicas ?? 0, desired: spec.replicas } : null,
      troubles: isCurrent ? stuck : [],
    };
  }),
);

export const AutoscalerSchema = v.pipe(
  v.object({
    metadata: v.object({
      ...MetaSchema.entries,
      labels: v.optional(v.record(v.string(), v.string()), {}),
      ownerReferences: v.optional(v.array(v.object({ kind: v.string() })), []),
    }),
    spec: v.object({
      scaleTargetRef: v.object({ kind: Line(REASON_MAX), name: Line(NAME_MAX) }),
      maxReplicas: v.optional(v.number(), 0),
    }),
    status: v.optional(v.object({ currentReplicas: Count, desiredReplicas: Count, conditions: Conditions }), {}),
  }),
  v.transform(({ metadata, spec, status }): AutoscalerState => {
    const desired = status.desiredReplicas ?? 0;
    const isKeda =
      "scaledobject.keda.sh/name" in metadata.labels ||
      metadata.ownerReferences.some(({ kind }) => kind === "ScaledObject");
    return {
      name: metadata.name,
      uid: metadata.uid,
      target: spec.scaleTargetRef,
      isKeda,
      current: status.currentReplicas ?? 0,
      desired,
      max: spec.maxReplicas,
      troubles: (status.conditions ?? []).flatMap((condition) => {
        const kind = autoscalerTrouble(condition);
        return kind === null ? [] : [ofCondition(kind, metadata.uid, condition)];
      }),
    };
  }),
);

/** At the least it may is where a quiet service rests; at 0 replicas somebody has switched it off. */
function autoscalerTrouble({ type, status, reason }: Condition): WorkloadKind | null {
  if (type === "ScalingLimited" && status === "True" && reason === "TooManyReplicas") return "autoscaler.at_limit";
  if (type === "ScalingActive" && status === "False" && reason !== "ScalingDisabled") return "autoscaler.blind";
  return null;
}

export const WarningSchema = v.pipe(
  v.object({
    involvedObject: v.object({ kind: Line(REASON_MAX), name: Line(NAME_MAX) }),
    reason: Line(REASON_MAX),
    message: Line(MESSAGE_MAX),
  }),
  v.transform(({ involvedObject: { kind, name }, reason, message }): Warning => {
    return { about: `${kind}/${name}`, text: `${reason}: ${message}` };
  }),
);
