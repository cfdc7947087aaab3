import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { renderComponent } from "../../web/view/admin/component.ts";
import { renderUptime } from "../../web/view/admin/uptime.ts";
import type { UptimePageModel } from "../../web/view/admin/uptime-model.ts";
import { COMPONENT_FORM, COMPONENT_PAGE, FRAME } from "./admin-models.ts";
import { NOW } from "./snapshots.ts";

const text = (markup: string): string =>
  markup.replace(/<script.*?<\/script>|<style>.*?<\/style>|<[^>]*>/gs, " ").replace(/\s+/g, " ");

const time = { ratio: 1, majorMs: 0, partialMs: 0, degradedMs: 0, maintenanceMs: 0, unknownMs: 0 };

const UPTIME_PAGE: UptimePageModel = {
  id: "component000",
  name: "Checkout",
  figures: [
    {
      label: "today",
      from: "2026-11-23",
      to: "2026-11-23",
      time,
      requests: { ratio: 0.9987, requests: 10_000, errors: 13 },
    },
    {
      label: "90 days",
      from: "2026-08-26",
      to: "2026-11-23",
      time: { ...time, ratio: 0.999571, majorMs: 3 * HOUR, maintenanceMs: 14 * MINUTE, unknownMs: 2 * DAY },
      requests: null,
    },
  ],
  slo: COMPONENT_PAGE.slo,
  frozen: { day: "2026-11-22", n: 93, hash: "3f9a52c017bd44e6".repeat(4) },
  amendments: [
    {
      n: 92,
      day: "2026-11-20",
      at: NOW - DAY,
      from: NOW - 3 * DAY,
      to: NOW - 3 * DAY + HOUR,
      status: "operational",
      reason: "the gateway's probe was wrong",
      by: "one-time link",
      was: 0.958333,
      ratio: 1,
    },
  ],
  form: { values: {}, faults: [] },
};

describe("the page of a component's uptime", () => {
  const page = text(renderUptime(UPTIME_PAGE, FRAME));

  it("has a figure by time beside one by requests, and all that was left out", () => {
    expect(page).toContain("today 100 % – – – – – 99.87 % 0.13 % failed");
    expect(page).toContain("90 days 99.95 % 3 h – – 14 min 2 days archive not reached");
  });

  it("says what is left of the target and how fast it goes", () => {
    expect(page).toContain("99.9 % over 30 days: 58 % of the budget is left. 18 min of 43 min are lost.");
    expect(page).toContain("Burn rate 0.0 over 1 h, 0.4 over 6 h");
    const unseen = {
      ...UPTIME_PAGE,
      slo: COMPONENT_PAGE.slo && { ...COMPONENT_PAGE.slo, burn: { hour: null, sixHours: null } },
    };
    expect(text(renderUptime(unseen, FRAME))).toContain("Burn rate not known over 1 h, not known over 6 h");
    expect(text(renderUptime({ ...UPTIME_PAGE, slo: null }, FRAME))).not.toContain("Burn rate");
  });

  it("names the hash that stands for every frozen day, in full", () =>
    expect(page).toContain(
      `Days up to 2026-11-22 are frozen. Entry 93 of the chain stands for all of them: ${"3f9a52c017bd44e6".repeat(4)}`,
    ));

  it("shows of each correction what stood there, what stands there, who made it and why", () =>
    expect(page).toMatch(
      /2026-11-20 95.83 % 100 % Operational Fri 20 Nov 14:02–15:02 UTC the gateway&#39;s probe was wrong one-time link .* 92/,
    ));

  it("offers no correction before a day is frozen", () => {
    const young = renderUptime({ ...UPTIME_PAGE, frozen: null }, FRAME);
    expect(text(young)).toContain("None yet. A day freezes a quarter of an hour after it ends");
    expect(young).not.toContain("Correct a past day");
  });

  it("keeps what was typed, and says beside the field what is wrong with it", () => {
    const form = {
      values: { reason: '"><b>', status: "unknown" },
      faults: [{ field: "from", message: "Give date and time, in UTC." }],
    };
    const refused = renderUptime({ ...UPTIME_PAGE, form }, FRAME);
    expect(refused).toContain('value="&#34;&#62;&#60;b&#62;"');
    expect(refused).toContain('<option value="unknown" selected>');
    expect(refused).toMatch(/name="from"[^>]*aria-invalid="true" aria-describedby="fault-from"/);
    expect(refused).toContain("<details open>");
  });
});

describe("a target on the page of its component", () => {
  it("stands beside a link to the figures", () => {
    const page = renderComponent(COMPONENT_PAGE, FRAME);
    expect(text(page)).toContain("58 % of the budget is left");
    expect(page).toContain('href="/admin/components/component000/uptime"');
    expect(page).toMatch(/name="slo.target"[^>]*value="99.9"/);
    expect(page).toMatch(/name="slo.isPublic" value="yes" checked/);
  });

  it("is no more than the link where there is none", () => {
    const page = renderComponent(
      { ...COMPONENT_PAGE, slo: null, settings: { ...COMPONENT_FORM, form: { values: {}, faults: [] } } },
      FRAME,
    );
    expect(text(page)).not.toContain("of the budget");
    expect(page).not.toContain('value="yes" checked');
  });
});
