/** Reads values out of charts: the picture is the data, so figures are as fine as it is drawn. */
import { stepText, valueAt } from "../view/chart.ts";
import { now } from "./clock.ts";
import type { Tell } from "./pictures.ts";
import { locale } from "./words.ts";

export const tellChart: Tell = (box, step) => {
  const { from, step: stepMs, top, unit, heights } = box.querySelector<HTMLElement>(".plot")?.dataset ?? {};
  const lines = [...box.querySelectorAll<SVGElement>(".line")].map((line) => {
    const value = valueAt(line.getAttribute("d") ?? "", Number(top), step, Number(heights));
    const text = value === null ? locale.noData : `${Number(value.toPrecision(3))} ${unit}`;
    return `${line.dataset["name"] ?? ""} ${text.replace(".", locale.point)}`.trim();
  });
  return `${stepText(Number(from) + step * Number(stepMs), Number(stepMs), now(), locale)}: ${lines.join(", ")}`;
};
