import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, onTestFinished } from "vitest";
import type { PageChange } from "../../protocol/page.ts";
import type { BoardCosts } from "../../worker/objects/board.ts";
import { Board } from "../../worker/objects/board.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { tell, told } from "../support/facts.ts";
import { bindings, call, cli, enroll, enrolledAgent, makeAgent } from "./agent.ts";

const ORIGIN = "https://status.test";

async function publish(name: string, cluster: string): Promise<void> {
  await cli("PUT", "/cli/v1/components", {
    components: [{ name, group: "Board", services: [`${cluster}/shop/checkout`] }],
  });
}

async function socket(path: string, headers: Record<string, string> = {}): Promise<WebSocket> {
  const answer = await call(path, { headers: { upgrade: "websocket", origin: ORIGIN, ...headers } });
  const client = answer.webSocket;
  if (client === null) throw new Error(`${path}: ${answer.status}`);
  client.accept();
  return client;
}

async function signedIn(): Promise<{ readonly secret: string; readonly cookie: string }> {
  const { token } = await boardOf(bindings).createLink();
  const secret = (await boardOf(bindings).redeemLink(token)) ?? "";
  return { secret, cookie: `__Host-observatory=${secret}` };
}

const request = { reason: "disks", service: "shop/checkout", mode: "announce", replicas: null, hours: 1 } as const;

describe("a goodbye", () => {
  it("reaches open pages at once, however short ago the last frame went out", async () => {
    await publish("Goodbye", "bye-1");
    const board = boardOf(bindings);
    const now = Date.now();
    await board.hear(tell(now, [told("operational")], "bye-1"));
    const frames: PageChange[] = [];
    const live = await socket("/live");
    live.addEventListener("message", ({ data }) => frames.push(JSON.parse(String(data))));
    await board.hush("bye-1", now, now + 30_000);
    const turns = (): number | undefined =>
      frames
        .at(-1)
        ?.components.find(({ name }) => name === "Goodbye")
        ?.outlook.find(({ status }) => status === "unknown")?.from;
    await expect.poll(turns).toBe(now + 30_000);
    live.close();
  });

  it("that comes late shortens nothing that was heard after it", async () => {
    await publish("Late", "bye-2");
    const board = boardOf(bindings);
    const now = Date.now();
    await board.hear(tell(now, [told("operational")], "bye-2"));
    await board.hush("bye-2", now - 5_000, now + 25_000);
    const late = (await board.snapshot()).components.find(({ name }) => name === "Late");
    expect(late?.outlook.find(({ status }) => status === "unknown")?.from).toBe(now + 60_000);
  });
});

it("an unchanged version is no 304 once its evidence has expired", async () => {
  await publish("Expiring", "expire-1");
  const board = boardOf(bindings);
  const now = Date.now();
  await board.hear({ ...tell(now, [told("operational")], "expire-1"), expiresAt: now + 700 });
  // A name of its own, so that no other test's copy is in the cache.
  const url = "https://expiring.test/api/v2/status.json";
  const before = await call(url);
  await before.arrayBuffer();
  await new Promise((resolve) => setTimeout(resolve, 800));
  const elsewhere = await call("https://expiring-too.test/api/v2/status.json", {
    headers: { "if-none-match": before.headers.get("etag") ?? "" },
  });
  expect(elsewhere.status).toBe(200);
  await elsewhere.arrayBuffer();
});

it("nobody is told to keep a document for longer than it holds, and our own cache keeps it no longer", async () => {
  await publish("Brief", "brief-1");
  const now = Date.now();
  await boardOf(bindings).hear({ ...tell(now, [told("operational")], "brief-1"), expiresAt: now + 1_500 });
  const url = "https://brief.test/api/v2/status.json";
  const first = await call(url);
  // Evidence of this component runs out first, and whole seconds are all that can be said.
  expect(first.headers.get("cache-control")).toMatch(/^public, max-age=[01]$/);
  expect(first.headers.get("x-holds-until")).toBeNull();
  await first.arrayBuffer();
  const kept = await call(url);
  expect([kept.headers.get("etag"), kept.headers.get("x-holds-until")]).toEqual([first.headers.get("etag"), null]);
  await kept.arrayBuffer();
  await new Promise((resolve) => setTimeout(resolve, 1_600 - (Date.now() - now)));
  const after = await call(url);
  expect(after.headers.get("etag")).not.toBe(first.headers.get("etag"));
  await after.arrayBuffer();
});

