/** The page's own settings as forms, and the page as a file to take away. */
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
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
    headers: { origin: "https://status.test", cookie, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields),
  });
const get = async (path = "/admin/page"): Promise<string> => (await call(path, { headers: { cookie } })).text();
const revision = async (): Promise<string> => /name="revision" value="(\w+)"/.exec(await get())?.[1] ?? "";
const brand = async () => (await board.operatorView([])).page.brand ?? {};

const SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8z"/></svg>';

describe("the page's form", () => {
  it("says all that the command line can, and empties what is left empty", async () => {
    const fields = {
      name: "Acme & Sons",
      timeZone: "Asia/Kathmandu",
      origin: "https://status.acme.example",
      logo: SVG,
      "accent.light": "#1E40AF",
      // An empty row between two is none.
      "links.0.name": "Help",
      "links.0.url": "https://help.acme.example",
      "links.2.name": "Acme",
      "links.2.url": "https://acme.example",
      "variables.paper.light": "#fffdf8",
    };
    expect((await post("/admin/page", { ...fields, revision: await revision() })).status).toBe(303);
    expect(await brand()).toMatchObject({
      name: "Acme & Sons",
      origin: "https://status.acme.example",
      logo: expect.stringMatching(/^data:image\/svg\+xml,%3Csvg/),
      accent: { light: "#1e40af", dark: "#507cf0" },
      links: [{ name: "Help" }, { name: "Acme" }],
      variables: { paper: { light: "#fffdf8" } },
    });
    expect((await board.snapshot()).page.timeZone).toBe("Asia/Kathmandu");
    const page = await get();
    expect(page).toContain('data-zone="Asia/Kathmandu"');
    expect(page).toMatch(/#1e40af on light paper: \d[\d.]* to 1/);
    expect(page).toContain('value="https://acme.example/"');
    expect((await post("/admin/page", { name: "Acme", revision: await revision() })).status).toBe(303);
    expect(await brand()).toEqual({ name: "Acme" });
    expect((await board.snapshot()).page.timeZone).toBe("Etc/UTC");
  });

  it("previews without keeping anything", async () => {
    const before = await brand();
    const shown = await (await post("/admin/page/preview", { name: "Other", "accent.light": "#0b6" })).text();
    expect(shown).toMatch(/id="samples".*needs 4\.5.*The nearest that pass are #\w+ on light paper/s);
    expect(shown).toContain('value="Other"');
    expect(await brand()).toEqual(before);
  });

  it.each([
    ["an accent that nobody can read", { "accent.light": "#0b6" }, "accent"],
    ["a dark accent alone", { "accent.dark": "#ffffff" }, "accent.light"],
    ["a link that is a script", { "links.3.name": "x", "links.3.url": "javascript:alert(1)" }, "links.3.url"],
    ["a link without its name", { "links.1.url": "https://a.example" }, "links.1.name"],
    ["a logo with a script", { logo: SVG.replace("<path", "<script/><path") }, "logo"],
    ["an address with a path", { origin: "https://acme.example/status" }, "origin"],
    ["a zone that is none", { timeZone: "Mars/Olympus" }, "timeZone"],
    ["an offset for a zone", { timeZone: "+01:00" }, "timeZone"],
    ["paper as dark as ink", { "variables.paper.light": "#222222" }, "variables.paper"],
  ])("refuses %s beside its field, and keeps what was typed", async (_name, fields, field) => {
    const before = await brand();
    const refused = await post("/admin/page", { name: "Other", ...fields, revision: await revision() });
    const page = await refused.text();
    expect(refused.status).toBe(400);
    expect(page).toContain(`id="fault-${field}"`);
    expect(page).toContain('value="Other"');
    expect(await brand()).toEqual(before);
  });

  it("shows both versions to who was overtaken, and lets them decide", async () => {
    const seen = await revision();
    await post("/admin/page", { name: "Mine", revision: seen });
    const refused = await post("/admin/page", { name: "Yours", revision: seen });
    const page = await refused.text();
    expect([refused.status, page.includes("Somebody changed the page meanwhile")]).toEqual([409, true]);
    expect(page).toMatch(/value="Yours".*id="fault-name">.*Now stands: Mine/s);
    expect(await brand()).toEqual({ name: "Mine" });
    const again = /name="revision" value="(\w+)"/.exec(page)?.[1] ?? "";
    expect((await post("/admin/page", { name: "Yours", revision: again })).status).toBe(303);
    expect(await brand()).toEqual({ name: "Yours" });
  });

  it("chooses the charts of the first view, and goes back to ours", async () => {
    const chart = { "charts.0.kind": "p95", "charts.0.component": "", "charts.0.name": "Answers in" };
    expect((await post("/admin/page/charts", { ...chart, "charts.4.kind": "request_rate" })).status).toBe(303);
    const { metrics } = (await board.operatorView([])).page;
    expect(metrics?.map(({ kind, name }) => [kind, name])).toEqual([
      ["p95", "Answers in"],
      ["request_rate", ""],
    ]);
    const gone = await post("/admin/page/charts", { "charts.0.kind": "p95", "charts.0.component": "gone" });
    expect([gone.status, (await gone.text()).includes("A component is not there any more")]).toEqual([400, true]);
    await post("/admin/page/charts", { own: "yes" });
    expect((await board.operatorView([])).page.metrics).toBeUndefined();
  });
});

it("the page is exported as the file that the command line reads", async () => {
  const answer = await call("/admin/page/export", { headers: { cookie, accept: "text/html" } });
  expect(answer.headers.get("content-disposition")).toContain("status.yaml");
  const file = parse(new TextDecoder().decode(await answer.arrayBuffer())) as { page: { name: string } };
  expect(file).toMatchObject({ version: 1, page: { name: "Yours" } });
});
