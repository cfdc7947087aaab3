/**
 * What holds for every route alike, read off the one table of routes: a route that is added joins by itself. And what
 * people may type, whoever they are. `reference/security.md`, sections 4, 6 and 8: hostile input is always 4xx, never 5xx.
 */
import { runDurableObjectAlarm } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { DAY, HOUR } from "../../protocol/time.ts";
import type { Role } from "../../worker/core/access.ts";
import { ROUTES } from "../../worker/index.ts";
import { boardOf } from "../../worker/objects/env.ts";
import type { Route } from "../../worker/routes/table.ts";
import { bindings, call, cli } from "./agent.ts";

const ORIGIN = "https://status.test";
const COOKIE = "__Host-observatory";
const board = boardOf(bindings);

/** A session of somebody of this role, who has just proved who they are. */
async function signedInAs(role: Role): Promise<string> {
  const name = `Somebody ${crypto.randomUUID()}`;
  const done = await board.changePeople({ kind: "add", name, role, addressHash: null }, "test");
  const token = done.ok ? (done.value.link?.token ?? "") : "";
  return `${COOKIE}=${await board.redeemLink(token)}`;
}

/** A browser's form. */
async function post(cookie: string, path: string, fields: Record<string, string>): Promise<Response> {
  return call(path, {
    method: "POST",
    headers: { cookie, origin: ORIGIN, accept: "text/html", "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
  });
}

const named = (routes: readonly Route[]) => routes.map((route) => [route.method, route.path, route] as const);
const PARAMETER = /:[a-z]+(\{[^}]*\})?/g;

describe("an address of hostile letters is refused, and never an error of ours", () => {
  const IDS = ["a%0d%0aset-cookie:%20x=y%00", "%c3%a9%e2%80%ae", "__proto__"];
  let cookie = "";
  beforeAll(async () => void (cookie = await signedInAs("owner")));

  it.each(named(ROUTES.filter(({ path }) => path.includes(":"))))("%s %s", async (method, path, route) => {
    const key = { authorization: `Bearer ${bindings.OPERATOR_KEY}` };
    for (const id of IDS) {
      const answer = await call(path.replaceAll(PARAMETER, id), {
        method,
        headers: { origin: ORIGIN, ...(route.policy === "cli" ? key : { cookie }) },
        ...(method === "GET" ? {} : { body: "a=b" }),
      });
      expect([id, answer.status, answer.headers.get("set-cookie")]).toEqual([id, expect.any(Number), null]);
      expect([id, answer.status], await answer.text()).not.toEqual([id, 500]);
    }
  });
});

describe("what is planned by a form", () => {
  const plan = {
    name: "Upgrade",
    body: "One\r\ntwo",
    reason: "v2",
    start: "2027-12-01T03:00",
    zone: "Etc/UTC",
    hours: "2",
    repeat: "once",
    closing: "person",
  };

  it.each([
    ["its name", { name: "a\u202eb" }],
    ["its name, of two lines", { name: "a\r\nb" }],
    ["its name, which is too long", { name: "x".repeat(256) }],
    ["its words", { body: "a\0b" }],
    ["its words, which are too long", { body: "x".repeat(5_001) }],
    ["its reason", { reason: "a\u0007b" }],
    ["its reason, which is too long", { reason: "x".repeat(501) }],
    ["a target", { "target:shop/checkout": "announce" }],
    ["a target of everything", { "target:*": "announce" }],
  ])("is refused where JSON would be, and shown again: %s", async (_name, wrong) => {
    const cookie = await signedInAs("operator");
    const answer = await post(cookie, "/admin/maintenance/plan/leases", { ...plan, ...wrong });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('value="2027-12-01T03:00"')]);
  });

  it("is kept as it was typed", async () => {
    const cookie = await signedInAs("operator");
    const put = await cli("PUT", "/cli/v1/components", { components: [{ name: "Planned", services: ["a/b/c"] }] });
    const [component] = (await put.json<{ components: { id: string }[] }>()).components;
    const answer = await post(cookie, "/admin/maintenance/plan", { ...plan, component: component?.id ?? "" });
    const id = answer.headers.get("location")?.split("/").at(-1);
    const kept = (await board.operatorView([])).announcements?.find((one) => one.id === id);
    expect(kept?.updates?.[0]?.body).toBe("One\ntwo");
  });
});

it("a text that Postgres cannot keep holds up nothing that was written after it", async () => {
  const startsAt = Date.now() + 30 * DAY;
  const request = { name: "a\0b", body: "c\ud800d", startsAt, endsAt: startsAt + HOUR, components: [] };
  const plan = { ...request, emergency: false, reason: "\0", targets: [], closing: "person" } as const;
  expect((await board.steer({ kind: "maintenance.plan", request: plan }, "test")).ok).toBe(true);
  await expect
    .poll(async () => {
      await runDurableObjectAlarm(board);
      return (await board.operatorView([])).backlog.waiting;
    })
    .toBe(0);
});
