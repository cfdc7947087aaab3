/** The clusters in the admin: how one joins and who may speak for it, its leases, and what happened there. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { rotationMessage } from "../../protocol/agent.ts";
import { agentPath, ROTATE_PATH } from "../../protocol/path.ts";
import type { Receipt } from "../../protocol/push.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import type { Agent } from "./agent.ts";
import { bindings, call, enroll, enrolledAgent, liveService, makeAgent, NO_LEASES, openSession } from "./agent.ts";

const board = boardOf(bindings);
let cookie = "";

beforeAll(async () => {
  const { token } = await board.createLink();
  cookie = `__Host-observatory=${await board.redeemLink(token)}`;
});

const post = (path: string, fields: Record<string, string>): Promise<Response> =>
  call(path, {
    method: "POST",
    headers: { origin: "https://status.test", cookie, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields),
  });
const get = async (path: string): Promise<string> => (await call(path, { headers: { cookie } })).text();
const words = (page: string): string =>
  page
    .replace(/<style>.*?<\/style>|<script.*?<\/script>/gs, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");
const read = async (path: string): Promise<string> => words(await get(path));
const acts = async (): Promise<string[]> =>
  (await board.audit()).recent.map(({ act, subject, by }) => `${act} ${subject} ${by}`);

/** As the agent prints it: made of its own key, not of what the edge says. */
async function printed({ publicKey }: Agent): Promise<string> {
  const raw = Uint8Array.from(atob(publicKey), (digit) => digit.codePointAt(0) ?? 0);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
  return (
    [...hash]
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join("")
      .match(/.{4}/g) ?? []
  ).join(":");
}

/** A cluster that was made in the admin, and an agent that waits with its code. */
async function knocking(cluster: string): Promise<Agent> {
  const made = await (await post("/admin/clusters", { name: cluster })).text();
  const agent = await makeAgent(cluster);
  expect((await enroll(agent, /code: ([A-Z2-7]{32})/.exec(made)?.[1] ?? "")).status).toBe(200);
  return agent;
}

describe("a cluster that joins", () => {
  it("is given an agent.yaml with what was asked for, and a code that is shown once", async () => {
    expect(await read("/admin/clusters/new")).toContain("Let a cluster join");
    const made = await post("/admin/clusters", {
      name: "fleet-1",
      prometheus: "http://prometheus.monitoring:9090",
      namespaces: "shop, payments shop",
    });
    expect(made.status).toBe(201);
    const page = words(await made.text());
    expect(page).toMatch(/edge: https:\/\/status\.test cluster: fleet-1 enroll: .* code: [A-Z2-7]{32} /);
    expect(page).toContain("prometheus: { url: &#34;http://prometheus.monitoring:9090&#34;");
    expect(page).toContain("namespaces: [shop, payments]");
    expect(await read("/admin/clusters")).toMatch(/fleet-1 waits for its agent what its agent needs never/);
    expect(await read("/admin/clusters/fleet-1/keys")).not.toMatch(/[A-Z2-7]{32}/);
    expect(await acts()).toContain("code.create fleet-1 one-time link");
  });

  it.each([
    ["a name that is none", { name: "Eu 1" }, 400, "Give a name of a-z, 0-9 and -"],
    ["the name of a page", { name: "new" }, 400, "Give a name of a-z"],
    ["a Prometheus by another way", { name: "fleet-2", prometheus: "ftp://x" }, 400, "begins with http:// or https://"],
    ["a namespace that is none", { name: "fleet-2", namespaces: "shop, *" }, 400, "names of namespaces"],
    ["a name that is taken", { name: "fleet-1" }, 409, "There is one of this name."],
  ])("refuses %s beside its field, and keeps what was typed", async (_name, fields, status, said) => {
    const answer = await post("/admin/clusters", fields);
    const page = await answer.text();
    expect([answer.status, words(page)]).toEqual([status, expect.stringContaining(said)]);
    expect(page).toContain('aria-invalid="true"');
    for (const typed of Object.values(fields)) expect(page).toContain(`value="${typed}"`);
    expect((await board.operatorView([])).clusters.map(({ cluster }) => cluster)).not.toContain("fleet-2");
  });
});

