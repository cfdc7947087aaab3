/** A push's bytes to a push, each cap before the step that it protects. */
import * as v from "valibot";
import type { ApiErrorCode } from "../../protocol/error.ts";
import { PUSH_BYTES_MAX, PUSH_DEPTH_MAX } from "../../protocol/limits.ts";
import type { Push, Receipt } from "../../protocol/push.ts";
import { PushSchema } from "../../protocol/push.ts";
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

/** The envelope alone: its records are judged one by one, so that a poison one costs none of its neighbours. */
export async function parsePush(body: Uint8Array): Promise<Result<Push, PushRefusal>> {
  const unpacked = await gunzip(body, PUSH_BYTES_MAX);
  if (!unpacked.ok && unpacked.failure === "too_large") {
    const message = `The push is larger than ${PUSH_BYTES_MAX} bytes unpacked. Send fewer records.`;
    return failure({ code: "push_too_large", message });
  }
  const json = unpacked.ok ? parseJson(unpacked.value, PUSH_DEPTH_MAX) : unpacked;
  if (!json.ok)
    return failure({ code: "push_malformed", message: "The push is not gzip of JSON within the allowed depth." });
  const version = v.safeParse(v.object({ v: v.number() }), json.value);
  if (version.success && !versionServed(version.output.v)) {
    const versions = [PROTOCOL_VERSION_OLDEST, PROTOCOL_VERSION] as const;
    const message = `Protocol ${version.output.v} is not served here; versions ${versions.join(" to ")} are.`;
    return failure({ code: "version_unsupported", message, versions });
  }
  const parsed = v.safeParse(PushSchema, json.value, { abortEarly: true });
  if (parsed.success) return success(parsed.output);
  const [issue] = parsed.issues;
  return failure({
    code: "push_malformed",
    message: `${v.getDotPath(issue) ?? "push"}: ${issue.message}`.slice(0, 300),
  });
}
