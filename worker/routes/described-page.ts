/** The public documents as schemas: Statuspage's field names, and its clients know more of them than stand here. */
import * as v from "valibot";
import { COMPONENT_STATUSES, INDICATORS } from "../../protocol/status.ts";
import { Timestamp } from "./described.ts";

export const HealthAnswer = v.strictObject({ status: v.literal("ok") });

const Page = v.strictObject({
  id: v.string(),
  name: v.string(),
  url: v.string(),
  time_zone: v.string(),
  updated_at: Timestamp,
});
const Status = v.strictObject({ indicator: v.picklist(INDICATORS), description: v.string() });
const Text = v.nullable(v.string());

const Component = v.looseObject({
  id: v.string(),
  name: v.string(),
  status: v.pipe(
    v.picklist(COMPONENT_STATUSES.filter((status) => status !== "unknown")),
    v.description("Unknown goes out as degraded_performance, with a description that says that data is missing"),
  ),
  description: Text,
  group: v.boolean(),
  group_id: Text,
  created_at: Timestamp,
  updated_at: Timestamp,
});

const Maintenance = v.looseObject({
  id: v.string(),
  name: v.string(),
  status: v.string(),
  impact: v.string(),
  created_at: Timestamp,
  scheduled_for: Timestamp,
  scheduled_until: Timestamp,
  components: v.array(Component),
});

export const StatusAnswer = v.strictObject({ page: Page, status: Status });

export const SummaryAnswer = v.strictObject({
  page: Page,
  components: v.array(Component),
  incidents: v.array(v.looseObject({ id: v.string() })),
  scheduled_maintenances: v.array(Maintenance),
  status: Status,
});
