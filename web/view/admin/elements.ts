/** The pieces that admin pages are put together from. */
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { Millis } from "../../../protocol/time.ts";
import type { Html, Part } from "../html.ts";
import { markup } from "../html.ts";
import { shape } from "../shape.ts";
import type { AdminFrame, Fault } from "./model.ts";
import { length, moment } from "../english.ts";

/** A mark with its word. */
export function marked(status: ComponentStatus, ...words: readonly Part[]): Html {
  return markup`<span class="marked">${shape(status)}<span>${words}</span></span>`;
}

/** "14:02:31 UTC, 8 s ago": the age counts on while the page is open. */
export function age(at: Millis | null, { now, timeZone }: AdminFrame): Html {
  if (at === null) return markup`never`;
  return markup`<span class="age">${moment(at, now, timeZone, true)}, <span data-ago="${at}">${length(now - at)} ago</span></span>`;
}

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly Part[])[];
  /** What to do where there is nothing. */
  readonly empty: Part;
}

/** The first cell of each row is its heading. */
export function table({ caption, head, rows, empty }: Table): Html {
  if (rows.length === 0) return markup`<p class="empty">${empty}</p>`;
  // On a phone a row becomes a card: cells then carry their column's word, and roles what the layout takes away.
  const body = rows.map(
    ([
      first,
      ...cells
    ]) => markup`<tr role="row"><th role="rowheader" scope="row">${first}</th>${cells.map((cell, i) => markup`<td role="cell" data-head="${head[i + 1] ?? ""}"><div>${cell}</div></td>`)}</tr>
`,
  );
  return markup`<table role="table"><caption class="vh">${caption}</caption><thead role="rowgroup"><tr role="row">${head.map((word) => (word === "" ? markup`<td role="cell"></td>` : markup`<th role="columnheader" scope="col">${word}</th>`))}</tr></thead>
<tbody role="rowgroup">${body}</tbody></table>`;
}

/** A form of one button. */
export function button(
  action: string,
  word: string,
  hidden: Readonly<Record<string, string>> = {},
  kind = "quiet",
): Html {
  const fields = Object.entries(hidden).map(
    ([name, value]) => markup`<input type="hidden" name="${name}" value="${value}">`,
  );
  return markup`<form method="post" action="${action}">${fields}<button class="${kind}">${word}</button></form>`;
}

/** What is wrong with a field, beside it; `id` is what the field's aria-describedby names. */
export function faultOf(faults: readonly Fault[], field: string | null, id: string): Html | null {
  const messages = faults.filter((fault) => fault.field === field).map((fault) => fault.message);
  return messages.length === 0
    ? null
    : markup`<p class="fault" id="${id}">${shape("major_outage")} ${messages.join(" ")}</p>`;
}

/** The attributes that mark a field as faulty, and name what is said of it: its fault, and its hint if it has one. */
export function invalid(faults: readonly Fault[], field: string, id: string, hint: string | null = null): Html | null {
  const isFaulty = faults.some((fault) => fault.field === field);
  const said = [...(isFaulty ? [id] : []), ...(hint === null ? [] : [hint])].join(" ");
  return said === "" ? null : markup`${isFaulty && markup` aria-invalid="true"`} aria-describedby="${said}"`;
}

/** "localhost:8787" of an origin. */
export function hostOf(origin: string): string {
  return origin.replace(/^https?:\/\//, "");
}

/** One segment of an address. */
export function segment(text: string): string {
  return encodeURIComponent(text);
}
