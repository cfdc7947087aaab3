import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import type { DesiredState } from "../../protocol/lease.ts";
import type { PageChange, PageSnapshot } from "../../protocol/page.ts";
import type { Receipt } from "../../protocol/push.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { BoardMemory } from "../../worker/objects/board-memory.ts";
import { Meter } from "../../worker/objects/meter.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { tell, told } from "../support/facts.ts";
import { bindings, call, cli, enrolledAgent } from "./agent.ts";

const board = boardOf(bindings);

interface Answer {
  readonly status: number;
  readonly incident?: { readonly id: string; readonly status: string; readonly impact: string; readonly url: string };
  readonly maintenance?: { readonly id: string; readonly status: string; readonly cancelledAt: string | null };
  readonly error?: { readonly code: string; readonly message: string };
}

async function ask(method: string, path: string, body?: object): Promise<Answer> {
  const answer = await cli(method, `/cli/v1/${path}`, body);
  return { ...(await answer.json<Omit<Answer, "status">>()), status: answer.status };
}

/** Publishes a component of its own for a test, and lets the mesh say that it is well. Answers its id. */
async function published(name: string, cluster: string): Promise<string> {
  const wish = { name, group: "Announce", services: [`${cluster}/shop/checkout`] };
  const put = await cli("PUT", "/cli/v1/components", { components: [wish] });
  const { components } = await put.json<{ components: { id: string; name: string }[] }>();
  const now = Date.now();
  await board.hear({ ...tell(now, [told("operational")], cluster), expiresAt: now + DAY });
  return components.find((one) => one.name === name)?.id ?? "";
}

const shown = (snapshot: PageSnapshot, id: string) => snapshot.components.find((one) => one.id === id)?.outlook[0];
const iso = (at: number): string => new Date(at).toISOString();

