/** Queries of Prometheus, and their answers row by row. */
import { failure, success, type Result } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { parseValue } from "../core/exposition.ts";
import type { NativeBucket } from "../core/native.ts";
import { RowCutter } from "../core/rows.ts";
import { isRecord, parseJson, requestPieces } from "../http.ts";

/** 1,000 services with 20 buckets in a few revisions, as JSON; more is refused. */
const ANSWER_BYTES_MAX = 32 * 1_048_576;

type Labels = Readonly<Record<string, string>>;

interface Row {
  readonly labels: Labels;
  readonly value: number;
}
export interface HistogramRow {
  readonly labels: Labels;
  readonly buckets: readonly NativeBucket[];
  readonly sum: number;
}
export interface Rows {
  readonly rows: readonly Row[];
  readonly histograms: readonly HistogramRow[];
  readonly warnings: readonly string[];
}

/** NaN is no data and leaves no row; an empty vector leaves none either, which is not a zero. */
export async function instant(
  url: string,
  query: string,
  at: Millis,
  timeoutMs: number,
): Promise<Result<Rows, string>> {
  const rows: Row[] = [];
  const histograms: HistogramRow[] = [];
  const answer = await eachInstant(url, query, at, timeoutMs, (row) => {
    if ("value" in row) rows.push(row);
    else histograms.push(row);
  });
  return answer.ok ? success({ rows, histograms, warnings: answer.value }) : answer;
}

/**
 * The same of answers with more rows than should be held. What was taken is worth nothing if it fails in the end.
 *
 * @returns the warnings of the answer
 */
export async function eachInstant(
  url: string,
  query: string,
  at: Millis,
  timeoutMs: number,
  take: (row: Row | HistogramRow) => void,
): Promise<Result<readonly string[], string>> {
  const parameters = { query, time: (at / 1_000).toFixed(3), timeout: `${timeoutMs}ms` };
  return askRows(`${url}/api/v1/query`, parameters, timeoutMs, "vector", (row) => takeRow(row, take));
}

/**
 * One query, its rows given to `take` as they come. What was taken is worth nothing if it fails in the end.
 *
 * @param take false if it is no row, and so the answer none
 * @returns the warnings of the answer
 */
export async function askRows(
  path: string,
  parameters: Readonly<Record<string, string>>,
  timeoutMs: number,
  resultType: "vector" | "matrix",
  take: (row: unknown) => boolean,
): Promise<Result<readonly string[], string>> {
  const cutter = new RowCutter();
  let isSound = true;
  const url = `${path}?${new URLSearchParams(parameters).toString()}`;
  const answer = await requestPieces(url, { timeoutMs, bytesMax: ANSWER_BYTES_MAX }, (piece) => {
    for (const row of cutter.take(piece)) isSound &&= take(parseJson(row));
  });
  if (!answer.ok) return answer;
  const frame = parseJson(cutter.frame());
  const warnings = isSound ? readFrame(frame, resultType) : null;
  return warnings === null ? failure(`HTTP ${answer.value.status}: ${errorOf(frame)}`) : success(warnings);
}

/** What Prometheus says is wrong with a request. */
function errorOf(json: unknown): string {
  return isRecord(json) && typeof json["error"] === "string" ? json["error"] : "not an answer of Prometheus";
}

/** The warnings; null if it is no result of this type, or one with something else than rows. */
function readFrame(json: unknown, expected: "vector" | "matrix"): readonly string[] | null {
  if (!isRecord(json) || json["status"] !== "success" || !isRecord(json["data"])) return null;
  const { resultType, result } = json["data"];
  const isWhole = resultType === expected && Array.isArray(result) && result.length === 0;
  return isWhole ? readWarnings(json["warnings"]) : null;
}

/**
 * Read by hand: buckets of 500 services are 10,000 rows, and a schema would copy each of them, six times a minute.
 *
 * @returns false if it is no row of a vector
 */
function takeRow(row: unknown, take: (row: Row | HistogramRow) => void): boolean {
  if (!isRecord(row) || !isLabels(row["metric"])) return false;
  const labels = row["metric"];
  // A row has one of the two: a number, or a native histogram.
  if (row["histogram"] !== undefined) {
    const histogram = readHistogram(row["histogram"], labels);
    if (histogram !== null) take(histogram);
    return histogram !== null;
  }
  const [at, text] = Array.isArray(row["value"]) ? (row["value"] as readonly unknown[]) : [];
  if (typeof at !== "number" || typeof text !== "string") return false;
  const count = parseValue(text);
  if (count !== null && Number.isFinite(count)) take({ labels, value: Math.max(0, count) });
  return true;
}

function readWarnings(json: unknown): readonly string[] | null {
  if (json === undefined) return [];
  return Array.isArray(json) && json.every((one) => typeof one === "string") ? json : null;
}

function isLabels(json: unknown): json is Labels {
  if (!isRecord(json)) return false;
  for (const name in json) if (typeof json[name] !== "string") return false;
  return true;
}

/** `[moment, { sum, buckets }]`; null if it is none. */
function readHistogram(json: unknown, labels: Labels): HistogramRow | null {
  const [, body] = Array.isArray(json) ? (json as readonly unknown[]) : [];
  if (!isRecord(body) || typeof body["sum"] !== "string") return null;
  const { sum, buckets = [] } = body;
  if (!Array.isArray(buckets)) return null;
  const read: NativeBucket[] = [];
  for (const bucket of buckets as readonly unknown[]) {
    // Which of its bounds belong to it, left, right, count.
    const [, left, right, count] = Array.isArray(bucket) ? (bucket as readonly unknown[]) : [];
    if (typeof left !== "string" || typeof right !== "string" || typeof count !== "string") return null;
    const parsed = bucketOf(left, right, count);
    if (parsed !== null) read.push(parsed);
  }
  return { labels, buckets: read, sum: parseValue(sum) ?? 0 };
}

/** Null if one of them is no number. */
function bucketOf(leftText: string, rightText: string, countText: string): NativeBucket | null {
  const [left, right, count] = [parseValue(leftText), parseValue(rightText), parseValue(countText)];
  return left === null || right === null || count === null || Number.isNaN(count) ? null : { left, right, count };
}
