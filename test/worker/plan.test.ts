import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, it, vi } from "vitest";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { ALL_CLEAR } from "../../worker/core/plan.ts";
import type { PlanRequest } from "../../worker/core/plan.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { tell, told } from "../support/facts.ts";
import { bindings, cli, enrolledAgent } from "./agent.ts";

const board = boardOf(bindings);
const begun = Date.now();

afterEach(() => void vi.useRealTimers());

/** Puts the clock of Worker and objects there, and lets the Board wake as the cron wakes it. */
async function wakeAt(at: number): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"], now: at });
  await board.tick();
}

const request = (startsAt: number, facts: Partial<PlanRequest> = {}): PlanRequest => ({
  name: "Database upgrade",
  body: "Orders are read-only.",
  startsAt,
  endsAt: startsAt + 2 * HOUR,
  components: [],
  emergency: false,
  reason: "new disks",
  targets: [],
  closing: "person",
  ...facts,
});

async function plan(facts: Partial<PlanRequest> & { readonly startsAt: number }): Promise<string> {
  const planned = await board.steer({ kind: "maintenance.plan", request: request(facts.startsAt, facts) }, "ada");
  if (!planned.ok) throw new Error(JSON.stringify(planned.failure));
  return planned.value?.id ?? "";
}

async function noticesOf(id: string): Promise<readonly (readonly [string, string])[]> {
  const view = await board.plan(id);
  return (view?.notices ?? []).map(({ phase, outcome }) => [phase, outcome] as const);
}

it("tells each phase once, over evictions and late wakes, and ends with what is so", async () => {
  const startsAt = begun + 8 * DAY;
  const id = await plan({ startsAt });
  for (const at of [startsAt - 7 * DAY, startsAt - 20 * HOUR, startsAt - HOUR, startsAt, startsAt]) {
    await wakeAt(at);
    await evictDurableObject(board);
    await wakeAt(at + SECOND);
  }
  const refused = await board.steer({ kind: "maintenance.plan", request: request(startsAt + 3 * DAY) }, "ada");
  expect(refused).toMatchObject({ ok: false, failure: { code: "notice" } });
  await wakeAt(startsAt + 3 * HOUR);
  expect((await board.operatorView([])).overdue).toMatchObject([{ id }]);
  expect((await board.snapshot()).maintenances.find((one) => one.id === id)?.status).toBe("in_progress");
  await board.steer({ kind: "maintenance.verify", id }, "ada");
  expect((await board.operatorView([])).overdue).toEqual([]);
  expect((await board.plan(id))?.checks?.map(({ name }) => name)).toEqual([
    "overview",
    "errors",
    "p95",
    "pods",
    "anomalies",
  ]);
  await wakeAt(startsAt + 3 * HOUR + 31 * MINUTE);
  const over = await board.steer({ kind: "maintenance.complete", id }, "ada");
  // Nothing reports: nobody may say that all is well.
  expect(over).toMatchObject({ ok: true, value: { updates: [{}, {}, { body: "Maintenance complete." }] } });
  await wakeAt(startsAt + 5 * HOUR);
  expect(await noticesOf(id)).toEqual([
    ["announced", "out"],
    ["remind_7d", "out"],
    ["remind_24h", "out"],
    ["remind_1h", "out"],
    ["started", "out"],
    ["overdue", "out"],
    ["verifying", "out"],
    ["completed", "out"],
  ]);
  const rows = await runInDurableObject(board, (_, { storage }) =>
    storage.sql.exec("SELECT key FROM outbox WHERE kind = 'notice' ORDER BY key").toArray(),
  );
  expect(rows.map(({ key }) => key)).toContain(`${id}:${startsAt}:started`);
});

it("wakes by itself when the next notice is due, and sooner if something else waits", async () => {
  const startsAt = Date.now() + 30 * DAY;
  await plan({ startsAt });
  const armed = await runInDurableObject(board, (_, { storage }) => storage.getAlarm());
  expect(armed).toBeLessThanOrEqual(Date.now() + SECOND);
  await vi.waitFor(async () => {
    await runDurableObjectAlarm(board);
    const next = await runInDurableObject(board, (_, { storage }) => storage.getAlarm());
    expect(next).toBeGreaterThan(Date.now() + DAY);
    expect(next).toBeLessThanOrEqual(startsAt - 7 * DAY);
  }, 20_000);
});

