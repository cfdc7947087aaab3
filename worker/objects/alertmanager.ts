/**
 * Alertmanager's webhook, version 4, as far as it is needed here: unknown fields are accepted, and each alert is judged
 * alone. Its `endsAt` is 0001-01-01 while an alert fires.
 */
import * as v from "valibot";
import { oneLine } from "../../protocol/name.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Notification, ToldAlert } from "../core/alert.ts";
import { shortHash } from "../core/hash.ts";

/** Bytes of a notification; `max_alerts` in Alertmanager's configuration keeps it below. */
export const NOTIFICATION_BYTES_MAX = 1_048_576;
/** Alerts of one notification. Further ones are left, and it counts as cut short. */
const ALERTS_MAX = 1_000;
/** UTF-16 units that are kept of each. */
const LABEL_MAX = 200;
const SUMMARY_MAX = 200;
/**
 * Bytes of all labels of an alert together, as JSON. All alerts of a cluster are one row, which holds 2 MB: 500 that
 * fire with these, their name and severity once more and a summary of 600 bytes, and 500 that ended with name and severity.
 */
const LABELS_BYTES_MAX = 900;

export type NotificationFailure = { readonly code: "version" | "malformed"; readonly message: string };

const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;
const Moment = v.pipe(
  v.string(),
  v.regex(RFC3339, "must be a moment as 2026-11-23T01:02:03Z"),
  v.transform((text) => Date.parse(text)),
  v.check((at) => !Number.isNaN(at), "must be a moment that exists"),
);
const Texts = v.record(v.string(), v.string());

const AlertSchema = v.object({
  status: v.picklist(["firing", "resolved"], "must be firing or resolved"),
  labels: Texts,
  annotations: v.optional(Texts, {}),
  startsAt: v.pipe(
    Moment,
    v.check((at) => at > 0, "must be after 1970"),
  ),
  endsAt: v.optional(Moment),
  fingerprint: v.pipe(v.string(), v.regex(/^[0-9a-f]{1,16}$/, "must be at most 16 hex digits")),
});

const NotificationSchema = v.object({
  version: v.string(),
  groupKey: v.string(),
  receiver: v.string(),
  truncatedAlerts: v.optional(v.number(), 0),
  alerts: v.array(v.unknown()),
});

/** Reads the JSON of a notification. Good alerts are taken whatever stands beside them. */
export function readNotification(json: unknown): Result<Notification, NotificationFailure> {
  const version = v.safeParse(v.object({ version: v.unknown() }), json);
  if (version.success && version.output.version !== "4") {
    const message = `version ${JSON.stringify(version.output.version)?.slice(0, 40)}: only Alertmanager's webhook version "4" is known.`;
    return failure({ code: "version", message });
  }
  const parsed = v.safeParse(NotificationSchema, json, { abortEarly: true });
  if (!parsed.success) return failure({ code: "malformed", message: faultOf(parsed.issues[0]) });
  const { receiver, groupKey, truncatedAlerts, alerts } = parsed.output;
  const taken: ToldAlert[] = [];
  const refused: { readonly index: number; readonly reason: string }[] = [];
  for (const [index, alert] of alerts.slice(0, ALERTS_MAX).entries()) {
    const one = v.safeParse(AlertSchema, alert, { abortEarly: true });
    if (one.success) taken.push(told(one.output));
    else refused.push({ index, reason: faultOf(one.issues[0]) });
  }
  const isComplete = truncatedAlerts === 0 && refused.length === 0 && alerts.length <= ALERTS_MAX;
  return success({ group: shortHash(`${receiver} ${groupKey}`), isComplete, alerts: taken, refused });
}

function faultOf(issue: v.BaseIssue<unknown>): string {
  return `${v.getDotPath(issue) ?? "body"}: ${issue.message}`.slice(0, 300);
}

function told({
  status,
  labels,
  annotations,
  startsAt,
  endsAt,
  fingerprint,
}: v.InferOutput<typeof AlertSchema>): ToldAlert {
  const kept = keptLabels(labels);
  const summary = annotations["summary"] ?? annotations["description"] ?? annotations["message"] ?? "";
  return {
    isFiring: status === "firing",
    fingerprint: fingerprint.padStart(16, "0"),
    startsAt,
    endsAt: status === "resolved" && endsAt !== undefined && endsAt > 0 ? endsAt : null,
    name: kept["alertname"] ?? "alert",
    severity: kept["severity"] ?? null,
    summary: short(summary, SUMMARY_MAX) || null,
    labels: kept,
  };
}

/** Those that rules ask for come first by their names, so that the same ones are kept of each that is told. */
function keptLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  let room = LABELS_BYTES_MAX;
  const kept: [string, string][] = [];
  const sorted = Object.entries(labels).toSorted(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
  for (const [name, value] of sorted) {
    const pair: [string, string] = [short(name, LABEL_MAX), short(value, LABEL_MAX)];
    if (pair[1] === "") continue;
    room -= UTF8.encode(JSON.stringify(pair)).length;
    if (room < 0) break;
    kept.push(pair);
  }
  return Object.fromEntries(kept);
}

const UTF8 = new TextEncoder();
const FIRST = ["alertname", "severity", "namespace", "service", "job", "team"];

function rank(name: string): number {
  const at = FIRST.indexOf(name);
  return at < 0 ? FIRST.length : at;
}

function short(text: string, max: number): string {
  return oneLine(text.slice(0, max));
}
