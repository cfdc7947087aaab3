/** What agents saw of certificates, from the events that say so: the newest of each place. */
import { sql } from "drizzle-orm";
import { CERTIFICATE_ROLES, CERTIFICATE_SOURCES } from "../../protocol/certificate.ts";
import type { EventKind } from "../../protocol/record.ts";
import type { Certificate, CertificateMore } from "../core/certificate.ts";
import type { Database, StoreResult } from "./database.ts";

const KINDS = ["certificate.seen", "certificate.renewed", "certificate.gone"] as const;
/** Events looked at of each kind, newest first: a month of a thousand endpoints that renew three times a week. */
const EVENTS_READ_MAX = 12_000;
/** Places answered: as many as one agent looks at. */
const CERTIFICATES_MAX = 1_000;
/** Of workloads, which renew twice a day: what is older was renewed, or is gone. */
const MESH_KINDS = ["mesh_certificate.seen", "mesh_certificate.renewed", "mesh_certificate.gone"] as const;
const MESH_EVENTS_READ_MAX = 4_000;

/**
 * The certificate that each place showed when it was seen last, the first to end first. At most 1,000, and as many of
 * workloads: those always end first, and must not leave the others out.
 */
export async function servedCertificates(db: Database): Promise<StoreResult<readonly Certificate[]>> {
  const statement = sql`${newestOfPlaces(KINDS, EVENTS_READ_MAX)} UNION ALL ${newestOfPlaces(MESH_KINDS, MESH_EVENTS_READ_MAX)}`;
  const result = await db.run((drizzle) => drizzle.execute<CertificateRow>(statement));
  return result.ok ? { ok: true, value: result.value.rows.map(certificateOf) } : result;
}

function newestOfPlaces(kinds: readonly EventKind[], readMax: number) {
  const each = kinds.map((kind) => newestOf(kind, readMax));
  return sql`(SELECT cluster_id, subject, observed_at, body FROM (
      SELECT DISTINCT ON (e.cluster_id, e.subject) e.cluster_id, e.subject, e.observed_at, e.kind, e.body
      FROM (${sql.join(each, sql` UNION ALL `)}) AS e
      ORDER BY e.cluster_id, e.subject, e.observed_at DESC
    ) AS newest WHERE kind NOT LIKE '%.gone' ORDER BY body->>'notAfter' LIMIT ${CERTIFICATES_MAX})`;
}

/** Each kind by itself, where the planner knows how rare it is. */
function newestOf(kind: EventKind, readMax: number) {
  return sql`(SELECT cluster_id, subject, observed_at, kind, body FROM event WHERE kind = ${kind}
    ORDER BY observed_at DESC, cluster_id DESC, id DESC LIMIT ${readMax})`;
}

interface CertificateRow extends Record<string, unknown> {
  readonly cluster_id: string;
  readonly subject: string | null;
  readonly observed_at: string;
  readonly body: Readonly<Record<string, unknown>>;
}

function certificateOf({
  cluster_id: cluster,
  subject: location,
  observed_at: seenAt,
  body,
}: CertificateRow): Certificate {
  const text = (key: string): string => {
    const value = body[key];
    return typeof value === "string" ? value : "";
  };
  const moment = (key: string): number | null => {
    const at = Date.parse(text(key));
    return Number.isNaN(at) ? null : at;
  };
  return {
    cluster,
    location: location ?? "",
    fingerprint: text("fingerprint"),
    subject: text("subject"),
    issuer: text("issuer"),
    notBefore: moment("notBefore"),
    notAfter: moment("notAfter"),
    chainEndsAt: moment("chainEarliestNotAfter"),
    chainEndsWith: text("chainEarliestSubject"),
    seenAt: Date.parse(seenAt),
    ...moreOf(text, moment),
  };
}

/** Nothing of an event that an earlier version of the agent wrote. */
function moreOf(
  text: (key: string) => string,
  moment: (key: string) => number | null,
): { readonly more: CertificateMore } | undefined {
  const source = CERTIFICATE_SOURCES.find((one) => one === text("source"));
  const role = CERTIFICATE_ROLES.find((one) => one === text("role"));
  if (source === undefined || role === undefined) return undefined;
  const anchorEndsAt = moment("anchorNotAfter");
  const anchor = anchorEndsAt === null ? null : { subject: text("anchorSubject"), notAfter: anchorEndsAt };
  return { more: { source, role, renewAt: moment("renewAt"), chainBeganAt: moment("chainEarliestNotBefore"), anchor } };
}
