/** Incidents on the Board: reminders and their alarm, drafts of the evidence, and what a second writer is told. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
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
