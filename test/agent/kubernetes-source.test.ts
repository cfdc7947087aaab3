import * as v from "valibot";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startKubernetesSource, type KubernetesSource } from "../../agent/source/kubernetes.ts";
import { RecordSchema, type EventRecord } from "../../protocol/record.ts";
import { startCluster, until, type TestCluster } from "./cluster.ts";

let cluster: TestCluster;
let events: EventRecord[];
let now: () => number;
const sources: KubernetesSource[] = [];

beforeEach(async () => {
  cluster = await startCluster();
  events = [];
  now = () => Date.now();
});
afterEach(async () => {
  await Promise.all(sources.splice(0).map((source) => source.stop()));
  await cluster.stop();
});

function start(): KubernetesSource {
  const onEvent = (event: EventRecord): void => void events.push(event);
  const source = startKubernetesSource({
    client: cluster.client,
    cluster: "eu-1",
    namespaces: ["shop"],
    now: () => now(),
    onEvent,
    onChange: () => {},
  });
  sources.push(source);
  return source;
}

const checkout = (source: KubernetesSource) => source.replicas().get("shop/checkout");

it("tells ready and desired replicas, and follows them", async () => {
  const source = start();
  await until(() => checkout(source)?.ready === 3);
  expect(source.state()).toMatchObject({ state: "ok", detail: null });
  cluster.server.scale("shop", "checkout", 1);
  await until(() => checkout(source)?.desired === 1 && checkout(source)?.ready === 1);
  cluster.server.remove("shop", "checkout");
  await until(() => checkout(source) === undefined);
});

it("does not believe a status that speaks of an older spec", async () => {
  const source = start();
  await until(() => checkout(source)?.ready === 3);
  cluster.server.setControllers(false);
  cluster.server.scale("shop", "checkout", 9);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(checkout(source)).toEqual({ ready: 3, desired: 3 });
});

it("reports a crash loop and a kill for want of memory once each, under ids that outlive a restart", async () => {
  const first = start();
  await until(() => checkout(first)?.ready === 3);
  const pod = cluster.server.setPodState("shop", "checkout", {
    state: "oom_killed",
    finishedAt: "2026-11-23T01:00:00Z",
  });
  cluster.server.setPodState("shop", "reports", { state: "waiting", reason: "CrashLoopBackOff" });
  await until(() => events.length === 2);
  await until(() => first.replicas().get("shop/reports")?.ready === 1);
  const killed = events.find(({ kind }) => kind === "pod.oom_killed");
  expect(killed).toMatchObject({
    subject: "shop/checkout",
    at: Math.min(Date.now(), Date.parse("2026-11-23T01:00:00Z")),
    body: { pod, exitCode: 137 },
  });
  for (const event of events) expect(v.safeParse(RecordSchema, event).issues).toBeUndefined();
  const ids = events.map(({ id }) => id).toSorted();
  events = [];
  start();
  await until(() => events.length === 2);
  expect(events.map(({ id }) => id).toSorted()).toEqual(ids);
});

it.each([
  ["history is compacted and connections are cut", () => (cluster.server.compact(), cluster.server.cut())],
  ["a line of the watch is cut in the middle", () => void (cluster.server.watches.resetNextLine = true)],
])("is right again after %s", async (_name, harm) => {
  const source = start();
  await until(() => checkout(source)?.ready === 3);
  harm();
  cluster.server.scale("shop", "checkout", 2);
  await until(() => checkout(source)?.desired === 2 && checkout(source)?.ready === 2, 15_000);
  await until(() => source.state().state === "ok");
});

it("is stale while the API server is away, and down, with no numbers, when that lasts", async () => {
  const source = start();
  await until(() => source.state().state === "ok");
  cluster.server.fail({ fault: "503", times: 1_000, retryAfterSeconds: 0 });
  cluster.server.cut();
  await until(() => source.state().detail?.includes("503") === true);
  expect(source.state().state).toBe("stale");
  expect(source.replicas().size).toBe(2);
  now = () => Date.now() + 91_000;
  expect(source.state().state).toBe("down");
  expect(source.replicas().size).toBe(0);
  now = () => Date.now();
  cluster.server.heal();
  await until(() => source.state().state === "ok", 15_000);
});

it("that may not read says so and is down", async () => {
  const other = await startCluster({ rbac: [] });
  const source = startKubernetesSource({
    client: other.client,
    cluster: "eu-1",
    namespaces: ["shop"],
    now,
    onEvent: () => {},
    onChange: () => {},
  });
  await until(() => source.state().detail?.includes("403") === true);
  expect(source.state()).toMatchObject({ state: "down", okAt: null });
  await source.stop();
  await other.stop();
});
