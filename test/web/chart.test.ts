import { describe, expect, it } from "vitest";
import { gzipSync } from "node:zlib";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import type { Chart } from "../../web/view/chart.ts";
import { linePath, plot, scaleOf, valueAt, valueText } from "../../web/view/chart.ts";
import { metricCharts, shadesOf } from "../../web/view/metrics.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { dayMetrics, healthy, NOW } from "./snapshots.ts";

const ENGLISH = localeOf("en", "Etc/UTC");

const chart = (facts: Partial<Chart> = {}): Chart => ({
  name: "Requests",
  unit: "req/s",
  from: NOW - HOUR,
  stepMs: 15 * MINUTE,
  lines: [{ name: "", values: [10, 20, 30, 40] }],
  shades: [],
  ...facts,
});
const drawn = (facts: Partial<Chart>): string => plot(chart(facts), "", ENGLISH).text;
const paths = (markup: string, name: string): string[] =>
  [...markup.matchAll(new RegExp(`class="${name}" d="([^"]*)"`, "g"))].map(([, d]) => d ?? "");

describe("a line", () => {
  it.each([
    ["is one path", [0, 50, 100], "M0 240l1-120 1-120"],
    ["leaves a gap where nothing was seen", [0, 0, null, 50, 100], "M0 240l1 0M3 120l1-120"],
    ["is a dot between two gaps", [null, 50, null], "M1 120h0"],
    ["is nothing where nothing was seen", [null, null], ""],
    ["ends at the picture's edge", [500], "M0 0h0"],
    ["is not on the floor where a value is not zero", [0, 0.01], "M0 240l1-1"],
  ])("%s", (_name, values, path) => expect(linePath(values, 100)).toBe(path));

  it("is its own data: what was drawn is read back, within half a height", () => {
    const values = Array.from({ length: 96 }, (_, i) => (i % 17 === 3 ? null : Math.abs(Math.sin(i * 0.7)) * 600));
    const path = linePath(values, 600);
    for (const [i, value] of values.entries()) {
      const read = valueAt(path, 600, i);
      if (value === null) expect(read).toBeNull();
      else expect(Math.abs((read ?? NaN) - value)).toBeLessThanOrEqual(600 / 480 + 1e-9);
    }
    expect(valueAt(path, 600, 96)).toBeNull();
  });
});

describe("the scale", () => {
  it.each([
    ["begins at 0 and ends above the highest", { lines: [{ name: "", values: [10, 95] }] }, 100],
    ["holds the limit", { limit: 500 }, 600],
    ["is something where nothing happens", { lines: [{ name: "", values: [0, 0] }] }, 1],
    ["is not a wide bucket's", { band: { lo: [10, 20, 30, 40], hi: [1e6, 1e6, 1e6, 1e6] } }, 80],
  ])("%s", (_name, facts, scale) => expect(scaleOf(chart(facts))).toBe(scale));
});

describe("a chart", () => {
  it("shows between what a percentile surely lies, up to the edge where nobody knows", () => {
    const band = { lo: [10, 10, null, 10], hi: [50, null, null, 50] };
    const lines = [{ name: "", values: [20, 20, null, 95] }];
    expect(paths(drawn({ lines, band }), "band")).toEqual(["M0 120l1-120v216l-1 0z"]);
  });

  it("names its limit", () => {
    expect(drawn({ limit: 80 })).toContain('<text x="100%" y="20%">limit 80 req/s</text>');
    expect(paths(drawn({ limit: 80 }), "limit")).toEqual(["M0 48h3"]);
  });

  it("shades what was announced, cut at its edges and never too thin to be seen", () => {
    const from = NOW - HOUR;
    const incident = { kind: "incident", from: from - HOUR, to: from + 20 * MINUTE } as const;
    const short = { kind: "maintenance", from: from + 30 * MINUTE, to: from + 31 * MINUTE } as const;
    const past = { kind: "maintenance", from: from - HOUR, to: from } as const;
    const text = drawn({ shades: [incident, short, past] });
    expect(paths(text, "incident")).toEqual(["M0 0h2v240h-2z"]);
    expect(paths(text, "maintenance")).toEqual(["M2 0h1v240h-1z"]);
  });

  it("says its numbers as the reader's language writes them", () => {
    expect(valueText(1_840, "ms", localeOf("de", "Etc/UTC"))).toBe("1,84 s");
    expect(valueText(12.4, "req/s", localeOf("de", "Etc/UTC"))).toBe("12,4 Anfr./s");
  });

  it.each([
    [184.26, "ms", "184 ms"],
    [18.34, "ms", "18 ms"],
    [1_840, "ms", "1.84 s"],
    [12_340, "ms", "12.3 s"],
    [0.00512, "%", "0.51 %"],
    [0.00001, "%", "< 0.01 %"],
    [0, "%", "0 %"],
    [12.44, "req/s", "12.4 req/s"],
  ] as const)("says %f as %s: %s", (value, unit, words) => expect(valueText(value, unit, ENGLISH)).toBe(words));
});

describe("the first view's charts", () => {
  const page = { ...healthy(), metrics: dayMetrics() };
  const text = metricCharts(page, NOW, localeOf("en", "Etc/UTC"))?.text ?? "";

  it("are three, with their latest numbers beside them", () => {
    expect(text.replaceAll(/<svg.*?<\/svg><\/div>/g, "").replaceAll(/<[^>]*>/g, "|")).toMatch(
      /The last 24 hours.*Response time, p95.*\d ms.* now, highest \d+ ms.*Error ratio.*%.*Requests.*req\/s/s,
    );
    expect(paths(text, "line")).toHaveLength(3);
    expect(paths(text, "band")).toHaveLength(1);
  });

  it("say nothing of now once what they show is over: a copy may be hours old", () => {
    const read = (at: number): string => metricCharts(page, at, ENGLISH)?.text.replaceAll(/<[^>]*>/g, "") ?? "";
    expect(read(NOW + 14 * MINUTE)).toMatch(/\d ms now, highest/);
    const later = read(NOW + 3 * HOUR);
    expect([later.includes("no data now, highest"), /\d ms now/.test(later)]).toEqual([true, false]);
  });

  it("weigh less than 2,000 bytes", () => expect(gzipSync(text, { level: 6 }).length).toBeLessThan(2_000));

  it("are not there while there is nothing to draw", () => {
    expect(metricCharts(healthy(), NOW, localeOf("en", "Etc/UTC"))).toBeNull();
    expect(metricCharts({ ...healthy(), metrics: [] }, NOW, localeOf("en", "Etc/UTC"))).toBeNull();
  });

  it("are shaded with what touches their component, and has begun and was not called off", () => {
    const known = { name: "", createdAt: 0, updatedAt: 0, confirmed: true, status: "in_progress" as const };
    const window = { ...known, id: "a", startsAt: NOW - HOUR, endsAt: NOW + HOUR, components: ["c1"] };
    const maintenances = [window, { ...window, id: "b", cancelledAt: NOW }, { ...window, id: "c", startsAt: NOW + 1 }];
    expect(shadesOf({ maintenances }, "c1", NOW)).toEqual([{ kind: "maintenance", from: NOW - HOUR, to: NOW }]);
    expect(shadesOf({ maintenances }, "c2", NOW)).toEqual([]);
  });
});