describe("an incident", () => {
  it("is on the page, in the log and in a frame to every open page as soon as it is opened", async () => {
    const id = await published("Cart", "announce-1");
    const live = (await call("/live", { headers: { upgrade: "websocket", origin: "https://status.test" } })).webSocket;
    if (live === null) throw new Error("no upgrade");
    live.accept();
    const marks: unknown[] = [];
    live.addEventListener("message", ({ data }) => void marks.push((JSON.parse(String(data)) as PageChange).announced));
    await expect.poll(() => marks.length).toBeGreaterThan(0);
    const before = marks.at(-1);
    const opened = await ask("POST", "incidents", {
      name: "Carts are slow",
      body: "We are **looking**.",
      components: [{ component: "Announce / Cart", status: "degraded_performance" }],
    });
    expect(opened).toMatchObject({ status: 201, incident: { status: "investigating", impact: "minor" } });
    await expect.poll(() => marks.at(-1)).not.toBe(before);
    live.close();
    const snapshot = await board.snapshot();
    expect(shown(snapshot, id)).toMatchObject({ status: "degraded_performance", why: "Carts are slow" });
    const said = { component: id, name: "Cart", from: "operational", to: "degraded_performance" };
    expect(snapshot.incidents?.[0]).toMatchObject({
      id: opened.incident?.id,
      components: [id],
      updates: [{ body: "We are **looking**.", affected: [said] }],
    });
    expect((await board.log()).incidents[0]).toEqual(snapshot.incidents?.[0]);
  });

  it("ends with the evidence alone, and its page keeps all that was said", async () => {
    const id = await published("Search", "announce-2");
    const components = [{ component: id, status: "major_outage" }];
    const { incident } = await ask("POST", "incidents", { name: "Search is down", body: "It is.", components });
    const path = `incidents/${incident?.id}/updates`;
    expect(await ask("POST", path, { status: "identified", body: "A bad deploy." })).toMatchObject({ status: 201 });
    expect(shown(await board.snapshot(), id)?.status).toBe("major_outage");
    const over = await ask("POST", path, { status: "resolved", body: "Rolled back." });
    expect(over).toMatchObject({ incident: { status: "resolved", impact: "critical" } });
    expect(shown(await board.snapshot(), id)).toMatchObject({ status: "operational", why: null });
    const found = (await board.log()).incidents.find((one) => one.id === incident?.id);
    expect(found?.updates.map(({ status, affected }) => [status, affected[0]?.to ?? null])).toEqual([
      ["resolved", "operational"],
      ["identified", null],
      ["investigating", "major_outage"],
    ]);
    // The journal has the outage that only people knew of.
    const journal = await runInDurableObject(board, (_, { storage }) =>
      storage.sql.exec("SELECT status FROM change WHERE component = ? ORDER BY at", id).toArray(),
    );
    expect(journal.map(({ status }) => status)).toEqual(["unknown", "operational", "major_outage", "operational"]);
  });

  it("is still there after the Board was evicted, and the audit knows who opened it", async () => {
    const { incident } = await ask("POST", "incidents", { name: "Kept", body: "x" });
    await evictDurableObject(board);
    expect((await board.log()).incidents.some(({ id }) => id === incident?.id)).toBe(true);
    const rows = await runInDurableObject(board, (_, { storage }) =>
      storage.sql
        .exec<{ kind: string; body: string }>("SELECT kind, body FROM outbox WHERE body LIKE ?", `%${incident?.id}%`)
        .toArray(),
    );
    expect(rows.map(({ kind }) => kind).toSorted()).toEqual(["audit", "incident"]);
    expect(rows.find(({ kind }) => kind === "audit")?.body).toContain('"act":"incident.open"');
  });

  it.each([
    ["without a name", { name: " ", body: "x" }, 400, "name: must not be empty"],
    ["without a word", { name: "x", body: " \n" }, 400, "body: must not be empty"],
    [
      "of a component that is not there",
      { name: "x", body: "x", components: [{ component: "Nope", status: "major_outage" }] },
      400,
      'there is no "Nope"',
    ],
    ["of tomorrow", { name: "x", body: "x", at: iso(Date.now() + DAY) }, 400, "at: must not be in the future"],
    ["of a day that is not", { name: "x", body: "x", at: "2026-02-31T02:00:00Z" }, 400, "at: there is no such day"],
    ["of another age", { name: "x", body: "x", at: "0026-11-23T02:00:00Z" }, 400, "at: must be between 1970 and 2096"],
    ["in a state of its own", { name: "x", body: "x", status: "fixed" }, 400, "status: must be one of investigating"],
    ["with a name that is a text", { name: "x".repeat(256), body: "x" }, 400, "name: must be at most 255 characters"],
    ["with a name on two lines", { name: "a\nb", body: "x" }, 400, "name: has control characters"],
    ["with a text that turns around", { name: "x", body: "\u202Egpj" }, 400, "body: has control characters"],
    ["with a book", { name: "x", body: "x".repeat(25_001) }, 400, "body: must be at most 25000"],
  ])("%s is refused", async (_name, body, status, message) => {
    const { incidents } = await board.log();
    const answer = await ask("POST", "incidents", body);
    expect([answer.status, answer.error?.message]).toEqual([status, expect.stringContaining(message)]);
    expect((await board.log()).incidents).toHaveLength(incidents.length);
  });

  it("that is not there cannot be updated, and one that grew too long takes no more", async () => {
    expect(await ask("POST", "incidents/nothing00000/updates", { body: "x" })).toMatchObject({ status: 404 });
    const { incident } = await ask("POST", "incidents", { name: "Long", body: "x" });
    const path = `incidents/${incident?.id}/updates`;
    let last = 201;
    for (let i = 0; i < 25 && last === 201; i++) last = (await ask("POST", path, { body: "x".repeat(25_000) })).status;
    expect(last).toBe(413);
    expect((await ask("POST", path, { status: "resolved", body: "Short." })).status).toBe(201);
  });
});

