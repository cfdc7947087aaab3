/** Plans and series as the command line and files ask for them. */
import * as v from "valibot";
import { LEASE_REPLICAS_MAX } from "../../protocol/lease.ts";
import { AFFECTED_MAX } from "../core/announce.ts";
import { isTimeZone } from "../core/calendar.ts";
import { CHECKLIST_MAX, CHECKLIST_PHASES } from "../core/checklist.ts";
import { targetFrom } from "../core/config/series.ts";
import { ComponentRef, MarkdownText, Reason } from "./announce-request.ts";
import { Name, ServiceRef } from "./component-request.ts";
import { MomentRequest } from "./moment.ts";
import { PLAN_HOURS_MAX, TARGETS_MAX } from "./plan-request.ts";

const TargetSaid = v.strictObject({
  service: ServiceRef,
  replicas: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(LEASE_REPLICAS_MAX))),
});
const Targets = v.pipe(v.array(TargetSaid), v.maxLength(TARGETS_MAX, `at most ${TARGETS_MAX}`));
const Components = v.pipe(v.array(ComponentRef), v.maxLength(AFFECTED_MAX, `at most ${AFFECTED_MAX}`));

const HOURS = `must be a number of hours, more than 0 and at most ${PLAN_HOURS_MAX}`;

/** What is said of a plan and of a series alike. */
const steered = {
  name: Name,
  body: v.exactOptional(MarkdownText),
  reason: v.exactOptional(Reason),
  components: v.exactOptional(Components),
  targets: v.exactOptional(Targets),
};
const REASON = "give a reason: the clusters' owners read it beside the change";
function hasReason({
  targets = [],
  reason,
}: {
  readonly targets?: readonly unknown[];
  readonly reason?: string;
}): boolean {
  return targets.length === 0 || reason !== undefined;
}

const seriesEntries = {
  ...steered,
  id: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-z]{12}$/, "must be 12 of 0-9 and a-z"))),
  /** `recurrence.ts` says what is wrong with it. */
  rule: v.pipe(v.string(), v.maxLength(500)),
  start: v.pipe(v.string(), v.maxLength(20)),
  timeZone: v.pipe(v.string(), v.check(isTimeZone, "must be a time zone such as Europe/Berlin")),
  hours: v.pipe(v.number(HOURS), v.gtValue(0, HOURS), v.maxValue(PLAN_HOURS_MAX, HOURS)),
  closing: v.exactOptional(v.literal("checks", 'must be "checks", or left out')),
};
export const SeriesSaidSchema = v.pipe(
  v.strictObject(seriesEntries),
  v.check((said) => hasReason(said), REASON),
);

export const PlanSchema = v.pipe(
  v.strictObject({
    ...steered,
    startsAt: MomentRequest,
    endsAt: MomentRequest,
    closing: v.optional(v.picklist(["person", "checks"]), "person"),
    emergency: v.optional(v.boolean(), false),
  }),
  v.check((said) => hasReason(said), REASON),
  v.transform(({ reason = "", components = [], targets = [], ...rest }) => ({
    ...rest,
    reason,
    components,
    targets: targets.map(targetFrom),
  })),
);

export const ChecklistSchema = v.pipe(
  v.array(
    v.strictObject({
      id: v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,40}$/, "must be 1 to 40 of a-z, 0-9 and -")),
      phase: v.picklist(CHECKLIST_PHASES, `must be one of ${CHECKLIST_PHASES.join(", ")}`),
      text: Name,
    }),
  ),
  v.minLength(1, "must have an item; null is the runbook's list"),
  v.maxLength(CHECKLIST_MAX, `at most ${CHECKLIST_MAX} items`),
);
