/** Texts to begin an incident with, as an operator's forms change them. */
import { beforeAll, describe, expect, it } from "vitest";
import { TEMPLATES } from "../../worker/core/template.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { bindings, call } from "./agent.ts";

const board = boardOf(bindings);
let cookie = "";

beforeAll(async () => {
  const { token } = await board.createLink();
  cookie = `__Host-observatory=${await board.redeemLink(token)}`;
});

const post = (path: string, fields: Record<string, string>): Promise<Response> =>
  call(path, {
    method: "POST",
    headers: { origin: "https://status.test", cookie },
    body: new URLSearchParams(fields),
  });
const get = async (path: string): Promise<string> => (await call(path, { headers: { cookie } })).text();
const own = async () => (await board.operatorView([])).page.incidentTemplates;
const revisionIn = (page: string): string => /name="revision" value="(\w+)"/.exec(page)?.[1] ?? "";

const SAID = {
  title: "Payments <fail>",
  name: "{{component}}: {{status}}",
  body: "Since {{time}} payments at {{page}} fail.",
  status: "identified",
  affected: "major_outage",
};

describe("a template of an operator's own", () => {
  it("is written, offered to whoever reports an incident, and begins it", async () => {
    expect(await get("/admin/templates")).toContain("Complete outage");
    expect((await post("/admin/templates", SAID)).status).toBe(303);
    const made = (await own())?.at(-1);
    expect([(await own())?.length, made]).toEqual([TEMPLATES.length + 1, { id: made?.id, ...SAID }]);
    expect(await get("/admin/templates")).toContain("Payments &#60;fail&#62;</a>");
    const begun = await get(`/admin/incidents/new?template=${made?.id ?? ""}`);
    expect(begun).toContain('value="The service: major outage"');
    expect(begun).toMatch(/Since \d\d:\d\d UTC payments at \S.* fail\./);
    expect(begun).toMatch(/value="identified" checked/);
  });

  it("is previewed without being kept", async () => {
    const before = await own();
    const page = await (await post("/admin/templates/preview", { ...SAID, body: "**{{page}}** rests" })).text();
    expect(page).toMatch(/id="sample".*<p><b>The service: major outage<\/b><\/p>.*<(b|strong)>.*<\/(b|strong)> rests/s);
    expect(await own()).toEqual(before);
  });

  it.each([
    ["something to fill in that is not there", { body: "Since {{tiem}}" }, "body", "There is no {{tiem}}"],
    ["no title", { title: " " }, "title", "must not be empty"],
    ["an end to begin with", { status: "resolved" }, "status", "must be one of"],
    ["silence", { affected: "unknown" }, "affected", "must be one of"],
    ["too much", { body: "x".repeat(2_001) }, "body", "at most 2000"],
  ])("is refused with %s, beside the field, and keeps what was typed", async (_name, fields, field, words) => {
    const before = await own();
    const refused = await post("/admin/templates", { ...SAID, title: "Another", ...fields });
    const page = await refused.text();
    expect([refused.status, page.includes(`id="fault-${field}"`), page.includes(words)]).toEqual([400, true, true]);
    expect(page).toContain('value="{{component}}: {{status}}"');
    expect(await own()).toEqual(before);
  });

  it("shows both to who was overtaken, and deletes nothing that somebody changed", async () => {
    const id = (await own())?.at(-1)?.id ?? "";
    const seen = revisionIn(await get(`/admin/templates/${id}`));
    expect((await post(`/admin/templates/${id}`, { ...SAID, name: "Theirs", revision: seen })).status).toBe(303);
    const refused = await post(`/admin/templates/${id}`, { ...SAID, name: "Mine", revision: seen });
    const page = await refused.text();
    expect(refused.status).toBe(409);
    expect(page).toMatch(/value="Mine".*id="fault-name">.*Now stands: Theirs/s);
    expect((await post(`/admin/templates/${id}/delete`, { revision: seen })).status).toBe(409);
    expect((await own())?.at(-1)?.name).toBe("Theirs");
    expect((await post(`/admin/templates/${id}`, { ...SAID, name: "Mine", revision: revisionIn(page) })).status).toBe(
      303,
    );
    expect((await own())?.at(-1)?.name).toBe("Mine");
  });

  it("is deleted, and ours come back for all", async () => {
    const id = (await own())?.at(-1)?.id ?? "";
    const revision = revisionIn(await get(`/admin/templates/${id}`));
    expect((await post(`/admin/templates/${id}/delete`, { revision })).status).toBe(303);
    expect(await own()).toEqual(TEMPLATES);
    expect((await call(`/admin/templates/${id}`, { headers: { cookie } })).status).toBe(404);
    expect((await post("/admin/templates/default", {})).status).toBe(303);
    expect(await own()).toBeUndefined();
    expect(await get("/admin/templates")).not.toContain("Take ours instead");
  });

  it("stands in the audit with what it said before, and in nothing that visitors read", async () => {
    const { recent } = await board.audit();
    const acts = recent.filter(({ act }) => act.startsWith("template.")).map(({ act, subject }) => `${act} ${subject}`);
    expect(acts.slice(0, 2)).toEqual(["template.reset all", `template.remove ${SAID.title}`]);
    await post("/admin/templates", { ...SAID, title: "Only for us" });
    for (const path of ["/", "/history", "/api/v2/summary.json"])
      expect(await (await call(path)).text()).not.toContain("Only for us");
    await post("/admin/templates/default", {});
  });
});
