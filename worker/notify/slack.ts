/**
 * Slack's incoming webhooks with Block Kit: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
 * The address is the secret. A webhook takes no key of ours: what is sent twice may be read twice.
 */
import type { Answer } from "../core/notify-delivery.ts";
import { verdictOf } from "../core/notify-delivery.ts";
import type { Message } from "../core/notify-message.ts";
import type { Channel, Outgoing } from "./channel.ts";
import { cut, stepWords, windowWords } from "./channel.ts";

/** Characters: https://docs.slack.dev/reference/block-kit/blocks/header-block and section-block, context-block. */
const HEADER_MAX = 150;
const SECTION_MAX = 3_000;
const CONTEXT_MAX = 2_000;

/** All that Slack answers is one such word ("no_service", "invalid_payload", "channel_is_archived") or "ok". */
const WORD = /^[a-z_]{1,60}$/;

export const slack: Channel = {
  hosts: ["hooks.slack.com", "hooks.slack-gov.com"],
  keyFault: () => null,
  request: async (message) => requestOf(message),
  verdict: (answer: Answer) => verdictOf(answer, WORD.test(answer.text) ? answer.text : ""),
};

function requestOf(message: Message): Outgoing {
  const { title, text, components, page, url } = message;
  const state = `*${escaped(stepWords(message))}*`;
  const about = [windowWords(message), components.length > 0 && components.join(", ")].filter((part) => part);
  const foot = [escaped(page.name), ...(url === null ? [] : [`<${escaped(url)}|Read on the page>`])].join("  ·  ");
  const blocks = [
    { type: "header", text: { type: "plain_text", text: cut(title, HEADER_MAX), emoji: false } },
    { type: "section", text: mrkdwn(text === null ? state : `${state}\n${escaped(text)}`, SECTION_MAX) },
    ...(about.length === 0 ? [] : [{ type: "context", elements: [mrkdwn(escaped(about.join("\n")), CONTEXT_MAX)] }]),
    { type: "context", elements: [mrkdwn(foot, CONTEXT_MAX)] },
  ];
  // What notifications and screen readers say.
  const fallback = escaped(`${stepWords(message)}: ${title}`);
  return {
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: cut(fallback, SECTION_MAX), blocks, unfurl_links: false }),
  };
}

function mrkdwn(text: string, max: number): { readonly type: "mrkdwn"; readonly text: string } {
  return { type: "mrkdwn", text: cut(text, max) };
}

/** Slack's three: with "<" gone nothing that somebody typed can call a channel together or be a link of another name. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
