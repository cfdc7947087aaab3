import { describe, expect, it } from "vitest";
import type { PageIncident } from "../../protocol/page.ts";
import { HOUR } from "../../protocol/time.ts";
import type { ComponentView } from "../../web/view/component.ts";
import { renderComponent } from "../../web/view/component.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { CHARTS } from "./component-charts.ts";
import { component, everyState, NOW, snapshot } from "./snapshots.ts";

const ID = "component000";

function render(facts: Partial<ComponentView> = {}): string {
  const log = { version: 1, incidents: [], maintenances: [] };
  const page = snapshot([component(0), component(1)]);
  const view = {
    snapshot: page,
    now: NOW,
    origin: "https://status.test",
    isCopy: false,
    locale: localeOf("en", "Etc/UTC"),
    component: ID,
    log,
  };
  return renderComponent({ ...view, range: "day", charts: CHARTS, ...facts }) ?? "";
}

const text = (html: string): string =>
  html
    .replace(/<(style|script).*?<\/\1>/gs, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");

describe("a component's page", () => {
  it("is not there for what is not on the page", () => {
    const page = snapshot([component(0)]);
    const log = { version: 1, incidents: [], maintenances: [] };
    const view = {
      snapshot: page,
      now: NOW,
      origin: "",
      isCopy: false,
      locale: localeOf("en", "Etc/UTC"),
      log,
      range: "day",
      charts: null,
    } as const;
    expect(renderComponent({ ...view, component: "nothing00000" })).toBeNull();
  });

  it("says its state with the reason and since when, and leads home", () => {
    const page = everyState();
    const told = render({ snapshot: page, component: page.components[1]?.id ?? "" });
    expect(text(told)).toContain("Payments Partial outage Since 13:48 UTC: About 3 of 10 requests fail.");
    expect(told).toContain('<a href="/">Acme status</a>');
    expect(told).toContain("<title>Payments · Acme status</title>");
  });

  it("turns unknown with its evidence", () =>
    expect(text(render({ now: NOW + HOUR }))).toContain("Checkout Unknown No report since 14:02 UTC"));

  it("has its uptime by range and month", () =>
    expect(text(render())).toMatch(/90 days 99\.\d\d % 30 days [\d.]+ % Sept [\d.]+ % Oct [\d.]+ % Nov [\d.]+ %/));

  it("draws three percentiles with what p95 lies in, errors and requests", () => {
    const html = render();
    expect([...html.matchAll(/data-name="(\w+)"/g)].map(([, name]) => name)).toEqual(["p99", "p95", "p50"]);
    expect(html.match(/class="band"/g)).toHaveLength(1);
    expect(html.match(/class="plot"/g)).toHaveLength(3);
    expect(text(html)).toContain("p95 184 ms now, highest 184 ms");
  });

  it("has all values as a table, newest first, with the range of p95 and a dash for no data", () => {
    const rows = render().match(/<tr><th scope="row">.*?<\/tr>/gs) ?? [];
    expect(rows).toHaveLength(96);
    expect(text(rows[0] ?? "")).toBe(" 13:47 UTC 40 ms 184 ms over 100 ms 900 ms 0.1 % 12.4 req/s ");
    expect(text(rows[45] ?? "")).toBe(" 02:32 UTC 40 ms – 100 ms to 250 ms 900 ms 0.05 % 12.4 req/s ");
  });

  it("stays without the archive, and says what is missing and what is not", () => {
    const said = text(render({ charts: null }));
    expect(said).toContain("The archive cannot be reached at the moment, so there are no charts.");
    expect(said).toContain("Checkout Operational");
  });

  it("says how old its charts are where the archive was away since", () => {
    expect(text(render())).not.toContain("The archive cannot be reached");
    expect(text(render({ charts: { ...CHARTS, at: NOW - 3 * HOUR } }))).toContain(
      "The archive cannot be reached: the charts are of 11:02 UTC, 3 h ago.",
    );
  });

  it("names the range it shows, and leads to the others", () => {
    const html = render({ range: "week", charts: { ...CHARTS, range: "week", stepMs: HOUR } });
    expect(html).toContain(`<a href="/components/${ID}/week" aria-current="page">Week</a>`);
    expect(html).toContain(`<a href="/components/${ID}">Day</a>`);
    expect(html).toContain(`<link rel="canonical" href="https://status.test/components/${ID}/week"/>`);
  });

  it("offers feeds and a calendar of its own, whatever its range", () => {
    const head = /<header>.*<\/header>/s.exec(render({ range: "week" }))?.[0];
    for (const file of ["history.atom", "history.rss", "maintenance.ics"])
      expect(head).toContain(`href="/components/${ID}/${file}"`);
    expect(head).toContain('<a href="/">Acme status</a>');
  });

  it("lists and shades what was announced of it, and of nothing else", () => {
    const incident = (id: string, name: string, components: string[]): PageIncident => ({
      id,
      name,
      status: "resolved",
      impact: "minor",
      createdAt: NOW - 5 * HOUR,
      updatedAt: NOW - 4 * HOUR,
      startedAt: NOW - 5 * HOUR,
      monitoringAt: null,
      resolvedAt: NOW - 4 * HOUR,
      components,
      updates: [],
    });
    const incidents = [
      incident("slow00000000", "<b>Slow</b>", [ID]),
      incident("other0000000", "Other", ["component001"]),
    ];
    const html = render({ log: { version: 1, incidents, maintenances: [] } });
    expect(html).toContain('<a href="/incidents/slow00000000">&#60;b&#62;Slow&#60;/b&#62;</a>');
    expect(html).not.toContain("other0000000");
    expect(html.match(/class="incident"/g)).toHaveLength(3);
    expect(html.match(/>incident<\/text>/g)).toHaveLength(3);
  });
});
