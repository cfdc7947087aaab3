/** Uptime as the operator API answers it. */
import * as v from "valibot";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { SLO_VERDICTS } from "../core/slo.ts";
import { Count, Ratio, Timestamp } from "./described.ts";

const UptimeRatio = v.pipe(v.nullable(Ratio), v.description("Floored; null if nothing was observed"));
const Day = v.pipe(v.string(), v.isoDate(), v.description("A day of the page's zone"));
const Hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

export const TimeUptimeAnswer = v.strictObject({
  ratio: UptimeRatio,
  majorMs: Count,
  partialMs: Count,
  degradedMs: Count,
  maintenanceMs: v.pipe(Count, v.description("Left out of the ratio")),
  unknownMs: v.pipe(Count, v.description("Left out of the ratio")),
});

export const RequestUptimeAnswer = v.strictObject({ ratio: UptimeRatio, requests: Count, errors: Count });

const figure = {
  time: TimeUptimeAnswer,
  requests: v.pipe(v.nullable(RequestUptimeAnswer), v.description("null while Postgres cannot be reached")),
};
const range = { from: Day, to: Day, ...figure };

const Slo = v.strictObject({
  target: Ratio,
  days: Count,
  allowedMs: Count,
  lostMs: Count,
  leftRatio: v.pipe(v.number(), v.description("Share of the budget that is left; negative once it is overspent")),
  burn: v.strictObject({ hour: v.nullable(Count), sixHours: v.nullable(Count) }),
  verdict: v.picklist(SLO_VERDICTS),
  reason: v.string(),
});

const Amendment = v.strictObject({
  n: Count,
  day: Day,
  at: Timestamp,
  from: Timestamp,
  to: Timestamp,
  status: v.picklist(COMPONENT_STATUSES),
  reason: v.string(),
  by: v.string(),
  time: v.pipe(TimeUptimeAnswer, v.description("The day's figure since then")),
});

export const UptimeAnswer = v.strictObject({
  component: v.strictObject({ id: v.string(), name: v.string() }),
  timeZone: v.string(),
  rule: v.string(),
  last30Days: v.nullable(v.strictObject(range)),
  last90Days: v.nullable(v.strictObject(range)),
  months: v.array(v.strictObject({ month: v.string(), ...range })),
  days: v.array(
    v.strictObject({
      day: Day,
      isFrozen: v.boolean(),
      ...figure,
      was: v.pipe(v.nullable(TimeUptimeAnswer), v.description("As first frozen, if the day was corrected since")),
    }),
  ),
  slo: v.nullable(Slo),
  frozen: v.pipe(
    v.nullable(v.strictObject({ day: Day, n: Count, hash: Hash })),
    v.description("The newest frozen day, and the hash that stands for it and all before it"),
  ),
  amendments: v.array(Amendment),
});
