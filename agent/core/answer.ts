/** What the agent does with each answer to a push: the table of `reference/delivery.md` 4, and nothing else. */

/** An HTTP answer, or null where no answer came (timeout, reset, refused connection). */
export interface Answer {
  readonly status: number;
  /** The code of an `ApiError` body, if there was one. */
  readonly code: string | null;
  /** `gap`: the number that the edge waits for. */
  readonly expected: number | null;
  /** Whether the body was a receipt. */
  readonly receipt: boolean;
  /** `Retry-After`, ms. */
  readonly retryAfterMs: number | null;
}

export type Reaction =
  | { readonly act: "accept" }
  | { readonly act: "split"; readonly reason: string }
  | { readonly act: "wait"; readonly leastMs: number; readonly reason: string }
  | { readonly act: "resend"; readonly from: number; readonly reason: string }
  | { readonly act: "retry"; readonly reason: string }
  | { readonly act: "exit"; readonly reason: string };

/** No sooner than this after 401, 403, 404 or 415: what is wrong there is mended by people, ms. */
export const REFUSED_WAIT_MS = 60_000;
/** Without `Retry-After`, ms. */
const OVERLOAD_WAIT_MS = 5_000;
/** A `Retry-After` above this is not believed: the page would stay unknown for as long, ms. */
const RETRY_AFTER_MAX_MS = 600_000;

export function reactTo(answer: Answer | null): Reaction {
  if (answer === null) return { act: "retry", reason: "no answer from the edge" };
  const said = answer.code === null ? `HTTP ${answer.status}` : `HTTP ${answer.status} ${answer.code}`;
  switch (answer.status) {
    case 200:
    case 422:
      // Without a receipt it is not our edge that answers (a proxy's page, a captive portal): nothing is acknowledged.
      return answer.receipt ? { act: "accept" } : { act: "retry", reason: `${said} without a receipt` };
    case 400:
    case 413:
      return { act: "split", reason: said };
    case 409:
      if (answer.code === "fenced") return { act: "exit", reason: "another agent took over this cluster" };
      if (answer.expected !== null)
        return { act: "resend", from: answer.expected, reason: `the edge waits for ${answer.expected}` };
      return { act: "retry", reason: said };
    case 401:
    case 403:
    case 404:
    case 415:
      return { act: "wait", leastMs: REFUSED_WAIT_MS, reason: said };
    case 429:
    case 503:
      return {
        act: "wait",
        leastMs: Math.min(answer.retryAfterMs ?? OVERLOAD_WAIT_MS, RETRY_AFTER_MAX_MS),
        reason: said,
      };
    default:
      return { act: "retry", reason: said };
  }
}

/** `Retry-After` in ms from its header: seconds or an HTTP date, which the caller has turned into Millis; null if neither. */
export function retryAfterMs(header: string | null, dateMs: number, nowMs: number): number | null {
  if (header === null) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1_000;
  return Number.isNaN(dateMs) ? null : Math.max(0, dateMs - nowMs);
}
