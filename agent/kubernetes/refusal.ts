/** Why a call to the API server brought nothing. */
import * as v from "valibot";
import type { Result } from "../../protocol/result.ts";
import { parseJson } from "../http.ts";

/** A `Retry-After` above this is not believed, ms. */
const RETRY_AFTER_MAX_MS = 60_000;

/**
 * Why a call brought nothing. `status` is the API server's own word (`Status` body: `reason` such as Conflict,
 * Forbidden, NotFound, Expired); `retryAfterMs` is its wish, null if it has none.
 */
export type KubernetesRefusal =
  | { readonly kind: "unreachable" | "timeout" | "malformed" | "too_large"; readonly message: string }
  | {
      readonly kind: "status";
      readonly code: number;
      readonly reason: string;
      readonly message: string;
      readonly retryAfterMs: number | null;
    };
export type Answered<T> = Promise<Result<T, KubernetesRefusal>>;

/** A whole answer. */
export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

const Text = v.optional(v.string(), "");
export const StatusSchema = v.object({ kind: v.literal("Status"), code: v.number(), reason: Text, message: Text });

export function refusalOf(answer: Answer): KubernetesRefusal {
  const status = v.safeParse(StatusSchema, parseJson(answer.body));
  const seconds = Number(answer.retryAfter ?? Number.NaN);
  return {
    kind: "status",
    code: answer.status,
    reason: status.success ? status.output.reason : "",
    message: status.success ? status.output.message : `HTTP ${answer.status}`,
    retryAfterMs: Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, RETRY_AFTER_MAX_MS) : null,
  };
}

/** Whether the API server answered, and with this code. */
export function isStatus(refusal: KubernetesRefusal, ...codes: readonly number[]): boolean {
  return refusal.kind === "status" && codes.includes(refusal.code);
}

export function malformed(message: string): KubernetesRefusal {
  return { kind: "malformed", message };
}

export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  // An AggregateError (both address families refused) has an empty message.
  return error.message === "" ? (code ?? error.name) : error.message;
}

/** A refusal in one line, for states and reasons. */
export function refusalText(refusal: KubernetesRefusal): string {
  const { message } = refusal;
  return refusal.kind === "status"
    ? `API server: ${refusal.code} ${refusal.reason || "?"}: ${message}`
    : `API server ${refusal.kind}: ${message}`;
}
