/** Incidents and maintenances as operators ask for them. */
import * as v from "valibot";
import { LEASE_MODES, LEASE_REPLICAS_MAX } from "../../protocol/lease.ts";
import { isPrintable, line } from "../../protocol/name.ts";
import { INCIDENT_STATUSES, MAINTENANCE_STATUSES } from "../../protocol/page.ts";
import { COMPONENT_STATUSES, INDICATORS } from "../../protocol/status.ts";
import { AFFECTED_MAX, BODY_MAX } from "../core/announce.ts";
import { splitService } from "../core/component.ts";
import { Name, ServiceRef } from "./component-request.ts";
import { MomentRequest } from "./moment.ts";

/** Markdown. */
export const MarkdownText = v.pipe(
  v.string(),
  v.maxLength(BODY_MAX, `must be at most ${BODY_MAX} characters`),
  v.check(isPrintable, "has control characters"),
);
const Body = v.pipe(
  MarkdownText,
  v.check((text) => text.trim() !== "", "must not be empty"),
);

const oneOf = <const All extends readonly string[]>(all: All) => v.picklist(all, `must be one of ${all.join(", ")}`);
const listed = <Schema extends v.GenericSchema>(item: Schema, max: number) =>
  v.pipe(v.array(item), v.maxLength(max, `at most ${max}`));

const ComponentStatusRequest = oneOf(COMPONENT_STATUSES);
const IncidentStatusRequest = oneOf(INCIDENT_STATUSES);
const MaintenanceStatusRequest = oneOf(MAINTENANCE_STATUSES);
/** An id, a name, or "group / name". */
export const ComponentRef = v.pipe(line(600), v.trim(), v.nonEmpty("must not be empty"));

const SaidOf = v.strictObject({ component: ComponentRef, status: ComponentStatusRequest });
/** What a rule would say of components. */
export const RuleComponents = v.array(SaidOf);

/** For operators. */
export const Reason = v.pipe(line(500), v.trim(), v.nonEmpty("must not be empty"));
const Key = v.pipe(v.string(), v.regex(/^[\w-]{8,64}$/, "must be 8 to 64 letters, digits, _ and -"));

const saidEntries = {
  body: Body,
  status: v.optional(IncidentStatusRequest),
  impact: v.optional(v.nullable(oneOf(INDICATORS))),
  /** For operators: why it is not what it is computed to be. */
  impactReason: v.optional(Reason),
  /** The number of whatever sends it: sent twice, it is said once. */
  key: v.optional(Key),
  /** What is said of each component that it touches. */
  components: v.optional(listed(SaidOf, AFFECTED_MAX), []),
  /** When it was so, if not now. */
  at: v.optional(MomentRequest),
};

/** `Guarded.revision`. */
const Revision = v.pipe(v.number(), v.integer(), v.minValue(0));

export const IncidentSchema = v.strictObject({ name: Name, ...saidEntries });
export const IncidentUpdateSchema = v.strictObject({
  name: v.optional(Name),
  ...saidEntries,
  revision: v.optional(Revision),
});

export const GuardedSchema = v.strictObject({ revision: v.optional(Revision) });
export const CorrectionSchema = v.strictObject({
  body: v.optional(Body),
  at: v.optional(MomentRequest),
  revision: v.optional(Revision),
});
/** Empty takes the draft away. */
export const PostmortemSchema = v.strictObject({ body: MarkdownText, revision: v.optional(Revision) });

/** Who wants to be reminded later than in a day wants a calendar. */
export const REMIND_MINUTES_MAX = 1_440;
export const REMIND_WANTED = "Say in how many minutes, from 1 to 1,440.";
const MINUTES = "must be a whole number of minutes from 1 to 1,440, or null to take it away";
export const RemindSchema = v.strictObject({
  minutes: v.nullable(
    v.pipe(v.number(MINUTES), v.integer(MINUTES), v.minValue(1, MINUTES), v.maxValue(REMIND_MINUTES_MAX, MINUTES)),
  ),
  /** Whether visitors read by when the next update comes. */
  isPublic: v.optional(v.boolean(), false),
});
export const MergeSchema = v.strictObject({ into: ComponentRef, revision: v.optional(Revision) });

/** What is said in place of what a draft says. */
export const DraftPublishSchema = v.strictObject({
  name: v.exactOptional(Name),
  body: v.exactOptional(Body),
  status: v.exactOptional(IncidentStatusRequest),
  impact: v.exactOptional(v.nullable(oneOf(INDICATORS))),
  components: v.exactOptional(listed(SaidOf, AFFECTED_MAX)),
  at: v.exactOptional(MomentRequest),
});

/** A target of the agent's that is put into maintenance with it. */
const Lease = v.pipe(
  v.strictObject({
    service: ServiceRef,
    mode: v.optional(v.picklist(LEASE_MODES), "announce"),
    replicas: v.optional(
      v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(LEASE_REPLICAS_MAX))),
      null,
    ),
    reason: Reason,
  }),
  v.check(({ mode, replicas }) => (mode === "scale") === (replicas !== null), "replicas belong to mode scale"),
  v.transform(({ service, ...rest }) => ({ ...rest, ...splitService(service) })),
);

export const MaintenanceSchema = v.pipe(
  v.strictObject({
    name: Name,
    body: v.optional(Body),
    startsAt: MomentRequest,
    endsAt: MomentRequest,
    components: v.optional(listed(ComponentRef, AFFECTED_MAX), []),
    /** Told of later than the policy asks; visitors read so. */
    emergency: v.optional(v.boolean()),
    lease: v.optional(v.nullable(Lease), null),
  }),
  v.check(
    ({ components, lease }) => components.length > 0 !== (lease !== null),
    "name the components it is about, or one target whose components it is then about",
  ),
);

export const MaintenanceUpdateSchema = v.strictObject({
  body: Body,
  status: v.optional(MaintenanceStatusRequest),
  at: v.optional(MomentRequest),
});

export const MaintenanceChangeSchema = v.strictObject({
  name: v.optional(Name),
  startsAt: v.optional(MomentRequest),
  endsAt: v.optional(MomentRequest),
  emergency: v.optional(v.boolean()),
});
