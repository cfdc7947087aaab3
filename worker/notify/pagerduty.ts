/**
 * PagerDuty's Events API v2: https://developer.pagerduty.com/docs/events-api-v2-overview. All steps of an incident have
 * one `dedup_key`, so that it is one alert, however often it is told, and its resolve ends that one.
 */
import type { Indicator } from "../../protocol/status.ts";
import type { Answer } from "../core/notify-delivery.ts";
import { verdictOf } from "../core/notify-delivery.ts";
import type { Message } from "../core/notify-message.ts";
import type { Attempt, Channel, Outgoing } from "./channel.ts";
import { cut, stepWords } from "./channel.ts";

const SUMMARY_MAX = 1_024;
const KEY = /^[0-9a-zA-Z]{32}$/;

const SEVERITY: Readonly<Record<Indicator, "critical" | "error" | "warning" | "info">> = {
  critical: "critical",
  major: "error",
  minor: "warning",
  maintenance: "info",
  none: "info",
};

export const pagerduty: Channel = {
  // The two service regions.
  hosts: ["events.pagerduty.com", "events.eu.pagerduty.com"],
  keyFault: (key) =>
    KEY.test(key) ? null : "must be an integration key of Events API v2: 32 letters and digits, without blanks",
  request: async (message, attempt) => requestOf(message, attempt),
  verdict: (answer) => verdictOf(answer, wordsOf(answer)),
};

function requestOf(message: Message, { keys }: Attempt): Outgoing {
  const { subject, title, text, components, page, url, impact, at } = message;
  // A test resolves what was never triggered: PagerDuty looks at key and form, and wakes nobody.
  const action = message.isOver ? "resolve" : "trigger";
  const event = {
    routing_key: keys[0] ?? "",
    event_action: action,
    dedup_key: `observatory:${subject}`,
    payload: {
      summary: cut(`${title} (${stepWords(message).toLowerCase()})`, SUMMARY_MAX),
      source: cut(page.url ?? page.name, SUMMARY_MAX),
      severity: SEVERITY[impact],
      timestamp: new Date(at).toISOString(),
      ...(components.length > 0 && { component: cut(components.join(", "), SUMMARY_MAX) }),
      custom_details: { status: message.step, impact, ...(text !== null && { update: text }) },
    },
    client: cut(page.name, SUMMARY_MAX),
    ...(page.url !== null && { client_url: page.url }),
    links: url === null ? [] : [{ href: url, text: "On the status page" }],
  };
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(event) };
}

/** "Event object is invalid: …" of an answer in the form that is documented; nothing of any other. */
function wordsOf({ text }: Answer): string {
  try {
    const { message, errors } = JSON.parse(text) as { readonly message?: unknown; readonly errors?: unknown };
    const said = [message, ...(Array.isArray(errors) ? errors : [])].filter((one) => typeof one === "string");
    return cut(said.join(": ").replaceAll(/[^\x20-\x7e]/g, " "), 200);
  } catch {
    return "";
  }
}
