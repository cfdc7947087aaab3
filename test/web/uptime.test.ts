import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { renderPage } from "../../web/view/page.ts";
import { counting, sloText } from "../../web/view/uptime.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { component, days, NOW, snapshot } from "./snapshots.ts";

const locale = localeOf("en", "Etc/UTC");

const text = (markup: string): string => markup.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
const shown = (page: ReturnType<typeof snapshot>): string => text(counting(page, NOW, locale).text);
const pageOf = (page: ReturnType<typeof snapshot>): string =>
  text(renderPage({ snapshot: page, now: NOW, origin: "https://s.test", isCopy: false, locale }));

describe("a target", () => {
  const slo = { target: 0.999, days: 30, allowedMs: 43 * MINUTE, lostMs: 12 * MINUTE };
  it.each([
    ["says what is left of it", slo, " · target 99.9 %: 31 min left"],
    ["is kept to its last second", { ...slo, lostMs: slo.allowedMs }, " · target 99.9 %: 0 s left"],
    ["says by how much it was missed", { ...slo, lostMs: 3 * HOUR }, " · target 99.9 %: missed by 2 h"],
    ["is written as it was typed", { ...slo, target: 0.99995 }, " · target 99.995 %: 31 min left"],
    ["is not there", undefined, ""],
  ])("%s", (_name, promised, words) => expect(sloText(promised, locale)).toBe(words));

  it("stands behind the figure of its component", () =>
    expect(pageOf(snapshot([component(0, { days: days(90, 1, 0), slo })]))).toContain(
      "100 % in 90 days · target 99.9 %: 31 min left",
    ));
});

it("a target's days are explained where one is shown, and nowhere else", () => {
  const slo = { target: 0.999, days: 30, allowedMs: 1, lostMs: 0 };
  expect(shown(snapshot([component(0), component(1, { slo })]))).toContain("A target is of 30 days; what is left");
  expect(shown(snapshot([component(0)]))).not.toContain("A target is");
});

describe("uptime by month", () => {
  const outage = (day: string) => ({ day, ms: { operational: 9 * HOUR, major_outage: HOUR } });
  const rows = (tallies: ReturnType<typeof days>): string =>
    text(counting(snapshot([component(0, { days: tallies })]), NOW, locale)?.text ?? "");

  it.each([
    ["the last of the month before", "2026-10-31", "90.00 % 90.00 % –"],
    ["the first of this one", "2026-11-01", "90.00 % – 90.00 %"],
    ["the thirtieth day back", "2026-10-25", "90.00 % 90.00 % –"],
    ["the day before that", "2026-10-24", "– 90.00 % –"],
    ["the first of the month before", "2026-10-01", "– 90.00 % –"],
    ["the day before that month", "2026-09-30", "– – –"],
    ["today", "2026-11-23", "90.00 % – 90.00 %"],
  ])("counts %s, %s", (_name, day, figures) =>
    expect(rows([outage(day)])).toContain(`30 days Oct Nov Checkout ${figures} `),
  );

  it("names what was corrected, and what stood there", () => {
    const corrected = [
      { day: "2026-11-20", ms: { operational: DAY }, was: { operational: 22 * HOUR, major_outage: 2 * HOUR } },
      { day: "2026-11-21", ms: { major_outage: DAY }, was: { operational: DAY } },
      { day: "2026-11-22", ms: { operational: DAY } },
    ];
    expect(rows(corrected)).toContain(
      "Corrected after the day was over: Checkout on 20 Nov (was 2 h major outage); Checkout on 21 Nov (was no trouble).",
    );
    expect(rows([outage("2026-11-22")])).not.toContain("Corrected");
  });

  it("is not there on an empty page", () => expect(counting(snapshot([]), NOW, locale).text).not.toContain("<table>"));
});

describe("how uptime is counted", () => {
  it("names the newest frozen day, and as much of its hash as the verifier takes", () =>
    expect(
      shown(snapshot([component(0)], { frozen: { day: "2026-11-22", hash: "3f9a52c017bd44e6".repeat(4) } })),
    ).toMatch(/Past days are frozen, .* up to 2026-11-22 have the fingerprint 3f9a52c017bd44e6 \./));

  it("says nothing of frozen days before there is one", () =>
    expect(shown(snapshot([component(0)]))).not.toContain("frozen"));
});
