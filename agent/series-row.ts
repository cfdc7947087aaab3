/** Rows of `timestamp,value`, as exports of monitoring systems and benchmarks have them. */
import { failure, success, type Result } from "../protocol/result.ts";
import { SECOND, type Millis } from "../protocol/time.ts";

export interface Row {
  /** As it was written. */
  readonly timestamp: string;
  readonly at: Millis;
  /** Null where the row has none: empty, or NaN. */
  readonly value: number | null;
}

const HEADER = /^\s*"?timestamp"?\s*,\s*"?value"?\s*$/i;
const MOMENT = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2}(?:\.\d+)?)(Z|[+-]\d{2}:\d{2})?$/;
/** Unix time, with up to milliseconds after the point. */
const SECONDS = /^\d{9,10}(?:\.\d+)?$/;
const SHOWN = 60;

export function isHeader(line: string): boolean {
  return HEADER.test(line);
}

/** A row, or what is wrong with it. A moment without a zone is UTC. */
export function parseRow(line: string): Result<Row, string> {
  const cells = line.split(",");
  const [timestamp = "", text = ""] = cells.map((cell) => cell.trim());
  if (cells.length !== 2) return failure(`"${shown(line)}" is not one timestamp and one value with a comma between`);
  const at = momentOf(timestamp);
  if (at === null)
    return failure(
      `"${shown(timestamp)}" is not a moment such as 2026-11-23 14:05:00, 2026-11-23T14:05:00Z or 1795442700`,
    );
  if (text === "" || text.toLowerCase() === "nan") return success({ timestamp, at, value: null });
  const value = Number(text);
  return Number.isFinite(value)
    ? success({ timestamp, at, value })
    : failure(`"${shown(text)}" is not a finite number; leave the value empty where there is none`);
}

function momentOf(text: string): Millis | null {
  if (SECONDS.test(text)) return Number(text) * SECOND;
  const [, day, time, zone = "Z"] = MOMENT.exec(text) ?? [];
  const at = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(at) ? null : at;
}

function shown(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}
