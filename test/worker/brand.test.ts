/** The operator's brand from the command line to every public byte, and what is refused on the way. */
import { evictDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { boardOf } from "../../worker/objects/env.ts";
import { base64, sha256 } from "../../worker/objects/crypto.ts";
import { bindings, call, cli, ORIGIN } from "./agent.ts";

const OWN = "https://status.acme.example";
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path d="M0 0h8v8z"/></svg>';
const LOGO = `data:image/svg+xml,${encodeURIComponent(SVG)}`;
const BRAND = {
  name: "Acme & Sons",
  logo: LOGO,
  accent: { light: "#1e40af" },
  links: [{ name: "Help <b>", url: "https://help.acme.example" }],
  variables: { paper: { light: "#FFFDF8" } },
  origin: `${OWN}/`,
};

/** A name of its own for each test, so that nothing of another's is kept. */
let site = ORIGIN;
beforeEach(() => void (site = `https://${crypto.randomUUID()}.test`));
afterEach(async () => {
  vi.useRealTimers();
  await put({ name: null, logo: null, accent: null, links: null, variables: null, origin: null });
});

const put = (wish: object): Promise<Response> => cli("PUT", "/cli/v1/page", wish);
const standing = async (): Promise<unknown> =>
  (await (await cli("GET", "/cli/v1/page")).json<{ page: unknown }>()).page;

async function read(path: string): Promise<{ readonly text: string; readonly headers: Headers }> {
  const answer = await call(site + path);
  return { text: await answer.text(), headers: answer.headers };
}

/** Every style that stands in a document is one that its policy names. */
async function styles(path: string): Promise<readonly string[]> {
  const { text, headers } = await read(path);
  const policy = headers.get("content-security-policy") ?? "";
  // Not those of the icon, which is a picture of its own in an attribute.
  const found = [...text.replaceAll(/="[^"]*"/g, "").matchAll(/<style>(.*?)<\/style>/gs)].map(
    ([, style = ""]) => style,
  );
  for (const style of found) expect(policy).toContain(`'sha256-${base64(await sha256(style))}'`);
  expect(policy).not.toContain("unsafe");
  expect(text).not.toMatch(/<[^<>]* style=/);
  return found;
}

describe("a brand", () => {
  it("is shown as it stands, is written anew, and survives the Board's death", async () => {
    const answer = await put(BRAND);
    expect(answer.status).toBe(200);
    const { page } = await answer.json<{ page: object }>();
    expect(page).toMatchObject({
      name: "Acme & Sons",
      origin: OWN,
      links: [{ name: "Help <b>", url: "https://help.acme.example/" }],
      variables: { paper: { light: "#fffdf8" } },
      accent: [
        { mode: "light", colour: "#1e40af" },
        { mode: "dark", colour: "#507cf0" },
      ],
    });
    await evictDurableObject(boardOf(bindings));
    expect(await standing()).toEqual(page);
    await put({ links: null });
    expect(await standing()).toEqual({ ...page, links: [] });
  });

  it.each(["/", "/history", "/view", "/embed/frame", "/de"])(
    "has its colours on %s, and the policy knows",
    async (path) => {
      const before = await styles(path);
      await put(BRAND);
      site = `https://${crypto.randomUUID()}.test`;
      const after = await styles(path);
      expect(after.filter((style) => before.includes(style))).toEqual(before);
      // After the tokens that it changes, whatever of the page's own follows.
      const [added = "", ...more] = after.filter((style) => !before.includes(style));
      expect([after.indexOf(added), more]).toEqual([1, []]);
      expect(added).toContain(":root{--paper:#fffdf8;--accent:#1e40af}");
      expect(added).toContain("@media(prefers-color-scheme:dark){:root{--accent:#507cf0}}");
    },
  );

  it("is in the head and the foot of pages as text, and in no page without one", async () => {
    const plain = await read("/");
    expect(plain.text).not.toMatch(/<img|--accent:#/);
    await put(BRAND);
    site = `https://${crypto.randomUUID()}.test`;
    for (const path of ["/", "/history"]) {
      const { text } = await read(path);
      expect(text).toMatch(/<img src="data:image\/svg\+xml,[^"<>]*" alt=""\/>Acme &#38; Sons/);
      expect(text).toContain('<a href="https://help.acme.example/">Help &#60;b&#62;</a>');
    }
  });

  it("is on what is not there, and not on what is the operators' own", async () => {
    await put(BRAND);
    site = `https://${crypto.randomUUID()}.test`;
    await read("/");
    const missing = async (path: string) => {
      const answer = await call(site + path, { headers: { accept: "text/html" } });
      return {
        status: answer.status,
        policy: answer.headers.get("content-security-policy") ?? "",
        text: await answer.text(),
      };
    };
    const { status, policy, text } = await missing("/nothing");
    const style = /<style>(@media not[^<]*)<\/style>/.exec(text)?.[1] ?? "";
    expect([status, style.includes("--accent:#1e40af")]).toEqual([404, true]);
    expect(policy).toContain(`'sha256-${base64(await sha256(style))}'`);
    expect(text).toMatch(/<header><p><a href="\/"><img [^<>]*>Acme &#38; Sons<\/a>/);
    const own = await missing("/admin/nothing");
    expect([own.text.includes("--accent:#"), own.policy.match(/sha256/g)?.length]).toEqual([false, 2]);
  });

  it("reaches who has the page already: it is another page, though nothing happened", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const tag = (await read("/")).headers.get("etag") ?? "";
    await put({ name: "Acme" });
    vi.setSystemTime(Date.now() + 6_000);
    const again = await call(`${site}/`, { headers: { "if-none-match": tag } });
    expect(again.status).toBe(200);
    expect(await again.text()).toContain("· Acme</title>");
  });

  it("has the page say its own address, whichever it was asked by", async () => {
    await put({ origin: OWN });
    const texts = await Promise.all(
      [
        "/",
        "/api/v2/status.json",
        "/history.atom",
        "/history.rss",
        "/sitemap.xml",
        "/robots.txt",
        "/llms.txt",
        "/embed/frame",
      ].map(async (path) => [path, (await read(path)).text] as const),
    );
    for (const [path, text] of texts) {
      expect([path, text.includes(OWN)]).toEqual([path, true]);
      expect([path, text.includes(site)]).toEqual([path, false]);
    }
    const page = texts[0]?.[1] ?? "";
    expect(page).toContain(`<link rel="canonical" href="${OWN}/"/>`);
    expect(texts[4]?.[1]).toContain(`hreflang="de" href="${OWN}/de"`);
    expect(page).toContain(`<meta property="og:image" content="${OWN}/card/`);
    expect(JSON.parse(texts[1]?.[1] ?? "")).toMatchObject({ page: { url: OWN } });
    const opened = await cli("POST", "/cli/v1/incidents", { name: "Slow", body: "We look." });
    const { incident } = await opened.json<{ incident: { id: string; url: string } }>();
    expect(incident.url).toBe(`${OWN}/incidents/${incident.id}`);
    await cli("POST", `/cli/v1/incidents/${incident.id}/updates`, { status: "resolved", body: "Done." });
  });
});

describe("nothing is kept of what is wrong", () => {
  const long = "x".repeat(9_000);
  it.each([
    ["a colour that ends the style", { accent: { light: "#fff}</style><script>alert(1)</script>" } }, "accent"],
    ["a colour that loads", { variables: { paper: { light: "url(https://evil.example)" } } }, "variables.paper"],
    ["a colour that imports", { variables: { ink: { light: "@import 'x'" } } }, "variables.ink"],
    ["an accent that nobody can read", { accent: { light: "#0b6" } }, "The nearest that pass are #028145"],
    ["the colour of a state", { variables: { operational: { light: "#cc2827" } } }, "must be of paper, raised"],
    [
      "a property of ours by another name",
      { variables: { "paper;}body": { light: "#fff" } } },
      "must be of paper, raised",
    ],
    ["an inherited name", { variables: { constructor: { light: "#fff" } } }, "The body is not JSON"],
    ["a script for a link", { links: [{ name: "Help", url: "javascript:alert(1)" }] }, "links.0.url: must be an https"],
    [
      "a link without encryption",
      { links: [{ name: "Help", url: "http://help.example" }] },
      "links.0.url: must be an https",
    ],
    ["a link with a password", { links: [{ name: "Help", url: "https://u:p@help.example" }] }, "links.0.url"],
    ["a link that is data", { links: [{ name: "Help", url: "data:text/html,x" }] }, "links.0.url"],
    ["a link of many letters", { links: [{ name: "Help", url: `https://help.example/${long}` }] }, "links.0.url"],
    ["a link that turns the line", { links: [{ name: "\u202eplea", url: "https://help.example" }] }, "links.0.name"],
    [
      "a link without a name",
      { links: [{ name: "  ", url: "https://help.example" }] },
      "links.0.name: must not be empty",
    ],
    [
      "seven links",
      { links: Array.from({ length: 7 }, () => ({ name: "a", url: "https://a.example" })) },
      "at most 6 links",
    ],
    ["an address with a path", { origin: "https://acme.example/status" }, "origin: must be an address without a path"],
    ["an address without encryption", { origin: "http://status.acme.example" }, "origin: must be an https"],
    ["a name of nothing", { name: " " }, "name: must not be empty"],
    ["a name of two lines", { name: "Acme\nstatus" }, "name: has control"],
    [
      "a logo with a script",
      { logo: `data:image/svg+xml,${encodeURIComponent(SVG.replace("<path", "<script/><path"))}` },
      "logo: has <script>",
    ],
    [
      "the same in base64",
      { logo: `data:image/svg+xml;base64,${btoa(SVG.replace("<svg", "<svg onload='x'"))}` },
      "logo: has a handler",
    ],
    [
      "a logo that is a page",
      { logo: "data:text/html,<script>alert(1)</script>" },
      "logo: must be a data: URL of a picture",
    ],
    ["a page that says it is a picture", { logo: `data:image/png;base64,${btoa("<script>")}` }, "logo: is no PNG"],
    ["a logo elsewhere", { logo: "https://acme.example/logo.svg" }, "logo: must be a data: URL"],
    [
      "a large logo",
      { logo: `data:image/png;base64,${btoa(`\x89PNG\r\n\x1a\n${long}`)}` },
      "logo: must be at most 8192",
    ],
    ["what nobody knows", { css: "body{display:none}" }, "css"],
  ])("%s", async (_name, wish, message) => {
    const before = await standing();
    const answer = await put({ name: "Other", ...wish });
    expect(answer.status).toBe(400);
    const { error } = await answer.json<{ error: { code: string; message: string } }>();
    expect(error.code).toBe("request_malformed");
    expect(error.message).toContain(message);
    expect(await standing()).toEqual(before);
  });

  it("by somebody without the operator's key", async () => {
    expect((await call("/cli/v1/page", { method: "PUT", body: "{}" })).status).toBe(401);
    expect((await call("/cli/v1/page")).status).toBe(401);
  });
});