describe("a maintenance", () => {
  const plan = (component: string, fields: object = {}) => ({
    name: "New disks",
    body: "Orders cannot be changed.",
    startsAt: iso(Date.now() + HOUR),
    endsAt: iso(Date.now() + 2 * HOUR),
    components: [component],
    emergency: true,
    ...fields,
  });
  const found = async (id = "") => (await board.log()).maintenances.find((one) => one.id === id);

  it("is announced, changed and called off: calendars see each", async () => {
    const component = await published("Orders", "announce-3");
    const { maintenance } = await ask("POST", "maintenances", plan("Orders"));
    expect(await found(maintenance?.id)).toMatchObject({
      status: "scheduled",
      components: [component],
      updates: [{ status: "scheduled", body: "Orders cannot be changed." }],
    });
    const startsAt = Math.floor(Date.now() / MINUTE) * MINUTE + 3 * HOUR;
    const moved = { startsAt: iso(startsAt), endsAt: iso(startsAt + HOUR) };
    expect(await ask("POST", `maintenances/${maintenance?.id}/change`, moved)).toMatchObject({ status: 200 });
    expect(await found(maintenance?.id)).toMatchObject({ startsAt, sequence: 1 });
    await ask("POST", `maintenances/${maintenance?.id}/change`, moved);
    expect(await found(maintenance?.id)).toMatchObject({ sequence: 1 });
    const cancelled = await ask("POST", `maintenances/${maintenance?.id}/cancel`);
    expect(cancelled.maintenance?.cancelledAt).not.toBeNull();
    expect(await found(maintenance?.id)).toMatchObject({
      sequence: 2,
      startsAt,
      endsAt: startsAt + HOUR,
      status: "completed",
    });
    expect(await ask("POST", `maintenances/${maintenance?.id}/cancel`)).toMatchObject({ status: 409 });
  });

  it("covers its components from its begin until somebody says that it is done", async () => {
    const component = await published("Stock", "announce-4");
    const now = iso(Date.now());
    const { maintenance } = await ask("POST", "maintenances", plan("Stock", { startsAt: now }));
    expect(shown(await board.snapshot(), component)).toMatchObject({ status: "under_maintenance", why: "New disks" });
    const path = `maintenances/${maintenance?.id}/updates`;
    expect(await ask("POST", path, { body: "x", status: "scheduled" })).toMatchObject({ status: 409 });
    expect(await ask("POST", path, { body: "Checking.", status: "verifying" })).toMatchObject({
      maintenance: { status: "verifying" },
    });
    expect(await ask("POST", path, { body: "Done.", status: "completed" })).toMatchObject({
      maintenance: { status: "completed" },
    });
    expect(shown(await board.snapshot(), component)?.status).toBe("operational");
    expect((await found(maintenance?.id))?.endsAt).toBeLessThanOrEqual(Date.now());
  });

  it("with a target holds a lease that begins when it does, and gives it back when it is called off", async () => {
    const agent = await enrolledAgent("announce-5");
    const component = await published("Ledger", agent.cluster);
    const lease = { service: `${agent.cluster}/shop/checkout`, mode: "scale", replicas: 0, reason: "broken disks" };
    const wish = plan("", { components: [], lease });
    const { maintenance } = await ask("POST", "maintenances", wish);
    expect(await found(maintenance?.id)).toMatchObject({ status: "scheduled", components: [component] });
    const leases = async () => {
      const answer = await agent.push({ epoch: agent.epoch });
      const { desired } = await answer.json<Receipt>();
      return (JSON.parse(desired?.payload ?? "{}") as Partial<DesiredState>).leases;
    };
    const startsAt = (await found(maintenance?.id))?.startsAt;
    const held = { target: "shop/checkout", mode: "scale", replicas: 0, notBefore: startsAt, reason: "broken disks" };
    await expect.poll(leases).toMatchObject([held]);
    // Null until a new Board has looked into the archive.
    const kept = async () => (await board.leasesOf(agent.cluster))?.map(({ id }) => id);
    await expect.poll(kept).toEqual([maintenance?.id]);
    expect(await ask("POST", "maintenances", wish)).toMatchObject({ status: 409 });
    const path = `maintenances/${maintenance?.id}/change`;
    const change = await ask("POST", path, {
      startsAt: iso(Date.now() + 9 * HOUR),
      endsAt: iso(Date.now() + 10 * HOUR),
    });
    expect(change.error?.message).toContain("it has a target");
    const expiresAt = Math.floor(Date.now() / MINUTE) * MINUTE + 5 * HOUR;
    expect(await ask("POST", path, { endsAt: iso(expiresAt) })).toMatchObject({ status: 200 });
    await expect.poll(leases).toMatchObject([{ ...held, expiresAt }]);
    expect((await ask("POST", `maintenances/${maintenance?.id}/cancel`)).status).toBe(200);
    expect(await kept()).toEqual([]);
    await expect.poll(leases).toEqual([]);
    expect(JSON.stringify(await found(maintenance?.id))).not.toMatch(/announce-5|shop\/|broken/);
  });

  it("is told of as early as the policy asks, or called an emergency, which visitors read: planned or moved", async () => {
    await published("Returns", "announce-8");
    const times = (days: number) => ({
      startsAt: iso(Date.now() + days * DAY),
      endsAt: iso(Date.now() + days * DAY + HOUR),
    });
    const early = { ...plan("Returns"), emergency: undefined };
    const refused = await ask("POST", "maintenances", { ...early, ...times(6) });
    expect([refused.status, refused.error?.message]).toEqual([409, expect.stringContaining("7 days before it starts")]);
    const lease = { service: "announce-8/shop/checkout", reason: "broken disks" };
    expect((await ask("POST", "maintenances", { ...early, ...times(6), components: [], lease })).status).toBe(409);
    const { maintenance } = await ask("POST", "maintenances", { ...early, ...times(8) });
    expect((await found(maintenance?.id))?.emergency).toBeUndefined();
    const path = `maintenances/${maintenance?.id}/change`;
    expect((await ask("POST", path, times(2))).status).toBe(409);
    expect((await ask("POST", path, { ...times(2), emergency: true })).status).toBe(200);
    expect((await found(maintenance?.id))?.emergency).toBe(true);
    await board.steer({ kind: "notice.policy", days: 1 }, "ada");
    expect((await ask("POST", "maintenances", { ...early, ...times(2) })).status).toBe(201);
    await board.steer({ kind: "notice.policy", days: 7 }, "ada");
  });

  it("with a target that no component stands on has no address, because visitors cannot see it", async () => {
    const lease = { service: "announce-6/shop/typo", reason: "broken disks" };
    const { maintenance } = await ask("POST", "maintenances", plan("", { components: [], lease }));
    expect(maintenance).toMatchObject({ status: "scheduled", url: null });
    const { maintenances } = await (
      await cli("GET", "/cli/v1/maintenances")
    ).json<{ maintenances: { id: string }[] }>();
    expect(maintenances.find(({ id }) => id === maintenance?.id)).toMatchObject({ url: null });
    expect(maintenances).toContainEqual(expect.objectContaining({ url: expect.stringContaining("/maintenance/") }));
  });

  it.each([
    ["that ends before it begins", { endsAt: iso(Date.now()) }, 409, "it ends before it begins"],
    ["of yesterday", { startsAt: iso(Date.now() - DAY) }, 409, "it begins in the past"],
    ["of nothing", { components: [] }, 400, "name the components"],
    ["of a year", { endsAt: iso(Date.now() + 365 * DAY) }, 409, "it is longer than 92 days"],
  ])("%s is refused", async (_name, fields, status, message) => {
    await published("Plans", "announce-7");
    const answer = await ask("POST", "maintenances", plan("Plans", fields));
    expect([answer.status, answer.error?.message]).toEqual([status, expect.stringContaining(message)]);
  });
});

it("long texts leave for Postgres a few at a time, oldest first", async () => {
  const left = await runInDurableObject(board, (_, { storage }) => {
    const memory = new BoardMemory(new Meter(storage.sql, Date.now()), 0);
    const body = { text: "x".repeat(400_000) };
    for (let i = 1; i <= 5; i++) memory.queue({ kind: "incident", key: `long${i}`, revision: 1, at: i, body });
    const queued = memory.queued(500).map(({ key }) => key);
    storage.sql.exec("DELETE FROM outbox WHERE key LIKE 'long%'");
    return queued;
  });
  expect(left).toEqual(["long1", "long2", "long3"]);
});
