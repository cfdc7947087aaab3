/**
 * Reads the text format of Prometheus (0.0.4) and OpenMetrics (1.0), as far as counters need it: names, labels, values.
 * Types, help, timestamps and exemplars are skipped. A line that is not understood is counted, never guessed at.
 */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Name and labels as written: the series' identity within its target. */
  readonly series: string;
}

export interface Exposition {
  readonly samples: readonly Sample[];
  /** Lines that are neither samples nor comments. */
  readonly malformed: number;
}

/** The samples whose name `wanted` accepts. The rest of a line is only read if it is. */
export function parseExposition(text: string, wanted: (name: string) => boolean): Exposition {
  const samples: Sample[] = [];
  let malformed = 0;
  for (let start = 0; start < text.length;) {
    let end = text.indexOf("\n", start);
    if (end === -1) end = text.length;
    const line = text.slice(start, end).trim();
    start = end + 1;
    if (line === "" || line.startsWith("#")) continue;
    const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0];
    if (name === undefined) malformed++;
    else if (wanted(name)) {
      const sample = parseSample(line, name);
      if (sample === null) malformed++;
      else samples.push(sample);
    }
  }
  return { samples, malformed };
}

function parseSample(line: string, name: string): Sample | null {
  const labels: Record<string, string> = {};
  let at = name.length;
  if (line[at] === "{") {
    const end = parseLabels(line, at + 1, labels);
    if (end === null) return null;
    at = end;
  }
  const series = line.slice(0, at);
  if (!/^[ \t]/.test(line.slice(at))) return null;
  const value = parseValue(line.slice(at).trim().split(/[ \t]/, 1)[0] ?? "");
  return value === null ? null : { name, labels, value, series };
}

/** Reads `a="b",c="d"}` from `at` into `labels`; the place behind the brace, or null. */
function parseLabels(line: string, at: number, labels: Record<string, string>): number | null {
  const label = /[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,?)/y;
  label.lastIndex = at;
  for (;;) {
    const position = label.lastIndex;
    const rest = /[ \t]*\}/y;
    rest.lastIndex = position;
    if (rest.test(line)) return rest.lastIndex;
    const match = label.exec(line);
    if (match === null) return null;
    const [, name = "", value = "", comma] = match;
    labels[name] = value.includes("\\") ? value.replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c)) : value;
    if (comma === "" && line[label.lastIndex] !== "}") return null;
  }
}

const SPECIAL: Readonly<Record<string, number>> = {
  "+Inf": Number.POSITIVE_INFINITY,
  Inf: Number.POSITIVE_INFINITY,
  "-Inf": Number.NEGATIVE_INFINITY,
  NaN: Number.NaN,
};

/** A value as Prometheus writes it, in exposition and in query answers; null if it is no number. */
export function parseValue(text: string): number | null {
  const special = SPECIAL[text];
  if (special !== undefined) return special;
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : null;
}
