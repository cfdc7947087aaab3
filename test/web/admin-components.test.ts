import { describe, expect, it } from "vitest";
import { renderComponentNew } from "../../web/view/admin/component.ts";
import { renderComponents } from "../../web/view/admin/components.ts";
import type { ListedComponent } from "../../web/view/admin/components-model.ts";
import { renderInbox } from "../../web/view/admin/inbox.ts";
import type { InboxModel } from "../../web/view/admin/inbox-model.ts";
import { renderPageSettings } from "../../web/view/admin/page-settings.ts";
import type { PageSettingsModel } from "../../web/view/admin/page-settings-model.ts";
import { COMPONENT_FORM, FRAME, service } from "./admin-models.ts";

const text = (markup: string): string =>
  markup.replace(/<script.*?<\/script>|<style>.*?<\/style>|<[^>]*>/gs, " ").replace(/\s+/g, " ");

const listed = (id: string, facts: Partial<ListedComponent> = {}): ListedComponent => ({
  id,
  name: id,
  group: null,
  status: "operational",
  hidden: false,
  services: 1,
  ...facts,
});

const INBOX: InboxModel = {
  waiting: [service("shop/new"), service("data/new")],
  ignored: ["kube-system/*"],
  groups: ["Shop"],
  components: [{ id: "c", name: "Shop: Checkout" }],
  chosen: [],
  form: { values: {}, faults: [] },
};

const PAGE: PageSettingsModel = {
  deploymentName: "Observatory",
  deploymentZone: "Etc/UTC",
  revision: "r",
  values: { name: "Acme" },
  faults: [],
  samples: [
    { mode: "light", paper: "#fff", raised: "#eee", ink: "#000", accent: "#0b6", onPaper: 2.4, onRaised: 2.2 },
    { mode: "dark", paper: "#000", raised: "#111", ink: "#fff", accent: "#3dc", onPaper: 9, onRaised: 8 },
  ],
  logo: null,
  charts: [{ kind: "p95", component: null, name: "" }],
  areChartsOurs: true,
  chartFault: null,
  components: [{ id: "c", name: "Checkout" }],
};

describe("the order of the page", () => {
  const groups = [
    {
      name: "Shop",
      own: [listed("cart"), listed("ledger", { hidden: true, services: 0 })],
      groups: [{ name: "Shop / Money", own: [listed("pay", { services: 3 })], groups: [] }],
    },
    { name: null, own: [listed("alone")], groups: [] },
  ];
  const page = renderComponents({ groups, moved: null, refused: null }, FRAME);

  it("names each with what it stands for, and groups by their own names in their places", () => {
    expect(text(page)).toMatch(
      /Shop Rename .* cart Operational · 1 service .* ledger Operational · hidden · no service/,
    );
    expect(text(page)).toMatch(/Money Rename .* pay Operational · 3 services .* Without a group/);
    expect(page).toMatch(/<h2>Shop<\/h2>.*<h3>Money<\/h3>/s);
  });

  it("has arrows for all that has a place among others, and none for a group that is alone in its own", () => {
    expect(page).toContain('aria-label="Move Shop up"');
    expect(page).toContain('aria-label="Move those without a group down"');
    expect(page).not.toContain('aria-label="Move Shop / Money up"');
  });

  it("gives the focus to the arrow that was used, and tells where all went", () => {
    const moved = { key: "cart", by: "down" as const, says: "cart is now 2 of 2 in Shop." };
    const after = renderComponents({ groups, moved, refused: null }, FRAME);
    expect(after.match(/<button[^>]* autofocus>/g)).toEqual([expect.stringContaining("Move cart down")]);
    expect(after).toContain('role="status" id="moved">cart is now 2 of 2 in Shop.');
  });

  it("keeps a name that was refused, opened where it was typed", () => {
    const refused = { from: "Shop", to: "Taken", message: "Rename one of them first." };
    const after = renderComponents({ groups, moved: null, refused }, FRAME);
    expect(after).toMatch(/<details class="rename" open>.*value="Taken" aria-invalid="true"/s);
  });

  it("says what to do with nothing", () =>
    expect(text(renderComponents({ groups: [], moved: null, refused: null }, FRAME))).toContain(
      "Nothing stands on the page yet.",
    ));
});

