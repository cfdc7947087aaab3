import { describe, expect, it } from "vitest";
import { publicChange, publicLog, publicSnapshot } from "../../worker/core/snapshot.ts";
import { wireComponents } from "../../worker/core/statuspage-components.ts";
import { servicesOf } from "../../worker/core/day.ts";
import { announcement, component, incident, incidentUpdate, maintenance, NOON, tell, told } from "../support/facts.ts";

const CANARY = "Zanzibar";
const hiddenOne = component({
  id: "zanzibar0000",
  name: `${CANARY} ledger`,
  group: CANARY,
  description: CANARY,
  services: ["eu-1/shop/zanzibar"],
  hidden: true,
  url: "https://zanzibar.example.com",
});
const affected = (id: string, name: string) => ({
  component: id,
  name,
  from: "operational" as const,
  to: "partial_outage" as const,
});
const facts = {
  version: 1,
  page: { id: "page00000000", name: "Acme", timeZone: "Etc/UTC", createdAt: NOON },
  components: [component(), hiddenOne],
  tells: new Map([["eu-1", tell(NOON, [told("operational"), told("major_outage", "shop/zanzibar", CANARY)])]]),
  maintenances: [maintenance({ id: "m1", service: "shop/zanzibar", name: CANARY })],
  announcements: [
    announcement({ id: "a1", name: CANARY, components: [hiddenOne.id] }),
    announcement({ id: "a2", name: "Both", components: ["checkout0000", hiddenOne.id] }),
  ],
  incidents: [
    incident({ id: "i1", name: CANARY, updates: [incidentUpdate({ affected: [affected(hiddenOne.id, CANARY)] })] }),
    incident({
      id: "i2",
      name: "Both",
      updates: [incidentUpdate({ affected: [affected("checkout0000", "Checkout"), affected(hiddenOne.id, CANARY)] })],
    }),
    incident({ id: "i3", name: "Everybody" }),
  ],
  outside: new Map(),
  changes: new Map(),
  archive: { delayedSince: null, isRestoring: false },
  metrics: [{ id: "m", name: CANARY, kind: "p95" as const, component: hiddenOne.id, from: 0, stepMs: 1, values: [1] }],
};

describe("a hidden component", () => {
  it.each([
    ["the page", () => publicSnapshot(facts, NOON)],
    ["its live frames", () => publicChange(facts, NOON)],
    ["its log", () => publicLog(facts, NOON)],
    ["the Statuspage API", () => wireComponents(publicSnapshot(facts, NOON), NOON)],
  ])("leaves no trace on %s", (_name, made) => {
    const text = JSON.stringify(made());
    expect(text).not.toMatch(/zanzibar/i);
    expect(text).toContain("Checkout");
  });

  it("takes with it what people said of nothing else", () => {
    const { incidents, maintenances } = publicLog(facts, NOON);
    expect(incidents.map(({ name }) => name)).toEqual(["Both", "Everybody"]);
    expect(maintenances.map(({ name }) => name)).toEqual(["Both"]);
    expect(incidents[0]?.updates[0]?.affected.map(({ name }) => name)).toEqual(["Checkout"]);
  });

  it("is in no number of the whole page", () =>
    expect(servicesOf("", facts.components)).toEqual(["eu-1/shop/checkout"]));
});

describe("what is withheld of a component", () => {
  const withheld = (what: readonly ("uptime" | "numbers")[]) => {
    const one = component({ withheld: what, slo: { target: 0.999, isPublic: true } });
    const counted = { ...told("operational"), traffic: { requests: 100, errors: 0, spanMs: 60_000 } };
    const changes = new Map([[one.id, [{ component: one.id, at: NOON - 60_000, status: "operational" as const }]]]);
    const tells = new Map([["eu-1", tell(NOON, [counted])]]);
    return publicSnapshot({ ...facts, components: [one], tells, changes }, NOON).components[0];
  };

  it("is all shown where nobody says otherwise", () => {
    const shown = withheld([]);
    expect([shown?.days.length, shown?.slo?.target, shown?.requestsPerSecond]).toEqual([1, 0.999, 100 / 60]);
    expect(shown).not.toHaveProperty("withheld");
  });

  it("is its uptime with its target", () => {
    const shown = withheld(["uptime"]);
    expect([shown?.days, shown?.slo, shown?.requestsPerSecond]).toEqual([[], undefined, 100 / 60]);
  });

  it("is its numbers", () => {
    const shown = withheld(["numbers"]);
    expect([shown?.days.length, shown?.p95, shown?.requestsPerSecond]).toEqual([1, null, null]);
  });

  it("is told to programs, as its first day is", () => {
    const one = component({ withheld: ["uptime"], startsOn: "2026-11-20" });
    const [, row] = wireComponents(publicSnapshot({ ...facts, components: [one] }, NOON), NOON);
    expect([row?.showcase, row?.start_date]).toEqual([false, "2026-11-20"]);
  });

  it("is what was before its first day", () => {
    const one = component({ startsOn: "2026-11-23" });
    const changes = new Map([
      [one.id, [{ component: one.id, at: NOON - 2 * 86_400_000, status: "operational" as const }]],
    ]);
    const [shown] = publicSnapshot({ ...facts, components: [one], changes }, NOON).components;
    expect(shown?.days.map(({ day }) => day)).toEqual(["2026-11-23"]);
  });
});
