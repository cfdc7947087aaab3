/** One query of Prometheus about a moment, and its answer as rows. */
import { failure, success, type Result } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import { parseValue } from "../core/exposition.ts";
import type { NativeBucket } from "../core/native.ts";
import { isRecord, parseJson, request } from "../http.ts";

/** 1,000 services with 20 buckets in a few revisions, as JSON; more is refused rather than held in memory. */
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
  const parameters = new URLSearchParams({ query, time: (at / 1_000).toFixed(3), timeout: `${timeoutMs}ms` });
  const answer = await request(`${url}/api/v1/query?${parameters.toString()}`, {
    timeoutMs,
    bytesMax: ANSWER_BYTES_MAX,
  });
  if (!answer.ok) return answer;
  const json = parseJson(answer.value.text);
  const rows = readVector(json);
  return rows === null ? failure(`HTTP ${answer.value.status}: ${errorOf(json)}`) : success(rows);
}

/** What Prometheus says is wrong with a request. */
function errorOf(json: unknown): string {
  return isRecord(json) && typeof json["error"] === "string" ? json["error"] : "not an answer of Prometheus";
}

/**
 * Read by hand: buckets of 500 services are 10,000 rows, and a schema would copy each of them, six times a minute.
 *
 * @returns null if it is no vector
 */
function readVector(json: unknown): Rows | null {
  if (!isRecord(json) || json["status"] !== "success" || !isRecord(json["data"])) return null;
  const { resultType, result } = json["data"];
  const warnings = readWarnings(json["warnings"]);
  if (resultType !== "vector" || !Array.isArray(result) || warnings === null) return null;
  const rows: Row[] = [];
  const histograms: HistogramRow[] = [];
  for (const row of result as readonly unknown[]) {
    if (!isRecord(row) || !isLabels(row["metric"])) return null;
    const labels = row["metric"];
    // A row has one of the two: a number, or a native histogram.
    if (row["histogram"] !== undefined) {
      const histogram = readHistogram(row["histogram"], labels);
      if (histogram === null) return null;
      histograms.push(histogram);
      continue;
    }
    const [at, text] = Array.isArray(row["value"]) ? (row["value"] as readonly unknown[]) : [];
    if (typeof at !== "number" || typeof text !== "string") return null;
    const count = parseValue(text);
    if (count !== null && Number.isFinite(count)) rows.push({ labels, value: Math.max(0, count) });
  }
  return { rows, histograms, warnings };
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
