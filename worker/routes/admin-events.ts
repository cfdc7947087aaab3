/** The page of events: what Postgres remembers of all clusters, narrowed down and page by page. */
import * as v from "valibot";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import { isEventGroup, kindsOf } from "../../web/view/admin/event-words.ts";
import { renderEvents } from "../../web/view/admin/events.ts";
import type { EventField, EventModel, EventsModel } from "../../web/view/admin/fleet-model.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import { splitService } from "../core/component.ts";
import { boardOf } from "../objects/env.ts";
import type { OperatorView } from "../objects/operator-view.ts";
import type { EventFilter, StoredEvent } from "../store/events.ts";
import { recentEvents } from "../store/events.ts";
import { adminPage, formMoment } from "./admin-page.ts";
import { frameOf } from "./admin-view.ts";
import { cursorOf, cursorText, historyDatabase } from "./history.ts";
import type { AppContext, Route } from "./table.ts";

const PAGE = 50;
/** An operator waits, and the rest of the page does not need it. */
const TIMEOUT_MS = 3 * SECOND;

const FIELDS = ["cluster", "kind", "component", "from", "until"] as const satisfies readonly EventField[];
type Values = EventsModel["form"]["values"];

async function showEvents(c: AppContext): Promise<Response> {
  const asked = c.req.query();
  const values: Values = Object.fromEntries(FIELDS.map((field) => [field, asked[field]?.slice(0, 100) ?? ""]));
  const view = await boardOf(c.env).operatorView([]);
  const faults = faultsOf(values, view);
  const found = faults.length > 0 ? EMPTY : await pageOf(c, values, view);
  const model: EventsModel = {
    ...found,
    form: { values, faults },
    clusters: view.clusters.map(({ cluster }) => cluster),
    components: view.components.map(({ id, name }) => ({ id, name })),
  };
  return adminPage(c, renderEvents(model, frameOf(view, Date.now())), faults.length > 0 ? 400 : 200);
}

type Page = Pick<EventsModel, "events" | "newer" | "older">;
const EMPTY: Page = { events: [], newer: null, older: null };

function momentOf(text: string | undefined): Millis | undefined {
  const parsed = v.safeParse(formMoment, text);
  return parsed.success ? parsed.output : undefined;
}

function faultsOf(values: Values, { clusters, components }: OperatorView): readonly Fault[] {
  const { cluster = "", kind = "", component = "", from = "", until = "" } = values;
  const faults: Fault[] = [];
  if (cluster !== "" && !clusters.some((one) => one.cluster === cluster))
    faults.push({ field: null, message: "There is no such cluster." });
  if (kind !== "" && !isEventGroup(kind)) faults.push({ field: null, message: "There are no events of this kind." });
  if (component !== "" && !components.some(({ id }) => id === component))
    faults.push({ field: null, message: "There is no such component any more." });
  for (const [field, text] of [
    ["from", from],
    ["until", until],
  ] as const)
    if (text !== "" && momentOf(text) === undefined) faults.push({ field, message: "Give date and time, in UTC." });
  return faults;
}

async function pageOf(c: AppContext, values: Values, { components }: OperatorView): Promise<Page> {
  const { cluster = "", kind = "", component = "" } = values;
  const services = components.find(({ id }) => id === component)?.services;
  const filter: EventFilter = {
    cluster: cluster === "" ? undefined : cluster,
    kinds: kindsOf(isEventGroup(kind) ? kind : null),
    subjects: services?.map(splitService).map(({ cluster: of, service }) => ({ cluster: of, subject: service })),
    from: momentOf(values.from),
    until: momentOf(values.until),
    limit: PAGE,
  };
  const before = cursorOf(c.req.query("before") ?? "") ?? undefined;
  const after = before === undefined ? (cursorOf(c.req.query("after") ?? "") ?? undefined) : undefined;
  const database = historyDatabase(c, TIMEOUT_MS);
  const found = await recentEvents(database, { ...filter, before, after });
  if (!found.ok) return { ...EMPTY, events: null };
  // Not a page's worth that is newer: that is the newest page, filled up.
  if (after !== undefined && found.value.length < PAGE) {
    const newest = await recentEvents(database, filter);
    return newest.ok ? paged(values, newest.value, false) : { ...EMPTY, events: null };
  }
  return paged(values, found.value, before !== undefined || after !== undefined);
}

function paged(values: Values, stored: readonly StoredEvent[], hasNewer: boolean): Page {
  const [first, last] = [stored.at(0), stored.at(-1)];
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== ""));
  const link = (side: "before" | "after", event: StoredEvent): string =>
    `/admin/events?${new URLSearchParams([...query, [side, cursorText(event)]]).toString()}`;
  return {
    // Written by the flush from checked records, whose kinds and bodies these are.
    events: stored.map(({ cluster, at, kind, subject, body }) => ({
      cluster,
      at,
      kind: kind as EventModel["kind"],
      subject: subject ?? "",
      body,
    })),
    newer: hasNewer ? (first === undefined ? `/admin/events?${query.toString()}` : link("after", first)) : null,
    older: stored.length < PAGE || last === undefined ? null : link("before", last),
  };
}

export const eventRoutes: readonly Route[] = [
  { method: "GET", path: "/admin/events", policy: "admin", role: "viewer", handle: showEvents },
];
