/**
 * Follows one kind of object in one namespace: list, then watch, then list again whenever the watch cannot be believed,
 * and every ten minutes as proof (`reference/kubernetes.md` 2). Callers see the present, never "created".
 */
import { MINUTE, SECOND, type Millis } from "../../protocol/time.ts";
import { retryDelay } from "../core/backoff.ts";
import type { KubernetesClient, Listed } from "./client.ts";
import type { Resource } from "./objects.ts";
import { isStatus, refusalText, type KubernetesRefusal } from "./refusal.ts";
import type { Named, WatchType } from "./watch.ts";

/**
 * Bookmarks come once a minute, within a second or two; a connection without a byte for this long is a half-open one,
 * ms. The list that follows must be there within 90 s of the last byte, even if its first connection is dead too.
 */
const SILENCE_MS = 75 * SECOND;
/** A full list at least this often, whatever the watch says, ms. */
const PROOF_INTERVAL_MS = 10 * MINUTE;
/** The server is asked to end a watch within these, s; jittered, so that agents do not return together. */
const WATCH_LEAST_S = 240;
const WATCH_SPREAD_S = 60;
const RETRY_MAX_MS = 30 * SECOND;
/** A watch that ends sooner was cut: it is asked for a second at least, ms. */
export const CUT_MS = SECOND / 2;
/** What may not be seen, or is not installed, is asked for again after this, ms. */
const HIDDEN_RETRY_MS = 5 * MINUTE;

/** Lengths of a follower's patience; shorter ones are for tests, which have no minutes. */
export interface Pace {
  readonly silenceMs: number;
  readonly proofMs: number;
}
export const PACE: Pace = { silenceMs: SILENCE_MS, proofMs: PROOF_INTERVAL_MS };

export interface FollowOptions<T> {
  readonly client: KubernetesClient;
  /** Found at each list; null where the server does not serve it. */
  readonly resource: () => Promise<Resource<T> | null | KubernetesRefusal>;
  readonly namespace: string;
  /** Needed to know what is ready. Where it is not, being refused it (403) is no fault. */
  readonly isNeeded: boolean;
  readonly pace: Pace;
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
  /** Not needed, and not to be had: why. */
  readonly hidden: string | null;
  /** Changes that only a list brought although a watch should have: there should be none. */
  readonly missed: number;
}

export interface Follower {
  state(): FollowState;
  stop(): Promise<void>;
}

export function follow<T>(options: FollowOptions<T>): Follower {
  const following = new Following(options);
  const running = following.run();
  return {
    state: () => following.state,
    stop: async () => {
      following.stopping.abort();
      await running;
    },
  };
}

interface Fault {
  readonly text: string;
  readonly refusal: KubernetesRefusal | null;
  /** The server does not know such objects at all. */
  readonly isAbsent?: true;
}

class Following<T> {
  readonly #options: FollowOptions<T>;
  readonly stopping = new AbortController();
  state: FollowState = { heardAt: null, fault: "not listed yet", hidden: null, missed: 0 };
  /** By name, as last heard. About 100 bytes an object. */
  #versions = new Map<string, string>();
  /** Up to this version the watch has told everything; null where it was broken off since the last list. */
  #toldUpTo: string | null = null;

  constructor(options: FollowOptions<T>) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { signal } = this.stopping;
    let failures = 0;
    while (!signal.aborted) {
      const fault = await this.#round();
      if (signal.aborted) return;
      if (fault === null) {
        failures = 0;
        continue;
      }
      failures += 1;
      await pause(this.#failed(fault, failures), signal);
    }
  }

  /** One list and the watches that follow it: null if another list is simply due. */
  async #round(): Promise<Fault | null> {
    const { client, namespace } = this.#options;
    const resource = await this.#options.resource();
    if (resource === null) return { text: "is not installed in this cluster", refusal: null, isAbsent: true };
    if ("kind" in resource) return { text: refusalText(resource), refusal: resource };
    const listed = await client.list(resource, namespace);
    if (this.stopping.signal.aborted) return null;
    if (!listed.ok) return { text: refusalText(listed.failure), refusal: listed.failure };
    this.#heard();
    this.#compare(listed.value);
    this.#options.onList(listed.value.items);
    // A list proves that the server answers, not that it can be watched.
    return this.#watchFrom(resource, listed.value.resourceVersion);
  }

  /** Says what is wrong; answers how long to wait, ms. */
  #failed({ text, refusal, isAbsent }: Fault, failures: number): number {
    const isHidden = isAbsent === true || (refusal !== null && isStatus(refusal, 403, 404));
    if (isHidden && !this.#options.isNeeded) {
      this.state = { ...this.state, fault: null, hidden: text };
      return HIDDEN_RETRY_MS;
    }
    this.state = { ...this.state, fault: text };
    const wishedMs = refusal?.kind === "status" ? (refusal.retryAfterMs ?? 0) : 0;
    return Math.max(wishedMs, Math.min(RETRY_MAX_MS, retryDelay(failures, Math.random())));
  }

  #heard = (): void => {
    this.state = { ...this.state, heardAt: this.#options.now(), fault: null, hidden: null };
  };

  /** Whether the list brings anything that the watch, unbroken, should have brought before. */
  #compare({ versions }: Listed<T>): void {
    const upTo = this.#toldUpTo;
    if (upTo !== null) {
      const missed = versions.filter(([name, version]) => {
        return this.#versions.get(name) !== version && Number(version) <= Number(upTo);
      });
      this.state = { ...this.state, missed: this.state.missed + missed.length };
    }
    this.#versions = new Map(versions);
    this.#toldUpTo = null;
  }

  /** Watches until a list is due: null if that is how it should be, else what went wrong. */
  async #watchFrom(resource: Resource<T>, version: string): Promise<Fault | null> {
    const { client, namespace, pace } = this.#options;
    const { signal } = this.stopping;
    // Length, not time of day: a monotonic clock.
    const proofAt = performance.now() + pace.proofMs;
    let resourceVersion = version;
    while (!signal.aborted && performance.now() < proofAt) {
      const startedAt = performance.now();
      const left = Math.ceil((proofAt - startedAt) / SECOND);
      const ended = await client.watch(resource, namespace, {
        resourceVersion,
        timeoutSeconds: Math.max(1, Math.min(left, Math.round(WATCH_LEAST_S + WATCH_SPREAD_S * Math.random()))),
        silenceMs: pace.silenceMs,
        onChange: (type, object, named) => this.#changed(type, object, named),
        onSign: this.#heard,
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
          if (performance.now() - startedAt < CUT_MS)
            return { text: "API server: the watch was cut at once", refusal: null };
      }
    }
    this.#toldUpTo = resourceVersion;
    return null;
  }

  #changed(type: WatchType, object: T, { name, resourceVersion }: Named): void {
    if (type === "DELETED") {
      this.#versions.delete(name);
      this.#options.onDelete(object);
    } else {
      this.#versions.set(name, resourceVersion);
      this.#options.onObject(object);
    }
  }
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
