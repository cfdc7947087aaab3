/** The session beside peers that know nothing of pushes over it: messages as they were recorded, and as they are. */
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { PUSH_BYTES_MAX } from "../../protocol/limits.ts";
import { SignedDesiredSchema } from "../../protocol/lease.ts";
import type { SessionMessage } from "../../protocol/session.ts";
import { FRAME_BYTES_MAX, PushFrameSchema, SessionMessageSchema } from "../../protocol/session.ts";

/** What an edge of before sent. */
const BEFORE = {
  opened: '{"type":"opened","serverTime":1795392000000}',
  desired:
    '{"type":"desired","desired":{"payload":"{\\"cluster\\":\\"demo\\",\\"generation\\":1,\\"leases\\":[],\\"v\\":1}","keyId":"k","signature":"s"}}',
};

/** What an agent of before reads messages with. */
const SchemaBefore = v.variant("type", [
  v.object({ type: v.literal("opened"), serverTime: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) }),
  v.object({ type: v.literal("desired"), desired: SignedDesiredSchema }),
]);

const RECEIPT = { epoch: 7, received: 3, persisted: 1, rejected: [], serverTime: 1, nextPushMs: 10_000 };

describe("an agent of today and an edge of before", () => {
  it("whose `opened` says nothing of pushes: they go by POST", () => {
    const opened = v.parse(SessionMessageSchema, JSON.parse(BEFORE.opened));
    expect(opened).toEqual({ type: "opened", serverTime: 1_795_392_000_000 });
  });

  it("understand each other about desired state", () =>
    expect(v.safeParse(SessionMessageSchema, JSON.parse(BEFORE.desired)).success).toBe(true));
});

describe("an agent of before and an edge of today", () => {
  it("which announces pushes: the agent opens its session as ever, and sees no word of them", () => {
    const opened: SessionMessage = { type: "opened", serverTime: 1, push: true };
    expect(v.parse(SchemaBefore, opened)).toEqual({ type: "opened", serverTime: 1 });
  });
});

describe("answers to a push over the session", () => {
  const refused = { type: "refused", id: 1, status: 409, error: { code: "gap", message: "why", expected: 3 } };

  it.each<readonly [string, object, boolean]>([
    ["a receipt", { type: "receipt", id: 1, receipt: RECEIPT }, true],
    ["a receipt of a later edge, which says more", { type: "receipt", id: 1, receipt: RECEIPT, more: 1 }, true],
    ["a receipt of no push", { type: "receipt", id: null, receipt: RECEIPT }, false],
    ["a receipt without watermarks", { type: "receipt", id: 1, receipt: { serverTime: 1 } }, false],
    ["a refusal", { ...refused, serverTime: 1 }, true],
    ["a refusal of a frame that could not be read", { ...refused, id: null, serverTime: 1 }, true],
    ["a refusal with a code of a later edge", { ...refused, error: { code: "new", message: "" }, serverTime: 1 }, true],
    ["a refusal without the edge's time", refused, false],
    ["a refusal that is none", { ...refused, status: 200, serverTime: 1 }, false],
  ])("%s → %s", (_name, message, understood) =>
    expect(v.safeParse(SessionMessageSchema, message).success).toBe(understood),
  );
});

it("a frame around the largest push is not too large", () => {
  const frame = { type: "push", id: Number.MAX_SAFE_INTEGER, push: "" };
  expect(v.safeParse(PushFrameSchema, frame).success).toBe(true);
  expect(JSON.stringify(frame).length - 2 + PUSH_BYTES_MAX).toBeLessThanOrEqual(FRAME_BYTES_MAX);
});
