/** Incidents on the Board: reminders and their alarm, drafts of the evidence, and what a second writer is told. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { ROUTES } from "../../worker/index.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { tell, told } from "../support/facts.ts";
import { bindings, call, cli } from "./agent.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() }));
afterEach(() => vi.useRealTimers());

const board = boardOf(bindings);

interface Answer {
  readonly incident?: { readonly id: string; readonly revision: number };
  readonly error?: { readonly code: string; readonly held?: object; readonly sent?: object };
}

async function ask(path: string, body: object): Promise<Answer & { readonly status: number }> {
  const answer = await cli("POST", `/cli/v1/incidents${path}`, body);
  return { ...(await answer.json<Answer>()), status: answer.status };
}

async function openOne(name: string): Promise<{ readonly id: string; readonly revision: number }> {
  const { incident } = await ask("", { name, body: "It began." });
  if (incident === undefined) throw new Error("not opened");
  return incident;
}

const hear = (cluster: string, status: "operational" | "major_outage") =>
  board.hear({ ...tell(Date.now(), [told(status)], cluster), expiresAt: Date.now() + HOUR });

/** Until nothing is left for the alarm but what comes later. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await runDurableObjectAlarm(board);
    vi.setSystemTime(Date.now() + 2 * SECOND);
  }
}

/** What an operator's open page is sent from now on. */
async function listening(): Promise<readonly { readonly type: string }[]> {
  const { token } = await board.createLink();
  const cookie = `__Host-observatory=${await board.redeemLink(token)}`;
  const headers = { upgrade: "websocket", origin: "https://status.test", cookie };
  const live = (await call("/admin/live", { headers })).webSocket;
  if (live === null) throw new Error("no upgrade");
  const frames: { type: string }[] = [];
  live.accept();
  live.addEventListener("message", ({ data }) => void frames.push(JSON.parse(String(data)) as { type: string }));
  onTestFinished(() => live.close());
  return frames;
}

/** Somebody at the admin's forms. */
async function operator() {
  const { token } = await board.createLink();
  const cookie = `__Host-observatory=${await board.redeemLink(token)}`;
  return {
    get: (path: string): Promise<Response> => call(path, { headers: { cookie, accept: "text/html" } }),
    post: (path: string, fields: Record<string, string>): Promise<Response> =>
      call(path, {
        method: "POST",
        headers: { origin: "https://status.test", cookie },
        body: new URLSearchParams(fields),
      }),
  };
}

const reminderOf = async (id: string) =>
  (await board.operatorView([])).reminders?.find(({ incident }) => incident === id);

const alarmAt = (): Promise<number | null> => runInDurableObject(board, (_, { storage }) => storage.getAlarm());

it("a reminder wakes the Board when it is due, tells operators' pages once, and costs no row a push", async () => {
  await hear("remind-1", "operational");
  const { id } = await openOne("Reminded of");
  const at = Date.now() + 30 * MINUTE;
  await board.announce({ kind: "incident.remind", id, request: { at, isPublic: true } }, "ops");
  await settled();
  expect(await alarmAt()).toBe(at);
  expect((await board.log()).incidents.find((one) => one.id === id)?.nextUpdateBy).toBe(at);

  const { alarmsSet: before } = await board.costs();
  for (let i = 0; i < 20; i++) await hear("remind-1", "operational");
  expect((await board.costs()).alarmsSet).toBe(before);

  // Whoever was asleep knows it still.
  await evictDurableObject(board);
  vi.setSystemTime(at + SECOND);
  const frames = await listening();
  await settled();
  await settled();
  const due = { type: "incidents", dues: [{ id, name: "Reminded of", at, state: "due" }] };
  await expect.poll(() => frames.filter(({ type }) => type === "incidents")).toEqual([due]);
  expect((await board.log()).incidents.find((one) => one.id === id)?.nextUpdateBy).toBeUndefined();
  await ask(`/${id}/updates`, { body: "More." });
  expect((await board.operatorView([])).reminders).toEqual([]);
});

