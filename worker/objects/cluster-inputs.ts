/**
 * What a Cluster hears from others than its agent: an Alertmanager's notifications. `core/alert.ts` decides, this
 * remembers and speaks: to Postgres through the outbox, and to the Board, which makes drafts of incidents from it.
 */
import type { ApiErrorCode } from "../../protocol/error.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Alerts } from "../core/alert.ts";
import { NO_ALERTS, takeNotification } from "../core/alert.ts";
import type { IngestToken } from "../core/ingest.ts";
import { ingestToken, isIngestOpen, withIngestToken, withoutIngestToken } from "../core/ingest.ts";
import { retryDelay } from "../core/retry.ts";
import { readNotification } from "./alertmanager.ts";
import { parseJson } from "./body.ts";
import type { ClusterArchive } from "./cluster-archive.ts";
import type { ClusterMemory } from "./cluster-memory.ts";
import { freshId, freshSecret, secretHash } from "./crypto.ts";
import type { Env } from "./env.ts";
import { boardOf } from "./env.ts";

interface InputsOwner {
  readonly ctx: DurableObjectState;
  readonly env: Env;
  readonly memory: ClusterMemory;
  readonly archive: ClusterArchive;
  /** The cluster's name; null if it was never made. */
  cluster(this: void): string | null;
}

export interface InputRefusal {
  readonly code: ApiErrorCode;
  readonly message: string;
}

/** What became of a notification: each of its alerts is counted once in one of the first three. */
export interface NotificationReceipt {
  readonly accepted: number;
  /** Of the accepted ones those that said nothing new. */
  readonly known: number;
  readonly refused: readonly { readonly index: number; readonly reason: string }[];
  /** Alerts beyond the bound of a cluster. */
  readonly surplus: number;
}

/** A token as lists show it. */
export type ListedToken = Omit<IngestToken, "hash">;

/** Levels of a notification's JSON: body, alerts, alert, labels. */
const NOTIFICATION_DEPTH = 8;

export const NOT_OPEN: InputRefusal = {
  code: "unauthenticated",
  message: "The token is unknown or revoked. Make one: npm run -s ingest -- token CLUSTER",
};

export class ClusterInputs {
  readonly #owner: InputsOwner;
  #tokens: readonly IngestToken[];
  #alerts: Alerts;
  #untold: boolean;
  #failures = 0;
  #telling: Promise<void> | null = null;

  constructor(owner: InputsOwner) {
    this.#owner = owner;
    this.#tokens = owner.memory.read<readonly IngestToken[]>("ingest") ?? [];
    this.#alerts = owner.memory.read<Alerts>("alerts") ?? NO_ALERTS;
    this.#untold = owner.memory.read<boolean>("alertsUntold") ?? false;
  }

  // ── tokens ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a token for a cluster that is known; null if it has too many. */
  async createToken(cluster: string): Promise<{ readonly id: string; readonly token: string } | null> {
    const secret = freshSecret();
    const hash = await secretHash(secret);
    const id = freshId();
    const tokens = withIngestToken(this.#tokens, { id, hash, createdAt: Date.now(), revokedAt: null });
    if (tokens === null) return null;
    this.#keepTokens(tokens);
    return { id, token: ingestToken(cluster, secret) };
  }

  get tokens(): readonly ListedToken[] {
    return this.#tokens.map(({ id, createdAt, revokedAt }) => ({ id, createdAt, revokedAt }));
  }

  /** Takes a token away, from the next request on. False if there is none of this id. */
  revokeToken(id: string): boolean {
    const tokens = withoutIngestToken(this.#tokens, id, Date.now());
    if (tokens === null) return false;
    this.#keepTokens(tokens);
    return true;
  }

  #keepTokens(tokens: readonly IngestToken[]): void {
    this.#owner.memory.write("ingest", tokens);
    this.#tokens = tokens;
  }

  // ── alerts ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Whether a token of this secret opens this cluster's inputs. */
  async isOpen(secret: string): Promise<boolean> {
    return isIngestOpen(this.#tokens, await secretHash(secret));
  }

  /** Takes in a notification. It is stored with this answer, and told to the Board soon after. */
  async takeNotification(secret: string, body: Uint8Array): Promise<Result<NotificationReceipt, InputRefusal>> {
    if (!(await this.isOpen(secret))) return failure(NOT_OPEN);
    const json = parseJson(body, NOTIFICATION_DEPTH);
    if (!json.ok) return failure({ code: "request_malformed", message: "The body is not JSON." });
    const told = readNotification(json.value);
    if (!told.ok) {
      const { code, message } = told.failure;
      return failure({ code: code === "version" ? "version_unsupported" : "request_malformed", message });
    }
    const { refused, alerts } = told.value;
    const [first] = refused;
    if (first !== undefined && alerts.length === 0)
      return failure({ code: "request_malformed", message: `alerts.${first.index}.${first.reason}` });
    const { memory } = this.#owner;
    // With a 5xx Alertmanager tries again; with a 429 it would not.
    if (memory.isFull) return failure({ code: "unavailable", message: "Too many facts wait for Postgres." });
    const now = Date.now();
    const taken = takeNotification(this.#alerts, told.value, now);
    if (taken.changed) this.#keepAlerts(taken, now);
    if (refused.length > 0 || taken.surplus > 0) this.#warn(refused.length, taken.surplus);
    return success({ accepted: taken.accepted, known: taken.known, refused, surplus: taken.surplus });
  }

  #keepAlerts({ alerts, events }: ReturnType<typeof takeNotification>, now: Millis): void {
    const { memory, archive, ctx } = this.#owner;
    memory.keepOwn(events, { alerts, alertsUntold: true }, now);
    this.#alerts = alerts;
    this.#untold = true;
    archive.told(now);
    archive.arm(now + retryDelay(1, 1));
    ctx.waitUntil(this.tellBoard());
  }

  #warn(refused: number, surplus: number): void {
    console.warn(JSON.stringify({ event: "alerts_refused", cluster: this.#owner.cluster(), refused, surplus }));
  }

  /** What the Board lost: it is told anew. */
  forget(): void {
    if (this.#alerts.held.length === 0 || this.#untold) return;
    this.#owner.memory.write("alertsUntold", true);
    this.#untold = true;
  }

  /** Tells the Board how alerts are, until it has heard the latest. One call at a time, so that none overtakes. */
  tellBoard(): Promise<void> {
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = null;
    });
    return this.#telling;
  }

  async #tellAll(): Promise<void> {
    const cluster = this.#owner.cluster();
    while (cluster !== null && this.#untold && (await this.#tell(cluster)));
  }

  /** False if the Board could not be reached: the alarm tries again. */
  async #tell(cluster: string): Promise<boolean> {
    const { memory, archive, env } = this.#owner;
    const told = this.#alerts;
    try {
      await boardOf(env).hearAlerts(cluster, told.held);
    } catch (error) {
      this.#failures++;
      console.warn(JSON.stringify({ event: "alerts_untold", cluster, error: String(error) }));
      archive.arm(Date.now() + retryDelay(this.#failures, Math.random()));
      return false;
    }
    this.#failures = 0;
    if (this.#alerts !== told) return true;
    this.#untold = false;
    memory.write("alertsUntold", false);
    return true;
  }
}
