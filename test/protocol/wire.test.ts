import { createHash } from "node:crypto";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { RotateSchema } from "../../protocol/agent.ts";
import { DetectorWishSchema } from "../../protocol/detector.ts";
import { API_ERROR_CODES } from "../../protocol/error.ts";
import { DesiredStateSchema, SignedDesiredSchema } from "../../protocol/lease.ts";
import { EnrollSchema, EnrolledSchema, PushSchema, ReceiptSchema } from "../../protocol/push.ts";
import type { Live } from "../../protocol/push.ts";
import { RecordSchema } from "../../protocol/record.ts";
import { PushFrameSchema, SessionMessageSchema, SessionOpenSchema } from "../../protocol/session.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import { push } from "../support/facts.ts";

/** What a schema accepts, as plain data: kinds, keys, bounds and patterns, without functions or messages. */
function shapeOf(value: unknown): unknown {
  if (value instanceof RegExp) return value.source;
  if (Array.isArray(value)) return value.map(shapeOf);
  if (value === null || typeof value !== "object") return typeof value === "function" ? "function" : value;
  const kept = Object.entries(value).filter(
    ([key, item]) => !key.startsWith("~") && key !== "message" && key !== "reference" && item !== undefined,
  );
  return Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, shapeOf(item)]));
}

const WIRE = {
  push: PushSchema,
  record: RecordSchema,
  receipt: ReceiptSchema,
  enroll: EnrollSchema,
  enrolled: EnrolledSchema,
  rotate: RotateSchema,
  desired: DesiredStateSchema,
  signedDesired: SignedDesiredSchema,
  detectorWish: DetectorWishSchema,
  sessionOpen: SessionOpenSchema,
  sessionMessage: SessionMessageSchema,
  pushFrame: PushFrameSchema,
};

/**
 * One line a version that was released. A change of the wire needs a new version, and then a new line; only what is
 * added so that a peer of before neither sends nor misses it (`session.test.ts`, `test/edge/versions.test.ts`) changes
 * the line of its version: pushes over the session, what a receipt says the edge accepts, a topology, a detector and
 * exponential histograms in what is accepted, what is wished of a detector that was spoken of, kinds of events that no
 * agent sends yet, or only to an edge that accepts them, what a source is blind to, the morning list and what the agent
 * says of itself likewise, that an agent which knows how is asked for another key, and refusals that no agent is given.
 */
const PINNED: Record<number, string> = {
  1: "b6d473cee21dfa1a6870d83578a724fab8a3bf71453964708a687104bec3c23a",
};

it("the wire cannot change without a version", () => {
  const shape = JSON.stringify([shapeOf(WIRE), API_ERROR_CODES]);
  expect(createHash("sha256").update(shape).digest("hex")).toBe(PINNED[PROTOCOL_VERSION]);
});

describe("a reading", () => {
  const reading = { at: 1, spanMs: 20_000, requests: 10, errors: 10, p95: [120, 100, 250] };
  const live = (facts: object) => ({
    at: 1,
    services: [{ service: "shop/checkout", readings: [{ ...reading, ...facts }], latency: null, replicas: null }],
    sources: {},
    leases: { observedGeneration: 0, targets: [], allowed: [] },
  });
  it.each([
    ["with as many errors as requests", {}, true],
    ["with an open last bucket", { p95: [9_000, 5_000, null] }, true],
    ["with errors that are extrapolated a little further", { errors: 10.005 }, true],
    ["with more errors than requests", { errors: 11 }, false],
    ["with errors of no requests", { requests: 0, errors: 1 }, false],
    ["whose interval ends before it starts", { p95: [120, 250, 100] }, false],
  ])("%s: %s → %s", (_name, facts, taken) =>
    expect(v.safeParse(PushSchema, push({ live: live(facts) as unknown as Live })).success).toBe(taken),
  );
});

it("the pin sees a bound that moves", () => {
  const shape = JSON.stringify(shapeOf(RecordSchema));
  expect(shape).toContain('"requirement":60000');
  expect(shape).toContain("lease.result");
});
