/** What is sent to each kind of receiver, in the form that it publishes. */
import { describe, expect, it } from "vitest";
import * as v from "valibot";
import { HOUR } from "../../protocol/time.ts";
import type { Message } from "../../worker/core/notify-message.ts";
import { CHANNELS } from "../../worker/notify/channels.ts";
import { signatureOf } from "../../worker/notify/webhook.ts";
import { message } from "./notify-facts.ts";
import { pagerDutyEvent, slackMessage, TEAMS_BYTES_MAX, teamsMessage } from "./notify-schemas.ts";

const AT = Date.UTC(2026, 10, 24, 3);
const KEY = "0123456789abcdef0123456789ABCDEF";
const window = { startsAt: AT, endsAt: AT + 30 * HOUR };

/** Everything that may be said, at its shortest and beyond its longest. */
const MESSAGES: readonly (readonly [name: string, message: Message])[] = [
  ["an incident", message()],
  ["its end", message({ step: "resolved", isOver: true, isFirst: false })],
  ["a maintenance", message({ topic: "maintenance", subject: "maintenance:m", step: "remind_24h", window })],
  ["a test", message({ topic: "test", step: "test", isOver: true, components: [], url: null })],
  ["nothing but a name", message({ text: null, components: [], url: null, page: { name: "Acme", url: null } })],
  [
    "more than fits",
    message({
      title: "é<&>".repeat(500),
      text: "<!channel> & <b>".repeat(600),
      components: Array(50).fill("x".repeat(120)),
    }),
  ],
];

async function sent(kind: keyof typeof CHANNELS, one: Message, keys: readonly string[] = [KEY]) {
  const { body, headers } = await CHANNELS[kind].request(one, { id: "r:k", at: AT, keys });
  return { body, headers, json: JSON.parse(body) as never };
}

describe("PagerDuty", () => {
  it.each(MESSAGES)("takes %s", async (_name, one) =>
    expect(v.is(pagerDutyEvent, (await sent("pagerduty", one)).json)).toBe(true),
  );

  it("has one alert of an incident, which its end resolves", async () => {
    const [first, last] = await Promise.all(
      [message(), message({ key: "incident:i:v", step: "resolved", isOver: true })].map((one) =>
        sent("pagerduty", one),
      ),
    );
    expect(first?.json).toMatchObject({
      routing_key: KEY,
      event_action: "trigger",
      dedup_key: "observatory:incident:i",
      payload: { summary: "Checkout is slow (investigating)", severity: "error", source: "https://status.acme.com" },
      links: [{ href: "https://status.acme.com/incidents/i", text: "On the status page" }],
    });
    expect(last?.json).toMatchObject({ event_action: "resolve", dedup_key: "observatory:incident:i" });
  });

  it("is tried without waking anybody", async () =>
    expect((await sent("pagerduty", message({ topic: "test", isOver: true }))).json).toMatchObject({
      event_action: "resolve",
    }));

  it.each([
    [
      "its words",
      '{"status":"invalid event","message":"Event object is invalid","errors":["no key"]}',
      "400 Event object is invalid: no key",
    ],
    ["what is not in its form", "<html>secret</html>", "400"],
    ["what would forge a line", '{"message":"a\\nb\\u001b[31m"}', "400 a b [31m"],
  ])("is quoted with %s", (_name, text, said) =>
    expect(CHANNELS.pagerduty.verdict({ status: 400, retryAfterMs: null, text }).said).toBe(said),
  );

  it.each(["", "short", `${KEY}0`, `${KEY.slice(1)} `])("has no key such as %j", (key) =>
    expect(CHANNELS.pagerduty.keyFault(key)).toContain("32"),
  );
});

describe("Slack", () => {
  it.each(MESSAGES)("takes %s", async (_name, one) =>
    expect(v.is(slackMessage, (await sent("slack", one)).json)).toBe(true),
  );

  it("is called together by nobody's text, and no name hides a link", async () => {
    const { body } = await sent("slack", message({ text: "<!channel> <https://evil.example|Acme>", title: "<!here>" }));
    const { blocks } = JSON.parse(body) as { blocks: readonly { text?: { type: string; text: string } }[] };
    const marked = blocks.flatMap(({ text }) => (text?.type === "mrkdwn" ? [text.text] : []));
    expect(marked.join("\n")).not.toMatch(/<[!@#h]/);
    expect(marked[0]).toContain("&lt;!channel&gt;");
  });

  it("shows a maintenance with its window", async () => {
    const { body } = await sent("slack", message({ topic: "maintenance", step: "started", window }));
    expect(body).toContain("2026-11-24 03:00–2026-11-25 09:00 UTC");
    expect(body).toContain("*Maintenance under way*");
  });

  it("is quoted with its one word, and with nothing else", () => {
    const said = (text: string): string => CHANNELS.slack.verdict({ status: 404, retryAfterMs: null, text }).said;
    expect([said("no_service"), said("<html>"), said("no_service\nmore")]).toEqual(["404 no_service", "404", "404"]);
  });
});

describe("Teams", () => {
  it.each(MESSAGES)("takes %s", async (_name, one) => {
    const { json, body } = await sent("teams", one);
    expect(v.is(teamsMessage, json)).toBe(true);
    expect(new TextEncoder().encode(body).length).toBeLessThan(TEAMS_BYTES_MAX);
  });

  it("shows no link that somebody typed under another name", async () => {
    const { body } = await sent("teams", message({ text: "[Acme](https://evil.example)", title: "[x](y)" }));
    expect(body).not.toMatch(/[^\\]\[(Acme|x)\]/);
  });
});

describe("a webhook", () => {
  // github.com/standard-webhooks/standard-webhooks, libraries: the vector that all of them are tested with.
  it("is signed as the standard's own libraries sign", async () =>
    expect(
      await signatureOf(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}',
      ),
    ).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));

  it("carries its id, its moment and a signature of each secret", async () => {
    const secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `whsec_${btoa("x".repeat(32))}`];
    const { headers, body } = await sent("webhook", message(), secrets);
    const content = `msg_r:k.${AT / 1_000}.${body}`;
    expect(headers).toMatchObject({ "webhook-id": "msg_r:k", "webhook-timestamp": String(AT / 1_000) });
    const signed = await Promise.all(secrets.map((secret) => signatureOf(secret, content)));
    expect(headers["webhook-signature"]).toBe(signed.join(" "));
  });

  it.each([
    ["incident.created", message()],
    ["incident.updated", message({ isFirst: false })],
    ["incident.resolved", message({ isFirst: false, isOver: true })],
    ["maintenance.started", message({ topic: "maintenance", step: "started", window })],
    ["test", message({ topic: "test" })],
  ])("says %s", async (type, one) => expect((await sent("webhook", one, [])).json).toMatchObject({ type }));

  it("is not quoted: its body may be anything that our request can reach", () =>
    expect(CHANNELS.webhook.verdict({ status: 500, retryAfterMs: null, text: "secret" }).said).toBe("500"));
});
