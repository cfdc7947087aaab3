/** What an open page starts from. */
import type { Millis } from "../../protocol/time.ts";
import type { Html } from "./html.ts";
import { json, markup } from "./html.ts";
import type { Shown } from "./regions.ts";

/**
 * Facts of the script of a document that goes on living. They stand last in its main, because they weigh as much as all
 * that is read before them. `own`: ids of the components that a visitor chose.
 */
export function livingFacts(change: Shown, now: Millis, own?: readonly string[]): Html {
  return markup`<p hidden id="data" data-page='${json(change, figures)}' data-now="${now}"${own && markup` data-own="${own.join()}"`}></p>`;
}

/** Six figures are more than anybody reads, and the other ten are what a page is heavy with. */
function figures(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
