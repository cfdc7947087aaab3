/** `npm run detect`: a series as a file goes in, a score for each row comes out. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { parseRow } from "../../agent/series-row.ts";
import { MINUTE } from "../../protocol/time.ts";
import { ROOT } from "../support/process.ts";

const folder = mkdtempSync(join(tmpdir(), "detect-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function detect(text: string): { readonly out: string; readonly err: string; readonly code: number | null } {
  const file = join(folder, "series.csv");
  writeFileSync(file, text);
  const child = spawnSync(process.execPath, ["agent/detect.ts", file], { cwd: ROOT, encoding: "utf8" });
  return { out: child.stdout, err: child.stderr.replaceAll(folder, "…"), code: child.status };
}

it.each([
  ["2026-11-23 14:05:00,1.5", Date.UTC(2026, 10, 23, 14, 5), 1.5],
  ["2026-11-23T14:05:00.250+02:00, -1e3 ", Date.UTC(2026, 10, 23, 12, 5, 0, 250), -1_000],
  ["1795442700,0", 1_795_442_700_000, 0],
  ["2026-11-23 14:05:00,", Date.UTC(2026, 10, 23, 14, 5), null],
  ["2026-11-23 14:05:00,NaN", Date.UTC(2026, 10, 23, 14, 5), null],
])("the row %s is read", (line, at, value) => expect(parseRow(line)).toMatchObject({ ok: true, value: { at, value } }));

it.each([
  ["2026-11-23 14:05:00", "is not one timestamp and one value"],
  ["2026-11-23 14:05:00,1,2", "is not one timestamp and one value"],
  ["2026-13-23 14:05:00,1", '"2026-13-23 14:05:00" is not a moment'],
  ["yesterday,1", '"yesterday" is not a moment'],
  ["2026-11-23 14:05:00,much", '"much" is not a finite number'],
  ["2026-11-23 14:05:00,Infinity", '"Infinity" is not a finite number'],
])("the row %s is refused", (line, why) =>
  expect(parseRow(line)).toMatchObject({ ok: false, failure: expect.stringContaining(why) }),
);

it("each row is answered by its score, and an anomaly by one row at the threshold", () => {
  const rows = Array.from({ length: 900 }, (_, i) => {
    const stamp = new Date(Date.UTC(2026, 0, 1) + 5 * i * MINUTE).toISOString().slice(0, 19).replace("T", " ");
    return `${stamp},${i >= 800 && i < 810 ? 500 : 50 + ((i * 7) % 11)}`;
  });
  const { out, code } = detect(`timestamp,value\r\n${rows.join("\r\n")}\r\n`);
  const scores = out.trimEnd().split("\n");
  expect([code, scores.length, scores[0]]).toEqual([0, 900, "2026-01-01 00:00:00,0.0000"]);
  expect(scores.filter((line) => Number(line.split(",")[1]) >= 0.85)).toEqual(["2026-01-03 18:40:00,1.0000"]);
  expect(scores[801]).toBe("2026-01-03 18:45:00,0.8499");
});

it("a row that is none ends it with its line", () =>
  expect(detect("timestamp,value\n2026-01-01 00:00:00,1\n\n2026-01-01 00:10:00,x\n")).toEqual({
    out: "2026-01-01 00:00:00,0.0000\n",
    err: '…/series.csv:4: "x" is not a finite number; leave the value empty where there is none\n',
    code: 1,
  }));
