import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { renderAdminHome } from "../../web/view/admin/home.ts";
import { renderPlanForm } from "../../web/view/admin/plan-form.ts";
import type { PlanPageModel } from "../../web/view/admin/plan-model.ts";
import { renderPlanPage } from "../../web/view/admin/plan-page.ts";
import { renderPlans } from "../../web/view/admin/plans.ts";
import { EMPTY_HOME, FRAME } from "./admin-models.ts";
import { planForm, planPage, plans } from "./admin-plan-models.ts";
import { NOW } from "./snapshots.ts";

const text = (markup: string): string =>
  markup.replace(/<script.*?<\/script>|<style>.*?<\/style>|<[^>]*>/gs, "").replace(/\s+/g, " ");
const page = (fields: Partial<PlanPageModel> = {}): string =>
  renderPlanPage(planPage(fields), FRAME).split("<script")[0] ?? "";

describe("the page of one", () => {
  it.each([
    ["scheduled, it can be moved and called off, and nothing else", { phase: "scheduled" }, ["move", "cancel"]],
    ["in progress, the work can be said to be done, and given more time", { phase: "in_progress" }, ["verify", "move"]],
    ["verifying, it can be completed", { phase: "verifying" }, ["complete"]],
    ["completed, nothing can be done", { phase: "completed" }, []],
    ["called off, nothing can be done", { phase: "cancelled" }, []],
    ["that ends by the clock, it can be called off", { phase: "scheduled", isSteered: false }, ["cancel"]],
  ] as const)("%s", (_name, fields, acts) => {
    const found = [...page(fields).matchAll(/action="\/admin\/maintenance\/plan00000000\/(\w+)"/g)].map(
      ([, act]) => act,
    );
    expect([...new Set(found)].filter((act) => act !== "tick")).toEqual(acts);
  });

  it("in progress, says until when each cluster confirmed, and what it is asked for if that is another end", () => {
    const [held] = planPage().targets;
    if (held === undefined || held.lease === null) throw new Error("no lease");
    const { endsAt } = held.lease;
    const with_ = (confirmedUntil: number | null) =>
      text(page({ phase: "in_progress", targets: [{ ...held, lease: { ...held.lease, confirmedUntil } as never }] }));
    expect(with_(endsAt)).toContain("confirmed until");
    expect(with_(endsAt)).not.toContain("asked until");
    expect(with_(endsAt - HOUR)).toMatch(/confirmed until [^,]+, asked until/);
    expect(with_(null)).not.toContain("confirmed until");
  });

  it("proposes the all-clear when 30 minutes were good, and not before", () => {
    const verifying = { phase: "verifying", checks: planPage().checks } as const;
    expect(page({ ...verifying, allClearAt: NOW })).toContain("Give the all-clear</button>");
    const early = page({ ...verifying, allClearAt: NOW + MINUTE });
    expect(early).toContain("Complete anyway</button>");
    expect(text(early)).toContain("The checks are good. All clear at");
    expect(text(page({ ...verifying, allClearAt: null }))).toContain("Checks fail.");
  });

  it("names each notice with its moment, and says which were skipped and which are to come", () => {
    const said = text(page());
    expect(said).toContain("Reminder, 24 hours before");
    expect(said).toContain("skipped: its moment had passed, a newer one went out");
    expect(said).toContain("to come");
  });

  it("says what is not known of its impact, and why", () => {
    const impact = { requests: null, failed: null, p95Ms: null, usual: null, unknown: "the archive cannot be reached" };
    expect(text(page({ impact }))).toContain("Not known: the archive cannot be reached.");
    const known = {
      requests: 1_200,
      failed: 3,
      p95Ms: 120,
      usual: { requests: 900, failed: 1, p95Ms: [100, 140], weeks: 2 },
      unknown: null,
    } as const;
    expect(text(page({ impact: known }))).toMatch(/Requests1,200900 Failed31 p95120 ms100 to 140 ms/);
  });
});

it("a window that takes too long is on every page of the admin, as an alert", () => {
  const overdue = [{ id: "plan00000000", name: "Upgrade", reason: "its planned end has passed" }];
  for (const markup of [
    renderAdminHome(EMPTY_HOME, { ...FRAME, overdue }),
    renderPlans(plans(), { ...FRAME, overdue }),
  ]) {
    expect(markup).toContain('role="alert"');
    expect(text(markup)).toContain("Upgrade takes longer than planned: its planned end has passed.");
  }
  expect(renderPlans(plans(), FRAME)).not.toContain('role="alert"');
});

it("the list says how many kept to the policy", () =>
  expect(text(renderPlans(plans(), FRAME))).toContain("3 of 4 kept to it in the last 90 days."));

it("a form that is refused keeps what was typed and marks the field", () => {
  const faults = [{ field: "emergency", message: "It starts in less than 7 days." }];
  const markup = renderPlanForm(planForm({ faults }), FRAME);
  expect(markup).toContain('value="Disk replacement"');
  expect(markup).toMatch(/name="emergency"[^>]*aria-invalid="true" aria-describedby="fault-emergency"/);
  expect(markup).toContain('id="fault-emergency"');
  expect(markup).toMatch(/<select name="target:eu-1\/shop\/checkout">.*<option value="1" selected>/s);
});

it("no text of anybody's becomes markup", () => {
  const EVIL = `"><img src=x onerror=alert(1)>'`;
  const wild = [
    page({ name: EVIL, reason: EVIL, by: EVIL, components: [EVIL], overdue: EVIL, id: EVIL, series: EVIL }),
    renderPlans(
      plans({
        now: [
          {
            id: EVIL,
            name: EVIL,
            phase: "in_progress",
            startsAt: NOW,
            endsAt: NOW + HOUR,
            touches: EVIL,
            emergency: true,
            recurs: true,
            overdue: EVIL,
          },
        ],
        series: [{ id: EVIL, name: EVIL, rule: EVIL, nextAt: NOW + DAY, endedAt: null }],
        policy: { values: { days: EVIL }, faults: [{ field: "days", message: EVIL }] },
      }),
      { ...FRAME, overdue: [{ id: EVIL, name: EVIL, reason: EVIL }] },
    ),
    renderPlanForm(
      planForm({ values: { name: EVIL, body: EVIL, start: EVIL, rule: EVIL, hours: EVIL, reason: EVIL }, title: EVIL }),
      FRAME,
    ),
  ];
  for (const markup of wild) expect(markup).not.toContain("<img");
});
