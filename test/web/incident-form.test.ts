/** The form of an incident on a page of a thousand components: light, and every component within reach. */
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { AffectedChoice } from "../../web/view/admin/incident-model.ts";
import { renderIncidentNew } from "../../web/view/admin/incident-new.ts";
import type { Component } from "../../worker/core/component.ts";
import { addedRows, withAdded } from "../../worker/core/added.ts";

const WORDS = ["Ledger", "Search", "Payments", "Checkout", "Catalogue", "Invoices", "Sessions"];

/** Names that are no two alike, as pages of that size have them. */
function choices(count: number): readonly AffectedChoice[] {
  return Array.from({ length: count }, (_, i) => ({
    id: ((i * 2_654_435_761) % 36 ** 7).toString(36).padStart(12, "0"),
    name: `${WORDS[i % 7] ?? ""} ${((i * 40_503) % 65_536).toString(16)}`,
    group: i % 3 === 0 ? null : `Region ${i % 20}`,
    now: i < 2 ? "major_outage" : "operational",
    said: null,
    chosen: i < 2 ? "major_outage" : null,
  }));
}

function rendered(components: readonly AffectedChoice[]): string {
  const form = { components, added: [], impactSoFar: "none", values: {}, faults: [], preview: null } as const;
  const frame = { pageName: "Acme", timeZone: "Etc/UTC", now: 0 };
  return renderIncidentNew({ form, templates: [], draft: null }, frame);
}

describe("a page of a thousand components", () => {
  const page = rendered(choices(1_000));

  it("is at most 40 KB on the wire, and few elements", () => {
    expect(gzipSync(page).length).toBeLessThan(40_000);
    expect(page.match(/<select/g)?.length).toBeLessThan(20);
  });

  it("has the unwell as fields, and every other one to be found by its name", () => {
    expect(page.match(/<select name="c\./g)).toHaveLength(2);
    const [, list = ""] = /<datalist id="all-components">(.*?)<\/datalist>/s.exec(page) ?? [];
    expect(list.match(/<option value="/g)).toHaveLength(998);
    expect(list).toContain('<option value="Region 2 / ');
  });

  it("stays so while nearly all of it is silent", () => {
    const silent = rendered(choices(1_000).map((one) => ({ ...one, now: "unknown" as const })));
    expect(silent.match(/<select name="c\./g)).toHaveLength(40);
    expect([gzipSync(silent).length < 40_000, silent.includes("<summary>960 more</summary>")]).toEqual([true, true]);
  });

  it("has each as a field of its own while they are few", () => {
    const few = rendered(choices(42));
    expect([few.match(/<select name="c\./g)?.length, few.includes("<datalist")]).toEqual([42, false]);
  });
});

describe("a component that is named by typing", () => {
  const component = (id: string, group: string | null, name: string) => ({ id, group, name }) as Component;
  const all = [component("aaa", "Shop", "Pay"), component("bbb", null, "Pay"), component("ccc", "Shop / Old", "Cart")];

  it.each([
    ["by what is proposed of it", "Shop / Pay", "aaa"],
    ["that has no group, though another one's name is the same", "Pay", "bbb"],
    ["by its name alone", " Cart ", "ccc"],
    ["by its id", "ccc", "ccc"],
  ])("%s is a field like others", (_name, typed, id) => {
    const done = withAdded({ body: "x", "add.3": typed, "add.3.status": "major_outage", "add.4": "" }, all);
    expect(done).toEqual({ values: { body: "x", [`c.${id}`]: "major_outage" }, unknown: [] });
  });

  it("and is none is told of, and stays to be mended", () => {
    const { values, unknown } = withAdded({ "add.0": "Pay", "add.7": "Peyments", "add.7.status": "operational" }, all);
    expect(values).toEqual({ "c.bbb": "partial_outage", "add.0": "Peyments", "add.0.status": "operational" });
    expect(unknown).toEqual(["Peyments"]);
    expect(addedRows(values)).toEqual([{ name: "Peyments", status: "operational" }]);
  });
});
