import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";

const css = readFileSync(new URL("../../web/style/tokens.css", import.meta.url), "utf8");
const [light = "", dark = ""] = css.split("@media (prefers-color-scheme: dark)");

/** Relative luminance (WCAG 2.2) of a token written as `oklch(L C H)`, by Björn Ottosson's matrices. */
function luminance(palette: string, token: string): number {
  const found = new RegExp(`--${token}: oklch\\(([\\d.]+) ([\\d.]+) ([\\d.]+)\\)`).exec(palette);
  const [l = 0, c = 0, hue = 0] = (found ?? []).slice(1).map(Number);
  const [a, b] = [c * Math.cos((hue * Math.PI) / 180), c * Math.sin((hue * Math.PI) / 180)];
  const long = (l + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const middle = (l - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (l - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const clip = (value: number): number => Math.min(1, Math.max(0, value));
  const red = clip(4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short);
  const green = clip(-1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short);
  const blue = clip(-0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(palette: string, one: string, other: string): number {
  const [bright = 0, dim = 0] = [luminance(palette, one), luminance(palette, other)].toSorted((x, y) => y - x);
  return (bright + 0.05) / (dim + 0.05);
}

describe.each([
  ["light", light],
  ["dark", dark],
])("on %s paper", (_name, palette) => {
  it.each(["ink", "soft"])("%s text has a contrast of 7 to 1, on raised paper too", (token) => {
    expect(contrast(palette, token, "paper")).toBeGreaterThanOrEqual(7);
    expect(contrast(palette, token, "raised")).toBeGreaterThanOrEqual(7);
  });
  it.each(["paper", "raised"])("links on %s have one of 4.5 to 1, and of 7 to 1 on paper", (ground) =>
    expect(contrast(palette, "accent", ground)).toBeGreaterThanOrEqual(ground === "paper" ? 7 : 4.5),
  );
  it.each(COMPONENT_STATUSES)("the mark of %s has one of 3 to 1", (status) => {
    expect(contrast(palette, status, "raised")).toBeGreaterThanOrEqual(3);
  });
});
