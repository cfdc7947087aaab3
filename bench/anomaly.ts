/**
 * `npm run bench:anomaly`: what the detector earns on half of the Numenta Anomaly Benchmark, which lies in `../shared/nab`
 * (or in the folder that is named behind `--`). One set of parameters, one threshold, rows one by one; labels are
 * read by the scorer alone. Ends with 1 if the scorer is wrong, the score below 55, or a point costs more than 10 µs.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { THRESHOLD } from "../protocol/detector.ts";
import { isHeader, parseRow } from "../agent/series-row.ts";
import { Series, type Point } from "../agent/core/series.ts";
import { TUNING, type Tuning } from "../agent/core/tuning.ts";
import { scoreFile, selfCheck, total, type FileScore, type Window } from "../test/support/nab.ts";

const FOLDER = "../shared/nab";
const SCORE_MIN = 55;
const MICROSECONDS_MAX = 10;
const VARIED_BY = 0.2;
/** What the half that is looked at may choose from. */
const CHOICES: readonly Partial<Tuning>[] = [2_000, 4_000].flatMap((tailWeight) =>
  [6, 12, 24].flatMap((shiftPoints) =>
    [2.9, 3.2, 3.5].map((surpriseMax) => ({ tailWeight, shiftPoints, surpriseMax })),
  ),
);

interface File {
  readonly name: string;
  readonly points: readonly Point[];
  readonly windows: readonly Window[];
}

const Labels = v.record(v.string(), v.array(v.tuple([v.string(), v.string()])));

function main(): void {
  const folder = process.argv[2] ?? FOLDER;
  if (!existsSync(join(folder, "labels/combined_windows.json"))) {
    console.error(
      `${folder} has no labels/combined_windows.json: it should hold data/ and labels/ of the Numenta Anomaly Benchmark`,
    );
    process.exitCode = 2;
    return;
  }
  const files = readFiles(folder);
  const isScorerRight = printSelfCheck();
  const startedAt = process.cpuUsage();
  const scores = files.map((file) => judged(file, TUNING));
  const { user, system } = process.cpuUsage(startedAt);
  const perPoint = (user + system) / files.reduce((sum, { points }) => sum + points.length, 0);
  printFiles(files, scores);
  printVaried(files);
  printHalves(files);
  const score = total(scores);
  console.log(`\nscore ${score.toFixed(1)} at ${THRESHOLD} (at least ${SCORE_MIN})`);
  console.log(`${perPoint.toFixed(1)} µs of a core a point (at most ${MICROSECONDS_MAX})`);
  if (!isScorerRight || score < SCORE_MIN || perPoint > MICROSECONDS_MAX) process.exitCode = 1;
}

function readFiles(folder: string): readonly File[] {
  const labels = v.parse(Labels, JSON.parse(readFileSync(join(folder, "labels/combined_windows.json"), "utf8")));
  const groups = readdirSync(join(folder, "data")).toSorted();
  return groups.flatMap((group) =>
    readdirSync(join(folder, "data", group))
      .toSorted()
      .map((file) => readFile(join(folder, "data", group, file), `${group}/${file}`, labels[`${group}/${file}`] ?? [])),
  );
}

function readFile(path: string, name: string, labels: readonly (readonly [string, string])[]): File {
  const lines = readFileSync(path, "utf8").split(/\r?\n/);
  const points = lines.flatMap((line, i) => {
    if (line === "" || (i === 0 && isHeader(line))) return [];
    const row = parseRow(line);
    if (!row.ok) throw new Error(`${path}:${i + 1}: ${row.failure}`);
    return [row.value];
  });
  const windows = labels.map(([from, to]): Window => {
    const [first, last] = [Date.parse(`${from}Z`), Date.parse(`${to}Z`)];
    return [points.findIndex(({ at }) => at >= first), points.findLastIndex(({ at }) => at <= last)];
  });
  return { name, points, windows };
}

function judged({ points, windows }: File, tuning: Tuning): FileScore {
  const series = new Series(tuning);
  return scoreFile(
    points.map((point) => series.take(point).act === "raise"),
    windows,
  );
}

function printSelfCheck(): boolean {
  const checks = selfCheck();
  for (const [says, isTrue] of checks) console.log(`${isTrue ? "ok   " : "WRONG"} ${says}`);
  return checks.every(([, isTrue]) => isTrue);
}

/** Every series, and under each group the score that it would have alone. */
function printFiles(files: readonly File[], scores: readonly FileScore[]): void {
  const row = (name: string, of: readonly FileScore[], score: string): void => {
    const sum = (key: "hits" | "windows" | "falseAlarms"): number => of.reduce((all, one) => all + one[key], 0);
    const hits = `${sum("hits")} of ${sum("windows")}`.padStart(10);
    console.log(`${name.padEnd(60)}${hits}${String(sum("falseAlarms")).padStart(14)}${score.padStart(10)}`);
  };
  console.log(`\n${"".padEnd(60)}${"found".padStart(10)}${"false alarms".padStart(14)}${"score".padStart(10)}`);
  const groupOf = ({ name }: File): string => name.split("/")[0] ?? name;
  for (const [group, members] of Map.groupBy(files, groupOf)) {
    const of = members.map((file) => scores[files.indexOf(file)]).filter((one) => one !== undefined);
    members.forEach(({ name }, i) => row(`  ${name}`, of.slice(i, i + 1), (of[i]?.earned ?? 0).toFixed(2)));
    const hasWindows = of.some(({ windows }) => windows > 0);
    row(group, of, hasWindows ? total(of).toFixed(1) : "none");
  }
  row("all", scores, total(scores).toFixed(1));
}

/** A method that lives on one lucky value shows here. */
function printVaried(files: readonly File[]): void {
  console.log(`\nscore with one parameter ${100 * VARIED_BY} % smaller, and larger`);
  for (const key of Object.keys(TUNING) as (keyof Tuning)[]) {
    const [less, more] = [1 - VARIED_BY, 1 + VARIED_BY].map((factor) => {
      const value = TUNING[key] * factor;
      const tuning = { ...TUNING, [key]: Number.isInteger(TUNING[key]) ? Math.round(value) : value };
      return total(files.map((file) => judged(file, tuning))).toFixed(1);
    });
    console.log(`  ${key.padEnd(20)}${String(TUNING[key]).padStart(8)}${less?.padStart(10)}${more?.padStart(10)}`);
  }
}

/** Chosen by one half of the series, scored on the other one: what tuning is worth where it has not looked. */
function printHalves(files: readonly File[]): void {
  const halves = [0, 1].map((rest) => files.filter((_, i) => i % 2 === rest));
  const results = CHOICES.map((choice) => {
    const tuning = { ...TUNING, ...choice };
    return { choice, scores: halves.map((half) => total(half.map((file) => judged(file, tuning)))) };
  });
  const own = halves.map((half) => total(half.map((file) => judged(file, TUNING))));
  console.log(`\nleave half out: chosen among ${CHOICES.length} by every other series, scored on the others`);
  for (const [seen, unseen] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const best = results.reduce((a, b) => ((b.scores[seen] ?? 0) > (a.scores[seen] ?? 0) ? b : a));
    const chosen = Object.entries(best.choice).map(([key, value]) => `${key} ${value}`);
    console.log(
      `  ${best.scores[seen]?.toFixed(1)} seen, ${best.scores[unseen]?.toFixed(1)} unseen (as it is: ${own[unseen]?.toFixed(1)}); chosen: ${chosen.join(", ")}`,
    );
  }
}

main();
