/** Feeds, calendar, badges and what programs look for at fixed addresses, as they get it. */
import { beforeAll, describe, expect, it } from "vitest";
import { HOUR } from "../../protocol/time.ts";
import { call, cli } from "./agent.ts";

const NAME = "Checkout & <b>co</b>";
let id: string;
let maintenance: string;

beforeAll(async () => {
  const components = [
    { name: NAME, services: ["eu-1/shop/checkout"] },
    { name: "Ledger", services: ["eu-1/shop/ledger"] },
  ];
  const body = { components };
  const answer = await cli("PUT", "/cli/v1/components", body);
  const [startsAt, endsAt] = [2, 3].map((hours) => new Date(Date.now() + hours * HOUR).toISOString());
  const said = { body: "**Slow** <script>alert(1)</script>" };
  const opened = await cli("POST", "/cli/v1/incidents", {
    name: "Slow payments",
    components: [{ component: "Ledger", status: "degraded_performance" }],
    ...said,
  });
  const planned = await cli("POST", "/cli/v1/maintenances", {
    name: "New disks",
    startsAt,
    endsAt,
    components: [NAME],
    emergency: true,
    ...said,
  });
  expect([opened.status, planned.status]).toEqual([201, 201]);
  maintenance = (await planned.json<{ maintenance: { id: string } }>()).maintenance.id;
  const summary = await (await call("/api/v2/summary.json")).json<{ components: { id: string; name: string }[] }>();
  id = summary.components.find(({ name }) => name === NAME)?.id ?? "";
  expect([answer.status, id]).toEqual([200, expect.stringMatching(/^[a-z0-9]{12}$/)]);
});

describe.each([
  ["/history.rss", "application/rss+xml; charset=utf-8", "<rss"],
  ["/history.atom", "application/atom+xml; charset=utf-8", "<feed"],
  ["/maintenance.ics", "text/calendar; charset=utf-8", "BEGIN:VCALENDAR"],
  ["/components/ID/history.rss", "application/rss+xml; charset=utf-8", "<rss"],
  ["/components/ID/history.atom", "application/atom+xml; charset=utf-8", "<feed"],
  ["/components/ID/maintenance.ics", "text/calendar; charset=utf-8", "BEGIN:VCALENDAR"],
  ["/badge.svg", "image/svg+xml; charset=utf-8", "<svg"],
  ["/badge/ID.svg", "image/svg+xml; charset=utf-8", "<svg"],
  ["/favicon.svg", "image/svg+xml; charset=utf-8", "<svg"],
  ["/favicon.ico", "image/x-icon", "PNG"],
  ["/llms.txt", "text/plain; charset=utf-8", "# "],
  ["/sitemap.xml", "application/xml; charset=utf-8", "https://status.test/components/"],
  ["/robots.txt", "text/plain; charset=utf-8", "Sitemap: https://status.test/sitemap.xml"],
  ["/embed.js", "text/javascript; charset=utf-8", "/embed/frame"],
  ["/embed/script.js", "text/javascript; charset=utf-8", "/embed/frame"],
  ["/embed/frame", "text/html; charset=utf-8", "<main"],
  ["/card/unknown.png", "image/png", "PNG"],
])("%s", (template, type, start) => {
  it("is answered, with a validator that saves its body", async () => {
    const path = template.replace("ID", id);
    const answer = await call(path);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, type]);
    expect(await answer.text()).toContain(start);
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
    const etag = answer.headers.get("etag") ?? "";
    const again = await call(`${path}?x=1`, { headers: { "if-none-match": `"other", W/${etag}` } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const head = await call(path, { method: "HEAD" });
    expect([head.status, head.headers.get("content-type"), await head.text()]).toEqual([200, type, ""]);
  });
});

it.each(["/history.rss", "/history.atom"])(
  "%s tells what operators announced, and nothing of who did",
  async (path) => {
    const text = await (await call(path)).text();
    expect(text).toContain("<title>Slow payments</title>");
    expect(text).toContain("<title>New disks</title>");
    expect(text).toContain("<strong>Slow</strong> &lt;script&gt;alert(1)&lt;/script&gt;");
    expect(text).not.toMatch(/command line|eu-1|shop\/(?:checkout|ledger)/);
  },
);

it("a maintenance is found where Statuspage shows it too, and says what its own address is", async () => {
  const text = await (await call(`/incidents/${maintenance}`)).text();
  expect(text).toContain("New disks");
  expect(text).toContain(`<link rel="canonical" href="https://status.test/maintenance/${maintenance}"/>`);
});

it("a component's feeds and calendar have what touches it alone", async () => {
  const text = await (await call(`/components/${id}/history.atom`)).text();
  expect(text).toContain("<title>New disks</title>");
  expect(text).not.toContain("Slow payments");
  const calendar = await (await call(`/components/${id}/maintenance.ics`)).text();
  expect(calendar).toContain("SUMMARY:New disks");
  expect(calendar).toContain("Affects: Checkout & ‹b›co‹/b›");
});

it.each(["/history.rss", "/maintenance.ics", "/badge.svg", "/embed.js"])("%s is open to every site", async (path) => {
  const answer = await call(path);
  expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  await answer.body?.cancel();
});

it.each(["/badge.svg", "/favicon.svg", "/favicon.ico", "/embed/frame", "/llms.txt"])(
  "%s is kept for no longer than what it says is sure",
  async (path) => {
    const answer = await call(path);
    expect(answer.headers.get("cache-control")).toMatch(/^public, max-age=[0-5]$/);
    await answer.body?.cancel();
  },
);

it("no document but the embed's frame may be shown inside another site", async () => {
  for (const [path, ancestors] of [
    ["/", "'none'"],
    ["/history", "'none'"],
    ["/embed/frame", "*"],
  ] as const) {
    const answer = await call(path);
    expect(answer.headers.get("content-security-policy")).toContain(`frame-ancestors ${ancestors}`);
    await answer.body?.cancel();
  }
});

it("an icon file holds one picture of 32 by 32, and says where", async () => {
  const file = await (await call("/favicon.ico")).arrayBuffer();
  const view = new DataView(file);
  expect([0, 2, 4].map((at) => view.getUint16(at, true))).toEqual([0, 1, 1]);
  expect([view.getUint8(6), view.getUint8(7)]).toEqual([32, 32]);
  const [bytes, offset] = [view.getUint32(14, true), view.getUint32(18, true)];
  expect(offset + bytes).toBe(file.byteLength);
  expect(view.getUint32(offset)).toBe(0x89504e47);
});

it.each([
  "/card/nothing.png",
  "/components/nothing00000/history.rss",
  "/components/nothing00000/maintenance.ics",
  "/badge/nothing00000.svg",
])("%s is nowhere", async (path) => expect((await call(path)).status).toBe(404));

it("a badge names its component, and is grey while nothing is known of it", async () => {
  const svg = await (await call(`/badge/${id}.svg`)).text();
  expect(svg).toContain("Checkout &#38; &#60;b&#62;co&#60;/b&#62;");
  expect(svg).toContain(">unknown<");
  expect(svg).not.toContain("operational");
});