it("a reminder is set, moved and taken away by itself, and goes on with the next update", async () => {
  const { get, post } = await operator();
  const { id } = await openOne("Moved");
  const path = `/admin/incidents/${id}`;
  const remind = async (fields: Record<string, string>) => (await post(`${path}/remind`, fields)).status;
  const now = Date.now();
  expect(await remind({ remind: "15" })).toBe(303);
  expect(await reminderOf(id)).toMatchObject({ at: now + 15 * MINUTE, isPublic: false });
  expect(await remind({ remind: "120", promise: "yes" })).toBe(303);
  expect(await reminderOf(id)).toMatchObject({ at: now + 120 * MINUTE, isPublic: true });
  for (const wrong of ["0", "1441", "-5", "soon"])
    expect([wrong, await remind({ remind: wrong })]).toEqual([wrong, 400]);
  expect(await reminderOf(id)).toMatchObject({ at: now + 120 * MINUTE });
  // The form that says more reminds on as before, and so does the reminder's own.
  expect((await (await get(path)).text()).match(/<option value="120" selected>in 2 h/g)).toHaveLength(2);
  expect(await remind({ remind: "" })).toBe(303);
  expect(await reminderOf(id)).toBeUndefined();
  await ask(`/${id}/updates`, { status: "resolved", body: "Over." });
  expect(await remind({ remind: "15" })).toBe(409);
  expect(await reminderOf(id)).toBeUndefined();
});

it("a form names components by typing, and says which it does not know", async () => {
  const { post } = await operator();
  await cli("PUT", "/cli/v1/components", { components: [{ name: "Typed", group: "Rows", services: [] }] });
  const fields = { name: "By rows", body: "It began.", "add.0": "Rows / Typed", "add.0.status": "major_outage" };
  const refused = await post("/admin/incidents", { ...fields, "add.4": "Nobody" });
  const page = await refused.text();
  expect([refused.status, page.includes("There is no single component “Nobody”")]).toEqual([400, true]);
  // What was found is a field by now, chosen as it was typed.
  expect(page).toMatch(/Rows \/<\/small> Typed<\/span> <select name="c\.\w+">.*?value="major_outage" selected/s);
  expect((await post("/admin/incidents", fields)).status).toBe(303);
  const { incidents = [] } = await board.operatorView([]);
  const said = incidents.find(({ name }) => name === "By rows")?.updates[0]?.affected;
  expect(said).toMatchObject([{ name: "Typed", to: "major_outage" }]);
});

/** Pages of the admin with no navigation: a file, a socket, and a question in the middle of something else. */
const NO_PAGES = ["/admin/live", "/admin/audit/export", "/admin/page/export", "/admin/account/confirm"];

it("an update that is due is told of on every page that has the navigation", async () => {
  const { get } = await operator();
  const wish = { name: "Everywhere", services: ["everywhere-1/shop/checkout"] };
  await cli("PUT", "/cli/v1/components", { components: [wish] });
  await hear("everywhere-1", "operational");
  const { view, incident, plan } = await everywhere();
  const component = view.components.find(({ name }) => name === "Everywhere")?.id ?? "";
  const now = Date.now();
  await board.announce(
    { kind: "incident.remind", id: incident.id, request: { at: now + MINUTE, isPublic: false } },
    "ops",
  );
  vi.setSystemTime(now + 2 * MINUTE);
  const ids: readonly (readonly [string, string])[] = [
    ["/admin/clusters/", "everywhere-1"],
    ["/admin/incidents/", incident.id],
    ["/admin/components/", component],
    ["/admin/maintenance/", plan],
    ["/admin/templates/", "slow"],
  ];
  const pages = ROUTES.filter(
    ({ method, policy, path }) => method === "GET" && policy === "admin" && !NO_PAGES.includes(path),
  );
  const told: string[] = [];
  for (const { path } of pages) {
    const id = ids.find(([prefix]) => path.startsWith(prefix))?.[1] ?? "";
    const at = path.replace(/:(id|cluster)/, id).replace(":update", incident.updates[0]?.id ?? "");
    const answer = await get(at);
    const page = await answer.text();
    // It leads elsewhere, or is about something that there is none of here.
    if (answer.status === 303 || answer.status === 404) continue;
    told.push(path);
    const isTold = /id="dues" role="status"><p>.*Told of everywhere<\/a>: an update is due/.test(page);
    expect([path, answer.status, isTold]).toEqual([path, answer.status, true]);
  }
  expect(told.length).toBeGreaterThan(25);
  // Those that need little of the page, and asked for no more.
  for (const path of ["/admin/components/:id/uptime", "/admin/clusters/:cluster/anomalies"])
    expect(told).toContain(path);
});

