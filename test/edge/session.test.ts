/** Pushes of a real agent over a session with a real edge, on a network that breaks. */
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { startDatabase } from "../../dev/database/database.ts";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";
import { Wire } from "../support/wire.ts";
import { EdgeAgent } from "./agent.ts";
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

it("pushes travel over the session, and by POST when it breaks, and no fact is lost or doubled", async () => {
  const wire = await Wire.to(edge.url);
  onTestFinished(() => wire.close());
  const agent = await EdgeAgent.start(edge, "over-session", { url: wire.url });
  onTestFinished(() => agent.remove());
  const session = agent.openSession();
  await eventually(() => session.takesPushes(), 10_000, "the session to open");
  /** How many of the pushes that this does are POSTs. */
  const posts = async (act: () => Promise<unknown>): Promise<number> => {
    const before = wire.posts;
    await act();
    return wire.posts - before;
  };
  const push = async (): Promise<void> => {
    agent.close(2);
    await agent.push();
  };

  for (let i = 0; i < 3; i++) expect(await posts(push)).toBe(0);

  // The edge takes the push and its answer is lost: it comes again under the same numbers.
  wire.sessions("mute");
  const since = performance.now();
  expect(await posts(push)).toBe(1);
  expect(performance.now() - since).toBeLessThan(7_000);
  wire.sessions("pass");
  await eventually(async () => (await posts(push)) === 0, 30_000, "pushes to return to the session");

  wire.sessions("cut");
  expect(await posts(push)).toBe(1);
  expect(session.isOpen()).toBe(false);

  await expectArchived(archive, agent);
  await expectPersisted(agent);
  expect(await archive.numbers(agent.cluster)).toHaveLength(agent.closed.length + agent.happened.length);
});
