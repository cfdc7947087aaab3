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

describe("what was typed into a form", () => {
  const forms = ROUTES.filter(({ method, policy }) => method === "POST" && policy === "admin");
  const TEXT = 'It <b>began</b> & "went" on,\r\nline by line.';
  /** As it stands in a field that is sent again, and in one that is read. */
  const SHOWN = "It &#60;b&#62;began&#60;/b&#62; &#38; &#34;went&#34; on,\r\nline by line.";
  let nobody = "";
  let viewer = "";
  beforeAll(async () => {
    nobody = await signedInAs("owner");
    await board.endSession(nobody.slice(COOKIE.length + 1));
    viewer = await signedInAs("viewer");
  });

  it.each(named(forms))(
    "is shown again where the session is over or the role too low: %s %s",
    async (_m, path, route) => {
      const address = path.replaceAll(PARAMETER, "nothing00000");
      const fields = { body: TEXT, revision: "7" };
      const over = await post(nobody, address, fields);
      const page = await over.text();
      expect([over.status, page.split(SHOWN).length]).toEqual([401, 3]);
      expect(page).toContain(`<form id="asked" method="post" action="${address}">`);
      expect(page).toContain('name="revision" value="7"');
      if (route.policy !== "admin" || route.role === "viewer") return;
      const low = await post(viewer, address, fields);
      expect([low.status, await low.text()]).toEqual([403, expect.stringContaining(SHOWN)]);
    },
  );

  it("is not shown to another site, which may have made it up", async () => {
    for (const origin of ["https://evil.test", "null"]) {
      const answer = await call("/admin/incidents", {
        method: "POST",
        headers: { cookie: nobody, origin, accept: "text/html", "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ body: "from elsewhere" }).toString(),
      });
      expect([answer.status, (await answer.text()).includes("from elsewhere")]).toEqual([403, false]);
    }
  });

  it.each([
    ["an update", ""],
    ["a correction", "/:update"],
    ["a postmortem", "postmortem"],
  ])("is shown again where somebody else deleted the incident meanwhile: %s", async (_name, where) => {
    const responder = await signedInAs("responder");
    const opened = await board.announce(
      { kind: "incident.open", request: { name: "Gone", body: "x", components: [] } },
      "a",
    );
    const incident = opened.ok && "impact" in opened.value ? opened.value : null;
    await board.announce({ kind: "incident.delete", id: incident?.id ?? "", request: {} }, "b");
    const update = `/updates${where === "/:update" ? `/${incident?.updates[0]?.id}` : ""}`;
    const path = `/admin/incidents/${incident?.id}${where === "postmortem" ? "/postmortem" : update}`;
    const answer = await post(responder, path, { body: TEXT, revision: String(incident?.writtenAt) });
    expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining(SHOWN)]);
  });

  it("is posted once if it is sent twice, and again if somebody went back and wrote on", async () => {
    const responder = await signedInAs("responder");
    const form = { name: "Went back", body: "First.", status: "investigating", key: "number-of-the-form" };
    const where = async (fields: Record<string, string>, path = "/admin/incidents") =>
      (await post(responder, path, fields)).headers.get("location") ?? "";
    const first = await where(form);
    expect(await where(form)).toBe(first);
    const other = await where({ ...form, body: "First, and what I forgot." });
    expect(other).toMatch(/^\/admin\/incidents\/[a-z0-9]{12}$/);
    expect(other).not.toBe(first);
    const update = { body: "Second.", status: "identified", key: "number-of-update", impact: "" };
    await where(update, `${first}/updates`);
    await where(update, `${first}/updates`);
    await where({ ...update, body: "Second, and more." }, `${first}/updates`);
    const said = (await board.operatorView([])).incidents?.find(({ id }) => first.endsWith(id))?.updates;
    expect(said?.map(({ body }) => body)).toEqual(["First.", "Second.", "Second, and more."]);
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
