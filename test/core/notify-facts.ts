import type { Message } from "../../worker/core/notify-message.ts";

/** An incident's first word, but for what a test says otherwise. */
export function message(facts: Partial<Message> = {}): Message {
  return {
    key: "incident:i:u",
    subject: "incident:i",
    topic: "incident",
    step: "investigating",
    isFirst: true,
    isOver: false,
    impact: "major",
    title: "Checkout is slow",
    text: "We look at it.",
    components: ["Checkout"],
    at: Date.UTC(2026, 10, 24, 3),
    window: null,
    page: { name: "Acme", url: "https://status.acme.com" },
    url: "https://status.acme.com/incidents/i",
    ...facts,
  };
}