it("asks its clusters when it begins, also one that is away, and takes back what they hold when the work is done", async () => {
  await enrolledAgent("plan-eu");
  const startsAt = Date.now() + 60 * DAY;
  vi.useFakeTimers({ toFake: ["Date"], now: startsAt - 8 * DAY });
  const target = { service: "shop/checkout", mode: "announce", replicas: null } as const;
  const id = await plan({
    startsAt,
    targets: [
      { cluster: "plan-eu", ...target },
      { cluster: "plan-us", ...target },
    ],
  });
  expect(await board.leasesOf("plan-eu")).toEqual([]);
  await wakeAt(startsAt);
  const leases = (await board.operatorView([])).maintenances.filter(({ announcement }) => announcement === id);
  expect(leases).toMatchObject([
    { cluster: "plan-eu", endedAt: null, endsAt: startsAt + 2 * HOUR },
    { cluster: "plan-us", endedAt: null },
  ]);
  const shown = async () => (await board.snapshot()).maintenances.find((one) => one.id === id);
  expect(await shown()).toMatchObject({ status: "in_progress", confirmed: false, clusters: { confirmed: 0, of: 2 } });
  const generation = async () =>
    (await board.operatorView([])).maintenances.find(({ cluster }) => cluster === "plan-eu")?.generation ?? null;
  await vi.waitFor(async () => expect(await generation()).not.toBeNull(), 20_000);
  const result = { target: "shop/checkout", generation: (await generation()) ?? 0, state: "applied" } as const;
  const targets = [{ ...result, reason: "", evidence: { replicas: 3, ready: 3 }, at: startsAt + 1 }];
  const report = { observedGeneration: result.generation, targets, allowed: [] };
  await board.hear({ ...tell(startsAt + 1, [told("operational")], "plan-eu"), leases: report });
  expect(await shown()).toMatchObject({ confirmed: false, clusters: { confirmed: 1, of: 2 } });
  expect(JSON.stringify(await shown())).not.toContain("plan-");
  const longer = { endsAt: startsAt + 5 * HOUR };
  expect((await board.announce({ kind: "maintenance.change", id, request: longer }, "ada")).ok).toBe(true);
  expect(await shown()).toMatchObject({ endsAt: startsAt + 5 * HOUR, clusters: { confirmed: 0, of: 2 } });
  await evictDurableObject(board);
  await vi.waitFor(async () => expect(await generation()).toBeGreaterThan(result.generation), 20_000);
  expect((await board.leasesOf("plan-eu"))?.map(({ endsAt }) => endsAt)).toEqual([startsAt + 5 * HOUR]);
  await board.hear({ ...tell(startsAt + 2, [told("operational")], "plan-eu"), leases: report });
  expect(await shown(), "of the former end").toMatchObject({ clusters: { confirmed: 0, of: 2 } });
  const now = (await generation()) ?? 0;
  const renewed = { ...report, observedGeneration: now, targets: targets.map((one) => ({ ...one, generation: now })) };
  await board.hear({ ...tell(startsAt + 3, [told("operational")], "plan-eu"), leases: renewed });
  expect(await shown()).toMatchObject({ clusters: { confirmed: 1, of: 2 } });
  await evictDurableObject(board);
  await wakeAt(startsAt + MINUTE);
  await board.steer({ kind: "maintenance.verify", id }, "ada");
  const released = (await board.operatorView([])).maintenances.filter(({ announcement }) => announcement === id);
  expect(released.map(({ endedAt }) => endedAt)).toEqual([startsAt + MINUTE, startsAt + MINUTE]);
});

it("gives the all-clear by itself after 30 good minutes, where it was asked to", async () => {
  const startsAt = Date.now() + 90 * DAY;
  vi.useFakeTimers({ toFake: ["Date"], now: startsAt });
  const service = {
    ...told("operational", "shop/pay"),
    traffic: { requests: 100, errors: 0, spanMs: 20_000 },
    latency: { scheme: "explicit", bounds: [100, 200], counts: [100, 0, 0], sum: 5_000 },
    replicas: { ready: 2, desired: 2 },
  } as const;
  await cli("PUT", "/cli/v1/components", {
    components: [{ name: "Pay", group: "Plan", services: ["plan-ok/shop/pay"] }],
  });
  const id = await plan({ startsAt, emergency: true, closing: "checks", components: ["Plan / Pay"] });
  await board.steer({ kind: "maintenance.verify", id }, "ada");
  for (let minute = 0; minute <= 33; minute++) {
    const at = startsAt + minute * MINUTE;
    vi.setSystemTime(at);
    // Slow for the first two minutes.
    const seen = minute < 2 ? { ...service, traffic: { ...service.traffic, errors: 50 } } : service;
    await board.hear({ ...tell(at, [seen], "plan-ok"), expiresAt: at + 2 * MINUTE });
    await board.tick();
    const status = (await board.log()).maintenances.find((one) => one.id === id)?.status;
    expect(status, `minute ${minute}`).toBe(minute < 32 ? "verifying" : "completed");
  }
  const view = await board.operatorView([]);
  const said = view.announcements?.find((one) => one.id === id)?.updates?.at(-1);
  expect(said).toMatchObject({ status: "completed", by: "the checks" });
  // Other tests' components are silent, so not all systems are operational.
  expect(said?.body.startsWith(ALL_CLEAR.slice(0, 20))).toBe(true);
  expect(await noticesOf(id)).toContainEqual(["completed", "out"]);
});
