/**
 * A planned upgrade from the plan to the all-clear, on a clock that is put forward: the real agent's actuator in a
 * cluster, the edge in workerd, Postgres. Once without a pause, and once with the edge killed between every two steps.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Notice } from "../../worker/core/notices.ts";
import type { TestCluster } from "../agent/cluster.ts";
import { startCluster } from "../agent/cluster.ts";
import { clockedWorker, jumpTo, setAhead, tellTime } from "../support/clock.ts";
import { Edge } from "../support/miniflare.ts";
import { EdgeAgent } from "./agent.ts";
import type { Archive } from "./archive.ts";
import { openArchive } from "./archive.ts";

const LIMIT_MS = 30_000;
/** The clock is put to so long before a notice is due: then nobody calls, and the alarm has to come by itself. */
const BEFORE_MS = 1_500;
/** A notice is recorded so soon after it is due, on a machine that does other things too. */
const EXACT_MS = 5 * SECOND;

/** After so long somebody sees that two hours are too few. */
const HALF = 30 * MINUTE;
/** How long the work takes: longer than was planned, and not as long as it was given then. */
const WORKED = 2.5 * HOUR;

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly name: string;
  readonly incident_updates: readonly { readonly status: string; readonly body: string }[];
  readonly scheduled_for: string;
}

let database: RunningDatabase;
let archive: Archive;
let cluster: TestCluster;

beforeAll(async () => {
  [database, cluster] = await Promise.all([startDatabase({}), startCluster()]);
  archive = openArchive(database.url);
}, 60_000);

afterAll(async () => {
  setAhead(0);
  await cluster?.stop();
  await archive?.close();
  await database?.stop();
});

