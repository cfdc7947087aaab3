import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { momentOf, Signals } from "../../agent/core/signals.ts";
import {
  AutoscalerSchema,
  DeploymentStateSchema,
  PodStateSchema,
  WarningSchema,
  type Trouble,
} from "../../agent/core/workload.ts";
import { EventDoor } from "../../agent/door.ts";
import type { EventRecord, WorkloadKind } from "../../protocol/record.ts";
import { TOO_OLD_MS } from "../../protocol/limits.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";

const AT = "2026-11-23T01:00:00Z";
const meta = (more: object = {}) => ({
  name: "checkout-6d5f-x1",
  uid: "u1",
  resourceVersion: "7",
  labels: { "pod-template-hash": "6d5f" },
  ownerReferences: [{ kind: "ReplicaSet", name: "checkout-6d5f" }],
  ...more,
});
const container = (more: object) => ({ name: "app", containerID: "c1", restartCount: 3, ...more });
const pod = (status: object, more: object = {}) => v.parse(PodStateSchema, { metadata: meta(more), status });
const withContainer = (more: object) => pod({ phase: "Running", containerStatuses: [container(more)] });
const told = (troubles: readonly Trouble[]) => troubles.map(({ kind, reason }) => `${kind} ${reason}`);

describe("a pod", () => {
  const dead = (reason: string, exitCode: number) => ({
    terminated: { reason, exitCode, finishedAt: AT, containerID: "c0" },
  });
  it.each<[string, object, readonly string[]]>([
    ["runs", { ready: true, state: { running: {} } }, []],
    ["is made", { state: { waiting: { reason: "ContainerCreating" } } }, []],
    [
      "falls again and again",
      { state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: dead("Error", 1) },
      ["pod.crash_loop CrashLoopBackOff"],
    ],
    ["was out of memory", { state: { running: {} }, lastState: dead("OOMKilled", 137) }, ["pod.oom_killed OOMKilled"]],
    ["is out of memory now", { state: dead("OOMKilled", 137) }, ["pod.oom_killed OOMKilled"]],
    ["was killed, but not for memory", { state: { running: {} }, lastState: dead("Error", 137) }, ["pod.killed Error"]],
    ["ended by itself", { state: { running: {} }, lastState: dead("Completed", 0) }, []],
    [
      "is out of memory again and again",
      { state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: dead("OOMKilled", 137) },
      ["pod.oom_killed OOMKilled", "pod.crash_loop CrashLoopBackOff"],
    ],
    ["has no image", { state: { waiting: { reason: "ErrImagePull" } } }, ["pod.image_pull_failed ErrImagePull"]],
    [
      "still has no image",
      { state: { waiting: { reason: "ImagePullBackOff" } } },
      ["pod.image_pull_failed ImagePullBackOff"],
    ],
    [
      "lacks a secret",
      { state: { waiting: { reason: "CreateContainerConfigError" } } },
      ["pod.start_failed CreateContainerConfigError"],
    ],
  ])("that %s says %s", (_name, state, troubles) => expect(told(withContainer(state).troubles)).toEqual(troubles));

  it("says the same of its init containers, and names the one", () => {
    const init = [container({ name: "migrate", state: { waiting: { reason: "CrashLoopBackOff" } } })];
    expect(pod({ phase: "Pending", initContainerStatuses: init }).troubles).toMatchObject([
      { kind: "pod.crash_loop", container: "migrate" },
    ]);
  });

  it("that no node takes, or that was evicted, says why", () => {
    const conditions = [
      { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes", lastTransitionTime: AT },
    ];
    expect(pod({ phase: "Pending", conditions }).troubles).toMatchObject([
      { kind: "pod.unschedulable", message: "0/3 nodes", at: AT },
    ]);
    const evicted = { phase: "Failed", reason: "Evicted", message: "low on memory" };
    expect(told(pod(evicted).troubles)).toEqual(["pod.evicted Evicted"]);
  });

  it("that is ending has nothing to complain of", () => {
    const status = { containerStatuses: [container({ state: { waiting: { reason: "CrashLoopBackOff" } } })] };
    const ending = pod(status, { deletionTimestamp: AT });
    expect([ending.status, ending.troubles]).toEqual(["Terminating", []]);
  });

  it("is known by one occurrence whether its image is being pulled or waited for, and by each of its deaths", () => {
    const keyOf = (state: object): string | undefined => withContainer(state).troubles[0]?.key;
    const waiting = (reason: string) => keyOf({ state: { waiting: { reason } } });
    expect(waiting("ErrImagePull")).toBe(waiting("ImagePullBackOff"));
    const died = (finishedAt: string) =>
      keyOf({ lastState: { terminated: { reason: "OOMKilled", exitCode: 137, finishedAt, containerID: "c0" } } });
    expect(died(AT)).not.toBe(died("2026-11-23T02:00:00Z"));
  });

  it.each<[string, object, string]>([
    ["the deployment, by its ReplicaSet's name", {}, "checkout"],
    ["a StatefulSet", { ownerReferences: [{ kind: "StatefulSet", name: "ledger" }], labels: {} }, "ledger"],
    ["itself", { ownerReferences: [], labels: {} }, "checkout-6d5f-x1"],
  ])("belongs to %s", (_name, more, owner) => expect(pod({}, more).owner).toBe(owner));

  it("is kept in at most 1 KB, however long what it says is", () => {
    const long = "x".repeat(5_000);
    const waiting = { state: { waiting: { reason: "CrashLoopBackOff", message: long } } };
    const statuses = Array.from({ length: 30 }, () => container({ name: long, containerID: long, ...waiting }));
    const { troubles, ...kept } = pod({ phase: long, containerStatuses: statuses }, { name: `${"n".repeat(253)}` });
    expect(JSON.stringify(kept).length).toBeLessThan(1_024);
    expect(troubles).toHaveLength(4);
    for (const trouble of troubles) expect(JSON.stringify(trouble).length).toBeLessThan(1_024);
  });
});

describe("a deployment", () => {
  const deployment = (observedGeneration: number, conditions: object[]) =>
    v.parse(DeploymentStateSchema, {
      metadata: { name: "checkout", uid: "u", generation: 2 },
      spec: { replicas: 3 },
      status: { observedGeneration, readyReplicas: 1, conditions },
    });
  const late = { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", lastTransitionTime: AT };
  it.each<[string, object[], readonly string[]]>([
    ["goes on", [{ ...late, status: "True", reason: "ReplicaSetUpdated" }], []],
    ["is stuck", [late], ["deployment.rollout_stuck ProgressDeadlineExceeded"]],
    [
      "may make no pods",
      [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate" }],
      ["deployment.replica_failure FailedCreate"],
    ],
    ["has too few of them", [{ type: "Available", status: "False", reason: "MinimumReplicasUnavailable" }], []],
  ])("whose rollout %s says so", (_name, conditions, troubles) =>
    expect(told(deployment(2, conditions).troubles)).toEqual(troubles),
  );

  it("is not believed while its status speaks of an older spec", () =>
    expect(deployment(1, [late])).toMatchObject({ replicas: null, troubles: [] }));
});

describe("an autoscaler", () => {
  const condition = (type: string, status: string, reason: string) => [
    { type, status, reason, lastTransitionTime: AT },
  ];
  it.each<[string, object[], readonly string[]]>([
    [
      "is at its limit",
      condition("ScalingLimited", "True", "TooManyReplicas"),
      ["autoscaler.at_limit TooManyReplicas"],
    ],
    ["rests at its least", condition("ScalingLimited", "True", "TooFewReplicas"), []],
    [
      "sees no metric",
      condition("ScalingActive", "False", "FailedGetResourceMetric"),
      ["autoscaler.blind FailedGetResourceMetric"],
    ],
    ["is switched off by 0 replicas", condition("ScalingActive", "False", "ScalingDisabled"), []],
  ])("that %s", (_name, conditions, troubles) => {
    const read = v.parse(AutoscalerSchema, {
      metadata: { name: "checkout", uid: "u" },
      spec: { scaleTargetRef: { kind: "Deployment", name: "checkout" }, maxReplicas: 5 },
      status: { currentReplicas: 5, desiredReplicas: 5, conditions },
    });
    expect(told(read.troubles)).toEqual(troubles);
  });
});

it("a warning is kept as one line of what it is about", () =>
  expect(
    v.parse(WarningSchema, { involvedObject: { kind: "Pod", name: "a" }, reason: "Failed", message: "two\nlines" }),
  ).toEqual({ about: "Pod/a", text: "Failed: two\ufffdlines" }));

describe("the moment of what is told", () => {
  const now = 100 * DAY;
  it.each<[string, WorkloadKind, number, number | null]>([
    ["is that of the death", "pod.oom_killed", now - DAY, now - DAY],
    ["is now where none was written", "pod.image_pull_failed", Number.NaN, now],
    ["is never ahead of now", "pod.oom_killed", now + HOUR, now],
    ["is now for a state that an edge would find too old", "autoscaler.at_limit", now - 30 * DAY, now],
    ["is none for a death that it would: that is no news", "pod.oom_killed", now - 8 * DAY, null],
  ])("%s", (_name, kind, at, told) => {
    expect(momentOf(kind, at, now)).toBe(told);
    if (told !== null) expect(told).toBeGreaterThan(now - TOO_OLD_MS);
  });
});

describe("signals", () => {
  const sight = (kind: WorkloadKind, id: string, place = id) => ({ id, kind, subject: "shop/checkout", place });

  it("are told once each, whatever is listed again", () => {
    const signals = new Signals();
    expect(signals.take(sight("pod.oom_killed", "a"), 0)).toEqual({ unsaid: 0 });
    expect(signals.take(sight("pod.oom_killed", "a"), HOUR)).toBeNull();
  });

  it("of a loop that lasts for a day are one an hour, not one a death", () => {
    const signals = new Signals();
    let count = 0;
    for (let at = 0; at < 24 * HOUR; at += 5 * MINUTE)
      if (signals.take(sight("pod.crash_loop", `death ${at}`, "pod/app"), at) !== null) count += 1;
    expect(count).toBe(24);
  });

  it("of a thousand pods with one fault are five an hour, and the next says how many there were", () => {
    const signals = new Signals();
    const all = Array.from({ length: 1_000 }, (_, i) => signals.take(sight("pod.image_pull_failed", `${i}`), i));
    expect(all.filter((one) => one !== null)).toHaveLength(5);
    expect(signals.take(sight("pod.image_pull_failed", "next"), HOUR)).toEqual({ unsaid: 995 });
    expect(signals.take(sight("pod.evicted", "other"), 2)).toEqual({ unsaid: 0 });
  });
});

describe("events of kinds that an edge of before does not know", () => {
  const event = (kind: EventRecord["kind"]): EventRecord => ({
    kind,
    id: "0".repeat(32),
    at: 1,
    subject: "a/b",
    body: {},
  });
  it("wait until the edge says that it takes them; others do not", () => {
    const taken: string[] = [];
    const door = new EventDoor(({ kind }) => void taken.push(kind));
    door.offer(event("pod.evicted"));
    door.offer(event("pod.crash_loop"));
    door.hear(["compact"]);
    expect(taken).toEqual(["pod.crash_loop"]);
    door.hear(["compact", "workloads"]);
    door.offer(event("pod.killed"));
    expect(taken).toEqual(["pod.crash_loop", "pod.evicted", "pod.killed"]);
    door.offer(event("certificate.gone"));
    door.offer(event("pod.evicted"));
    expect(taken.slice(3)).toEqual(["pod.evicted"]);
    door.hear(["certificates"]);
    expect(taken.slice(4)).toEqual(["certificate.gone"]);
  });
});
