/**
 * Tokens for what speaks to the edge and is no agent: an Alertmanager, an OpenTelemetry Collector. Each opens one
 * cluster's inputs and nothing else. Only hashes are kept.
 *
 *   CLUSTER.SECRET   the cluster's name tells which object to ask; the secret has 256 bits
 */
import type { Millis } from "../../protocol/time.ts";

export interface IngestToken {
  /** Names it in lists and in the audit. */
  readonly id: string;
  readonly hash: string;
  readonly createdAt: Millis;
  readonly revokedAt: Millis | null;
}

/** Tokens of a cluster that are not revoked. */
export const INGEST_TOKENS_MAX = 20;
/** Revoked ones that are still listed. */
const REVOKED_KEPT = 20;

export function ingestToken(cluster: string, secret: string): string {
  return `${cluster}.${secret}`;
}

/** The parts of a token; null if it is none. No cluster's name has a dot. */
export function readIngestToken(token: string): { readonly cluster: string; readonly secret: string } | null {
  const [, cluster, secret] = /^([a-z0-9-]{1,63})\.([\w-]{43})$/.exec(token) ?? [];
  return cluster === undefined || secret === undefined ? null : { cluster, secret };
}

/** With one more; null if there are too many. */
export function withIngestToken(tokens: readonly IngestToken[], token: IngestToken): readonly IngestToken[] | null {
  const open = tokens.filter(({ revokedAt }) => revokedAt === null);
  if (open.length >= INGEST_TOKENS_MAX) return null;
  const revoked = tokens.filter(({ revokedAt }) => revokedAt !== null).slice(-REVOKED_KEPT);
  return [...revoked, ...open, token];
}

/** Without it from now on; null if there is no such token. */
export function withoutIngestToken(
  tokens: readonly IngestToken[],
  id: string,
  now: Millis,
): readonly IngestToken[] | null {
  if (!tokens.some((token) => token.id === id)) return null;
  return tokens.map((token) => (token.id === id ? { ...token, revokedAt: token.revokedAt ?? now } : token));
}

export function isIngestOpen(tokens: readonly IngestToken[], hash: string): boolean {
  return tokens.some((token) => token.hash === hash && token.revokedAt === null);
}
