/** Reads days out of the bars. */
import { shortDay } from "../view/format.ts";
import { HISTORY_DAYS, tellDay, today } from "../view/history.ts";
import type { Tell } from "./pictures.ts";
import { locale, rendered } from "./words.ts";

/** As the Worker counted when it drew them. */
const firstDay = (): number => today(Number(rendered("now")), locale.timeZone) - HISTORY_DAYS + 1;

export const tellBars: Tell = ({ dataset }, day) =>
  `${shortDay(firstDay() + day, locale, locale.day)}: ${tellDay(dataset["x"] as string, day, locale)}`;