/** Something of every kind that a page can be about. */
async function everywhere() {
  await board.identify({ cluster: "everywhere-1", createdAt: Date.now(), keys: [] });
  const { id } = await openOne("Told of everywhere");
  const plan = await cli("POST", "/cli/v1/maintenances", {
    name: "Planned",
    startsAt: new Date(Date.now() + 9 * 24 * HOUR).toISOString(),
    endsAt: new Date(Date.now() + 9 * 24 * HOUR + HOUR).toISOString(),
    components: ["Everywhere"],
  });
  const { maintenance } = await plan.json<{ maintenance: { id: string } }>();
  const view = await board.operatorView([]);
  const incident = view.incidents?.find((one) => one.id === id);
  if (incident === undefined) throw new Error("not opened");
  return { view, incident, plan: maintenance.id };
}

it("trouble of three minutes makes a draft, once, and its end ends it", async () => {
  const wish = { name: "Evident", group: "Incidents", services: ["evident-1/shop/checkout"] };
  await cli("PUT", "/cli/v1/components", { components: [wish] });
  await hear("evident-1", "operational");
  vi.setSystemTime(Date.now() + MINUTE);
  await hear("evident-1", "major_outage");
  const mine = async () => (await board.drafts()).filter(({ title }) => title.startsWith("Evident"));
  await board.tick();
  expect(await mine()).toEqual([]);
  vi.setSystemTime(Date.now() + 3 * MINUTE + SECOND);
  await board.tick();
  await board.tick();
  expect(await mine()).toMatchObject([{ title: "Evident: major outage", cluster: "", endedAt: null }]);
  await hear("evident-1", "operational");
  await board.tick();
  expect(await mine()).toMatchObject([{ endedAt: Date.now(), decided: null }]);

  const { get, post } = await operator();
  const [draft] = await mine();
  const path = `/admin/drafts/${draft?.id ?? ""}`;
  const page = await (await get(path)).text();
  // The template of the worst state, of what visitors know, since the first bad minute.
  expect(page).toMatch(/Evident has not been available since .*\d\d:\d\d UTC\. We are investigating\./);
  expect((await get(`/admin/incidents/new?draft=${draft?.id ?? ""}`)).headers.get("location")).toBe(path);
  const refused = await post(`${path}/dismiss`, { reason: " " });
  expect([refused.status, (await mine())[0]?.decided]).toEqual([400, null]);
  expect((await post(`${path}/dismiss`, { reason: "Planned work" })).status).toBe(303);
  expect((await post(`${path}/dismiss`, { reason: "Again" })).status).toBe(409);
  expect(await mine()).toMatchObject([{ decided: { act: "dismissed", reason: "Planned work" } }]);
  const [entry] = (await board.audit()).recent.filter(({ act }) => act === "draft.dismiss");
  expect(entry?.changes).toContainEqual({ field: "reason", before: null, after: "Planned work" });
  expect((await get("/admin/drafts/nothing00000")).status).toBe(404);
});

it("who writes with an old revision is told what stands there and what they sent, and nothing is posted", async () => {
  const { id, revision } = await openOne("Two writers");
  expect((await ask(`/${id}/updates`, { body: "Theirs.", revision })).status).toBe(201);
  const refused = await ask(`/${id}/updates`, { body: "Mine.", revision });
  expect(refused).toMatchObject({
    status: 409,
    error: {
      code: "conflict",
      sent: { body: "Mine." },
      held: { updates: [{ body: "Theirs." }, { body: "It began." }] },
    },
  });
  const shown = await (await cli("GET", `/cli/v1/incidents/${id}`)).json<{ incident: { revision: number } }>();
  expect((await ask(`/${id}/updates`, { body: "Mine.", revision: shown.incident.revision })).status).toBe(201);
});

it("a correction is in the audit with both texts", async () => {
  const { id } = await openOne("Audited");
  const [update] = (await board.log()).incidents.find((one) => one.id === id)?.updates ?? [];
  await ask(`/${id}/updates/${update?.id}/correct`, { body: "It began at noon." });
  const rows = await runInDurableObject(board, (_, { storage }) =>
    storage.sql
      .exec<{ body: string }>("SELECT body FROM outbox WHERE kind = 'audit' AND body LIKE ?", `%${id}%`)
      .toArray(),
  );
  const entry = rows.find(({ body }) => body.includes("incident.correct"))?.body ?? "";
  expect(entry).toContain("It began.");
  expect(entry).toContain("It began at noon.");
});