describe("a key that asks to be let in", () => {
  it("speaks only once somebody has said what the agent printed", async () => {
    const agent = await knocking("fleet-3");
    expect((await agent.push({ epoch: null }, null)).status).toBe(403);
    expect(await read("/admin")).toContain("An agent asks to speak for fleet-3");
    const fingerprint = await printed(agent);
    expect(await read("/admin/clusters/fleet-3/keys")).toContain(fingerprint);
    const accept = (typed: string) =>
      post("/admin/clusters/fleet-3/accept", { keyId: agent.keyId, fingerprint: typed });
    const other = await printed(await makeAgent("fleet-3"));
    for (const typed of ["", other, fingerprint.slice(0, 14), `${fingerprint.slice(0, -1)}!`]) {
      const refused = await accept(typed);
      expect([typed, refused.status, words(await refused.text())]).toEqual([
        typed,
        400,
        expect.stringContaining("This is not the key that asks."),
      ]);
    }
    expect((await agent.push({ epoch: null }, null)).status).toBe(403);
    // As it stands in a log: its beginning is enough, and spelling is nothing.
    expect((await accept(` ${fingerprint.slice(0, 19).toUpperCase()}`)).status).toBe(303);
    expect((await agent.push({ epoch: null })).status).toBe(200);
    expect(await acts()).toContain(`key.accept fleet-3/${agent.keyId} one-time link`);
    // Once is enough.
    expect((await accept(fingerprint)).status).toBe(404);
  });

  it("and is turned away never speaks", async () => {
    const agent = await knocking("fleet-4");
    expect((await post("/admin/clusters/fleet-4/revoke", { keyId: agent.keyId })).status).toBe(303);
    expect((await agent.push({ epoch: null }, null)).status).toBe(401);
    const { keyId } = agent;
    const late = await post("/admin/clusters/fleet-4/accept", { keyId, fingerprint: await printed(agent) });
    expect(late.status).toBe(404);
    expect(await read("/admin/clusters/fleet-4/keys")).toContain("taken away");
  });
});

describe("a key that is revoked", () => {
  it("is refused with its next push, and another one of the cluster goes on", async () => {
    const first = await enrolledAgent("fleet-5");
    const made = await (await post("/admin/clusters/fleet-5/code", {})).text();
    const stand = await makeAgent("fleet-5");
    expect((await enroll(stand, /code: ([A-Z2-7]{32})/.exec(made)?.[1] ?? "")).status).toBe(200);
    const typed = await printed(stand);
    await post("/admin/clusters/fleet-5/accept", { keyId: stand.keyId, fingerprint: typed });
    expect((await first.push({ epoch: first.epoch })).status).toBe(200);
    expect((await post("/admin/clusters/fleet-5/revoke", { keyId: first.keyId })).status).toBe(303);
    expect((await first.push({ epoch: first.epoch })).status).toBe(401);
    expect((await stand.push({ epoch: null })).status).toBe(200);
    expect(await acts()).toContain(`key.revoke fleet-5/${first.keyId} one-time link`);
    expect((await post("/admin/clusters/fleet-5/revoke", { keyId: "nothing" })).status).toBe(404);
  });

  it("is an owner's affair: others are shown who speaks, and no form", async () => {
    const done = await board.changePeople({ kind: "add", name: "Reader", role: "viewer", addressHash: null }, "test");
    const token = done.ok ? (done.value.link?.token ?? "") : "";
    const reader = { cookie: `__Host-observatory=${await board.redeemLink(token)}` };
    const agent = await knocking("fleet-6");
    const page = await (await call("/admin/clusters/fleet-6/keys", { headers: reader })).text();
    expect(page).toContain(await printed(agent));
    expect(page.slice(page.indexOf("<main"), page.indexOf("</main>"))).not.toContain("<form");
    expect(words(await (await call("/admin/clusters", { headers: reader })).text())).not.toContain(
      "Let a cluster join",
    );
    expect((await call("/admin/clusters/new", { headers: reader })).status).toBe(403);
  });
});

