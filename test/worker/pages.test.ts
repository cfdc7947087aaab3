/** The public documents besides the live page, through the Worker. */
import { beforeAll, describe, expect, it } from "vitest";
import { boardOf } from "../../worker/objects/env.ts";
import { bindings, call, cli } from "./agent.ts";

const HTML = { accept: "text/html,application/xhtml+xml" };
let ids: readonly [string, string];

beforeAll(async () => {
  const request = (name: string) => ({
    name,
    group: "Pages",
    description: null,
    services: [`eu-1/shop/${name.toLowerCase()}`],
    rule: "all",
  });
  await cli("PUT", "/cli/v1/components", { components: [request("Checkout"), request("Search")] });
  const { components } = await boardOf(bindings).snapshot();
  const [a = "", b = ""] = components
    .filter(({ group }) => group === "Pages")
    .map(({ id }) => id)
    .toSorted();
  ids = [a, b];
});

async function get(path: string, init: RequestInit = {}) {
  const answer = await call(path, { redirect: "manual", ...init });
  const { status, headers } = answer;
  return { status, type: headers.get("content-type") ?? "", headers, text: await answer.text() };
}

describe("an own view", () => {
  it("is chosen in a form, whose answer is an address", async () => {
    const form = await get("/view");
    expect([form.status, form.text.includes(`value="${ids[0]}"`)]).toEqual([200, true]);
    const [a, b] = ids;
    const chosen = await get(`/view?c=${b}&c=${a}&c=${b}`);
    expect([chosen.status, chosen.headers.get("location")]).toEqual([303, `/view/${a},${b}`]);
  });

  it("without a choice is the form again", async () => expect((await get("/view?c=&x=1")).text).toContain("<form"));

  it("has one address, and every other way to write it leads there", async () => {
    const [a, b] = ids;
    for (const rest of ["", "/choose"]) {
      const other = await get(`/view/${b},${a},${a},x${rest}`);
      expect([other.status, other.headers.get("location")]).toEqual([301, `/view/${a},${b}${rest}`]);
      expect((await get(`/view/${a},${b}${rest}`)).status).toBe(200);
    }
  });

  it("shows what was chosen and nothing else", async () => {
    const { text } = await get(`/view/${ids[0]}`);
    expect([text.includes(`/components/${ids[0]}"`), text.includes(ids[1])]).toEqual([true, false]);
  });

  it.each([
    ["history.rss", "application/rss+xml", "<rss"],
    ["history.atom", "application/atom+xml", "<feed"],
    ["maintenance.ics", "text/calendar", "BEGIN:VCALENDAR"],
    ["badge.svg", "image/svg+xml", "<svg"],
  ])("has a %s of its own, which names what was chosen", async (file, type, begin) => {
    const path = `/view/${ids.join()}`;
    const { status, headers, text } = await get(`${path}/${file}`);
    expect([status, headers.get("content-type")]).toEqual([200, `${type}; charset=utf-8`]);
    expect(text).toContain(begin);
    expect(text).toMatch(/Checkout, Search|Checkout\\, Search|Search, Checkout/);
    expect((await get(`/view/${ids.toReversed().join()}/${file}`)).headers.get("location")).toBe(`${path}/${file}`);
    expect((await get(`/view/000000000000/${file}`)).status).toBe(404);
  });

  it("is kept for a visitor to change", async () => {
    const { text } = await get(`/view/${ids[1]}/choose`);
    expect(text.match(/value="(\w{12})" checked/)?.[1]).toBe(ids[1]);
  });

  it("drops what is shown no more and says so, and is none if nothing is left", async () => {
    const path = `/view/${[ids[0], "000000000000"].toSorted().join()}`;
    expect((await get(path)).text).toContain("1 of the 2 that were chosen is shown no more.");
    expect((await get("/view/000000000000")).status).toBe(404);
  });
});

describe("history", () => {
  it("has this month, and none that is still to come", async () => {
    const month = new Date().toISOString().slice(0, 7);
    const latest = await get("/history");
    expect([latest.status, latest.text.includes("No incident and no maintenance")]).toEqual([200, true]);
    expect((await get(`/history/${month}`)).status).toBe(200);
    expect((await get("/history/2999-01")).status).toBe(404);
  });

  it("is asked for without a body, and not sent again", async () => {
    const head = await get("/history", { method: "HEAD" });
    expect([
      head.status,
      head.text,
      head.headers.get("content-security-policy")?.includes("default-src 'none'"),
    ]).toEqual([200, "", true]);
    const etag = head.headers.get("etag") ?? "";
    expect((await get("/history", { headers: { "if-none-match": etag } })).status).toBe(304);
  });
});

it("a page that is not sent again is one that its policy allows: each policy has another tag", async () => {
  const tags = await Promise.all(["/", "/history", "/view"].map(async (path) => (await get(path)).headers.get("etag")));
  const policies = tags.map((tag) => tag?.split(".").at(-2));
  expect(policies[0]).not.toBe(policies[1]);
  expect(policies[1]).toBe(policies[2]);
});

describe("a language that the path names", () => {
  it("is spoken, and stays in the path when an own view is sent to its one address", async () => {
    const [a, b] = ids;
    for (const path of ["/history", "/view", `/view/${a}`, `/view/${a}/choose`, `/components/${a}/week`].map(
      (one) => `/de${one}`,
    )) {
      const { status, headers, text } = await get(path, { headers: { "accept-language": "fr" } });
      expect([path, status, headers.get("content-language")]).toEqual([path, 200, "de"]);
      expect(text).toContain('<html lang="de"');
    }
    expect((await get(`/de/view?c=${b}&c=${a}`)).headers.get("location")).toBe(`/de/view/${a},${b}`);
    expect((await get(`/de/view/${b},${a}/choose`)).headers.get("location")).toBe(`/de/view/${a},${b}/choose`);
  });

  it("is spoken where there is nothing too, else the one that the browser asks for", async () => {
    const named = await get("/ja/incidents/000000000000", { headers: HTML });
    expect([named.status, named.text.includes("ページが見つかりません")]).toEqual([404, true]);
    const asked = await get("/nothing", { headers: { ...HTML, "accept-language": "de-AT" } });
    expect(asked.text).toContain("Diese Seite gibt es nicht");
  });
});

describe("an address with nothing at it", () => {
  const wrong = [
    "/nothing",
    "/incidents/000000000000",
    "/incidents",
    "/maintenance/000000000000",
    "/maintenance/000000000000/event.ics",
    "/history/2026-13",
    "/history/2026-11/12",
    "/view/x",
    "/view/000000000000/choose/more",
  ];

  it.each(wrong)("%s is a page for browsers, with the ways on", async (path) => {
    const { status, type, text, headers } = await get(path, { headers: HTML });
    expect([status, type, headers.get("cache-control")]).toEqual([404, "text/html; charset=utf-8", "no-store"]);
    expect(text).toContain('<a href="/">');
    expect(text).toContain('<a href="/history">');
    expect(text).toContain('<meta name="robots" content="noindex"/>');
  });

  it.each([...wrong.map((path) => [path, "application/json"]), ["/api/v2/nothing.json", HTML.accept]])(
    "%s is JSON for who asks for %s",
    async (path, accept) => {
      const { status, type, text } = await get(path, { headers: { accept } });
      expect([status, type]).toEqual([404, "application/json"]);
      expect(JSON.parse(text)).toMatchObject({ error: { code: "not_found" } });
    },
  );

  it("answers no method that writes", async () => {
    const { status, headers } = await get("/history", { method: "POST" });
    expect([status, headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });
});
