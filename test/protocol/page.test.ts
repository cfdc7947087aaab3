import { describe, expect, it } from "vitest";
import type { PageIncident } from "../../protocol/page.ts";
import { pageVerdict } from "../../protocol/page.ts";
import { incident, resolved } from "../web/announcements.ts";
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
