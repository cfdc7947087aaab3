/** The door to Postgres: Neon's driver over HTTP with Drizzle. One statement a call, bounded in time, failures as values. */
import { NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/neon-http";
import type { NeonHttpDatabase } from "drizzle-orm/neon-http";

/** Neon advises 10 to 15 s: a sleeping database needs hundreds of ms to wake, and a hung one must not hold an object. */
const DATABASE_TIMEOUT_MS = 12_000;

/**
 * `unavailable`: try again later, the statement may or may not have run. `poison`: the data of it can never be stored.
 * `unprepared`: a row's partition is missing, `prepareStorage` makes it. `refused`: it did not run, and not for its data:
 * a missing table, a missing right. Somebody has to mend that.
 */
interface StoreFailure {
  readonly ok: false;
  readonly code: "unavailable" | "poison" | "unprepared" | "refused";
  /** For the operator. Carries no parameters of the statement. */
  readonly message: string;
}
export type StoreResult<T> = { readonly ok: true; readonly value: T } | StoreFailure;

export interface Database {
  /** Runs one statement. Throws nothing. */
  run<T>(statement: (db: NeonHttpDatabase) => PromiseLike<T>): Promise<StoreResult<T>>;
}

export interface DatabaseOptions {
  /** `postgres://user:password@host/database` */
  readonly url: string;
  /** Where to send statements instead of to Neon: the endpoint of `dev/database`. */
  readonly fetchEndpoint?: string | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Endpoints by `host:port`. The driver's configuration is one for the whole process; databases are not. */
const endpoints = new Map<string, string>();
const neonEndpoint = neonConfig.fetchEndpoint;
neonConfig.fetchEndpoint = (host, port, options) => {
  const neonOne = typeof neonEndpoint === "string" ? neonEndpoint : neonEndpoint(host, port, options);
  return endpoints.get(`${host}:${port}`) ?? neonOne;
};

/** Opens nothing yet: HTTP has no connection to hold. Throws if `url` is not a connection string. */
export function openDatabase({ url, fetchEndpoint, timeoutMs = DATABASE_TIMEOUT_MS }: DatabaseOptions): Database {
  if (fetchEndpoint !== undefined) {
    const { hostname, port } = new URL(url);
    endpoints.set(`${hostname}:${port}`, fetchEndpoint);
  }
  neon(url);
  return {
    async run(statement) {
      // Not AbortSignal.timeout: its timer would outlive the call, and a timer keeps an object from hibernating.
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      try {
        const client = neon(url, { fetchOptions: { signal: abort.signal } });
        return { ok: true, value: await statement(drizzle(client)) };
      } catch (error) {
        return failureOf(error);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/**
 * The row in which a statement says what it did. An answer without one comes from something between us and Postgres:
 * taken for a success it would have facts freed that nobody stored.
 */
export function onlyRow<T>(result: StoreResult<{ readonly rows: readonly T[] }>): StoreResult<T> {
  if (!result.ok) return result;
  const [row] = result.value.rows;
  return row === undefined
    ? { ok: false, code: "unavailable", message: "an answer without its row" }
    : { ok: true, value: row };
}

/**
 * SQLSTATEs that pass by themselves, as classes or whole codes: lost connections (08), no resources (53), shutdown and
 * start-up (57P), a cancelled statement, a deadlock, a serialization failure, a lock not had, a read-only standby.
 */
const TRANSIENT = /^(?:08|53|57P|57014|40001|40P01|55P03|25006)/;

/** Data exceptions and violated constraints: what no repetition mends. */
const POISON = /^(?:22|23)/;

/** A violated check without a constraint is "no partition of relation … found for row". */
const CHECK_VIOLATION = "23514";

function failureOf(error: unknown): StoreFailure {
  // Drizzle's own error prints the statement with its parameters; the cause within says what went wrong.
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  const sqlState = cause instanceof NeonDbError ? cause.code : undefined;
  // No SQLSTATE means no verdict of Postgres: refused connection, timeout, a proxy's 5xx, a torn answer.
  if (sqlState === undefined) return { ok: false, code: "unavailable", message };
  const unprepared = sqlState === CHECK_VIOLATION && cause instanceof NeonDbError && !cause.constraint;
  return { ok: false, code: unprepared ? "unprepared" : codeOf(sqlState), message: `${message} (${sqlState})` };
}

function codeOf(sqlState: string): StoreFailure["code"] {
  if (TRANSIENT.test(sqlState)) return "unavailable";
  return POISON.test(sqlState) ? "poison" : "refused";
}
