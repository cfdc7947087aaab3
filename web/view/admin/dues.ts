import { moment } from "../english.ts";
import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { marked, segment } from "./elements.ts";
import type { AdminFrame, DueModel } from "./model.ts";

/** At the top of every page: which updates visitors wait for. The Worker and the browser both render it. */
export function duesRegion(dues: readonly DueModel[], { now, timeZone }: Pick<AdminFrame, "now" | "timeZone">): Html {
  return markup`${dues.map(({ id, name, at, state }) => markup`<p>${marked(state === "overdue" ? "major_outage" : "degraded_performance", markup`<a href="/admin/incidents/${segment(id)}#update">${name}</a>: an update is ${state} since ${moment(at, now, timeZone)}.`)}</p>`)}`;
}
