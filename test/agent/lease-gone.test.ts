/** Leases that end without a step of this agent's: by another agent, or by a hand that takes every annotation away. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HOUR } from "../../protocol/time.ts";
import {
  desired,
  lease,
  leasesConfig,
  resultOf,
  startCluster,
  until,
  untilState,
  type TestCluster,
} from "./cluster.ts";

let cluster: TestCluster;
beforeEach(async () => {
  cluster = await startCluster({}, { settlingMs: 25, inForceMs: 60 });
});
afterEach(() => cluster.stop());

describe("what another agent has ended", () => {
  const other = () => cluster.agent(leasesConfig(), cluster.client, "other");

  it.each([
    ["by the edge's word", "released"],
    ["by its expiry", "expired"],
  ])("%s is told as that, and not as in force or taken away by hand", async (_name, state) => {
    const first = cluster.agent();
    first.offer(desired(1, [lease()]));
    await untilState(first, "applied");
    await first.stop();
    const second = other();
    second.offer(desired(1, [lease()]));
    await untilState(second, "applied");
    if (state === "expired") cluster.clock.aheadMs = 2 * HOUR;
    else second.offer(desired(2, []));
    await untilState(second, state as "expired");
    const again = cluster.agent();
    if (state === "released") again.offer(desired(2, []));
    expect(await untilState(again, state as "expired")).toMatchObject({ generation: 1, evidence: { replicas: 3 } });
    const told = new Set(cluster.events.map(({ body }) => body["state"]));
    expect([...told]).toEqual(["applied", state]);
  });

  it("is what a hand has ended, where every annotation is gone: not put back under a new number", async () => {
    const agent = cluster.agent();
    const wanted = lease();
    agent.offer(desired(1, [wanted]));
    await untilState(agent, "applied");
    const { annotations } = cluster.shows();
    cluster.server.annotate("shop", "checkout", Object.fromEntries(Object.keys(annotations).map((key) => [key, null])));
    await untilState(agent, "superseded");
    agent.offer(desired(2, [{ ...wanted, generation: 2 }]));
    await until(() => resultOf(agent)?.generation === 2);
    expect(resultOf(agent)).toMatchObject({ state: "superseded" });
    agent.offer(desired(3, []));
    await until(() => agent.report().observedGeneration === 3);
    expect([
      cluster.server.requests().filter((request) => request.startsWith("PATCH")).length,
      cluster.shows().annotations,
    ]).toEqual([1, {}]);
  });
});
