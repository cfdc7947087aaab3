/** An hour without Postgres, played as fast as the edge takes it: everything goes on, says so, and arrives. */
import { expect, it, onTestFinished } from "vitest";
import { startDatabase } from "../../dev/database/database.ts";
import { MINUTE } from "../../protocol/time.ts";
import { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";
import { EdgeAgent, SERVICE } from "./agent.ts";
import { expectArchived, expectPersisted, openArchive } from "./archive.ts";

/** What visitors are told. */
const DELAYED = "History is delayed since ";
/** A tell of the Cluster, 30 s after the last at most, and a slow machine. */
const SAID_WITHIN_MS = 60_000;
/** Of one cluster. */
const [HOUR_MINUTES, HOUR_SERVICES] = [60, 50];
/** At 20 times real time, waiting for the next attempt included. */
const DRAINED_WITHIN_MS = (HOUR_MINUTES * MINUTE) / 20;

it(
  "an hour without Postgres: page and admin work throughout and say so, and it drains at 20 times real time",
  { timeout: 360_000 },
  async () => {
    const database = await startDatabase({});
    onTestFinished(() => database.stop());
    const archive = openArchive(database.url);
    onTestFinished(() => archive.close());
    const edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
    onTestFinished(() => edge.remove());
    const agent = await EdgeAgent.start(edge, "hour", { services: HOUR_SERVICES, intervalMs: 10_000 });
    onTestFinished(() => agent.remove());
    await edge.cli("PUT", "/cli/v1/components", { components: [{ name: "Checkout", services: [`hour/${SERVICE}`] }] });
    const operator = await edge.signIn();
    const says = async (words: string, answer: Promise<Response>): Promise<[number, boolean]> => {
      const { status, text } = await answer.then(async (got) => ({ status: got.status, text: await got.text() }));
      return [status, text.includes(words)];
    };
    await agent.push();
    expect(await says(DELAYED, edge.visit("/"))).toEqual([200, false]);
    database.inject("refuse");
    const isSaid = async (): Promise<boolean> => {
      await agent.push();
      return (await says(DELAYED, edge.visit("/")))[1];
    };
    for (let minute = 0; minute < HOUR_MINUTES; minute++) {
      agent.close(1);
      agent.errorRatio = minute < HOUR_MINUTES / 2 ? 0 : 1;
      await agent.push();
      if (minute % 10 !== 9) continue;
      await eventually(isSaid, SAID_WITHIN_MS, "the page to say that history is delayed");
      const status = minute < HOUR_MINUTES / 2 ? "operational" : "major_outage";
      expect(await edge.statuses()).toEqual({ Checkout: status });
      expect(await says("Not archived since", operator.get("/admin"))).toEqual([200, true]);
    }
    expect(agent.base).toBeLessThan(agent.next);
    const healedAt = Date.now();
    database.heal();
    await expectArchived(archive, agent, DRAINED_WITHIN_MS);
    const drainedMs = Date.now() - healedAt;
    console.log(`an hour of ${agent.closed.length} windows drained in ${drainedMs} ms`);
    await expectPersisted(agent);
    await eventually(async () => !(await isSaid()), SAID_WITHIN_MS, "the page to say no more that history is delayed");
  },
);
