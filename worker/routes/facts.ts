/** What public documents are made from, gathered for one of them. */
import type { PageIncident, PageLog, PageMaintenance, PageSnapshot } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { chartsOf } from "./charts.ts";
import { latestLog, latestSnapshot } from "./latest.ts";
import { see } from "./seen.ts";
import type { PublicView, Render } from "./serve.ts";
import type { AppContext } from "./table.ts";
import type { Tongue } from "./tongue.ts";

/** All but the moment. */
export interface Facts {
  readonly view: Omit<PublicView, "now">;
  /** They are to be asked for again from then on. */
  readonly until: Millis;
}

/** Null: the Board cannot answer, and nothing is known of it. */
export async function factsFor(
  c: AppContext,
  origin: string,
  { needs }: Render,
  { lang, base }: Tongue,
): Promise<Facts | null> {
  const latest = await latestSnapshot(c, origin);
  if (latest === null) return null;
  const { value: snapshot, until } = latest;
  const log = needs?.log === true ? await latestLog(c, origin, snapshot) : undefined;
  const charted = needs?.charts?.(snapshot) ?? null;
  const charts = charted === null ? null : await chartsOf(c, origin, charted);
  const isCopy = latest.isCopy || log === null || log?.isCopy === true;
  const locale = localeOf(lang, snapshot.page.timeZone, base);
  const view = {
    snapshot,
    log: atLeastShown(log?.value ?? null, snapshot),
    origin: snapshot.brand?.origin ?? origin,
    isCopy,
    charts,
    brandHash: await see(snapshot),
    locale,
  };
  return { view, until };
}

/**
 * What the page itself shows of it: all there is where nobody needs more, or nothing more is known. And what a copy
 * from before lacks of that, or knows in an older state: the page leads to it.
 */
function atLeastShown(log: PageLog | null, { version, incidents = [], maintenances }: PageSnapshot): PageLog {
  if (log === null) return { version, incidents, maintenances };
  if (log.version >= version) return log;
  const [shownIncidents, shownMaintenances] = [idsOf(incidents), idsOf(maintenances)];
  return {
    version,
    incidents: [...incidents, ...log.incidents.filter(({ id }) => !shownIncidents.has(id))].toSorted(
      (a, b) => b.startedAt - a.startedAt,
    ),
    maintenances: [...maintenances, ...log.maintenances.filter(({ id }) => !shownMaintenances.has(id))].toSorted(
      (a, b) => b.startsAt - a.startsAt,
    ),
    ...(log.merged !== undefined && { merged: log.merged }),
  };
}

function idsOf(announced: readonly (PageIncident | PageMaintenance)[]): ReadonlySet<string> {
  return new Set(announced.map(({ id }) => id));
}
