/** Reads days out of the bars. */
import { shortDay } from "../view/format.ts";
import { tellDay } from "../view/history.ts";
import type { Tell } from "./pictures.ts";
import { locale, rendered } from "./words.ts";

export const tellBars: Tell = ({ dataset }, day) =>
  `${shortDay(Number(rendered("first")) + day, locale, locale.day)}: ${tellDay(dataset["x"] as string, day, locale)}`;
