/** A week's signals on disk: each service gets back what was read of it, and no file stays behind. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { GoldenSeries } from "../../agent/core/model.ts";
import { Week } from "../../agent/week.ts";

const PARTS = [4, 4, 3];
const POINTS = 11;

/** A value tells its service, its signal and its point. */
function series(service: number, from: number, points: number): GoldenSeries {
  const of = (signal: number): Float32Array =>
    Float32Array.from({ length: points }, (_, i) => 1_000 * service + 100 * signal + from + i);
  return { rate: of(1), errors: of(2), p95Ms: of(3) };
}

it("a service's week is what was read of it, with NaN for the parts in which nobody saw it", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "week-"));
  const week = new Week(join(dataDir, "data"), POINTS);
  let offset = 0;
  for (const [part, points] of PARTS.entries()) {
    const services = new Map([["shop/cart", series(1, offset, points)]]);
    if (part !== 1) services.set("shop/young", series(2, offset, points));
    week.add(offset, services);
    offset += points;
  }
  expect(week.services).toEqual(["shop/cart", "shop/young"]);
  expect(week.series("shop/cart")).toEqual(series(1, 0, POINTS));
  const unseen = (values: Float32Array): Float32Array => values.fill(Number.NaN, 4, 8);
  const { rate, errors, p95Ms } = series(2, 0, POINTS);
  const young = { rate: unseen(rate), errors: unseen(errors), p95Ms: unseen(p95Ms) };
  expect(week.series("shop/young")).toEqual(young);
  expect(readdirSync(join(dataDir, "data"))).toEqual([]);
  week.close();
  rmSync(dataDir, { recursive: true });
});