describe("a key that is replaced", () => {
  const KNOWS = { agent: { spool: { records: 12, bytes: 48_200 }, knows: ["rotate"] } };

  /** What the agent shows: the next key, which proves itself for the one in use. */
  async function show(agent: Agent, next: Agent, change: { readonly proof?: string } = {}): Promise<Response> {
    const text = rotationMessage(agent.cluster, agent.keyId, next.publicKey);
    const body = { v: 1, publicKey: next.publicKey, proof: await next.sign(text), ...change };
    return agent.request(agentPath(ROTATE_PATH, agent.cluster), new TextEncoder().encode(JSON.stringify(body)));
  }

  it("is asked for with the next push, speaks for a day beside the other, and is refused after it", async () => {
    const agent = await enrolledAgent("fleet-9");
    const [next, pushed] = [await makeAgent("fleet-9"), { epoch: agent.epoch }];
    const rotates = async (live: object): Promise<unknown> => {
      const answer = await agent.push(pushed, live);
      return [answer.status, (await answer.json<Receipt>()).rotate];
    };
    expect(await rotates(KNOWS)).toEqual([200, undefined]);
    expect((await show(agent, next)).status).toBe(403);
    expect(await read("/admin/clusters/fleet-9")).toMatch(/Its spool 12 records, 49 kB It also replaces its key/);
    expect((await post("/admin/clusters/fleet-9/rotate", { keyId: agent.keyId })).status).toBe(303);
    expect(await acts()).toContain(`key.rotate fleet-9/${agent.keyId} one-time link`);
    expect(await read("/admin/clusters/fleet-9/keys")).toContain("its agent was asked for another one");
    // One that does not know how is not asked.
    expect(await rotates({})).toEqual([200, undefined]);
    expect(await rotates(KNOWS)).toEqual([200, true]);
    const forged = await (await makeAgent("fleet-9")).sign(rotationMessage("fleet-9", agent.keyId, next.publicKey));
    expect((await show(agent, next, { proof: forged })).status).toBe(403);
    expect((await show(agent, next, { proof: "nothing" })).status).toBe(403);
    expect((await show(next, agent)).status).toBe(401);
    expect((await show(agent, next)).status).toBe(200);
    // The answer was lost: it is shown again.
    expect((await show(agent, next)).status).toBe(200);
    expect((await next.push(pushed)).status).toBe(200);
    expect(await rotates(KNOWS)).toEqual([200, undefined]);
    expect(await read("/admin/clusters/fleet-9/keys")).toMatch(/in use in place of .*replaced, and works until/);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 24 * 3_600_000 + 1_000 });
    onTestFinished(() => void vi.useRealTimers());
    expect((await agent.push(pushed)).status).toBe(401);
    expect((await next.push(pushed)).status).toBe(200);
    await runDurableObjectAlarm(clusterOf(bindings, "fleet-9"));
    const states = (await board.operatorView([])).clusters.find(({ cluster }) => cluster === "fleet-9")?.keys;
    expect(states?.map(({ state }) => state)).toEqual(["revoked", "active"]);
  });

  it("takes its sessions along when its time is over", async () => {
    const agent = await enrolledAgent("fleet-10");
    const next = await makeAgent("fleet-10");
    await post("/admin/clusters/fleet-10/rotate", { keyId: agent.keyId });
    expect((await show(agent, next)).status).toBe(200);
    const session = await openSession(agent);
    expect((await next.push({ epoch: agent.epoch })).status).toBe(200);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 24 * 3_600_000 + 1_000 });
    onTestFinished(() => void vi.useRealTimers());
    await runDurableObjectAlarm(clusterOf(bindings, "fleet-10"));
    expect(await session.closed).toBe(4401);
  });
});

it("a lease's history says when it was issued, taken in, applied and released", async () => {
  const agent = await enrolledAgent("fleet-7");
  const allowed = [{ ref: "shop/checkout", modes: ["announce" as const, "scale" as const], floor: 1 }];
  await agent.push({ epoch: agent.epoch }, { leases: { ...NO_LEASES, allowed } });
  expect(await read("/admin/clusters/fleet-7/leases")).toMatch(
    /No lease was ever asked for here\. Start a maintenance/,
  );
  const asked = { name: "Database upgrade", reason: "disks", cluster: "fleet-7", service: "shop/checkout" };
  const started = await board.startMaintenance({ ...asked, mode: "scale", replicas: 1, hours: 1 }, "ops");
  const id = started.ok ? started.value.id : "";
  const held = async () => (await board.operatorView([])).maintenances.find((one) => one.id === id);
  await expect.poll(async () => (await held())?.generation ?? null).not.toBeNull();
  const generation = (await held())?.generation ?? 0;
  const report = async (state: "applied" | "released", ready: number, reason: string): Promise<void> => {
    const evidence = { replicas: ready, ready };
    const target = { target: "shop/checkout", generation, state, reason, evidence, at: Date.now() };
    const leases = { observedGeneration: generation, targets: [target], allowed };
    expect((await agent.push({ epoch: agent.epoch }, { leases })).status).toBe(200);
    await expect.poll(async () => (await held())?.results.at(-1)?.state).toBe(state);
  };
  await report("applied", 1, "as wanted");
  expect(await read("/admin/clusters/fleet-7/leases")).toMatch(
    /Now .*shop\/checkout scale to 1 .* applied, 1 of 1 ready .* History .*Database upgrade shop\/checkout scale to 1 .*UTC issued, until .* UTC .* taken in by the agent .*applied, 1 of 1 ready as wanted .*ops .*What the agent allows .*shop\/checkout announce, scale, not below 1/,
  );
  await board.endMaintenance(id, "ops");
  await report("released", 3, "3 replicas again");
  expect(await read("/admin/clusters/fleet-7/leases")).toMatch(
    /taken in by the agent .*applied, 1 of 1 ready as wanted .*released, 3 of 3 ready 3 replicas again/,
  );
});

