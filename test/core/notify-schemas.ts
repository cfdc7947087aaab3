/**
 * What receivers take, distilled from what they publish; nothing else is let through.
 *
 *   pagerDutyEvent  developer.pagerduty.com/api-reference, events-v2 openapiv3.json, POST /enqueue; summary ≤ 1,024 and
 *                   dedup_key ≤ 255: /docs/events-api-v2-overview
 *   slackMessage    docs.slack.dev/reference/block-kit/blocks: header-block (150), section-block (3,000), context-block
 *                   (10 elements), at most 50 blocks; messaging/sending-messages-using-incoming-webhooks
 *   teamsMessage    raw.githubusercontent.com/microsoft/AdaptiveCards/main/schemas/1.6.0/adaptive-card.json: AdaptiveCard,
 *                   TextBlock, FactSet, Action.OpenUrl as of 1.4; learn.microsoft.com/connectors/teams for what is around
 *                   it, and 28 KB for all: learn.microsoft.com/microsoftteams, "Format cards"
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

const teamsBlock = v.strictObject({
  type: v.literal("TextBlock"),
  text: v.pipe(v.string(), v.minLength(1)),
  wrap: v.optional(v.boolean()),
  size: v.optional(v.picklist(["Small", "Default", "Medium", "Large", "ExtraLarge"])),
  weight: v.optional(v.picklist(["Lighter", "Default", "Bolder"])),
});
const teamsFacts = v.strictObject({
  type: v.literal("FactSet"),
  facts: v.array(v.strictObject({ title: v.string(), value: v.string() })),
});

export const TEAMS_BYTES_MAX = 28_000;

export const teamsMessage = v.strictObject({
  type: v.literal("message"),
  attachments: v.tuple([
    v.strictObject({
      contentType: v.literal("application/vnd.microsoft.card.adaptive"),
      contentUrl: v.null(),
      content: v.strictObject({
        $schema: v.literal("http://adaptivecards.io/schemas/adaptive-card.json"),
        type: v.literal("AdaptiveCard"),
        version: v.literal("1.4"),
        fallbackText: v.optional(v.string()),
        body: v.array(v.variant("type", [teamsBlock, teamsFacts])),
        actions: v.optional(
          v.array(v.strictObject({ type: v.literal("Action.OpenUrl"), title: v.optional(v.string()), url })),
        ),
      }),
    }),
  ]),
});