describe("the form of a component", () => {
  it("folds what few need, and opens what is said or wrong", () => {
    const open = (form: typeof COMPONENT_FORM.form): string[] =>
      [
        ...renderComponentNew({ settings: { ...COMPONENT_FORM, form } }, FRAME).matchAll(
          /<details class="section" open><summary>([^<]*)/g,
        ),
      ].map(([, title]) => title ?? "");
    expect(open({ values: {}, faults: [] })).toEqual([]);
    expect(open({ values: { "slo.target": "99" }, faults: [{ field: "url", message: "No." }] })).toEqual([
      "From outside",
      "Promise",
    ]);
  });

  it("shows what stands beside what was typed, where somebody was faster", () => {
    const settings = { ...COMPONENT_FORM, held: { name: "Till", description: "", services: "shop/checkout" } };
    const page = text(renderComponentNew({ settings }, FRAME));
    expect(page).toContain("Now stands: Till");
    expect(page).toContain("Now stands: nothing");
    expect(page).toContain("Now stands: shop/checkout");
  });
});

describe("services that wait", () => {
  it("stand with their namespaces, and what was ignored can be taken back", () => {
    const page = renderInbox(INBOX, FRAME);
    expect(text(page)).toMatch(/eu-1 \/ shop new .* eu-1 \/ data new/);
    expect(page).toContain('name="pattern" value="eu-1/data/*"');
    expect(page).toContain('<input type="hidden" name="ignored" value="kube-system/*">');
  });
  it("are none, and then nothing is asked", () => {
    const page = renderInbox({ ...INBOX, waiting: [] }, FRAME);
    expect(page).toContain("Nothing waits.");
    expect(page).not.toContain('class="inbox"');
  });
  it("are counted in the navigation, up to a number that people read", () => {
    const nav = (inbox: number): string => text(renderInbox(INBOX, { ...FRAME, inbox }));
    expect([nav(0).includes("new)"), nav(3).includes("(3 new)"), nav(1_000).includes("(999+ new)")]).toEqual([
      false,
      true,
      true,
    ]);
  });
});

describe("the page's settings", () => {
  it("say of each accent how well it can be read, and mark what cannot", () => {
    const page = renderPageSettings(PAGE, FRAME);
    expect(text(page)).toContain("#0b6 on light paper: 2.4 to 1, and 2.2 to 1 on what is raised; 4.5 is needed");
    expect(page.match(/#major_outage"\/><\/svg> #0b6/g)).toHaveLength(1);
    expect(page).not.toMatch(/#major_outage"\/><\/svg> #3dc/);
  });
  it("offer one row more than there are charts", () =>
    expect(renderPageSettings(PAGE, FRAME).match(/name="charts\.\d\.kind"/g)).toHaveLength(2));
});

describe("hostile text", () => {
  const EVIL = `"><script>alert(1)</script><img src=x onerror='alert(2)'>`;
  const evil = listed(EVIL, { group: EVIL });
  const fault = { field: "name", message: EVIL };
  const form = { values: { name: EVIL, services: EVIL, group: EVIL }, faults: [fault] };
  const pages: [string, string][] = [
    [
      "components",
      renderComponents(
        {
          groups: [{ name: EVIL, own: [evil], groups: [{ name: `${EVIL} / ${EVIL}`, own: [evil], groups: [] }] }],
          moved: { key: EVIL, by: "up", says: EVIL },
          refused: { from: EVIL, to: EVIL, message: EVIL },
        },
        { ...FRAME, pageName: EVIL },
      ),
    ],
    [
      "a component's form",
      renderComponentNew(
        {
          settings: {
            ...COMPONENT_FORM,
            action: EVIL,
            groups: [EVIL],
            held: { name: EVIL.toUpperCase() },
            form,
            preview: {
              status: "unknown",
              reason: EVIL,
              why: EVIL,
              services: [{ ref: EVIL, status: "unknown", reason: EVIL }],
              empty: [EVIL],
              isLater: true,
            },
          },
        },
        FRAME,
      ),
    ],
    [
      "the inbox",
      renderInbox(
        {
          waiting: [service(`${EVIL}/${EVIL}`, { cluster: EVIL, reason: EVIL })],
          ignored: [EVIL],
          groups: [EVIL],
          components: [{ id: EVIL, name: EVIL }],
          chosen: [EVIL],
          form: { values: { name: EVIL, group: EVIL }, faults: [fault] },
        },
        FRAME,
      ),
    ],
    [
      "the page's settings",
      renderPageSettings(
        {
          ...PAGE,
          deploymentName: EVIL,
          deploymentZone: EVIL,
          revision: EVIL,
          values: { name: EVIL, logo: EVIL, "links.0.url": EVIL },
          faults: [fault],
          charts: [{ kind: "p95", component: EVIL, name: EVIL }],
          chartFault: EVIL,
          components: [{ id: EVIL, name: EVIL }],
        },
        FRAME,
      ),
    ],
  ];
  it.each(pages)("stays text on %s", (_name, page) => {
    expect(page).toContain("&#60;script&#62;alert(1)");
    expect(page).not.toMatch(/<script>alert|<img src=x/);
    expect(page).not.toMatch(/<[^<>]* style=/);
  });
});
