/** What public documents are made from, gathered for one of them. */
import type { PageLog, PageSnapshot } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { localeOf } from "../../web/view/words/locale.ts";
import { chartsOf } from "./charts.ts";
import { latestLog, latestSnapshot } from "./latest.ts";
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
  const log = needs?.log === true ? await latestLog(c, origin, snapshot) : null;
  const charted = needs?.charts?.(snapshot) ?? null;
  const charts = charted === null ? null : await chartsOf(c, origin, charted);
  const isCopy = latest.isCopy || log?.isCopy === true;
  const locale = localeOf(lang, snapshot.page.timeZone, base);
  return { view: { snapshot, log: log?.value ?? shownLog(snapshot), origin, isCopy, charts, locale }, until };
}

/** What the page itself shows of it: all there is where nobody needs more, or nothing more is known. */
function shownLog({ version, incidents, maintenances }: PageSnapshot): PageLog {
  return { version, incidents: incidents ?? [], maintenances };
}
