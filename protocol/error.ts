/** Every code a refusal can carry. Clients switch on these; a new one does not compile until it has an HTTP status. */
export const API_ERROR_CODES = [
  "push_malformed",
  "push_too_large",
  "push_unusable",
  "version_unsupported",
  "unauthenticated",
  "forbidden",
  "step_up_required",
  "fenced",
  "gap",
  "outbox_full",
  "unavailable",
  "request_malformed",
  "request_too_large",
  "not_found",
  "method_not_allowed",
  "conflict",
  "not_offered",
  "cross_site",
  "too_many_attempts",
  "internal",
] as const;
export type ApiErrorCode = (typeof API_ERROR_CODES)[number];

/** The body of every refusal. `message` says what to do; the optional facts belong to single codes. */
export interface ApiError {
  readonly error: {
    readonly code: ApiErrorCode;
    readonly message: string;
    /** `gap`: the number the edge waits for. */
    readonly expected?: number;
    /** `version_unsupported`: the versions served, oldest and newest. */
    readonly versions?: readonly [number, number];
    /** `conflict` of two people who write at once: what stands there now, and what was sent. Neither is lost. */
    readonly held?: unknown;
    readonly sent?: unknown;
  };
  /** The edge's clock, so that a peer with a wrong one can mend itself. */
  readonly serverTime: number;
}