it("a Board that cannot be reached leaves an old copy, which says so and ages", async () => {
  await publish("Copied", "copied-1");
  const now = Date.now();
  await boardOf(bindings).hear({ ...tell(now, [told("operational")], "copied-1"), expiresAt: now + 1_000 });
  const origin = "https://copied.test";
  const ask = async (path: string) => {
    const answer = await call(`${origin}${path}`);
    return { cache: answer.headers.get("cache-control"), text: await answer.text() };
  };
  expect((await ask("/")).text).toContain('<p id="copy" hidden>');
  const real: unknown = Reflect.get(Board.prototype, "snapshot");
  onTestFinished(() => void Reflect.set(Board.prototype, "snapshot", real));
  Board.prototype.snapshot = () => Promise.reject(new Error("the machine is gone"));
  await new Promise((resolve) => setTimeout(resolve, 1_100 - (Date.now() - now)));
  const page = await ask("/");
  expect(page.cache).toBe("no-store");
  expect(page.text).toContain('<p id="copy">Live data cannot be reached');
  const row = page.text.split("<li").find((markup) => />Copied(<\/a>)?<\/h3>/.test(markup));
  expect(row).toContain('class="m unknown"');
  expect(row).not.toContain('class="m operational"');
  const document = await ask("/api/v2/status.json");
  expect(document.cache).toBe("no-store");
  expect(JSON.parse(document.text)).toMatchObject({ status: { indicator: "minor" } });
});

describe("maintenance", () => {
  it("of a target that a refused one still holds is answered at once, not refused later", async () => {
    const board = boardOf(bindings);
    const first = await board.startMaintenance({ ...request, name: "First", cluster: "busy-1" }, "test");
    expect(first.ok).toBe(true);
    expect(await board.startMaintenance({ ...request, name: "Second", cluster: "busy-1" }, "test")).toEqual({
      ok: false,
      failure: "target_busy",
    });
    if (first.ok) await board.endMaintenance(first.value.id, "test");
    expect((await board.startMaintenance({ ...request, name: "Third", cluster: "busy-1" }, "test")).ok).toBe(true);
  });

  it("is known to a cluster that lost its memory while it is in force, and no longer", async () => {
    const board = boardOf(bindings);
    const started = await board.startMaintenance({ ...request, name: "Held", cluster: "held-1" }, "test");
    if (!started.ok) throw new Error("not started");
    // A board that is new asks the archive first whether it is.
    await expect.poll(async () => (await board.leasesOf("held-1"))?.map(({ id }) => id)).toEqual([started.value.id]);
    await board.endMaintenance(started.value.id, "test");
    expect(await board.leasesOf("held-1")).toEqual([]);
  });
});

describe("components", () => {
  it("a form publishes a new one and replaces none", async () => {
    const { cookie } = await signedIn();
    await cli("PUT", "/cli/v1/components", {
      components: [{ name: "Pair", group: "G", description: "two", rule: "any", services: ["a/b/c", "a/b/d"] }],
    });
    const post = (name: string) =>
      call("/admin/components", {
        method: "POST",
        headers: { origin: ORIGIN, cookie, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ service: "a/b/c", name, group: "G" }).toString(),
      });
    const refused = await post("Pair");
    expect(refused.status).toBe(400);
    expect(await refused.text()).toContain("has a component of that name");
    expect((await post("Pair two")).status).toBe(303);
    const { components } = await boardOf(bindings).operatorView();
    expect(components.find(({ name }) => name === "Pair")).toMatchObject({ rule: "any", services: ["a/b/c", "a/b/d"] });
  });
});

