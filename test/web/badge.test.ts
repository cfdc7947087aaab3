import { XMLValidator } from "fast-xml-parser";
import { describe, expect, it } from "vitest";
import { pageStatus, turnsAt } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { SECOND } from "../../protocol/time.ts";
import { renderBadge } from "../../web/view/badge.ts";
import { STATE_COLOURS } from "../../web/view/shape.ts";
import { HOSTILE_NAME } from "./announcements.ts";
import { NOW, said } from "./snapshots.ts";

function badge(name: string, status: ComponentStatus, until = Infinity, then: ComponentStatus = "unknown"): string {
  return renderBadge({
    name,
    statusAt: (at) => (at < until ? status : then),
    until,
    now: NOW,
    timeZone: "Etc/UTC",
  });
}

describe("a badge", () => {
  it.each(COMPONENT_STATUSES)("tells %s by shape, word and colour, and by no other's", (status) => {
    const svg = badge("Checkout", status);
    const others = COMPONENT_STATUSES.filter((one) => one !== status);
    expect(svg).toContain(STATE_COLOURS[status]);
    for (const other of others) expect(svg).not.toContain(STATE_COLOURS[other]);
    const drawings = COMPONENT_STATUSES.map(
      (one) => /<g fill="currentColor"[^>]*>(.*?)<\/g>/.exec(badge("A", one))?.[1],
    );
    expect(new Set(drawings).size).toBe(COMPONENT_STATUSES.length);
    const words = COMPONENT_STATUSES.map((one) => /class="w"[^>]*>([^<]*)/.exec(badge("A", one))?.[1]);
    expect(new Set(words).size).toBe(COMPONENT_STATUSES.length);
  });

  it("turns to what was, in grey, when nothing confirms it any more", () => {
    const svg = badge("Checkout", "operational", NOW + 26 * SECOND);
    expect(svg).toContain("animation:b 0s 26s forwards");
    const [, now = "", later = ""] = /<g class="a">(.*)<g class="b">(.*)<\/svg>/.exec(svg) ?? [];
    expect(now).toContain(">operational<");
    expect(later).toContain(">was operational at 14:02 UTC<");
    expect(later).toContain(STATE_COLOURS.unknown);
    expect(later).not.toContain(STATE_COLOURS.operational);
  });

  it("turns when what it says turns, and not when a part of it does", () => {
    const parts = [
      { outlook: said("operational", NOW, null, NOW - 30 * SECOND) },
      { outlook: said("partial_outage", NOW, null, NOW - 20 * SECOND) },
    ];
    const statusAt = (at: number): ComponentStatus => pageStatus(parts, at);
    expect([NOW, NOW + 6 * SECOND].map(statusAt)).toEqual(["partial_outage", "partial_outage"]);
    expect(turnsAt(parts, statusAt, NOW)).toBe(NOW + 15 * SECOND);
    expect(turnsAt(parts, () => "operational", NOW)).toBe(Infinity);
  });

  it("turns to a maintenance that begins", () => {
    const svg = badge("Checkout", "operational", NOW + 9 * SECOND, "under_maintenance");
    expect(/<g class="b">.*>maintenance</.test(svg)).toBe(true);
  });

  it.each([
    ["an operator's mischief", HOSTILE_NAME],
    ["marks that turn text around", "a\u202Eb\u0000c\u2066"],
    ["half a letter", "a\uD800"],
  ])("is XML with %s in its name", (_name, name) => {
    const svg = badge(name, "operational");
    expect(XMLValidator.validate(svg)).toBe(true);
    expect(svg.match(/<[a-z]+/g)).toEqual(badge("plain", "operational").match(/<[a-z]+/g));
    expect(svg).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    expect(svg.isWellFormed()).toBe(true);
  });

  it("is as wide as what it says, and no wider than a line", () => {
    const width = (name: string): number => Number(/width="(\d+)"/.exec(badge(name, "operational"))?.[1]);
    expect(width("iii")).toBeLessThan(width("WWW"));
    expect(width("決済サービス")).toBe(width("") + 6 * 11);
    // An accent and a family are one letter each.
    expect(width("e\u0301")).toBe(width("e"));
    expect(width("👨‍👩‍👧")).toBe(width("決"));
    expect(badge("n".repeat(200), "operational")).toContain(`>${"n".repeat(39)}…<`);
  });
});
