/**
 * The Board's copy of what events in Postgres tell of certificates and anomalies. A Prometheus asks every few seconds,
 * and must neither keep a database awake nor go blind without one: the copy is read again at most as often as facts
 * arrive there, and stays while Postgres is away, with its age. Memory only: it is read again after a wake.
 */
import type { Watched } from "../core/watch.ts";
import { MINUTE, SECOND } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import { anomalyCounts } from "../store/anomalies.ts";
import { servedCertificates } from "../store/certificates.ts";
import { openDatabase } from "../store/database.ts";
import type { Env } from "./env.ts";
import type { TellMemory } from "./tell-memory.ts";

/** Whoever asks waits this long at most: a scrape has 10 s by default. */
const TIMEOUT_MS = 3 * SECOND;
/** While agents look at certificates and none has arrived yet, the copy is no older than this. */
const AWAITED_AGE_MS = MINUTE / 2;
/** After an attempt that failed Postgres is left alone for so long. */
const REST_MS = MINUTE / 2;

export class BoardWatch {
  readonly #env: Env;
  readonly #tells: TellMemory;
  #watched: Watched | null = null;
  #failedAt: Millis | null = null;
  #reading: Promise<void> | null = null;

  constructor(env: Env, tells: TellMemory) {
    this.#env = env;
    this.#tells = tells;
  }

  /** What is known, read again if it is older than this; null if nothing could be read since the object woke. */
  async watched(maxAgeMs: number): Promise<Watched | null> {
    const now = Date.now();
    const mostMs = this.#isAwaited() ? Math.min(maxAgeMs, AWAITED_AGE_MS) : maxAgeMs;
    // A clock that was set back must not keep a copy for good.
    const isFresh = this.#watched !== null && Math.abs(now - this.#watched.at) < mostMs;
    const rests = this.#failedAt !== null && now - this.#failedAt < REST_MS;
    if (!isFresh && !rests) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = null;
      });
      await this.#reading;
    }
    return this.#watched;
  }

  #isAwaited(): boolean {
    if (this.#watched === null || this.#watched.certificates.length > 0) return false;
    // One that is down has nothing to send: to wait for it would keep the database awake for as long.
    return [...this.#tells.map.values()].some(({ sources }) => (sources["certificates"]?.state ?? "down") !== "down");
  }

  async #read(): Promise<void> {
    const { DATABASE_URL: url, NEON_FETCH_ENDPOINT: fetchEndpoint } = this.#env;
    const database = openDatabase({ url, fetchEndpoint, timeoutMs: TIMEOUT_MS });
    const at = Date.now();
    const [certificates, anomalies] = await Promise.all([servedCertificates(database), anomalyCounts(database)]);
    const failed = [certificates, anomalies].find(({ ok }) => !ok);
    this.#failedAt = failed === undefined ? null : Date.now();
    if (certificates.ok && anomalies.ok) {
      this.#watched = { at, certificates: certificates.value, anomalies: anomalies.value };
    } else if (failed?.ok === false) {
      console.warn(JSON.stringify({ event: "watch_failed", code: failed.code, message: failed.message }));
    }
  }
}
