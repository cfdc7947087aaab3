/** One HTTP request with a deadline and a bounded answer. What goes wrong on the way is a value that says what in plain words. */
import { failure, success, type Result } from "../protocol/result.ts";

interface HttpHead {
  readonly status: number;
  readonly headers: Headers;
}

export interface HttpAnswer extends HttpHead {
  readonly text: string;
}

export interface HttpRequest {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly timeoutMs: number;
  /** The answer's decoded body may have this many bytes; longer ones are a failure. */
  readonly bytesMax: number;
  /** Ends the request before its deadline. */
  readonly signal?: AbortSignal;
}

export async function request(url: string, options: HttpRequest): Promise<Result<HttpAnswer, string>> {
  let text = "";
  const answer = await requestPieces(url, options, (piece) => (text += piece));
  return answer.ok ? success({ ...answer.value, text }) : answer;
}

/** The same for long answers: `take` is given the text in pieces, as it comes. */
export async function requestPieces(
  url: string,
  options: HttpRequest,
  take: (piece: string) => void,
): Promise<Result<HttpHead, string>> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([deadline, options.signal]);
  try {
    const response = await fetch(url, {
      method: options.method ?? "GET",
      // A redirect could carry signed requests elsewhere.
      redirect: "error",
      signal,
      ...(options.headers === undefined ? {} : { headers: options.headers }),
      ...(options.body === undefined ? {} : { body: options.body }),
    });
    if (!(await readBounded(response, options.bytesMax, take)))
      return failure(`its answer is longer than ${options.bytesMax} bytes`);
    return success({ status: response.status, headers: response.headers });
  } catch (error) {
    return failure(deadline.aborted ? `no answer within ${options.timeoutMs / 1_000} s` : plainReason(error));
  }
}

/** Whether it was short enough: what is beyond the bound is not read. */
async function readBounded(response: Response, bytesMax: number, take: (piece: string) => void): Promise<boolean> {
  if (response.body === null) return true;
  const decoder = new TextDecoder();
  let bytes = 0;
  // Leaving the loop cancels the stream.
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > bytesMax) return false;
    take(decoder.decode(chunk, { stream: true }));
  }
  take(decoder.decode());
  return true;
}

const PLAIN: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there (connection refused)",
  ECONNRESET: "the connection was reset",
  ENOTFOUND: "the host name is not known",
  EAI_AGAIN: "the host name could not be looked up",
  EHOSTUNREACH: "there is no route to the host",
  ENETUNREACH: "there is no route to the network",
  ETIMEDOUT: "the connection timed out",
  UND_ERR_SOCKET: "the connection was closed",
  UND_ERR_CONNECT_TIMEOUT: "the connection timed out",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed (set NODE_EXTRA_CA_CERTS to trust its issuer)",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate's issuer is not trusted (set NODE_EXTRA_CA_CERTS)",
};

/** Why a request failed. `fetch` hides it one level down. */
function plainReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause : error;
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  return PLAIN[code] ?? (code === "" ? cause.message : `${cause.message} (${code})`);
}

/** JSON, or undefined where the text is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** An object of JSON, or an array. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

// oxlint-disable-next-line no-control-regex -- control characters are what is replaced
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g;

/** One line fit for a source's `detail`: no control characters, at most 300 characters. */
export function detailLine(text: string): string {
  return text.replace(UNPRINTABLE, " ").toWellFormed().slice(0, 300).toWellFormed();
}
