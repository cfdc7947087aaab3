/** A Cluster comes back with older memory, as a restored disk brings it: the agent and Postgres know more than it does. */
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { startDatabase } from "../../dev/database/database.ts";
import type { RunningDatabase } from "../../dev/database/database.ts";
import type { DesiredState } from "../../protocol/lease.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";
import { EdgeAgent, SERVICE } from "./agent.ts";
import { expectArchived, expectPersisted, openArchive } from "./archive.ts";
import type { Archive } from "./archive.ts";

let database: RunningDatabase;
let archive: Archive;
let edge: Edge;

beforeAll(async () => {
  database = await startDatabase({});
  archive = openArchive(database.url);
  edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
});

afterAll(async () => {
  await edge?.remove();
  await archive?.close();
  await database?.stop();
});

/** An agent whose first facts are in Postgres, and known by it to be. */
async function startAgent(cluster: string): Promise<EdgeAgent> {
  const agent = await EdgeAgent.start(edge, cluster);
  onTestFinished(() => agent.remove());
  agent.close(3);
  await agent.push();
  await expectArchived(archive, agent);
  await expectPersisted(agent);
  return agent;
}

/** Takes a copy of what the Clusters know now; the edge runs on. Returns what ends the edge and starts it on the copy. */
async function remember(): Promise<() => Promise<void>> {
  await edge.kill();
  const restore = edge.copyOf("Cluster");
  await edge.start();
  return async () => {
    await edge.kill();
    restore();
    await edge.start();
  };
}

it("the agent's base moves a rewound Cluster on, past facts that exist nowhere but in Postgres", async () => {
  const agent = await startAgent("rewound");
  const rewind = await remember();
  agent.close(4);
  await agent.push();
  await expectPersisted(agent);
  await rewind();
  expect((await agent.marks()).received).toBe(agent.base);
  agent.close(2);
  await agent.push();
  await expectPersisted(agent);
  await expectArchived(archive, agent);
  expect(await archive.numbers(agent.cluster)).toHaveLength(agent.next - 1);
});

it("what was received but not persisted is lost by a rewound Cluster, and had again from the agent", async () => {
  const agent = await startAgent("rewound-waiting");
  const rewind = await remember();
  agent.close(2);
  await agent.push();
  await expectPersisted(agent);
  database.inject("refuse");
  onTestFinished(() => database.heal());
  agent.close(4);
  await agent.push();
  const { received, persisted } = await agent.marks();
  expect([received, persisted]).toEqual([agent.next, agent.base]);
  await rewind();
  database.heal();
  // The agent believes its newest facts received. Only the gap that the edge now sees makes it send them again.
  agent.close(1);
  expect(await agent.tryPush()).toMatchObject({ accepted: false });
  await agent.push();
  await expectPersisted(agent);
  await expectArchived(archive, agent);
  expect(await archive.numbers(agent.cluster)).toHaveLength(agent.next - 1);
});

it("a copy that still holds facts which Postgres has meanwhile flushes them once more without effect", async () => {
  const agent = await startAgent("rewound-outbox");
  database.inject("refuse");
  onTestFinished(() => database.heal());
  agent.close(3);
  await agent.push();
  const rewind = await remember();
  database.heal();
  await expectArchived(archive, agent);
  await expectPersisted(agent);
  const stored = await archive.numbers(agent.cluster);
  await rewind();
  agent.close(1);
  await agent.push();
  await expectPersisted(agent);
  await expectArchived(archive, agent);
  expect((await archive.numbers(agent.cluster)).slice(0, stored.length)).toEqual(stored);
  expect(await archive.numbers(agent.cluster)).toHaveLength(agent.next - 1);
});

it("a Cluster that was rewound to before an epoch adopts it and gives it to nobody else", async () => {
  const agent = await startAgent("rewound-epoch");
  const rewind = await remember();
  agent.takeOver();
  await agent.push();
  agent.close(2);
  await agent.push();
  const { epoch } = await agent.marks();
  await rewind();
  agent.close(1);
  await agent.tryPush();
  await agent.push();
  await expectPersisted(agent);
  await expectArchived(archive, agent);
  expect((await agent.marks()).epoch).toBe(epoch);
  agent.takeOver();
  await agent.push();
  expect((await agent.marks()).epoch).toBeGreaterThan(epoch);
});

it("a Cluster that was rewound to before a lease keeps it in force while it is wanted, and takes it back after", async () => {
  const agent = await startAgent("rewound-lease");
  const operator = await edge.signIn();
  const rewind = await remember();
  const target = `${agent.cluster}/${SERVICE}`;
  const form = { target, mode: "announce", reason: "new disks", name: "Upgrade", hours: "1" };
  const maintenance = (await operator.post("/admin/maintenance", form)).headers.get("location") ?? "";
  const observed = async (generation: number, leases: number, what: string): Promise<void> => {
    const taken = async (): Promise<boolean> => {
      await agent.push();
      const newest = JSON.parse(agent.desired.at(-1)?.payload ?? '{"leases":[]}') as DesiredState;
      return agent.observedGeneration > generation && newest.leases.length === leases;
    };
    await eventually(taken, 10_000, what);
  };
  await observed(0, 1, "the lease to reach the agent");
  const given = agent.observedGeneration;
  await rewind();
  await observed(given, 1, "the agent to take in what the rewound Cluster says");
  const healed = agent.observedGeneration;
  expect((await operator.post(`${maintenance}/end`, {})).status).toBe(303);
  await observed(healed, 0, "the lease's end to reach the agent");
});
