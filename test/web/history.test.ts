import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { dayMark, dayNumber, historyBars, tellDay, today } from "../../web/view/history.ts";
import { uptimeRatio } from "../../protocol/uptime.ts";
import { quantileText, rateText, ratioText, shortDay, uptimeText } from "../../web/view/format.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { days, NOW } from "./snapshots.ts";

const locale = localeOf("en", "Etc/UTC");

const text = (markup: string): string => markup.replace(/<[^>]*>/g, "");

describe("a day is drawn as", () => {
  it.each([
    ["the worst that was seen", { operational: DAY - 2, degraded_performance: 1, major_outage: 1 }, "major_outage"],
    ["maintenance, if nothing failed", { operational: HOUR, under_maintenance: 1 }, "under_maintenance"],
    ["well, if it mostly was", { operational: 13 * HOUR, unknown: 11 * HOUR }, "operational"],
    ["unknown, if most of it was silent", { operational: 11 * HOUR, unknown: 13 * HOUR }, "unknown"],
    ["nothing at all, if nothing was observed", {}, null],
  ] as const)("%s", (_name, ms, mark) => expect(dayMark(ms)).toBe(mark));
});

describe("the calendar", () => {
  it.each([["1970-01-01"], ["2000-02-29"], ["2024-12-31"], ["2026-11-23"]])("knows the number of %s", (day) => {
    expect(dayNumber(day)).toBe(Date.parse(day) / DAY);
  });

  it("asks the zone which day it is", () => {
    expect([
      shortDay(today(NOW, "Etc/UTC"), locale, locale.day),
      shortDay(today(NOW, "Pacific/Kiritimati"), locale, locale.day),
    ]).toEqual(["23 Nov", "24 Nov"]);
  });
});

describe("the bars", () => {
  it("draw a quiet quarter with one stroke", () => {
    const bars = historyBars(days(90, 1, 0), NOW, locale).text;
    expect(bars.match(/<path/g)).toHaveLength(1);
    expect(bars).toContain('<path class="operational" d="M0 0h90"/>');
    expect(text(bars)).toBe("100 % in 90 days");
  });

  it("say where a young history starts, and leave the days before it hollow", () => {
    const bars = historyBars(days(5, 1, 0), NOW, locale).text;
    expect(bars).toContain('class="none" d="M0 0h85"');
    expect(text(bars)).toBe("100 % · history starts 19 Nov");
  });

  it("say that there is no data yet", () => expect(text(historyBars([], NOW, locale).text)).toBe("no data yet"));

  it("read out each day in words", () => {
    const tallies = [
      { day: "2026-11-20", ms: { operational: DAY } },
      { day: "2026-11-22", ms: { operational: 23 * HOUR, partial_outage: 14 * MINUTE, unknown: 30_000 } },
      { day: "2026-11-23", ms: { operational: HOUR } },
    ];
    const readout = /data-x="([^"]*)"/.exec(historyBars(tallies, NOW, locale).text)?.[1] ?? "";
    expect([0, 85, 86, 87, 88, 89].map((day) => tellDay(readout, day, locale))).toEqual([
      "no data",
      "no data",
      "no trouble",
      "no data",
      "14 min partial outage, 1 min no report",
      "no trouble",
    ]);
  });
});

describe("uptime", () => {
  it.each([
    ["counts major outage in full", { operational: 9 * HOUR, major_outage: HOUR }, 0.9],
    ["counts partial outage at 0.3", { operational: 9 * HOUR, partial_outage: HOUR }, 0.97],
    ["counts degraded as up", { operational: HOUR, degraded_performance: HOUR }, 1],
    ["leaves maintenance and silence out", { operational: HOUR, under_maintenance: HOUR, unknown: HOUR }, 1],
    ["is unknown where nothing counts", { unknown: HOUR }, null],
  ] as const)("%s", (_name, ms, ratio) => expect(uptimeRatio([ms])).toBe(ratio));

  it.each([
    [0.99999, "99.99 %"],
    [0.9998, "99.98 %"],
    [1, "100 %"],
    [0.9, "90.00 %"],
    [0, "0.00 %"],
  ])("%f is floored to %s", (ratio, words) => expect(uptimeText(ratio, locale)).toBe(words));
});

describe("numbers", () => {
  it.each([
    [quantileText({ estimate: 184.3, lo: 100, hi: 250 }, locale), "184 ms (100–250)"],
    [quantileText({ estimate: 0.42, lo: 0, hi: 0.5 }, locale), "0.42 ms (0–0.5)"],
    [quantileText({ estimate: 1_840, lo: 1_000, hi: 2_500 }, locale), "1.84 s (1–2.5)"],
    [quantileText({ estimate: 60_000, lo: 60_000, hi: null }, locale), "60 s (&#62; 60)"],
    [quantileText({ estimate: 148.9417, lo: 145.7614, hi: 152.2185, method: "midpoint" }, locale), "149 ms (146–152)"],
    [
      quantileText({ estimate: 184.3, lo: 100, hi: 250, also: { estimate: 1_840, lo: 1_820, hi: 1_900 } }, locale),
      "184 ms (100–250) and 1.84 s (1.82–1.9)",
    ],
    [quantileText(null, locale), "–no data"],
    [ratioText(0.003, locale), "0.3 %"],
    [ratioText(0.304, locale), "30.4 %"],
    [ratioText(0, locale), "0 %"],
    [ratioText(0.000_01, locale), "&#60; 0.01 %"],
    [ratioText(null, locale), "–no data"],
    [rateText(12.44, locale), "12.4 req/s"],
    [rateText(0.05, locale), "3 req/min"],
    [rateText(0, locale), "0 req/s"],
  ])("%# read as people write them", (markup, words) => expect(text(markup.text)).toBe(words));
});
