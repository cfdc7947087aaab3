import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DAY, HOUR } from "../../protocol/time.ts";
import {
  CHOSEN_SERVICES_MAX,
  chooses,
  chosenAgain,
  chosenBy,
  isPattern,
  isSelector,
} from "../../worker/core/selector.ts";
import { revisionOf } from "../../worker/core/component.ts";
import { component, NOON, tell, told } from "../support/facts.ts";

const report = (cluster: string, ...services: string[]) => ({
  cluster,
  services: services.map((service) => ({ service })),
});
const NOTHING = { services: [] };

describe("a selector", () => {
  it.each([
    ["eu-1/shop/checkout", "eu-1/shop/checkout", true],
    ["eu-1/shop/checkout", "us-2/shop/checkout", false],
    ["shop/checkout", "us-2/shop/checkout", true],
    ["shop/checkout", "us-2/shop/checkout-v2", false],
    ["shop/*", "us-2/shop/checkout", true],
    ["shop/*", "us-2/shopping/checkout", false],
    ["*/shop/*", "us-2/shop/checkout", true],
    ["eu-*/shop/check*", "eu-1/shop/checkout", true],
    ["eu-*/shop/check*", "us-1/shop/checkout", false],
    ["*/*/*", "a/b/c", true],
    ["shop/*-v*", "eu-1/shop/cart-v2", true],
    ["shop/*-v*", "eu-1/shop/cart", false],
    ["shop/a*a", "eu-1/shop/a", false],
    ["shop/a*a", "eu-1/shop/aa", true],
    ["shop/a*b*c", "eu-1/shop/abbc", true],
    ["shop/a*b*c", "eu-1/shop/acb", false],
    ["shop/a*b*b", "eu-1/shop/ab", false],
  ])("%s chooses %s: %s", (selector, ref, is) => expect(chooses(selector, ref)).toBe(is));

  it.each([
    ["shop/*", true],
    ["eu-1/shop/cart-*", true],
    ["shop", false],
    ["a/b/c/d", false],
    ["Shop/*", false],
    ["shop/(a|b)", false],
    ["shop/ x", false],
    ["/*", false],
    [`shop/${"a".repeat(64)}`, false],
  ])("%s is one: %s", (text, is) => expect(isSelector(text)).toBe(is));

  it("that is a whole name chooses itself alone, and no star is more than its part", () => {
    const part = fc.stringMatching(/^[a-z]([a-z-]{0,8}[a-z])?$/);
    fc.assert(
      fc.property(part, part, part, part, (cluster, namespace, name, other) => {
        const ref = `${cluster}/${namespace}/${name}`;
        expect([chooses(ref, ref), isPattern(ref), chooses(`${namespace}/*`, ref)]).toEqual([true, false, true]);
        expect(chooses(`${cluster}/${namespace}/*`, `${cluster}/${other}/${name}`)).toBe(other === namespace);
        expect(chooses(`${namespace}/${name.slice(0, 1)}*${name.slice(1)}`, ref)).toBe(true);
      }),
    );
  });

  it("is judged in one walk, whatever stars somebody types", () => {
    const began = performance.now();
    expect(chooses(`shop/${"*a".repeat(31)}b`, `eu-1/shop/${"a".repeat(63)}`)).toBe(false);
    expect(performance.now() - began).toBeLessThan(50);
  });
});

describe("what a selector chose", () => {
  const selector = ["eu-1/shop/checkout", "pay/*"];
  it("is what clusters report, after what is named by itself, each once", () =>
    expect(chosenBy(selector, NOTHING, [report("eu-1", "shop/checkout", "pay/b", "pay/a")], NOON).services).toEqual([
      "eu-1/shop/checkout",
      "eu-1/pay/a",
      "eu-1/pay/b",
    ]));

  it("has what comes later, and keeps what other clusters have", () => {
    const held = { services: ["eu-1/shop/checkout", "us-2/pay/a"] };
    expect(chosenBy(selector, held, [report("eu-1", "pay/new")], NOON)).toEqual({
      services: ["eu-1/shop/checkout", "eu-1/pay/new", "us-2/pay/a"],
      gone: {},
    });
  });

  it("keeps what is reported no more for a day, so that nothing turns green by being deleted", () => {
    const held = { services: ["eu-1/shop/checkout", "eu-1/pay/a"] };
    const first = chosenBy(selector, held, [report("eu-1", "shop/checkout")], NOON);
    expect(first).toEqual({ ...held, gone: { "eu-1/pay/a": NOON } });
    const later = (now: number, ...services: string[]) => chosenBy(selector, first, [report("eu-1", ...services)], now);
    expect(later(NOON + DAY - 1)).toEqual(first);
    expect(later(NOON + DAY)).toEqual({ services: ["eu-1/shop/checkout"], gone: {} });
    expect(later(NOON + HOUR, "pay/a")).toEqual({ ...held, gone: {} });
    // A silent cluster reports nothing, which is no report.
    expect(chosenBy(selector, first, [report("us-2")], NOON + 2 * DAY)).toEqual(first);
  });

  it("has a bound", () => {
    const many = Array.from({ length: 2 * CHOSEN_SERVICES_MAX }, (_, i) => `pay/s${i}`);
    expect(chosenBy(["pay/*"], NOTHING, [report("eu-1", ...many)], NOON).services).toHaveLength(CHOSEN_SERVICES_MAX);
  });

  it("leaves a component as it is where nothing changes or nothing chooses", () => {
    const reported = [tell(NOON, [told("operational", "pay/a")])];
    const plain = component();
    expect(chosenAgain(plain, reported, NOON)).toBe(plain);
    const choosing = chosenAgain(component({ selector: ["pay/*"], services: [] }), reported, NOON);
    expect(choosing.services).toEqual(["eu-1/pay/a"]);
    expect(chosenAgain(choosing, reported, NOON + HOUR)).toBe(choosing);
  });

  it("changes by itself without being another version for whoever edits it", () => {
    const before = component({ selector: ["pay/*"], services: [] });
    const after = { ...chosenAgain(before, [tell(NOON, [told("operational", "pay/a")])], NOON), position: 9 };
    expect(revisionOf(after)).toBe(revisionOf(before));
    expect(revisionOf({ ...before, name: "Other" })).not.toBe(revisionOf(before));
    expect(revisionOf({ ...before, hidden: true })).not.toBe(revisionOf(before));
  });
});
