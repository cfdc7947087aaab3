/** The audit: as people read it, as a file, and as the chain that the command line follows. */
import * as v from "valibot";
import { renderAudit } from "../../web/view/admin/audit.ts";
import { includesRole } from "../core/access.ts";
import type { AuditRecord } from "../core/audit.ts";
import { tells } from "../core/audit.ts";
import { boardOf } from "../objects/env.ts";
import { AUDIT_PAGE_ROWS, auditAfter, auditRecords, auditRows } from "../store/audit.ts";
import type { Database } from "../store/database.ts";
import { adminPage } from "./admin-page.ts";
import { frameOf } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import { historyDatabase, refuseUnavailable } from "./history.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

/** Where a page ends: "1795466438615.0000000000000041". */
const Cursor = v.pipe(
  v.string(),
  v.regex(/^\d{13}\.[0-9a-z]{12,16}$/),
  v.transform((text) => ({ at: Number(text.slice(0, 13)), key: text.slice(14) })),
);
const SHOWN = 50;

async function showAudit(c: AppContext, { visitor }: RouteRequest): Promise<Response> {
  const query = (c.req.query("q") ?? "").slice(0, 100).trim();
  const asked = v.safeParse(Cursor, c.req.query("before"));
  const before = asked.success ? asked.output : null;
  const board = boardOf(c.env);
  const [held, view, found] = await Promise.all([
    board.audit(),
    board.operatorView([]),
    auditRecords(historyDatabase(c), { text: query, before, limit: SHOWN }),
  ]);
  const archived = found.ok ? found.value : [];
  const known = new Set(archived.map(({ key }) => key));
  const isOnly = (record: AuditRecord): boolean => !known.has(record.key) && (!found.ok || !record.isArchived);
  const own = before === null ? held.recent.filter((record) => isOnly(record) && tells(record, query)) : [];
  const last = archived.length < SHOWN ? undefined : archived.at(-1);
  const params = new URLSearchParams({ ...(query === "" ? {} : { q: query }), before: `${last?.at}.${last?.key}` });
  const model = {
    query,
    records: [...own, ...archived],
    older: last === undefined ? null : `/admin/audit?${params.toString()}`,
    failure: found.ok ? null : found.message,
    waiting: held.waiting,
    mayExport: visitor.role !== null && includesRole(visitor.role, "owner"),
  };
  return adminPage(c, renderAudit(model, frameOf(view, Date.now())));
}

/** Everything, oldest first: a line an entry, as it is stored, and last what is not there yet. */
async function exportAudit(c: AppContext): Promise<Response> {
  const database = historyDatabase(c);
  const { recent } = await boardOf(c.env).audit();
  const first = await auditRows(database, null);
  if (!first.ok) return refuseUnavailable(c, first);
  const pages = pagesOf(database, first.value, recent);
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await pages.next();
      if (done === true) controller.close();
      else controller.enqueue(new TextEncoder().encode(value));
    },
  });
  return new Response(stream, {
    headers: {
      "content-type": "application/jsonl; charset=utf-8",
      "content-disposition": 'attachment; filename="audit.jsonl"',
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    },
  });
}

type Rows = Extract<Awaited<ReturnType<typeof auditRows>>, { ok: true }>["value"];

/** Throws if Postgres goes away half-way: a file that ends early must not look whole. */
async function* pagesOf(database: Database, first: Rows, recent: readonly AuditRecord[]): AsyncGenerator<string> {
  const seen = new Set<string>();
  for (let rows = first; rows.length > 0;) {
    yield rows.map(({ at, key, body }) => `${JSON.stringify({ at, key, ...body })}\n`).join("");
    for (const { key } of rows) seen.add(key);
    const last = rows.at(-1);
    if (last === undefined || rows.length < AUDIT_PAGE_ROWS) break;
    const next = await auditRows(database, last);
    if (!next.ok) throw new Error(next.message);
    rows = next.value;
  }
  const waiting = recent.filter(({ isArchived, key }) => !isArchived && !seen.has(key)).toReversed();
  yield waiting.map((record) => `${JSON.stringify(record)}\n`).join("");
}

/** A page of the chain as Postgres holds it, and how far this page's own memory says that it goes. */
async function chain(c: AppContext): Promise<Response> {
  const after = v.safeParse(After, c.req.query("after"));
  if (!after.success)
    return refuse(c, "request_malformed", "after: must be the number of an entry, 0 for the first page.");
  // Before Postgres is read: what arrives there meanwhile is not missed.
  const { head, waiting, numbered } = await boardOf(c.env).audit();
  const found = await auditAfter(historyDatabase(c), after.output);
  if (!found.ok) return refuseUnavailable(c, found);
  const next = found.value.length < AUDIT_PAGE_ROWS ? null : (found.value.at(-1)?.n ?? null);
  return c.json({ entries: found.value, next, head, waiting, numbered }, 200, { "cache-control": "no-store" });
}

const After = v.pipe(v.optional(v.string(), "0"), v.regex(/^\d{1,15}$/), v.transform(Number));

export const auditRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/audit", policy: "admin", role: "viewer", handle: showAudit },
  { method: "GET", path: "/admin/audit/export", policy: "admin", role: "owner", stepUp: true, handle: exportAudit },
  { method: "GET", path: "/cli/v1/audit", policy: "cli", handle: chain },
  { method: "GET", path: "/cli/v1/audit/export", policy: "cli", handle: exportAudit },
];
