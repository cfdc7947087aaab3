/** A draft of an incident, made as Alertmanager makes one. */
import { expect } from "vitest";
import { MINUTE } from "../../protocol/time.ts";
import type { Edge } from "../support/miniflare.ts";
import { eventually } from "../support/process.ts";

const WITHIN_MS = 30_000;

/** An alert of long ago that makes a draft of Checkout. */
export async function alerted(edge: Edge, service: string): Promise<string> {
  const { token } = await edge.cli<{ token: string }>("POST", "/cli/v1/ingest/tokens", { cluster: "eu-1" });
  const rule = {
    name: "checkout",
    cluster: "eu-1",
    match: { service: "*" },
    components: [{ component: "Shop / Checkout", status: "partial_outage" }],
  };
  await edge.cli("PUT", "/cli/v1/draft-rules", { rules: [rule] });
  const alert = {
    status: "firing",
    labels: { alertname: "CheckoutFails", service },
    annotations: { summary: `${service} loses requests` },
    startsAt: new Date(Date.now() - 110 * MINUTE).toISOString(),
    endsAt: "0001-01-01T00:00:00Z",
    fingerprint: service.length.toString(16).padStart(16, "0"),
  };
  const sent = await fetch(`${edge.url}/ingest/alertmanager`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ version: "4", groupKey: service, status: "firing", receiver: "o", alerts: [alert] }),
  });
  expect(sent.status).toBe(200);
  const open = async () => {
    const { drafts } = await edge.cli<{ drafts: { id: string; state: string }[] }>("GET", "/cli/v1/drafts");
    return drafts.find(({ state }) => state === "open")?.id;
  };
  await eventually(async () => (await open()) !== undefined, WITHIN_MS, "a draft");
  return (await open()) ?? "";
}
