/**
 * What receivers take, distilled from what they publish; nothing else is let through.
 *
 *   pagerDutyEvent  developer.pagerduty.com/api-reference, events-v2 openapiv3.json, POST /enqueue; summary ≤ 1,024 and
 *                   dedup_key ≤ 255: /docs/events-api-v2-overview
 *   slackMessage    docs.slack.dev/reference/block-kit/blocks: header-block (150), section-block (3,000), context-block
 *                   (10 elements), at most 50 blocks; messaging/sending-messages-using-incoming-webhooks
 */
import * as v from "valibot";

const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
const moment = v.pipe(v.string(), v.isoTimestamp());
const url = v.pipe(v.string(), v.url());

export const pagerDutyEvent = v.strictObject({
  routing_key: v.pipe(v.string(), v.length(32)),
  event_action: v.picklist(["trigger", "acknowledge", "resolve"]),
  dedup_key: text(255),
  payload: v.strictObject({
    summary: text(1_024),
    source: text(1_024),
    severity: v.picklist(["critical", "error", "warning", "info"]),
    timestamp: moment,
    component: v.optional(text(1_024)),
    group: v.optional(v.string()),
    class: v.optional(v.string()),
    custom_details: v.optional(v.record(v.string(), v.string())),
  }),
  client: v.optional(v.string()),
  client_url: v.optional(url),
  links: v.optional(v.array(v.strictObject({ href: url, text: v.string() }))),
  images: v.optional(v.array(v.strictObject({ src: url, href: v.optional(url), alt: v.optional(v.string()) }))),
});

const mrkdwn = (max: number) => v.strictObject({ type: v.literal("mrkdwn"), text: text(max) });
const plain = (max: number) =>
  v.strictObject({ type: v.literal("plain_text"), text: text(max), emoji: v.optional(v.boolean()) });

export const slackMessage = v.strictObject({
  text: text(40_000),
  unfurl_links: v.optional(v.boolean()),
  blocks: v.pipe(
    v.array(
      v.variant("type", [
        v.strictObject({ type: v.literal("header"), text: plain(150) }),
        v.strictObject({ type: v.literal("section"), text: mrkdwn(3_000) }),
        v.strictObject({
          type: v.literal("context"),
          elements: v.pipe(v.array(mrkdwn(3_000)), v.minLength(1), v.maxLength(10)),
        }),
      ]),
    ),
    v.minLength(1),
    v.maxLength(50),
  ),
});
