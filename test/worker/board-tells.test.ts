import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import type { ExplicitLatency } from "../../protocol/latency.ts";
import type { Board } from "../../worker/objects/board.ts";
import { told, tell } from "../support/facts.ts";
import { bindings } from "./agent.ts";

/** A Board of its own: what other tests tell the page's would be counted too. */
function board(name: string): DurableObjectStub<Board> {
  return bindings.BOARD.getByName(`tells-${name}`);
}

const latency: ExplicitLatency = {
  scheme: "explicit",
  bounds: [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000],
  counts: [0, 3, 17, 160, 220, 140, 60, 14, 2, 0, 0, 0, 0, 0, 0, 0],
  sum: 12_345.6,
};

/** Fifty services with all there is to say of each. */
function full(cluster: string, heardAt: number) {
  const services = Array.from({ length: 50 }, (_, i) => ({
    ...told("operational", `production/some-service-name-${i}`),
    reason: "0.1 % of 1200 requests failed, p95 184 ms",
    traffic: { requests: 1_234.56, errors: 1.2, spanMs: 20_000 },
    latency,
    replicas: { ready: 3, desired: 3 },
  }));
  return tell(heardAt, services, cluster);
}

const component = { group: "Tells", description: null, rule: "all" } as const;

describe("a tell that another one has overtaken", () => {
  it.each([
    ["by a moment", 0, "degraded_performance"],
    ["by what a clock said that was an hour ahead, and is right now", 3_600_000, "major_outage"],
  ] as const)("%s, %s ms", async (_name, aheadMs, status) => {
    const one = board(`overtaken-${aheadMs}`);
    await one.putComponents([{ ...component, name: "One", services: ["eu-1/shop/checkout"] }], "test");
    const now = Date.now();
    await one.hear(tell(now + aheadMs, [told("degraded_performance")]));
    await one.hear(tell(now - 1, [told("major_outage")]));
    expect((await one.snapshot()).components[0]?.outlook[0]?.status).toBe(status);
  });
});

describe("tells on disk", () => {
  it("cost a row for the first, and none while more are expected soon", async () => {
    const one = board("rows");
    const now = Date.now();
    // Heard half a minute ago: it is expected within the next seconds, so the others may wait for it.
    await one.hear(full("expected", now - 35_000));
    const before = (await one.costs()).rowsWritten;
    for (let i = 0; i < 19; i++) await one.hear(full(`c-${i}`, now));
    // Each of them was news: nothing was known of it.
    expect((await one.costs()).rowsWritten - before).toBe(19);
    for (let i = 0; i < 19; i++) await one.hear(full(`c-${i}`, now + 1));
    expect((await one.costs()).rowsWritten - before).toBe(19);
    const { slots, bytes } = await runInDurableObject(one, (_, { storage }) =>
      storage.sql
        .exec<{ slots: number; bytes: number }>("SELECT count(*) AS slots, max(length(body)) AS bytes FROM tells")
        .one(),
    );
    expect(slots).toBeLessThanOrEqual(3);
    expect(bytes).toBeLessThanOrEqual(1_000_000);
    // What the rule's test takes for granted.
    expect(JSON.stringify(full("c-1", now)).length).toBeLessThanOrEqual(25_000);
  });

  it("are all there after an eviction, each the newest that was written", async () => {
    const one = board("evicted");
    const now = Date.now();
    for (let i = 0; i < 60; i++) await one.hear(full(`c-${i}`, now - 60_000));
    for (let i = 0; i < 60; i++) await one.hear({ ...full(`c-${i}`, now), agentVersion: "2.0.0" });
    await one.hush("c-7", now, now + 5_000);
    const before = (await one.operatorView()).tells;
    await evictDurableObject(one);
    const after = (await one.operatorView()).tells;
    expect(after).toEqual(before);
    expect(after).toHaveLength(60);
    expect(after.find(({ cluster }) => cluster === "c-7")?.expiresAt).toBe(now + 5_000);
    // A wake reads rows, not tells: fewer than clusters, however long the telling took.
    expect((await one.costs()).rowsRead).toBeLessThan(60);
  });

  it("that an earlier version kept as a row each are taken over once", async () => {
    const one = board("upgraded");
    const now = Date.now();
    await one.putComponents([{ ...component, name: "Old", services: ["old/shop/checkout"] }], "test");
    await runInDurableObject(one, (_, { storage }) => {
      const body = JSON.stringify(tell(now, [told("operational")], "old"));
      storage.sql.exec("INSERT INTO doc (kind, key, body) VALUES ('tell', 'old', ?)", body);
    });
    await evictDurableObject(one);
    expect((await one.snapshot()).components[0]?.outlook[0]?.status).toBe("operational");
    await evictDurableObject(one);
    expect((await one.snapshot()).components[0]?.outlook[0]?.status).toBe("operational");
    const kept = await runInDurableObject(
      one,
      (_, { storage }) => storage.sql.exec<{ n: number }>("SELECT count(*) AS n FROM doc WHERE kind = 'tell'").one().n,
    );
    expect(kept).toBe(0);
  });
});

describe("a tell", () => {
  it("judges the components of its own cluster, twice each, however many the page has", async () => {
    const one = board("judged");
    const services = (i: number) => (i < 2 ? ["mine/shop/checkout", `c-${i}/shop/checkout`] : [`c-${i}/shop/checkout`]);
    const names = Array.from({ length: 200 }, (_, i) => ({ ...component, name: `C ${i}`, services: services(i) }));
    expect((await one.putComponents(names, "test")).ok).toBe(true);
    const before = (await one.costs()).judged;
    await one.hear(tell(Date.now(), [told("operational")], "mine"));
    expect((await one.costs()).judged - before).toBe(4);
  });

  it("does not settle what others fell silent about; the minute's tick does, at the moment at which it happened", async () => {
    const one = board("silent");
    await one.putComponents([{ ...component, name: "Silent", services: ["quiet/shop/checkout"] }], "test");
    const { id } = (await one.snapshot()).components.find(({ name }) => name === "Silent") ?? { id: "" };
    await one.hear(tell(Date.now(), [told("operational")], "quiet"));
    // The alarm settles too, so it must have nothing left to come for.
    await runDurableObjectAlarm(one);
    const idle = () => runInDurableObject(one, (_, { storage }) => storage.getAlarm());
    await expect.poll(idle).toBeNull();
    const now = Date.now();
    const expiresAt = now + 300;
    await one.hear({ ...tell(now, [told("operational")], "quiet"), expiresAt });
    await new Promise((resolve) => setTimeout(resolve, expiresAt + 10 - Date.now()));
    await one.hear(tell(Date.now(), [told("operational")], "loud"));
    const journal = (): Promise<readonly { at: number; status: string }[]> =>
      runInDurableObject(one, (_, { storage }) =>
        storage.sql
          .exec<{ at: number; status: string }>("SELECT at, status FROM change WHERE component = ? ORDER BY at", id)
          .toArray(),
      );
    expect((await journal()).at(-1)?.status).toBe("operational");
    await one.tick();
    expect((await journal()).at(-1)).toEqual({ at: expiresAt, status: "unknown" });
  });
});
