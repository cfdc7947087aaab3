import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { colourOf, contrast, fromOklch, hexOf, nearest } from "../../worker/core/colour.ts";
import type { Token } from "../../worker/core/palette.ts";
import { MODES, PALETTE } from "../../worker/core/palette.ts";

const css = readFileSync(new URL("../../web/style/tokens.css", import.meta.url), "utf8");
const [light = "", dark = ""] = css.split("@media (prefers-color-scheme: dark)");
const styles = { light, dark };

describe.each(MODES)("on %s paper", (mode) => {
  const between = (one: Token, other: Token): number =>
    contrast(fromOklch(PALETTE[mode][one]), fromOklch(PALETTE[mode][other]));

  it("the rules know the colours that the style has", () => {
    const found = [...styles[mode].matchAll(/--(\w+): oklch\(([\d.]+) ([\d.]+) ([\d.]+)(?: \/ ([\d.]+))?\)/g)];
    const told = found.map(([, token = "", ...parts]) => [token, parts.filter((part) => part).map(Number)] as const);
    expect(Object.fromEntries(told)).toEqual(PALETTE[mode]);
  });
  it.each(["ink", "soft"] as const)("%s text has a contrast of 7 to 1, on raised paper too", (token) => {
    expect(between(token, "paper")).toBeGreaterThanOrEqual(7);
    expect(between(token, "raised")).toBeGreaterThanOrEqual(7);
  });
  it.each(["paper", "raised"] as const)("links on %s have one of 4.5 to 1, and of 7 to 1 on paper", (ground) =>
    expect(between("accent", ground)).toBeGreaterThanOrEqual(ground === "paper" ? 7 : 4.5),
  );
  it.each(COMPONENT_STATUSES)("the mark of %s has one of 3 to 1", (status) => {
    expect(between(status, "raised")).toBeGreaterThanOrEqual(3);
  });
});

describe("colours", () => {
  it.each([
    ["#000", "#fff", 21],
    // The greys at the borders of WCAG's own tables.
    ["#767676", "#ffffff", 4.54],
    ["#949494", "#ffffff", 3.03],
  ])("%s on %s has the contrast that WCAG counts", (one, other, ratio) => {
    const [a, b] = [colourOf(one), colourOf(other)];
    expect(a && b && contrast(a, b)).toBeCloseTo(ratio, 1);
  });
  it.each([
    ["#0b6", "#00bb66"],
    ["#0B6F", "#00bb66"],
    ["#00bb6680", "#00bb6680"],
  ])("%s is read and written as %s", (text, written) => {
    const colour = colourOf(text);
    expect(colour && hexOf(colour)).toBe(written);
  });
  it.each(["", "#", "#12", "#12345", "#1234567", "red", "#ggg", "#fff;}", " #fff", "#fff\n", "rgb(0 0 0)"])(
    "%j is none",
    (text) => expect(colourOf(text)).toBeNull(),
  );
  it("stay what they are where they pass, and keep their hue where they do not", () => {
    const white = fromOklch([1, 0, 0]);
    const near = (text: string): string | null => {
      const colour = colourOf(text);
      const found = colour && nearest(colour, (one) => contrast(one, white) >= 4.5);
      return found && hexOf(found);
    };
    expect([near("#1e40af"), near("#00bb66"), near("#ffffff")]).toEqual(["#1e40af", "#078849", "#767676"]);
    expect(nearest(white, () => false)).toBeNull();
  });
});
