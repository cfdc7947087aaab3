import { describe, expect, it } from "vitest";
import type { PageIncident } from "../../protocol/page.ts";
import { announcedMark, pageVerdict } from "../../protocol/page.ts";
import { DAY } from "../../protocol/time.ts";
import { announced, incident, resolved } from "../web/announcements.ts";
import { component, NOW, said } from "../web/snapshots.ts";

describe("the verdict of a page", () => {
  const seen = (status: "operational" | "partial_outage" | "unknown") =>
    component(0, { outlook: said(status, NOW, null, NOW) });
  it.each<[string, "operational" | "partial_outage" | "unknown", PageIncident[], string, string | null]>([
    ["what is seen, without incidents", "operational", [], "none", null],
    ["an open incident that is worse", "operational", [incident()], "major", "Some payments fail"],
    ["what is seen, if it is as bad", "partial_outage", [incident()], "major", null],
    ["what is seen, if it is worse", "partial_outage", [incident({ impact: "minor" })], "major", null],
    [
      "the worst of open incidents",
      "unknown",
      [incident(), incident({ impact: "critical", name: "All" })],
      "critical",
      "All",
    ],
    ["nothing of what is over", "operational", [resolved(1, { impact: "critical" })], "none", null],
    ["nothing of a postmortem", "operational", [incident({ status: "postmortem" })], "none", null],
  ])("is %s", (_name, status, incidents, indicator, name) => {
    const verdict = pageVerdict({ components: [seen(status)], incidents }, NOW);
    expect([verdict.indicator, verdict.incident?.name ?? null]).toEqual([indicator, name]);
  });
});

describe("the mark of what people announced", () => {
  const before = announcedMark({ incidents: [incident(), resolved(3)], maintenances: [announced()] });
  const updatedAt = NOW + 1;
  it.each([
    ["an update", { incidents: [incident({ updatedAt }), resolved(3)], maintenances: [announced()] }],
    ["an update of an older one", { incidents: [incident(), resolved(3, { updatedAt })], maintenances: [announced()] }],
    ["one less", { incidents: [incident()], maintenances: [announced()] }],
    ["one more", { incidents: [incident(), resolved(3), resolved(9)], maintenances: [announced()] }],
    ["another maintenance", { incidents: [incident(), resolved(3)], maintenances: [announced(), announced()] }],
    ["a maintenance that moved", { incidents: [incident(), resolved(3)], maintenances: [announced({ updatedAt })] }],
  ])("is another with %s", (_name, after) => expect(announcedMark(after)).not.toBe(before));

  it("is the same as long as nobody says anything", () => {
    const later = { incidents: [incident(), resolved(3)], maintenances: [announced({ endsAt: NOW + DAY })] };
    expect(announcedMark(later)).toBe(before);
  });
});
