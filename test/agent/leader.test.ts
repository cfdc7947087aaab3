import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ELECTION_PACE, isLeading, leaderStep, microTime, type LeaseView } from "../../agent/core/leader.ts";
import { createKubernetesClient, type KubernetesClient } from "../../agent/kubernetes/client.ts";
import { startElection, type Election } from "../../agent/leader.ts";
import { startKubernetesServer, type KubernetesServer } from "../../dev/kubernetes/server.ts";
import { until } from "./cluster.ts";

const T0 = 1_000_000;
const NOW = "2026-11-23T01:00:00.123000Z";

describe("a look at the Lease", () => {
  const lease = (over: Partial<LeaseView> = {}): LeaseView => ({
    resourceVersion: "7",
    holder: "other",
    seconds: 15,
    acquireTime: "2026-11-23T00:00:00.000000Z",
    transitions: 3,
    ...over,
  });
  const seen = (agoMs: number, resourceVersion = "7") => ({ resourceVersion, at: T0 - agoMs });
  const writes = (acquireTime: string, transitions: number) => ({ act: "write", acquireTime, transitions });
  it.each([
    ["nobody's is taken", lease({ holder: null, transitions: 0 }), null, writes(NOW, 1)],
    ["one that was given back is taken", lease({ holder: "", seconds: 1 }), seen(0), writes(NOW, 4)],
    [
      "my own is renewed, and goes on to have begun when it did",
      lease({ holder: "me" }),
      seen(3_000),
      writes(lease().acquireTime ?? "", 3),
    ],
    ["another's is waited for", lease(), seen(14_999), { act: "wait", holder: "other" }],
    ["another's that did not change for its whole length is taken", lease(), seen(15_000), writes(NOW, 4)],
    [
      "another's that changed is waited for anew",
      lease({ resourceVersion: "8" }),
      seen(60_000),
      { act: "wait", holder: "other" },
    ],
    [
      "one that is seen for the first time is waited for, whatever its times say",
      lease(),
      null,
      { act: "wait", holder: "other" },
    ],
    ["a length of nothing is not believed", lease({ seconds: 0 }), seen(999), { act: "wait", holder: "other" }],
    ["a length of a day is not believed", lease({ seconds: 86_400 }), seen(60_000), writes(NOW, 4)],
  ] as const)("%s", (_name, view, last, step) => expect(leaderStep("me", view, last, T0, NOW).step).toEqual(step));

  it("a leader stops before another may begin", () => {
    expect(isLeading(T0, ELECTION_PACE, T0 + 9_999)).toBe(true);
    expect(isLeading(T0, ELECTION_PACE, T0 + 10_000)).toBe(false);
    expect(isLeading(null, ELECTION_PACE, T0)).toBe(false);
    expect(ELECTION_PACE.deadlineMs).toBeLessThan(ELECTION_PACE.leaseSeconds * 1_000);
  });

  it("its times have six digits", () => expect(microTime("2026-11-23T01:00:00.123Z")).toBe(NOW));
});

describe("of several agents", () => {
  /** A tenth of the real one. */
  const pace = { leaseSeconds: 1.5, deadlineMs: 1_000, retryMs: 100 };
  const clients: KubernetesClient[] = [];
  const elections: Election[] = [];
  let server: KubernetesServer;
  let story: string[];
  beforeEach(async () => {
    story = [];
    server = await startKubernetesServer({
      tokens: { t: "agent" },
      rbac: [
        {
          user: "agent",
          verbs: ["get", "update"],
          groups: ["coordination.k8s.io"],
          resources: ["leases"],
          namespaces: ["observatory"],
          names: ["agent"],
        },
      ],
      deployments: [],
      leases: ["observatory/agent"],
    });
  });
  afterEach(async () => {
    // One that was cut off waits for ever for an answer.
    const stopped = Promise.all(elections.splice(0).map((election) => election.stop()));
    await Promise.race([stopped, new Promise((done) => setTimeout(done, 300))]);
    for (const client of clients.splice(0)) client.close();
    await server.stop();
  });

  function stand(identity: string): { readonly election: Election; readonly cut: () => void } {
    const tokenFile = join(mkdtempSync(join(tmpdir(), "leader-")), "token");
    writeFileSync(tokenFile, "t");
    const client = createKubernetesClient({ url: server.url, tokenFile, namespaces: ["observatory"] });
    clients.push(client);
    let isCut = false;
    const never = new Promise<never>(() => {});
    const through = <T>(send: () => Promise<T>): Promise<T> => (isCut ? never : send());
    const election = startElection({
      client: {
        lease: (namespace, name) => through(() => client.lease(namespace, name)),
        putLease: (namespace, name, lease) => through(() => client.putLease(namespace, name, lease)),
      },
      lease: "observatory/agent",
      identity,
      onLead: () => void story.push(`${identity} leads`),
      onLost: (reason) => void story.push(`${identity} stops: ${reason}`),
      onState: () => {},
      pace,
    });
    elections.push(election);
    return { election, cut: () => (isCut = true) };
  }

  it("one leads, however many stand at once", async () => {
    for (const name of ["a", "b", "c", "d", "e"]) stand(name);
    await until(() => story.length > 0);
    await new Promise((done) => setTimeout(done, 700));
    expect(story).toHaveLength(1);
    expect(elections.filter((election) => election.isLeading())).toHaveLength(1);
    expect(server.lease("observatory", "agent")?.spec).toMatchObject({
      holderIdentity: story[0]?.[0],
      leaseTransitions: 1,
    });
  });

  it("the next one follows at once where the leader goes by itself", async () => {
    const first = stand("a");
    await until(() => first.election.isLeading());
    const second = stand("b");
    await new Promise((done) => setTimeout(done, 300));
    expect(second.election.isLeading()).toBe(false);
    await first.election.stop();
    await until(() => second.election.isLeading(), 1_000);
  });

  it("one that hears nothing of the server stops before the next one begins", async () => {
    const first = stand("a");
    await until(() => first.election.isLeading());
    const second = stand("b");
    await new Promise((done) => setTimeout(done, 300));
    first.cut();
    await until(() => second.election.isLeading(), 4_000);
    expect(first.election.isLeading()).toBe(false);
    expect(story).toEqual(["a leads", "a stops: the Lease could not be renewed in time", "b leads"]);
  });

  it("one that finds another's name in the Lease stops", async () => {
    const first = stand("a");
    await until(() => first.election.isLeading());
    const client = clients[0];
    const lease = await client?.lease("observatory", "agent");
    if (lease?.ok !== true) throw new Error("no Lease");
    const { metadata, spec } = lease.value;
    const taken = { metadata: { ...metadata, resourceVersion: "" }, spec: { ...spec, holderIdentity: "thief" } };
    await client?.putLease("observatory", "agent", taken);
    await until(() => story.length === 2, 2_000);
    expect(story[1]).toBe("a stops: thief leads now");
  });
});
