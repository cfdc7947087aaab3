/** What agents saw served, from the events that say so: the newest of each endpoint. */
import { sql } from "drizzle-orm";
import type { Certificate } from "../core/certificate.ts";
import type { Database, StoreResult } from "./database.ts";

const KINDS = ["certificate.seen", "certificate.renewed"] as const;
/** Events looked at of each kind, newest first: a month of a thousand endpoints that renew three times a week. */
const EVENTS_READ_MAX = 12_000;
/** Endpoints answered: as many as one agent looks at. */
const CERTIFICATES_MAX = 1_000;

/** The certificate that each endpoint served when it was seen last, the first to end first. At most 1,000. */
export async function servedCertificates(db: Database): Promise<StoreResult<readonly Certificate[]>> {
  const statement = sql`
    SELECT * FROM (
      SELECT DISTINCT ON (e.cluster_id, e.subject) e.cluster_id, e.subject, e.observed_at, e.body
      FROM (${sql.join(KINDS.map(newestOf), sql` UNION ALL `)}) AS e
      ORDER BY e.cluster_id, e.subject, e.observed_at DESC
    ) AS newest ORDER BY body->>'notAfter' LIMIT ${CERTIFICATES_MAX}`;
  const result = await db.run((drizzle) => drizzle.execute<CertificateRow>(statement));
  return result.ok ? { ok: true, value: result.value.rows.map(certificateOf) } : result;
}

/** Each kind by itself, where the planner knows how rare it is. */
function newestOf(kind: (typeof KINDS)[number]) {
  return sql`(SELECT cluster_id, subject, observed_at, body FROM event WHERE kind = ${kind}
    ORDER BY observed_at DESC, cluster_id DESC, id DESC LIMIT ${EVENTS_READ_MAX})`;
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
  };
}
