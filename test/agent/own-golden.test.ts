/** An agent without Prometheus keeps its own points: whole ones, for a week, and learns from them once there is a day. */
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { retrain } from "../../agent/baseline.ts";
import { POINT_MS } from "../../agent/core/golden.ts";
import { ownGolden, OwnGolden } from "../../agent/own-golden.ts";
import { explicitLatency } from "../../protocol/latency.ts";
import type { WindowRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";

const START = Date.UTC(2026, 10, 22, 23, 50);
const folder = mkdtempSync(join(tmpdir(), "own-golden-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const fresh = (): string => mkdtempSync(join(folder, "data-"));

const windowAt = (at: number, spanMs = MINUTE): WindowRecord => ({
  kind: "window",
  service: "shop/cart",
  at,
  spanMs,
  requests: 600,
  errors: 6,
  latency: explicitLatency([10, 50, 100], [570, 25, 5, 0], 9_000),
});

/** Closes minutes from the start on, but those that are left out; with a new process before `restart`. */
function closed(dataDir: string, minutes: number, without: readonly number[] = [], restart = -1): void {
  const made = (): OwnGolden => new OwnGolden(dataDir, (error) => expect.unreachable(String(error)));
  let golden = made();
  for (let i = 0; i < minutes; i++) {
    if (i === restart) golden = made();
    const at = START + i * MINUTE;
    if (!without.includes(i)) golden.take([windowAt(at)], at + MINUTE);
  }
}

async function rates(dataDir: string, points: number): Promise<readonly number[]> {
  const read = await ownGolden(dataDir).query(START + POINT_MS, START + points * POINT_MS, 1_000);
  return read.ok ? [...(read.value.services.get("shop/cart")?.rate ?? [])] : [];
}

it("five minutes are a point, over midnight too, with its rate, failures and p95", async () => {
  const dataDir = fresh();
  closed(dataDir, 20);
  const read = await ownGolden(dataDir).query(START + POINT_MS, START + 4 * POINT_MS, 1_000);
  const cart = read.ok ? read.value.services.get("shop/cart") : undefined;
  expect([[...(cart?.rate ?? [])], cart?.errors[3], cart?.p95Ms[0]]).toEqual([
    [10, 10, 10, 10],
    expect.closeTo(0.1),
    expect.closeTo(10, 0),
  ]);
  expect(readdirSync(dataDir)).toEqual(["golden-2026-11-22.jsonl", "golden-2026-11-23.jsonl"]);
});

it.each<[string, number[], number, number[]]>([
  ["a minute is missing", [7], -1, [10, Number.NaN, 10]],
  ["the process was started anew in its midst", [], 7, [10, Number.NaN, 10]],
  ["the process was started anew between two", [], 5, [10, 10, 10]],
])("a point is none where %s", async (_name, without, restart, expected) => {
  const dataDir = fresh();
  closed(dataDir, 15, without, restart);
  expect(await rates(dataDir, 3)).toEqual(expected);
});

it("a window of several minutes counts where it lies within its point, and spoils one that it only reaches into", async () => {
  const dataDir = fresh();
  const golden = new OwnGolden(dataDir, () => {});
  const take = (from: number, minutes: number): void =>
    golden.take([windowAt(START + from * MINUTE, minutes * MINUTE)], START + (from + minutes) * MINUTE);
  take(0, 3);
  take(3, 2);
  take(5, 3);
  take(8, 4);
  // As much is missing as the one before has too much.
  take(14, 1);
  expect(await rates(dataDir, 3)).toEqual([4, Number.NaN, Number.NaN]);
});

it("a line that was cut short is none, and days that nobody learns from are removed", async () => {
  const dataDir = fresh();
  closed(dataDir, 5);
  appendFileSync(join(dataDir, "golden-2026-11-22.jsonl"), '{"at":17954');
  expect(await rates(dataDir, 1)).toEqual([10]);
  const later = START + 10 * DAY;
  const golden = new OwnGolden(dataDir, () => {});
  for (let i = 0; i < 5; i++) golden.take([windowAt(later + i * MINUTE)], later + (i + 1) * MINUTE);
  expect(readdirSync(dataDir)).toEqual(["golden-2026-12-02.jsonl"]);
});

it("a baseline is learnt once a day of it is there, and until then it is said when that will be", async () => {
  const dataDir = fresh();
  closed(dataDir, 20 * 60);
  const given = { golden: ownGolden(dataDir), dataDir, leftOut: [], progress: () => {} };
  expect(await retrain({ ...given, now: START + 20 * HOUR })).toMatchObject({
    ok: false,
    failure: {
      code: "no_data",
      says: expect.stringMatching(/own record holds less than a day .*a day is there 2026-11-23T23:55/),
    },
  });
  closed(dataDir, 26 * 60);
  expect(await retrain({ ...given, now: START + 26 * HOUR })).toMatchObject({ ok: true, value: { services: 1 } });
});