describe.each([
  // The clocks of Berlin are put forward at 02:00 of the one, and back at 03:00 of the other.
  ["without a pause", "2027-03-28T03:00", "2027-03-28T03:00:00.000+02:00", false],
  ["with the edge killed between every two steps", "2027-10-31T03:00", "2027-10-31T03:00:00.000+01:00", true],
] as const)("an upgrade on the Sunday on which the clocks change, %s", (_name, wall, startsText, isKilled) => {
  const startsAt = Date.parse(startsText);
  const name = `Upgrade of ${wall.slice(0, 10)}`;
  const clusterName = isKilled ? "eu-2" : "eu-1";
  let edge: Edge;
  let agent: EdgeAgent;
  let id = "";

  beforeAll(async () => {
    jumpTo(startsAt - 8 * DAY);
    edge = await Edge.start({
      databaseEndpoint: database.endpoint,
      flushMs: 500,
      script: await clockedWorker(),
      variables: { PAGE_TIME_ZONE: "Europe/Berlin" },
    });
    agent = await EdgeAgent.start(edge, clusterName, { kubernetes: cluster.client });
    const wish = { name: "Checkout", group: "Shop", services: [`${clusterName}/shop/checkout`] };
    await edge.cli("PUT", "/cli/v1/components", { components: [wish] });
  }, 60_000);

  afterAll(async () => {
    await agent?.remove();
    await edge?.remove();
  });

  /** Time passes until then, while the edge is up or while it is dead. */
  async function until(at: number): Promise<void> {
    jumpTo(at);
    if (isKilled) await edge.deploy(await clockedWorker());
    await tellTime(edge);
  }

  async function notices(): Promise<readonly Notice[]> {
    const rows = (await archive.board("notice")) as unknown as readonly Notice[];
    return rows.filter(({ maintenance }) => maintenance === id).toSorted((a, b) => a.number - b.number);
  }

  /** Puts the clock to just before, and waits for the alarm. */
  async function due(phase: Notice["phase"], at: number): Promise<void> {
    await until(at - BEFORE_MS);
    await expect.poll(async () => (await notices()).at(-1)?.phase, { timeout: LIMIT_MS, interval: 200 }).toBe(phase);
  }

  async function shown(): Promise<Shown | undefined> {
    const answer = await edge.visit("/api/v2/scheduled-maintenances.json");
    const { scheduled_maintenances: all } = (await answer.json()) as { scheduled_maintenances: readonly Shown[] };
    return all.find((one) => one.id === id);
  }

  /** An agent whose clock jumped may be refused once, and hears what time it is. */
  async function pushed(): Promise<void> {
    await expect.poll(async () => (await agent.tryPush()).accepted, { timeout: LIMIT_MS, interval: 100 }).toBe(true);
  }

  async function act(what: string, form: Readonly<Record<string, string>> = {}): Promise<void> {
    const answer = await (await edge.signIn()).post(`/admin/maintenance/${id}/${what}`, form);
    expect(answer.status, await answer.text()).toBe(303);
  }

  const annotations = () => cluster.shows().annotations;

  it("is planned a week ahead in the page's zone, and announced", async () => {
    const component = (await (await edge.visit("/api/v2/components.json")).json()) as {
      components: readonly { id: string; name: string }[];
    };
    const answer = await (
      await edge.signIn()
    ).post("/admin/maintenance/plan/leases", {
      name,
      body: "Checkout is read-only.",
      start: wall,
      zone: "Europe/Berlin",
      hours: "2",
      repeat: "once",
      closing: "person",
      reason: "v1.1.0",
      component: component.components.find((one) => one.name === "Checkout")?.id ?? "",
      // Once its pods stay, and once all but one of them go.
      [`target:${clusterName}/shop/checkout`]: isKilled ? "1" : "announce",
    });
    expect(answer.status, await answer.text()).toBe(303);
    id = (answer.headers.get("location") ?? "").split("/").at(-1) ?? "";
    expect(await shown()).toMatchObject({ name, status: "scheduled", scheduled_for: startsText });
    await expect
      .poll(async () => (await notices()).map(({ phase }) => phase), { timeout: LIMIT_MS })
      .toEqual(["announced"]);
  });

  it("is reminded of a week, a day and an hour before", async () => {
    await due("remind_7d", startsAt - 7 * DAY);
    await due("remind_24h", startsAt - DAY);
    await due("remind_1h", startsAt - HOUR);
    expect(annotations()["maintenance"]).toBeUndefined();
  });

  it("begins at its moment, and the cluster is put into maintenance and says so", async () => {
    await due("started", startsAt);
    expect(await edge.statuses()).toMatchObject({ Checkout: "under_maintenance" });
    await expect
      .poll(
        async () => {
          await agent.push();
          return annotations()["maintenance"];
        },
        { timeout: LIMIT_MS, interval: 300 },
      )
      .toBe("true");
    await expect
      .poll(
        async () => {
          await agent.push();
          return (await edge.visit(`/maintenance/${id}`)).text();
        },
        { timeout: LIMIT_MS, interval: 300 },
      )
      .toContain("Confirmed by 1 of 1 clusters");
    expect(await shown()).toMatchObject({ status: "in_progress" });
    expect(cluster.shows().replicas).toBe(isKilled ? 1 : 3);
  });

  it("is given more time, which the cluster takes in and the page says it has", async () => {
    await until(startsAt + HALF);
    await pushed();
    await act("move/leases", { end: new Date(startsAt + 3 * HOUR).toISOString().slice(0, 16) });
    const page = async (): Promise<string> => (await edge.visit(`/maintenance/${id}`)).text();
    expect(await page()).toContain("Confirmed by 0 of 1 clusters");
    if (isKilled) await edge.deploy(await clockedWorker());
    await tellTime(edge);
    await expect
      .poll(
        async () => {
          await agent.tryPush();
          return page();
        },
        { timeout: LIMIT_MS, interval: 300 },
      )
      .toContain("Confirmed by 1 of 1 clusters");
    expect(annotations()).toMatchObject({
      maintenance: "true",
      "observatory.edge/expires-at": new Date(startsAt + 3 * HOUR).toISOString(),
    });
  });

  it("gives back what the cluster held when the work is done, after its former end, and is watched", async () => {
    await until(startsAt + WORKED);
    expect(await shown()).toMatchObject({ status: "in_progress" });
    await pushed();
    expect(annotations()["maintenance"]).toBe("true");
    expect(cluster.shows().replicas).toBe(isKilled ? 1 : 3);
    await act("verify");
    await expect
      .poll(
        async () => {
          await agent.push();
          return annotations()["maintenance"] ?? null;
        },
        { timeout: LIMIT_MS, interval: 300 },
      )
      .toBeNull();
    expect(cluster.shows().replicas, "traffic is restored").toBe(3);
    expect(await shown()).toMatchObject({ status: "verifying" });
    const page = await (await (await edge.signIn()).get(`/admin/maintenance/${id}`)).text();
    expect(page).toContain("3 of 3 pods ready");
  });

  it("is all clear after 30 good minutes, and everybody is told that all is well", async () => {
    agent.latency = { scheme: "explicit", bounds: [100, 250], counts: [100, 0, 0], sum: 5_000 };
    await until(startsAt + WORKED + 5 * MINUTE);
    for (let minute = 5; minute <= 37; minute += 2) {
      jumpTo(startsAt + WORKED + minute * MINUTE);
      await tellTime(edge);
      await pushed();
    }
    const page = await (await (await edge.signIn()).get(`/admin/maintenance/${id}`)).text();
    expect(page).toContain("Give the all-clear</button>");
    await act("complete");
    expect(await shown()).toMatchObject({
      status: "completed",
      incident_updates: [
        { body: "Maintenance complete. All systems operational." },
        { status: "verifying" },
        { status: "scheduled" },
      ],
    });
    expect(await edge.statuses()).toMatchObject({ Checkout: "operational" });
  });

  it("was told of exactly once each, at exactly these moments", async () => {
    await until(startsAt + 5 * HOUR);
    await expect.poll(async () => (await notices()).at(-1)?.phase, { timeout: LIMIT_MS }).toBe("completed");
    const told = await notices();
    expect(told.map(({ phase, outcome }) => [phase, outcome])).toEqual(
      ["announced", "remind_7d", "remind_24h", "remind_1h", "started", "verifying", "completed"].map((phase) => [
        phase,
        "out",
      ]),
    );
    const dueAt = Object.fromEntries(told.map((notice) => [notice.phase, notice.dueAt]));
    expect(dueAt).toMatchObject({
      remind_7d: startsAt - 7 * DAY,
      remind_24h: startsAt - DAY,
      remind_1h: startsAt - HOUR,
      started: startsAt,
    });
    for (const notice of told) expect(Math.abs(notice.at - notice.dueAt), notice.phase).toBeLessThan(EXACT_MS);
    expect(new Set(told.map(({ key }) => key)).size).toBe(told.length);
  });
});
