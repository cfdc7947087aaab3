/** What a refusal's code means in HTTP, for a request and for a push over the session alike. */
import type { ApiErrorCode } from "../../protocol/error.ts";

export const REFUSAL_STATUS = {
  push_malformed: 400,
  push_too_large: 413,
  push_unusable: 422,
  version_unsupported: 415,
  unauthenticated: 401,
  forbidden: 403,
  step_up_required: 403,
  fenced: 409,
  gap: 409,
  outbox_full: 429,
  unavailable: 503,
  request_malformed: 400,
  request_too_large: 413,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  not_offered: 501,
  cross_site: 403,
  too_many_attempts: 429,
  internal: 500,
} as const satisfies Record<ApiErrorCode, number>;

/** Whoever is told to come back is told when, s. */
export const RETRY_AFTER_S: Partial<Record<ApiErrorCode, number>> = {
  outbox_full: 30,
  unavailable: 10,
  too_many_attempts: 60,
};
