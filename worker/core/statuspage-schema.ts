/** Statuspage's documents as schemas: the API's description, and what tests hold every answer to. */
import * as v from "valibot";
import { INCIDENT_STATUSES, MAINTENANCE_STATUSES } from "../../protocol/page.ts";
import { COMPONENT_STATUSES, INDICATORS } from "../../protocol/status.ts";

/** Opaque, and stable for ever. */
const Id = v.pipe(v.string(), v.regex(/^[0-9a-z]{12}$/, "must be 12 lower-case letters and digits"));
/** RFC 3339 with milliseconds and the offset of the page's zone. */
const Moment = v.pipe(
  v.string(),
  v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)$/),
  v.isoTimestamp(),
);
const Address = v.pipe(v.string(), v.url());
const Text = v.nullable(v.string());
const Status = v.pipe(
  v.picklist(COMPONENT_STATUSES.filter((status) => status !== "unknown")),
  v.description("Unknown goes out as degraded_performance, with a description that says that data is missing"),
);
const Impact = v.picklist(INDICATORS);

const Page = v.strictObject({
  id: Id,
  name: v.string(),
  url: Address,
  time_zone: v.string(),
  updated_at: Moment,
});

const Component = v.strictObject({
  id: Id,
  name: v.string(),
  status: Status,
  created_at: Moment,
  updated_at: Moment,
  position: v.pipe(v.number(), v.integer(), v.minValue(1)),
  description: Text,
  showcase: v.boolean(),
  start_date: v.nullable(v.pipe(v.string(), v.isoDate())),
  group_id: v.nullable(Id),
  page_id: Id,
  group: v.boolean(),
  only_show_if_degraded: v.boolean(),
  components: v.pipe(v.exactOptional(v.array(Id)), v.description("Of a group: its members")),
});

const Affected = v.strictObject({ code: v.string(), name: v.string(), old_status: Status, new_status: Status });

function updateOf<Statuses extends readonly string[]>(statuses: Statuses) {
  return v.strictObject({
    id: Id,
    status: v.picklist(statuses),
    body: v.string(),
    incident_id: Id,
    created_at: Moment,
    updated_at: Moment,
    display_at: Moment,
    affected_components: v.array(Affected),
    deliver_notifications: v.boolean(),
    custom_tweet: v.null(),
    tweet_id: v.null(),
  });
}

/** The fields that incidents and maintenances share, in the origin's order. */
function fieldsOf<Statuses extends readonly string[]>(statuses: Statuses) {
  return {
    id: Id,
    name: v.string(),
    status: v.picklist(statuses),
    created_at: Moment,
    updated_at: Moment,
    monitoring_at: v.nullable(Moment),
    resolved_at: v.nullable(Moment),
    impact: Impact,
    shortlink: Address,
    started_at: Moment,
    page_id: Id,
    incident_updates: v.pipe(v.array(updateOf(statuses)), v.minLength(1), v.description("Newest first")),
    components: v.array(Component),
  };
}

const Incidents = v.array(v.strictObject(fieldsOf(INCIDENT_STATUSES)));
const Maintenances = v.array(
  v.strictObject({ ...fieldsOf(MAINTENANCE_STATUSES), scheduled_for: Moment, scheduled_until: Moment }),
);
const RollUp = v.strictObject({ indicator: Impact, description: v.string() });

export const StatusDocument = v.strictObject({ page: Page, status: RollUp });
export const SummaryDocument = v.strictObject({
  page: Page,
  components: v.array(Component),
  incidents: Incidents,
  scheduled_maintenances: Maintenances,
  status: RollUp,
});
export const ComponentsDocument = v.strictObject({ page: Page, components: v.array(Component) });
export const IncidentsDocument = v.strictObject({ page: Page, incidents: Incidents });
export const MaintenancesDocument = v.strictObject({ page: Page, scheduled_maintenances: Maintenances });
