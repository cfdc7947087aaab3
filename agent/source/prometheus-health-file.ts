/**
 * The book of a Prometheus' health on disk: yesterday's counts of series, and what was told and is not over.
 *
 *   prometheus-health.json   { form, samples, suspects, open }
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { NAMED_MAX } from "../../protocol/health.ts";
import { EMPTY_HEALTH, OPEN_MAX, SUSPECTS_MAX, type HealthBook } from "../core/prometheus-health.ts";
import { messageOf } from "../disk.ts";
import { replaceFile } from "../frames.ts";
import { parseJson } from "../http.ts";

const FILE = "prometheus-health.json";
/** Rises with the form of the file: another form is begun anew. */
const FORM = 1;
const SAMPLES_MAX = 50;
const TROUBLES = ["target", "rule", "series"] as const;

const Moment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const FileSchema = v.object({
  form: v.literal(FORM),
  samples: v.pipe(
    v.array(
      v.object({
        at: Moment,
        head: v.nullable(Moment),
        top: v.pipe(v.array(v.object({ metric: v.string(), series: Moment })), v.maxLength(NAMED_MAX)),
      }),
    ),
    v.maxLength(SAMPLES_MAX),
  ),
  suspects: v.pipe(v.array(v.string()), v.maxLength(SUSPECTS_MAX)),
  open: v.pipe(
    v.array(v.object({ trouble: v.picklist(TROUBLES), subject: v.string(), since: Moment })),
    v.maxLength(TROUBLES.length * OPEN_MAX),
  ),
});

/** Empty where there is no file, or none that can be read: growth is known again after an hour. */
export function loadHealth(dataDir: string): HealthBook {
  const path = join(dataDir, FILE);
  try {
    const file = existsSync(path) ? v.safeParse(FileSchema, parseJson(readFileSync(path, "utf8"))) : null;
    if (file?.success !== true) return EMPTY_HEALTH;
    const { samples, suspects, open } = file.output;
    return { samples, suspects, open };
  } catch {
    return EMPTY_HEALTH;
  }
}

/** Null, or why it could not be written; the agent goes on without. */
export function saveHealth(dataDir: string, book: HealthBook): string | null {
  try {
    replaceFile(join(dataDir, FILE), Buffer.from(JSON.stringify({ form: FORM, ...book })));
    return null;
  } catch (error) {
    return `its book cannot be written: ${messageOf(error)}`;
  }
}