describe("the page of a component", () => {
  const form = { name: "Till", group: "Paged", description: "Where one pays", services: "p-1/shop/till", rule: "all" };

  async function published(): Promise<{ readonly id: string; readonly post: (fields: object) => Promise<Response> }> {
    const { cookie } = await signedIn();
    const answer = await cli("PUT", "/cli/v1/components", {
      components: [
        { name: "Till", group: "Paged", services: ["p-1/shop/till"] },
        { name: "Shelf", group: "Paged", services: ["p-1/shop/shelf"] },
      ],
    });
    const { components } = await answer.json<{ components: { id: string }[] }>();
    const id = components[0]?.id ?? "";
    const post = (fields: object): Promise<Response> =>
      call(`/admin/components/${id}`, {
        method: "POST",
        headers: { origin: ORIGIN, cookie, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ ...form, ...fields }).toString(),
      });
    return { id, post };
  }

  it("renames it and changes what it stands for, and it stays what it is", async () => {
    const { id, post } = await published();
    const services = "p-1/shop/till\r\np-2/shop/till";
    expect((await post({ name: "Tills", services, rule: "any" })).status).toBe(303);
    const known = (await boardOf(bindings).operatorView()).components.find((one) => one.id === id);
    expect(known).toMatchObject({ name: "Tills", rule: "any", services: ["p-1/shop/till", "p-2/shop/till"] });
    expect((await post({})).status).toBe(303);
  });

  it.each([
    ["a name that a neighbour has", { name: "Shelf" }, 409, "has another component of that name"],
    ["no name", { name: " " }, 400, "Must not be empty."],
    ["a service that is none", { services: "till" }, 400, "“till” must be cluster/namespace/name, or namespace/name"],
    ["a share that is none", { "thresholds.p95Ms": "", "thresholds.errorRatioPartial": "500" }, 400, "Must be above 0"],
    [
      "limits in the wrong order",
      { "thresholds.p95Ms": "250", "thresholds.errorRatioPartial": "0.5" },
      400,
      'id="fault-thresholds.errorRatioDegraded"',
    ],
    ["a quorum without its number", { rule: "quorum", quorum: "" }, 400, "Say how many must be well."],
    ["a quorum that is no number", { rule: "quorum", quorum: "two" }, 400, "Must be a whole number."],
  ] as const)("refuses %s and says so", async (_name, fields, status, message) => {
    const { id, post } = await published();
    const answer = await post(fields);
    expect(answer.status).toBe(status);
    expect(await answer.text()).toContain(message);
    const known = (await boardOf(bindings).operatorView()).components.find((one) => one.id === id);
    expect(known).toMatchObject({ name: "Till", services: ["p-1/shop/till"] });
  });

  it("takes limits in percent, and gives them back so", async () => {
    const { id, post } = await published();
    const limits = {
      "thresholds.p95Ms": "250",
      "thresholds.errorRatioPartial": "0,7",
      "thresholds.errorRatioDegraded": "0.1",
    };
    expect((await post(limits)).status).toBe(303);
    const known = (await boardOf(bindings).operatorView()).components.find((one) => one.id === id);
    expect(known?.thresholds?.p95Ms).toBe(250);
    expect(known?.thresholds?.errorRatioPartial).toBeCloseTo(0.007, 12);
    const { cookie } = await signedIn();
    const page = await (await call(`/admin/components/${id}`, { headers: { cookie } })).text();
    expect(page).toMatch(/name="thresholds.errorRatioPartial"[^>]*value="0.7"/);
    expect((await post({ "thresholds.p95Ms": "" })).status).toBe(303);
    const after = (await boardOf(bindings).operatorView()).components.find((one) => one.id === id);
    expect(after).not.toHaveProperty("thresholds");
  });

  it("keeps what a file does not name, and what a file takes away is gone", async () => {
    const { id, post } = await published();
    const known = async () => (await boardOf(bindings).operatorView()).components.find((one) => one.id === id);
    const put = (fields: object) =>
      cli("PUT", "/cli/v1/components", {
        components: [{ name: "Till", group: "Paged", services: ["p-1/shop/till", "p-2/shop/till"], ...fields }],
      });
    expect((await post({ rule: "quorum", quorum: "1" })).status).toBe(303);
    await put({});
    expect(await known()).toMatchObject({ rule: "all", quorum: 1 });
    await put({ quorum: null });
    expect(await known()).not.toHaveProperty("quorum");
  });

  it("that is gone says so", async () => {
    const { cookie } = await signedIn();
    const answer = await call("/admin/components/nothing00000", { headers: { cookie } });
    expect(answer.status).toBe(404);
    await answer.body?.cancel();
  });
});

describe("a session", () => {
  it("that ends takes its open socket along", async () => {
    const { cookie } = await signedIn();
    const live = await socket("/admin/live", { cookie });
    const closed = new Promise<number>((resolve) => live.addEventListener("close", ({ code }) => resolve(code)));
    expect((await call("/admin/sign-out", { method: "POST", headers: { origin: ORIGIN, cookie } })).status).toBe(303);
    expect(await closed).toBe(4401);
  });

  it("shown twice under one name is none", async () => {
    const { cookie } = await signedIn();
    expect((await call("/admin", { headers: { cookie: `${cookie}; __Host-observatory=other` } })).status).toBe(303);
    expect((await call("/admin", { headers: { cookie: `other=1; ${cookie}` } })).status).toBe(200);
  });
});

