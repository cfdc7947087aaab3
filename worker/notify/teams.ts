/**
 * Microsoft Teams by a workflow ("When a Teams webhook request is received"), which posts an Adaptive Card:
 * https://learn.microsoft.com/en-us/connectors/teams/#microsoft-teams-webhook. The address is the secret. A workflow takes
 * no key of ours: what is sent twice may be read twice.
 */
import { verdictOf } from "../core/notify-delivery.ts";
import type { Message } from "../core/notify-message.ts";
import type { Channel, Outgoing } from "./channel.ts";
import { stepWords, windowWords } from "./channel.ts";

/** What the schema of cards knows that Teams shows everywhere. */
const VERSION = "1.4";

export const teams: Channel = {
  // Where workflows live: those that were made before 2025, and all others.
  hosts: ["*.logic.azure.com", "*.api.powerplatform.com"],
  keyFault: () => null,
  request: async (message) => requestOf(message),
  verdict: (answer) => verdictOf(answer),
};

function requestOf(message: Message): Outgoing {
  const { title, text, components, page, url } = message;
  const window = windowWords(message);
  const facts = [
    ...(window === null ? [] : [fact("When", window)]),
    ...(components.length === 0 ? [] : [fact("Components", components.join(", "))]),
    fact("Page", page.name),
  ];
  const card = {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: VERSION,
    // What is read aloud, and where a card cannot be shown.
    fallbackText: plain(`${stepWords(message)}: ${title}`),
    body: [
      block(title, { size: "Large", weight: "Bolder" }),
      block(stepWords(message), { weight: "Bolder" }),
      ...(text === null ? [] : [block(text)]),
      { type: "FactSet", facts },
    ],
    ...(url !== null && { actions: [{ type: "Action.OpenUrl", title: "Read on the page", url }] }),
  };
  const attachments = [{ contentType: "application/vnd.microsoft.card.adaptive", contentUrl: null, content: card }];
  return { headers: { "content-type": "application/json" }, body: JSON.stringify({ type: "message", attachments }) };
}

function block(text: string, looks: Readonly<Record<string, string>> = {}): object {
  return { type: "TextBlock", text: plain(text), wrap: true, ...looks };
}

function fact(title: string, value: string): object {
  return { title, value: plain(value) };
}

/** A card reads Markdown: nothing that somebody typed may hide where a link leads. */
function plain(text: string): string {
  return text.replaceAll("[", "\\[");
}
