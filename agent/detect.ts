/** `npm run -s detect -- FILE.csv`: the detector alone, row by row, for a look at what it says of a series. */
import { once } from "node:events";
import { open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { failure, success, type Result } from "../protocol/result.ts";
import { Series, type Scored } from "./core/series.ts";
import { isHeader, parseRow } from "./series-row.ts";
import { THRESHOLD } from "../protocol/detector.ts";

const HELP = `
npm run -s detect -- FILE.csv   how unusual each row of a series is, from 0 to 1

  FILE.csv   rows of timestamp,value, oldest first; "-" reads standard input. A header is skipped. A moment without a
             zone is UTC; a row without a value is a gap, not a zero
  --help     this

  Prints timestamp,score for every row, in order. A score depends on this row and earlier ones alone.
  ${THRESHOLD} raises an anomaly: the row deviates as only one in 525 did before it. Once raised, scores stay below ${THRESHOLD} until the
  anomaly is over and 100 rows have passed: one anomaly is one row. 0 is also printed while the first day is learnt.

  npm run -s detect -- cpu.csv | awk -F, '$2 >= ${THRESHOLD}'
`;

/** What is at the threshold and not raised is printed as just below it. */
const HELD = THRESHOLD - 0.0001;
const DIGITS = 4;
const EXIT_ROW = 1;
const EXIT_USAGE = 2;
/** A row that is longer is no row, characters. */
const LINE_MAX = 1_024;

async function main(): Promise<void> {
  const file = readArguments();
  if (file === null) return void process.stdout.write(`${HELP.trim()}\n`);
  if (!file.ok) return end(EXIT_USAGE, `${file.failure}; --help shows how`);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever reads (head) has enough.
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  const fault = await detect(file.value);
  if (fault !== null) end(EXIT_ROW, fault);
}

/** The file to read; null if help is wanted. */
function readArguments(): Result<string, string> | null {
  try {
    const options = { help: { type: "boolean", short: "h", default: false } } as const;
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    if (values.help) return null;
    const [file, ...more] = positionals;
    if (file === undefined) return failure("which file?");
    return more.length === 0 ? success(file) : failure("one file at a time");
  } catch (error) {
    return failure(error instanceof Error ? (error.message.split(".")[0] ?? "") : String(error));
  }
}

/** Prints a score for each row. Why it stopped short, or null. */
async function detect(file: string): Promise<string | null> {
  const name = file === "-" ? "standard input" : file;
  const series = new Series();
  let [number, rows] = [0, 0];
  try {
    const input = file === "-" ? process.stdin : (await open(file)).createReadStream();
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
    for await (const line of lines) {
      number++;
      if (line.trim() === "" || (number === 1 && isHeader(line))) continue;
      const row = line.length > LINE_MAX ? failure("the line is too long to be a row") : parseRow(line);
      if (!row.ok) return `${name}:${number}: ${row.failure}`;
      rows++;
      const { timestamp, at, value } = row.value;
      const isTaken = process.stdout.write(`${timestamp},${printed(series.take({ at, value })).toFixed(DIGITS)}\n`);
      if (!isTaken) await once(process.stdout, "drain");
    }
    return rows === 0 ? `${name}: has no rows` : null;
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function printed({ score, act }: Scored): number {
  if (score === null) return 0;
  return act === "raise" ? score : Math.min(score, HELD);
}

function end(code: number, message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
}

await main();
