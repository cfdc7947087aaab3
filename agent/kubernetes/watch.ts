/** One watch: newline-delimited changes from a version on, until the server, the network or the caller ends it. */
import type * as http from "node:http";
import * as v from "valibot";
import { parseJson } from "../http.ts";
import { collectionPath, type Resource } from "./objects.ts";
import { isStatus, refusalOf, StatusSchema, type KubernetesRefusal } from "./refusal.ts";
import { bodyOf, CALL_TIMEOUT_MS, timeout, type Transport } from "./transport.ts";

/** One object of a watch; the API server's own limit on an object is 1.5 MB. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;

/** Name and version of the object that changed. */
export interface Named {
  readonly name: string;
  readonly resourceVersion: string;
}

export type WatchType = "ADDED" | "MODIFIED" | "DELETED";

/**
 * How a watch ended. `closed`: by the server, as every watch is after a while; `expired`: its version was compacted
 * (410); `unusable`: a line that says nothing known; `silent`: not a byte for too long; `refused`: it never began.
 */
export type WatchEnd =
  | { readonly end: "closed" | "expired" | "unusable" | "silent" | "stopped"; readonly resourceVersion: string }
  | { readonly end: "refused"; readonly resourceVersion: string; readonly refusal: KubernetesRefusal };

export interface WatchOptions<T> {
  readonly resourceVersion: string;
  /** The server ends the watch after this, s. */
  readonly timeoutSeconds: number;
  /** Without a byte for this long the connection is taken for dead, ms. */
  readonly silenceMs: number;
  readonly onChange: (type: WatchType, object: T, named: Named) => void;
  /** Called when the server has answered, and at every byte after. */
  readonly onSign: () => void;
  readonly signal: AbortSignal;
}

export async function watch<T>(
  transport: Transport,
  resource: Resource<T>,
  namespace: string,
  options: WatchOptions<T>,
): Promise<WatchEnd> {
  const query = new URLSearchParams({
    watch: "true",
    allowWatchBookmarks: "true",
    resourceVersion: options.resourceVersion,
    timeoutSeconds: String(options.timeoutSeconds),
    ...resource.select,
  });
  // The head has a deadline, and so has a refusal; in a stream the watchdog listens for silence.
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), CALL_TIMEOUT_MS);
  const signal = AbortSignal.any([deadline.signal, options.signal]);
  const opened = await transport.stream(`${collectionPath(resource, namespace)}?${query.toString()}`, signal);
  const { resourceVersion } = options;
  if (!opened.ok || opened.value.statusCode !== 200) {
    const answer = opened.ok ? await bodyOf(opened.value) : opened;
    clearTimeout(timer);
    if (options.signal.aborted) return { end: "stopped", resourceVersion };
    const refusal = deadline.signal.aborted ? timeout() : answer.ok ? refusalOf(answer.value) : answer.failure;
    return isStatus(refusal, 410) ? { end: "expired", resourceVersion } : { end: "refused", resourceVersion, refusal };
  }
  clearTimeout(timer);
  const ended = await listen(opened.value, resource, options);
  if (ended.end === "silent") transport.refresh();
  return ended;
}

async function listen<T>(
  response: http.IncomingMessage,
  resource: Resource<T>,
  options: WatchOptions<T>,
): Promise<WatchEnd> {
  let { resourceVersion } = options;
  options.onSign();
  let silent = false;
  response.setTimeout(options.silenceMs, () => {
    silent = true;
    response.destroy();
  });
  const stop = (): void => void response.destroy();
  options.signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const text of lines(response, options.onSign)) {
      const took = takeLine(resource, text, options.onChange);
      if (took.end !== null) return { end: took.end, resourceVersion };
      ({ resourceVersion } = took);
    }
    return { end: options.signal.aborted ? "stopped" : silent ? "silent" : "closed", resourceVersion };
  } finally {
    options.signal.removeEventListener("abort", stop);
    response.destroy();
  }
}

const WatchLineSchema = v.object({ type: v.string(), object: v.unknown() });
const VersionSchema = v.object({
  metadata: v.object({ name: v.optional(v.string(), ""), resourceVersion: v.string() }),
});
type Taken = { readonly end: null; readonly resourceVersion: string } | { readonly end: "expired" | "unusable" };

/** One line of a watch: handed on, or the reason to list again. */
function takeLine<T>(resource: Resource<T>, text: string, onChange: WatchOptions<T>["onChange"]): Taken {
  const line = v.safeParse(WatchLineSchema, parseJson(text));
  if (!line.success) return { end: "unusable" };
  const { type, object } = line.output;
  if (type === "ERROR") {
    const status = v.safeParse(StatusSchema, object);
    return { end: status.success && status.output.code === 410 ? "expired" : "unusable" };
  }
  const version = v.safeParse(VersionSchema, object);
  if (!version.success) return { end: "unusable" };
  const { metadata } = version.output;
  const { resourceVersion } = metadata;
  if (type === "BOOKMARK") return { end: null, resourceVersion };
  const parsed = v.safeParse(resource.schema, object);
  if (!parsed.success || (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED")) return { end: "unusable" };
  onChange(type, parsed.output, metadata);
  return { end: null, resourceVersion };
}

/** The lines of a stream; one may span chunks. A connection that breaks ends them; so does a line past its bound, as "". */
async function* lines(response: http.IncomingMessage, onSign: () => void): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of response) {
      onSign();
      rest += decoder.decode(chunk as Uint8Array, { stream: true });
      const parts = rest.split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) if (part !== "") yield part;
      if (rest.length > LINE_BYTES_MAX) {
        yield "";
        return;
      }
    }
  } catch {
    // Reset, or cut by the watchdog: what is left of the line is not an event, and the follower resumes from the last one.
  }
}
