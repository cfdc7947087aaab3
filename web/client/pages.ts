/** The public documents besides the live page. They say their moments in the visitor's zone too, and nothing else moves. */
import { besideMoment } from "../view/dates.ts";
import { fill } from "../view/words/fill.ts";
import { locale } from "./words.ts";

const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

for (const time of document.querySelectorAll("time")) {
  const { from, until } = time.dataset;
  const own = besideMoment(Number(from), Number(until ?? from), locale, ownZone);
  if (own !== null) time.append(` (${fill(locale.yourTime, { span: own })})`);
}
