/** Who did what: the audit, newest first. */
import type { Millis } from "../../../protocol/time.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { adminDocument } from "./document.ts";
import { age, marked, table } from "./elements.ts";
import type { AdminFrame } from "./model.ts";

interface ChangeModel {
  readonly field: string;
  readonly before: string | null;
  readonly after: string | null;
}

interface AuditRecordModel {
  readonly at: Millis;
  readonly act: string;
  readonly subject: string;
  readonly by: string;
  readonly changes: readonly ChangeModel[];
  readonly n: number | null;
  readonly isArchived: boolean;
}

export interface AuditPageModel {
  readonly query: string;
  readonly records: readonly AuditRecordModel[];
  /** The address of what is older; null on the last page. */
  readonly older: string | null;
  /** Null if Postgres answered; otherwise why it did not. */
  readonly failure: string | null;
  /** Entries that are not in Postgres yet. */
  readonly waiting: number;
  readonly mayExport: boolean;
}

export function renderAudit(model: AuditPageModel, frame: AdminFrame): string {
  const { query, records, older, mayExport } = model;
  const list = table({
    caption: "What was done, newest first",
    head: ["When", "Who", "Did", "To", "What changed", "Number"],
    rows: records.map((record) => [
      age(record.at, frame),
      record.by,
      markup`<code>${record.act}</code>`,
      record.subject,
      changes(record.changes),
      number(record),
    ]),
    empty:
      query === ""
        ? "Nothing was done yet."
        : markup`Nothing that was done has “${query}” in it. <a href="/admin/audit">Show all</a>`,
  });
  return adminDocument(
    frame,
    "/admin/audit",
    "Audit",
    markup`<p class="soft">Every entry is covered by the hash of the next: <code>npm run -s audit -- verify</code> shows whether one was changed.</p>
${archive(model, frame)}
<form class="filter" method="get" action="/admin/audit" role="search"><label for="q">Filter</label> <input id="q" name="q" type="search" maxlength="100" placeholder="who, what, or to what" value="${query}"> <button class="secondary">Filter</button>${query !== "" && markup` <a href="/admin/audit">show all</a>`}</form>
<div class="audit">${list}</div>
<p class="actions">${older !== null && markup`<a class="secondary" href="${older}">Older</a>`}${mayExport && markup`<a class="secondary" href="/admin/audit/export">Export as JSON lines</a>`}</p>`,
  );
}

function archive({ failure, waiting }: AuditPageModel, _frame: AdminFrame): Html {
  const entries = `${waiting} ${waiting === 1 ? "entry is" : "entries are"} not archived yet`;
  if (failure !== null)
    return markup`<p>${marked("degraded_performance", markup`Postgres does not answer (<code>${failure}</code>): only what this page still holds is shown, of the last two days. ${waiting > 0 && `${entries}; nothing is lost.`}`)}</p>`;
  return waiting === 0 ? markup`` : markup`<p class="soft">${entries}, and on the way.</p>`;
}

/** More fields than these are folded: what was made has all of them, and a list is to be looked over. */
const FIELDS_SHOWN = 3;

function changes(all: readonly ChangeModel[]): Html {
  if (all.length === 0) return markup`–`;
  const items = all.map(
    ({ field, before, after }) =>
      markup`<li><span class="soft">${field}:</span> ${before !== null && markup`<del>${before}</del>`}${before !== null && after !== null && " → "}${after !== null && markup`<ins>${after}</ins>`}</li>`,
  );
  const list = markup`<ul>${items}</ul>`;
  return all.length <= FIELDS_SHOWN ? list : markup`<details><summary>${all.length} fields</summary>${list}</details>`;
}

function number({ n, isArchived }: AuditRecordModel): Html | string {
  if (n !== null) return String(n);
  return isArchived ? markup`<small>before the chain</small>` : markup`<small>on its way</small>`;
}
