import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { API_ERROR_CODES } from "../../protocol/error.ts";
import { DesiredStateSchema, SignedDesiredSchema } from "../../protocol/lease.ts";
import { EnrollSchema, EnrolledSchema, PushSchema, ReceiptSchema } from "../../protocol/push.ts";
import { RecordSchema } from "../../protocol/record.ts";
import { SessionMessageSchema, SessionOpenSchema } from "../../protocol/session.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";

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
  desired: DesiredStateSchema,
  signedDesired: SignedDesiredSchema,
  sessionOpen: SessionOpenSchema,
  sessionMessage: SessionMessageSchema,
};

/** One line a version that was released. A change of the wire needs a new version, and then a new line. */
const PINNED: Record<number, string> = {
  1: "a97b93bd85216bef58c6bbfc1035db0e4798035900cf458badd6e6345ab1351a",
};

it("the wire cannot change without a version", () => {
  const shape = JSON.stringify([shapeOf(WIRE), API_ERROR_CODES]);
  expect(createHash("sha256").update(shape).digest("hex")).toBe(PINNED[PROTOCOL_VERSION]);
});

it("the pin sees a bound that moves", () => {
  const shape = JSON.stringify(shapeOf(RecordSchema));
  expect(shape).toContain('"requirement":60000');
  expect(shape).toContain("lease.result");
});
