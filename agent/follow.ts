/**
 * Follows one kind of object in one namespace: list, then watch, then list again whenever the watch cannot be believed,
 * and every ten minutes as proof (`reference/kubernetes.md` 2). Callers see the present, never "created".
 */
import { retryDelay } from "./core/backoff.ts";
import { MINUTE, SECOND, type Millis } from "../protocol/time.ts";
import { refusalText, type KubernetesClient, type KubernetesRefusal, type Resource } from "./kubernetes.ts";

/** Bookmarks come about once a minute; a connection without a byte for longer is a half-open one, ms. */
const SILENCE_MS = 90 * SECOND;
/** A full list at least this often, whatever the watch says, ms. */
const PROOF_INTERVAL_MS = 10 * MINUTE;
/** The server is asked to end a watch within these, s; jittered, so that agents do not return together. */
const WATCH_LEAST_S = 240;
const WATCH_SPREAD_S = 60;
const RETRY_MAX_MS = 30 * SECOND;

export interface FollowOptions<T> {
  readonly client: KubernetesClient;
  readonly resource: Resource<T>;
  readonly namespace: string;
  readonly now: () => Millis;
  /** Everything there is. Replaces what was known. */
  readonly onList: (objects: readonly T[]) => void;
  readonly onObject: (object: T) => void;
  readonly onDelete: (object: T) => void;
}

interface FollowState {
  /** When the server was last heard; null before the first list. */
  readonly heardAt: Millis | null;
  /** Why it is not heard now; null while it is. */
  readonly fault: string | null;
}

export interface Follower {
  state(): FollowState;
  stop(): Promise<void>;
}

export function follow<T>(options: FollowOptions<T>): Follower {
  const stopping = new AbortController();
  let state: FollowState = { heardAt: null, fault: "not listed yet" };
  const heard = (): void => {
    state = { heardAt: options.now(), fault: null };
  };
  const running = run(options, stopping.signal, heard, (fault) => (state = { ...state, fault }));
  return {
    state: () => state,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

async function run<T>(
  options: FollowOptions<T>,
  signal: AbortSignal,
  heard: () => void,
  failed: (fault: string) => void,
): Promise<void> {
  const { client, resource, namespace } = options;
  let failures = 0;
  while (!signal.aborted) {
    const listed = await client.list(resource, namespace);
    if (signal.aborted) return;
    if (!listed.ok) {
      failures += 1;
      failed(refusalText(listed.failure));
      await pause(retryWait(failures, listed.failure), signal);
      continue;
    }
    heard();
    options.onList(listed.value.items);
    // A list proves that the server answers, not that it can be watched.
    const ended = await watchFrom(options, listed.value.resourceVersion, signal, heard);
    if (ended === null) {
      failures = 0;
      continue;
    }
    failures += 1;
    failed(ended.text);
    await pause(retryWait(failures, ended.refusal), signal);
  }
}

interface Fault {
  readonly text: string;
  readonly refusal: KubernetesRefusal | null;
}

/** Watches until a list is due: null if that is how it should be, else what went wrong. */
async function watchFrom<T>(
  options: FollowOptions<T>,
  version: string,
  signal: AbortSignal,
  heard: () => void,
): Promise<Fault | null> {
  const { client, resource, namespace } = options;
  // Length, not time of day: a monotonic clock.
  const proofAt = performance.now() + PROOF_INTERVAL_MS;
  let resourceVersion = version;
  while (!signal.aborted && performance.now() < proofAt) {
    const startedAt = performance.now();
    const left = Math.ceil((proofAt - startedAt) / SECOND);
    const ended = await client.watch(resource, namespace, {
      resourceVersion,
      timeoutSeconds: Math.max(1, Math.min(left, Math.round(WATCH_LEAST_S + WATCH_SPREAD_S * Math.random()))),
      silenceMs: SILENCE_MS,
      onChange: (type, object) => (type === "DELETED" ? options.onDelete(object) : options.onObject(object)),
      onSign: heard,
      signal,
    });
    ({ resourceVersion } = ended);
    switch (ended.end) {
      case "stopped":
      case "expired":
      case "unusable":
        return null;
      case "silent":
        break;
      case "refused":
        return { text: refusalText(ended.refusal), refusal: ended.refusal };
      case "closed":
        // Cut at once: a server in trouble. A storm of new watches would not help it.
        if (performance.now() - startedAt < SECOND)
          return { text: "API server: the watch was cut at once", refusal: null };
    }
  }
  return null;
}

function retryWait(failures: number, refusal: KubernetesRefusal | null): number {
  const wishedMs = refusal?.kind === "status" ? (refusal.retryAfterMs ?? 0) : 0;
  return Math.max(wishedMs, Math.min(RETRY_MAX_MS, retryDelay(failures, Math.random())));
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (): void => {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    resolve();
  };
  const timer = setTimeout(end, delayMs);
  signal.addEventListener("abort", end, { once: true });
  return promise;
}
