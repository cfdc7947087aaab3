/**
 * Webhooks for programs, signed as Standard Webhooks 1.0 wants it: https://www.standardwebhooks.com. `webhook-id` stays
 * the same over all attempts; while a secret is being replaced there is a signature of each.
 */
import type { Answer } from "../core/notify-delivery.ts";
import { verdictOf } from "../core/notify-delivery.ts";
import type { Message } from "../core/notify-message.ts";
import { SECOND } from "../../protocol/time.ts";
import type { Attempt, Channel, Outgoing } from "./channel.ts";

const PREFIX = "whsec_";

export const webhook: Channel = {
  hosts: null,
  keyFault: () => null,
  request: requestOf,
  // A stranger's body is nobody's to see: it may be anything that our request can reach.
  verdict: (answer: Answer) => verdictOf(answer),
};

async function requestOf(message: Message, { id, at, keys }: Attempt): Promise<Outgoing> {
  const body = JSON.stringify({
    type: typeOf(message),
    timestamp: new Date(message.at).toISOString(),
    data: dataOf(message),
  });
  const webhookId = `msg_${id}`;
  const timestamp = String(Math.floor(at / SECOND));
  const signatures = await Promise.all(keys.map((key) => signatureOf(key, `${webhookId}.${timestamp}.${body}`)));
  return {
    headers: {
      "content-type": "application/json",
      "webhook-id": webhookId,
      "webhook-timestamp": timestamp,
      "webhook-signature": signatures.join(" "),
    },
    body,
  };
}

/** "incident.created", "incident.updated", "incident.resolved", "maintenance.started", "test". */
function typeOf({ topic, step, isFirst, isOver }: Message): string {
  if (topic === "test") return "test";
  if (topic === "maintenance") return `maintenance.${step}`;
  return `incident.${isOver ? "resolved" : isFirst ? "created" : "updated"}`;
}

function dataOf({ subject, step, impact, title, text, components, window, page, url }: Message): object {
  return {
    id: subject.slice(subject.indexOf(":") + 1),
    name: title,
    status: step,
    impact,
    body: text,
    components,
    ...(window !== null && {
      scheduled_for: new Date(window.startsAt).toISOString(),
      scheduled_until: new Date(window.endsAt).toISOString(),
    }),
    url,
    page,
  };
}

/** "v1,…": HMAC-SHA256 by what follows "whsec_" in base64. */
export async function signatureOf(secret: string, content: string): Promise<string> {
  const text = new TextEncoder();
  const bytes = Uint8Array.from(atob(secret.slice(PREFIX.length)), (c) => c.charCodeAt(0));
  const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const signed = await crypto.subtle.sign("HMAC", key, text.encode(content));
  return `v1,${btoa(String.fromCharCode(...new Uint8Array(signed)))}`;
}

/** A secret as receivers' libraries take it. @param bytes 24 to 64 of them, base64 */
export function webhookSecret(bytes: string): string {
  return PREFIX + bytes;
}
