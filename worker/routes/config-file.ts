/** A file of the page as code: what it may say, section by section, and how it is written. */
import * as v from "valibot";
import { stringify } from "yaml";
import { THRESHOLD_MAX, THRESHOLD_MIN } from "../../protocol/detector.ts";
import { ClusterName, line } from "../../protocol/name.ts";
import { METRICS_MAX } from "../core/day.ts";
import { IGNORED_MAX } from "../core/inbox.ts";
import type { SECTIONS, WholeFile } from "../core/config/config.ts";
import { MOMENTS } from "../core/config/plan.ts";
import { ComponentSaidSchema, ServiceSelector, ThresholdsRequest } from "./component-request.ts";
import { SERIES_MAX } from "../core/schedule.ts";
import { RulesSaid } from "./drafts.ts";
import { PageSaidSchema } from "./page-request.ts";
import { ChecklistSchema, SeriesSaidSchema } from "./plan-schema.ts";
import { TemplatesSaid } from "./template-request.ts";

const ChartSaid = v.strictObject({
  id: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-z]{12}$/, "must be 12 of 0-9 and a-z"))),
  kind: v.picklist(["p95", "error_ratio", "request_rate"]),
  component: v.exactOptional(line(600)),
  name: v.exactOptional(line(60)),
});

const DAYS = "must be a whole number of days from 0 to 90, or null for the runbook's 7";
const SCORE = `must be between ${THRESHOLD_MIN} and ${THRESHOLD_MAX}`;

/** A section without a schema does not compile. */
const SECTION_SCHEMAS = {
  page: v.exactOptional(PageSaidSchema),
  limits: v.exactOptional(ThresholdsRequest),
  components: v.exactOptional(v.array(ComponentSaidSchema)),
  charts: v.exactOptional(
    v.nullable(
      v.pipe(v.array(ChartSaid), v.maxLength(METRICS_MAX, `at most ${METRICS_MAX} charts fit the first view`)),
    ),
  ),
  draftRules: v.exactOptional(RulesSaid),
  incidentTemplates: v.exactOptional(v.nullable(TemplatesSaid)),
  anomalies: v.exactOptional(
    v.record(ClusterName, v.pipe(v.number(SCORE), v.minValue(THRESHOLD_MIN, SCORE), v.maxValue(THRESHOLD_MAX, SCORE))),
  ),
  noticeDays: v.exactOptional(
    v.nullable(v.pipe(v.number(DAYS), v.integer(DAYS), v.minValue(0, DAYS), v.maxValue(90, DAYS))),
  ),
  checklist: v.exactOptional(v.nullable(ChecklistSchema)),
  series: v.exactOptional(v.pipe(v.array(SeriesSaidSchema), v.maxLength(SERIES_MAX, `at most ${SERIES_MAX}`))),
  ignored: v.exactOptional(v.pipe(v.array(ServiceSelector), v.maxLength(IGNORED_MAX, `at most ${IGNORED_MAX}`))),
} satisfies Record<
  (typeof SECTIONS)[number]["name"],
  v.GenericSchema | v.ExactOptionalSchema<v.GenericSchema, undefined>
>;

export const ConfigFileSchema = v.strictObject({
  version: v.literal(1, "must be 1: a file of a later version needs a later edge"),
  ...SECTION_SCHEMAS,
});

const HEAD = `# The page as code: npm run -s config -- plan|apply FILE
# A section that is left out stays as it is; in one that is here, what is left out is what a new page has.
# Components stand in the order of the page. Ids and "since" are what programs know; without them they are new.
`;

/** A whole file as YAML, its moments as RFC 3339. */
export function configYaml(file: WholeFile): string {
  return HEAD + stringify(outward(file), { lineWidth: 0 });
}

/** A value as files have it: moments are RFC 3339. */
export function outward(value: unknown, name = ""): unknown {
  if (MOMENTS.includes(name) && typeof value === "number") return new Date(value).toISOString();
  if (Array.isArray(value)) return value.map((one) => outward(one));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, outward(one, key)]));
}