describe("events", () => {
  const CLUSTER = "fleet-8";
  let now = 0;

  beforeAll(async () => {
    const agent = await enrolledAgent(CLUSTER);
    now = Date.now();
    const event = (kind: string, i: number, subject = "shop/checkout") => ({
      kind,
      id: (i + 1).toString(16).padStart(32, "f"),
      at: now - 3_600_000 + i * 1_000,
      subject,
      body: { nth: i, says: `number ${i}` },
    });
    const items = [
      ...Array.from({ length: 120 }, (_, i) => event("pod.crash_loop", i)),
      event("mesh_certificate.renewed", 120, "shop/cart"),
      event("anomaly.raised", 121, "shop/cart"),
    ];
    expect(
      (await agent.push({ epoch: agent.epoch, records: { first: 1, items } }, { services: [liveService(0)] })).status,
    ).toBe(200);
    await runDurableObjectAlarm(clusterOf(bindings, CLUSTER));
  });

  const numbers = (page: string): number[] => [...page.matchAll(/number (\d+)/g)].map(([, n]) => Number(n));
  const list = async (query: string): Promise<number[]> =>
    numbers(await get(`/admin/events?cluster=${CLUSTER}${query}`));

  it("are paged back and forth without a seam, whatever arrives meanwhile", async () => {
    const first = await get(`/admin/events?cluster=${CLUSTER}&kind=workload`);
    const link = (page: string, word: string): string =>
      (new RegExp(`href="([^"]+)">${word}<`).exec(page)?.[1] ?? "").replaceAll("&#38;", "&");
    expect(numbers(first)).toEqual(Array.from({ length: 50 }, (_, i) => 119 - i));
    expect(link(first, "Newer")).toBe("");
    const second = await get(link(first, "Older"));
    expect(numbers(second)).toEqual(Array.from({ length: 50 }, (_, i) => 69 - i));
    const third = await get(link(second, "Older"));
    expect(numbers(third)).toEqual(Array.from({ length: 20 }, (_, i) => 19 - i));
    expect(link(third, "Older")).toBe("");
    expect(numbers(await get(link(third, "Newer")))).toEqual(numbers(second));
    const back = await get(link(second, "Newer"));
    expect(numbers(back)).toEqual(numbers(first));
    // Nothing is newer than the newest page: asked again it is the same.
    const newest = await get(link(back, "Newer"));
    expect([numbers(newest), link(newest, "Newer")]).toEqual([numbers(first), ""]);
  });

  it("are narrowed down by kind, component and time", async () => {
    await board.putComponents(
      [{ name: "Cart", group: "Fleet", description: null, services: [`${CLUSTER}/shop/cart`], rule: "all" }],
      "test",
    );
    const cart = (await board.operatorView([])).components.find(({ group }) => group === "Fleet")?.id ?? "";
    expect(await list("&kind=anomaly")).toEqual([121]);
    expect(await list("&kind=mesh")).toEqual([120]);
    // Those of the mesh's certificates would push all else off the page.
    expect((await list("")).slice(0, 2)).toEqual([121, 119]);
    expect(await list(`&component=${cart}`)).toEqual([121]);
    const minute = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
    expect(await list(`&until=${minute(now - 7_200_000)}`)).toEqual([]);
    expect(await list(`&kind=anomaly&from=${minute(now - 7_200_000)}&until=${minute(now + 60_000)}`)).toEqual([121]);
    expect(await list(`&kind=anomaly&from=${minute(now)}`)).toEqual([]);
  });

  it.each([
    ["a time that is none", "&from=yesterday", "Give date and time, in UTC."],
    ["a kind that is none", "&kind=toString", "There are no events of this kind."],
    ["a component that is gone", "&component=nothing00000", "There is no such component any more."],
  ])("refuse %s, and keep the rest of the form", async (_name, query, said) => {
    const answer = await call(`/admin/events?cluster=${CLUSTER}${query}`, { headers: { cookie } });
    expect([answer.status, words(await answer.text())]).toEqual([400, expect.stringContaining(said)]);
  });

  it("that nobody has are an answer", async () =>
    expect(await read(`/admin/events?cluster=${CLUSTER}&kind=lease`)).toContain("Nothing of this kind happened then."));
});
