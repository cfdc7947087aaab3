/** A push's bytes to a push, each cap before the step that it protects: of a POST's body and of a session's frame. */
import * as v from "valibot";
import type { ApiErrorCode } from "../../protocol/error.ts";
import { PUSH_BYTES_MAX, PUSH_DEPTH_MAX } from "../../protocol/limits.ts";
import type { Push, Receipt } from "../../protocol/push.ts";
import { PushSchema } from "../../protocol/push.ts";
import { FRAME_BYTES_MAX, FRAME_DEPTH_MAX, PushFrameSchema } from "../../protocol/session.ts";
import { PROTOCOL_VERSION, PROTOCOL_VERSION_OLDEST, versionServed } from "../../protocol/version.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import { gunzip, parseJson } from "./body.ts";

/** A refusal as the route turns it into an answer. */
export interface PushRefusal {
  readonly code: ApiErrorCode;
  readonly message: string;
  readonly expected?: number;
  readonly versions?: readonly [number, number];
  /** `push_unusable`: what of the push was taken in, as for a push that was usable. */
  readonly receipt?: Receipt;
}

/** What nobody who is known has signed. */
export const NO_IDENTITY: PushRefusal = {
  code: "unauthenticated",
  message:
    "The request is not signed by a key that this cluster knows. Enrol the agent, and compare its clock with serverTime.",
};

export type PushAnswer = Result<Receipt, PushRefusal>;

/** A POST's body. */
export function parsePush(body: Uint8Array): Result<Push, PushRefusal> {
  const json = unpack(body, PUSH_BYTES_MAX, PUSH_DEPTH_MAX);
  return json.ok ? checkPush(json.value) : json;
}

/** A session's binary frame. A refusal's `id` is null where the frame did not become readable so far. */
export function parseFrame(
  frame: Uint8Array,
): Result<{ readonly id: number; readonly push: Push }, { readonly id: number | null; readonly refusal: PushRefusal }> {
  const json = unpack(frame, FRAME_BYTES_MAX, FRAME_DEPTH_MAX);
  if (!json.ok) return failure({ id: null, refusal: json.failure });
  const parsed = v.safeParse(PushFrameSchema, json.value, { abortEarly: true });
  if (!parsed.success) {
    const refusal: PushRefusal = { code: "push_malformed", message: "The frame is not { type, id, push }." };
    return failure({ id: null, refusal });
  }
  const { id } = parsed.output;
  const push = checkPush(parsed.output.push);
  return push.ok ? success({ id, push: push.value }) : failure({ id, refusal: push.failure });
}

function unpack(bytes: Uint8Array, bytesMax: number, depthMax: number): Result<unknown, PushRefusal> {
  // A POST that is longer than this packed is refused by its route already.
  const unpacked = bytes.byteLength > PUSH_BYTES_MAX ? failure("too_large") : gunzip(bytes, bytesMax);
  if (!unpacked.ok && unpacked.failure === "too_large") {
    const message = `The push is larger than ${PUSH_BYTES_MAX} bytes unpacked. Send fewer records.`;
    return failure({ code: "push_too_large", message });
  }
  const json = unpacked.ok ? parseJson(unpacked.value, depthMax) : unpacked;
  if (json.ok) return json;
  return failure({ code: "push_malformed", message: "The push is not gzip of JSON within the allowed depth." });
}

const VersionSchema = v.object({ v: v.number() });

/** The envelope alone: its records are judged one by one, so that a poison one costs none of its neighbours. */
function checkPush(json: unknown): Result<Push, PushRefusal> {
  const version = v.safeParse(VersionSchema, json);
  if (version.success && !versionServed(version.output.v)) {
    const versions = [PROTOCOL_VERSION_OLDEST, PROTOCOL_VERSION] as const;
    const message = `Protocol ${version.output.v} is not served here; versions ${versions.join(" to ")} are.`;
    return failure({ code: "version_unsupported", message, versions });
  }
  const parsed = v.safeParse(PushSchema, json, { abortEarly: true });
  if (parsed.success) return success(parsed.output);
  const [issue] = parsed.issues;
  return failure({
    code: "push_malformed",
    message: `${v.getDotPath(issue) ?? "push"}: ${issue.message}`.slice(0, 300),
  });
}
