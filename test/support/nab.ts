/**
 * The standard profile of the Numenta Anomaly Benchmark, written from its description (README of the data; Lavin and
 * Ahmad, 2015), with what it must always say of a perfect, a silent and a noisy detector.
 */

/** Of a standard profile: what a false alarm costs where a hit is worth 1. */
const FALSE_ALARM = 0.11;
const PROBATION_SHARE = 0.15;
const PROBATION_MAX = 750;
/** So many window lengths after a window a false alarm costs in full. */
const FAR = 3;

/** First and last row of a labelled window, both inside. */
export type Window = readonly [first: number, last: number];

export interface FileScore {
  /** What the detector earned, a perfect one would have earned, and a silent one. */
  readonly earned: number;
  readonly perfect: number;
  readonly silent: number;
  readonly hits: number;
  readonly windows: number;
  readonly falseAlarms: number;
}

/** @param alarms whether each row is one */
export function scoreFile(alarms: readonly boolean[], windows: readonly Window[]): FileScore {
  const scoredFrom = Math.min(Math.floor(PROBATION_SHARE * alarms.length), PROBATION_MAX);
  const counted = windows.filter(([, last]) => last >= scoredFrom);
  let [earned, hits, falseAlarms] = [0, 0, 0];
  for (const [first, last] of counted) {
    const row = alarms.findIndex((alarm, i) => alarm && i >= Math.max(first, scoredFrom) && i <= last);
    if (row >= 0) hits++;
    earned += row >= 0 ? sigmoid(-(last - row + 1) / (last - first + 1)) / sigmoid(-1) : -1;
  }
  alarms.forEach((alarm, row) => {
    if (!alarm || row < scoredFrom || windows.some(([first, last]) => row >= first && row <= last)) return;
    falseAlarms++;
    earned += FALSE_ALARM * falseAlarmValue(row, windows);
  });
  return { earned, perfect: counted.length, silent: -counted.length, hits, windows: counted.length, falseAlarms };
}

/** 0 right after a window, −1 far from one. */
function falseAlarmValue(row: number, windows: readonly Window[]): number {
  const [first, last] = windows.findLast(([, end]) => end < row) ?? [0, 0];
  const place = last === 0 ? FAR : (row - last) / Math.max(1, last - first);
  return place >= FAR ? -1 : sigmoid(place);
}

function sigmoid(y: number): number {
  return 2 / (1 + Math.exp(5 * y)) - 1;
}

/** 0 is silence and 100 perfection over all files. */
export function total(files: readonly FileScore[]): number {
  const sum = (of: (file: FileScore) => number): number => files.reduce((all, file) => all + of(file), 0);
  const silent = sum(({ silent: one }) => one);
  return (100 * (sum(({ earned }) => earned) - silent)) / (sum(({ perfect }) => perfect) - silent);
}

/** What any scorer of this profile must say, as sentences with the truth of each. */
export function selfCheck(): readonly (readonly [says: string, isTrue: boolean])[] {
  const windows: readonly Window[] = [[400, 499]];
  const alarmsAt = (...rows: readonly number[]): boolean[] => Array.from({ length: 1_000 }, (_, i) => rows.includes(i));
  const of = (...rows: readonly number[]): number => total([scoreFile(alarmsAt(...rows), windows)]);
  const is = (value: number, expected: number): boolean => Math.abs(value - expected) < 1e-9;
  return [
    ["silence scores 0", is(of(), 0)],
    ["an alarm at the left edge of every window scores 100", is(of(400), 100)],
    ["an early alarm in a window earns more than a late one", of(410) > of(490) && of(490) > of()],
    ["a second alarm in the same window earns nothing and costs nothing", is(of(420, 440), of(420))],
    ["an alarm far from any window costs 0.11 of a hit", is(of(400) - of(400, 900), (100 * 0.11) / 2)],
    ["an alarm before every window costs as much", is(of(400) - of(200, 400), (100 * 0.11) / 2)],
    ["an alarm right behind a window costs less", of(400, 505) > of(400, 560) && of(400, 505) < of(400)],
    ["an alarm in the first 15 % of a file is not counted", is(of(100, 400), 100)],
  ];
}