describe("failed attempts", () => {
  it("at the door keep nobody out who has a link", async () => {
    const attempt = (token: string) =>
      call("/admin/sign-in", {
        method: "POST",
        headers: { origin: ORIGIN, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ token }).toString(),
      });
    const statuses = new Set<number>();
    for (let i = 0; i < 40; i++) statuses.add((await attempt(`junk-${i}`)).status);
    expect(statuses).toEqual(new Set([401, 429]));
    const { token } = await boardOf(bindings).createLink();
    expect((await attempt(token)).status).toBe(303);
  });

  it("to enrol keep nobody out who has the code", async () => {
    const { code } = await (await cli("POST", "/cli/v1/enrollments", { cluster: "enroll-9" })).json<{ code: string }>();
    const stranger = await makeAgent("enroll-9");
    const statuses = new Set<number>();
    for (let i = 0; i < 40; i++) statuses.add((await enroll(stranger, "A".repeat(32))).status);
    expect(statuses).toEqual(new Set([401, 429]));
    expect((await enroll(await makeAgent("enroll-9"), code)).status).toBe(200);
  });
});

it("a board that wakes up goes on where it was", async () => {
  const agent = await enrolledAgent("wake-1");
  expect((await agent.push({ epoch: agent.epoch })).status).toBe(200);
  const board = boardOf(bindings);
  await publish("Waking", "wake-1");
  const before = (await board.snapshot()).version;
  await runDurableObjectAlarm(board);
  await evictDurableObject(board);
  const after = await board.snapshot();
  expect(after.version).toBeGreaterThanOrEqual(before);
  expect(after.components.find(({ name }) => name === "Waking")?.outlook[0]?.status).toBe("operational");
});

it("a page whose facts do not reach Postgres says since when, until they do", async () => {
  const board = bindings.BOARD.getByName("late-1");
  const since = Date.now() - 4 * 60 * 60_000;
  // A fact that an earlier life of the Board could not send.
  await runInDurableObject(board, (_, { storage }) =>
    storage.sql.exec(
      "INSERT INTO outbox (kind, key, revision, at, body) VALUES ('audit', 'late-1', 1, ?, '{}')",
      since,
    ),
  );
  await evictDurableObject(board);
  const now = Date.now();
  await board.hear(tell(now, [told("operational")], "late-1"));
  expect((await board.snapshot()).archive).toEqual({ delayedSince: since, isRestoring: false });
  expect((await board.operatorView()).archive.delays).toEqual([{ cluster: null, waiting: 1, since }]);
  await runDurableObjectAlarm(board);
  await expect.poll(async () => (await board.snapshot()).archive?.delayedSince).toBeNull();
  // What a Cluster says of its own counts too.
  await board.hear({ ...tell(now + 1, [told("operational")], "late-1"), backlog: { waiting: 9, since } });
  const lateSince = async () => (await board.snapshot()).archive?.delayedSince;
  await expect.poll(lateSince).toBe(since);
});

it("what is true for long waits no longer than it has waited, over a wake too", async () => {
  const board = bindings.BOARD.getByName("late-2");
  await board.identify({ cluster: "late-2", createdAt: Date.now() - 90 * 24 * 60 * 60_000, keys: [] });
  await evictDurableObject(board);
  const { archive } = await board.operatorView();
  expect([archive.waiting > 0, archive.delays]).toEqual([true, []]);
});

it("a page that everybody asks for is made once a second, and anew at once when something happens", async () => {
  const board = bindings.BOARD.getByName("asked-1");
  await board.putComponents(
    [{ name: "Asked", group: null, description: null, rule: "all", services: ["asked-1/shop/checkout"] }],
    "test",
  );
  const shown = async () => (await board.snapshot()).components.find(({ name }) => name === "Asked");
  const [first, second] = [await board.snapshot(), await board.snapshot()];
  expect(second.generatedAt).toBe(first.generatedAt);
  const now = Date.now();
  await board.hear({ ...tell(now, [told("major_outage")], "asked-1"), expiresAt: now + 300 });
  expect((await shown())?.outlook[0]?.status).toBe("major_outage");
  await expect.poll(async () => (await shown())?.outlook[0]?.status).toBe("unknown");
});

it("says what it cost: calls by method, rows, alarms, and how many components it judged", async () => {
  const costs = async () => (await cli("GET", "/cli/v1/board/cost")).json<BoardCosts>();
  const before = await costs();
  await boardOf(bindings).hear(tell(Date.now(), [told("operational")], "cost-1"));
  const after = await costs();
  expect((after.calls["hear"] ?? 0) - (before.calls["hear"] ?? 0)).toBe(1);
  expect(after.rowsWritten).toBeGreaterThan(before.rowsWritten);
  expect(after.judged).toBeGreaterThanOrEqual(before.judged);
});
