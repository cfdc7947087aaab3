import type { Board } from "./board.ts";
import type { Cluster } from "./cluster.ts";
import type { Outbox } from "./outbox.ts";
import type { Relay } from "./relay.ts";

/** The Worker's bindings, variables and secrets, as `wrangler.toml` and `wrangler secret` set them. */
export interface Env {
  readonly CLUSTER: DurableObjectNamespace<Cluster>;
  readonly BOARD: DurableObjectNamespace<Board>;
  readonly RELAY: DurableObjectNamespace<Relay>;
  readonly THROTTLE: DurableObjectNamespace;
  readonly OUTBOX: DurableObjectNamespace<Outbox>;
  /** What visitors read at the top. */
  readonly PAGE_NAME: string;
  /** IANA zone in which the page cuts its days. */
  readonly PAGE_TIME_ZONE: string;
  /** How long received facts may wait before they are sent to Postgres, ms. */
  readonly FLUSH_INTERVAL_MS: string;
  /** Secret: postgres://… of a role without DDL. */
  readonly DATABASE_URL: string;
  /** Secret: what the command line shows as a bearer token. */
  readonly OPERATOR_KEY: string;
  /** Secret: Ed25519 private key, PKCS #8, base64; signs desired state. */
  readonly EDGE_SIGNING_KEY: string;
  /** Secret: AES-256 key, 32 bytes in base64, under which channels' secrets are kept. Absent: no channel can be set up. */
  readonly SEALING_KEY?: string;
  /** Secret: the one before, while what was sealed with it is still there. */
  readonly SEALING_KEY_BEFORE?: string;
  /** Host names under which people sign in with passkeys, with commas between; absent: localhost alone. */
  readonly ADMIN_HOSTS?: string;
  /** Cloudflare Access: the team's domain ("acme.cloudflareaccess.com") and the application's audience. Without both that door is not there. */
  readonly ACCESS_TEAM?: string;
  readonly ACCESS_AUD?: string;
  /** "1" on a laptop and in tests only: components may have public addresses on this machine, and with http. */
  readonly PROBE_LOOPBACK?: string;
  /** In tests only: how long a receiver of notices may take, ms. */
  readonly NOTICE_TIMEOUT_MS?: string;
  /** In tests and benches only: how long answers to visitors are fresh, ms; 0 makes each of them anew. */
  readonly PAGE_FRESH_MS?: string;
  /** Set by `routes/copy.ts` alone: what is answered is written down and read when nobody can say what is now. */
  readonly PAGE_COPY?: "1";
  /** On a laptop only: where the embedded Postgres speaks Neon's protocol. */
  readonly NEON_FETCH_ENDPOINT?: string;
}

/** The one board of this deployment. */
export function boardOf(env: Env): DurableObjectStub<Board> {
  return env.BOARD.getByName("board");
}

/** What leaves for people outside, of this deployment. */
export function outboxOf(env: Env): DurableObjectStub<Outbox> {
  return env.OUTBOX.getByName("outbox");
}

export function clusterOf(env: Env, cluster: string): DurableObjectStub<Cluster> {
  return env.CLUSTER.getByName(cluster);
}

/** Whether a call failed because its object has too much to do: the one failure that trying again at once makes worse. */
export function isOverloaded(error: unknown): boolean {
  return error instanceof Error && "overloaded" in error && error.overloaded === true;
}
