/** The page of a draft: what it says of evidence that is there, and of evidence that is not. */
import { describe, expect, it } from "vitest";
import { MINUTE } from "../../protocol/time.ts";
import { renderDraft } from "../../web/view/admin/draft.ts";
import type { DraftPageModel } from "../../web/view/admin/draft-model.ts";

const NOW = Date.UTC(2026, 10, 24, 3, 0);
const BEGAN = NOW - 20 * MINUTE;
const HOSTILE = "<img src=x onerror=alert(1)>";

const values = {
  from: BEGAN - 30 * MINUTE,
  stepMs: MINUTE,
  p50: [null, 90, 95],
  p95: [null, 180, 620],
  lo: [null, 150, 500],
  hi: [null, 200, 700],
  p99: [null, 300, 900],
  errorRatio: [null, 0.001, 0.31],
  perSecond: [null, 10, 10],
};

const MODEL: DraftPageModel = {
  draft: {
    id: "draft0000000",
    title: `Checkout ${HOSTILE}`,
    cluster: "eu-1",
    components: [{ name: "Checkout", status: "partial_outage" }],
    startedAt: BEGAN,
    cause: HOSTILE,
    firing: 1,
    ended: 0,
    endedAt: null,
    unconfirmedSince: null,
  },
  affected: [{ id: "checkout0000", name: HOSTILE, status: "partial_outage", now: "operational" }],
  alerts: [{ name: "Fails", summary: HOSTILE, startedAt: BEGAN, endedAt: BEGAN + 5 * MINUTE }],
  findings: [{ cluster: "eu-1", causes: ["pay/ledger"], symptoms: ["shop/checkout"], evidence: HOSTILE }],
  charts: [{ name: "Checkout", values, limits: { p95Ms: 500, errorRatio: 0.01 } }],
  form: {
    components: [],
    added: [],
    impactSoFar: "none",
    values: { draft: "draft0000000", name: "Checkout", at: "2026-11-24T02:40" },
    faults: [],
    preview: null,
  },
  decided: null,
  dismissal: { reason: "", faults: [] },
};

const page = (fields: Partial<DraftPageModel> = {}): string =>
  renderDraft({ ...MODEL, ...fields }, { pageName: "Acme", timeZone: "Etc/UTC", now: NOW });
const main = (html: string): string => /<main.*<\/main>/s.exec(html)?.[0] ?? "";

describe("a draft that waits", () => {
  it("shows the worst of each chart, the time from the first bad minute on, and the limit", () => {
    const shown = page();
    expect(shown).toContain('aria-label="Checkout: failing requests: highest 31 % at 02:12 UTC; no data for 1 min"');
    expect(shown).toContain(
      'aria-label="Checkout: response time, p95: highest 620 ms at 02:12 UTC; no data for 1 min"',
    );
    expect(shown).toContain("Shaded from the first bad minute on, 02:40 UTC.");
  });

  it("says what the calls say, and what is well by now", () => {
    const shown = page();
    expect(shown).toMatch(/<b>pay\/ledger<\/b> is the likely cause\..*In trouble by it: shop\/checkout\./s);
    expect(shown).toMatch(/By now: .* operational\./);
  });

  it("has one button that counts, keeps its moment, and does not leave the evidence for the form", () => {
    const shown = main(page());
    expect(shown.match(/class="primary"/g)).toHaveLength(1);
    expect(shown).toContain("<summary>It began 2026-11-24 02:40 UTC</summary>");
    expect(shown).toContain('name="at" type="datetime-local" value="2026-11-24T02:40"');
    expect(shown).not.toContain("autofocus");
  });

  it("runs nothing that an alert or a name says", () => expect(page()).not.toContain("<img"));

  it.each([
    ["Postgres is away", null, "Postgres cannot be reached"],
    ["the archive has nothing of it", [], "The archive has no numbers of that time yet"],
    [
      "nothing was seen",
      [{ name: "Checkout", values: { ...values, perSecond: [null, null, null] }, limits: { p95Ms: 1, errorRatio: 1 } }],
      "The archive has no numbers of that time yet",
    ],
  ])("can be posted while %s, and says so", (_name, charts, words) => {
    const shown = page({ charts });
    expect([shown.includes(words), shown.includes("Post this incident")]).toEqual([true, true]);
  });
});

describe("a draft that somebody decided", () => {
  it.each([
    ["published", { incident: "incident0000", reason: null }, 'href="/admin/incidents/incident0000"'],
    ["dismissed", { incident: null, reason: HOSTILE }, "Because: &#60;img"],
    ["dismissed", { incident: null, reason: null }, "Nobody said why."],
  ] as const)("%s says by whom, and cannot be decided again", (act, how, words) => {
    const shown = page({ form: null, decided: { act, by: "Ada", at: NOW - MINUTE, ...how } });
    expect([shown.includes(words), /(Posted|Dismissed) by Ada/.test(shown)]).toEqual([true, true]);
    expect(main(shown)).not.toMatch(/<form|<img/);
  });
});
