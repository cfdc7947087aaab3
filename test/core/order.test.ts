import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Component } from "../../worker/core/component.ts";
import type { Move } from "../../worker/core/order.ts";
import { groupsBeside, inPageOrder, moved, pageTree, renamed } from "../../worker/core/order.ts";
import { component } from "../support/facts.ts";

/** "Shop/a" is component a in group Shop, "R / C/a" in a group within another, "a" in none. */
function page(...places: string[]): readonly Component[] {
  return places.map((place, i) => {
    const slash = place.lastIndexOf("/");
    const name = place.slice(slash + 1).trim();
    const group = slash < 0 ? null : place.slice(0, slash);
    return component({ id: name.padEnd(12, "0"), name, group, position: i + 1 });
  });
}
const shown = (list: readonly Component[] | null): string[] =>
  inPageOrder((list ?? []).map((one, i) => ({ ...one, position: i + 1 }))).map(({ group, name }) =>
    group === null ? name : `${group}/${name}`,
  );
const id = (name: string): string => name.padEnd(12, "0");

const PAGE = page("x", "A/a", "A/b", "R / C/c", "B/d", "R/e", "R / D/f");

describe("the order of the page", () => {
  it("has groups where their first component stands, and what is a group's own before what is within it", () =>
    expect(shown(PAGE)).toEqual(["x", "A/a", "A/b", "R/e", "R / C/c", "R / D/f", "B/d"]));

  it.each<[string, Move, string[]]>([
    ["a component up", { component: id("b"), by: "up" }, ["x", "A/b", "A/a", "R/e", "R / C/c", "R / D/f", "B/d"]],
    ["the first one up", { component: id("a"), by: "up" }, ["x", "A/a", "A/b", "R/e", "R / C/c", "R / D/f", "B/d"]],
    [
      "a component into another group",
      { component: id("a"), group: "B", before: id("d") },
      ["x", "A/b", "R/e", "R / C/c", "R / D/f", "B/a", "B/d"],
    ],
    [
      "a component to the end of a group",
      { component: id("x"), group: "R", before: null },
      ["A/a", "A/b", "R/e", "R/x", "R / C/c", "R / D/f", "B/d"],
    ],
    [
      "a component into a group that has only groups",
      { component: id("e"), group: "R / C", before: null },
      ["x", "A/a", "A/b", "R / C/c", "R / C/e", "R / D/f", "B/d"],
    ],
    ["a group down", { group: "A", by: "down" }, ["x", "R/e", "R / C/c", "R / D/f", "A/a", "A/b", "B/d"]],
    ["the last group down", { group: "B", by: "down" }, ["x", "A/a", "A/b", "R/e", "R / C/c", "R / D/f", "B/d"]],
    [
      "a group within another up",
      { group: "R / D", by: "up" },
      ["x", "A/a", "A/b", "R/e", "R / D/f", "R / C/c", "B/d"],
    ],
    ["what has no group down", { group: null, by: "down" }, ["A/a", "A/b", "x", "R/e", "R / C/c", "R / D/f", "B/d"]],
    [
      "a group in front of another",
      { group: "B", beside: { before: "A" } },
      ["x", "B/d", "A/a", "A/b", "R/e", "R / C/c", "R / D/f"],
    ],
    [
      "a group in front of what has none",
      { group: "B", beside: { before: null } },
      ["B/d", "x", "A/a", "A/b", "R/e", "R / C/c", "R / D/f"],
    ],
    ["a group behind all", { group: "A", beside: null }, ["x", "R/e", "R / C/c", "R / D/f", "B/d", "A/a", "A/b"]],
  ])("moves %s", (_name, move, after) => expect(shown(moved(PAGE, move))).toEqual(after));

  it.each<[string, Move]>([
    ["a component that is gone", { component: "gone", by: "up" }],
    ["in front of one that stands elsewhere", { component: id("a"), group: "B", before: id("x") }],
    ["a group that is gone", { group: "Gone", by: "up" }],
    ["a group out of the one that it stands in", { group: "R / C", beside: { before: "A" } }],
  ])("has no place for %s", (_name, move) => expect(moved(PAGE, move)).toBeNull());

  it("loses nothing and doubles nothing, whatever is moved", () => {
    const groups = fc.constantFrom(null, "A", "B", "A / X", "A / Y", "A / X / 1");
    const pages = fc
      .array(groups, { minLength: 1, maxLength: 12 })
      .map((list) => list.map((group, i) => component({ id: `c${i}`, name: `n${i}`, group, position: i })));
    const moves = fc.oneof(
      fc.record({ component: fc.nat(12).map((i) => `c${i}`), by: fc.constantFrom("up" as const, "down" as const) }),
      fc.record({ component: fc.nat(12).map((i) => `c${i}`), group: groups, before: fc.constant(null) }),
      fc.record({ group: groups, by: fc.constantFrom("up" as const, "down" as const) }),
      fc.record({ group: groups, beside: fc.constant(null) }),
    );
    fc.assert(
      fc.property(pages, moves, (list, move) => {
        const after = moved(list, move);
        if (after === null) return;
        expect(after.map((one) => one.id).toSorted()).toEqual(list.map((one) => one.id).toSorted());
        // What it says is what is shown: a place is no other after it was written down.
        const placed = after.map((one, i) => ({ ...one, position: i }));
        expect(inPageOrder(placed).map((one) => one.id)).toEqual(after.map((one) => one.id));
        if (!("by" in move) || move.by !== "up") return;
        const back = moved(placed, { ...move, by: "down" });
        const isFirst = inPageOrder(list).every((one, i) => one.id === after[i]?.id);
        if (!isFirst) expect(back?.map((one) => one.id)).toEqual(inPageOrder(list).map((one) => one.id));
      }),
    );
  });

  it("is a tree with whole names", () => {
    const [, , region] = pageTree(PAGE);
    expect([region?.name, region?.own.map(({ name }) => name), region?.groups.map(({ name }) => name)]).toEqual([
      "R",
      ["e"],
      ["R / C", "R / D"],
    ]);
    expect(groupsBeside(inPageOrder(PAGE), "R / C")).toEqual(["R / C", "R / D"]);
    expect(groupsBeside(inPageOrder(PAGE), null)).toEqual([null, "A", "R", "B"]);
  });
});

describe("a group's new name", () => {
  it("is that of the groups within it, too", () =>
    expect(shown(renamed(PAGE, "R", "Region"))).toContain("Region / C/c"));
  it("may put it into another", () => expect(shown(renamed(PAGE, "A", "R / A"))).toContain("R / A/a"));
  it("that is none takes the level away", () => {
    expect(shown(renamed(PAGE, "R", null))).toEqual(["x", "e", "A/a", "A/b", "C/c", "B/d", "D/f"]);
  });
  it("is nobody else's", () => expect(shown(renamed(PAGE, "R / C", "R / Z"))).not.toContain("R / Z/f"));
});
