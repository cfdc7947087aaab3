/** Reads days out of the bars: under the pointer, and with the arrow keys. */
import { shortDay } from "../view/format.ts";
import { HISTORY_DAYS, tellDay } from "../view/history.ts";
import { say } from "./patch.ts";
import { locale, rendered } from "./words.ts";

let shown: HTMLElement | null = null;
let day = 0;

/** Shows a day beside its bars, in place of what was shown before; what it says. */
function show(bars: Element | null, index: number): string {
  shown?.removeAttribute("data-r");
  shown = bars?.parentElement ?? null;
  if (shown === null) return "";
  day = Math.max(0, Math.min(HISTORY_DAYS - 1, index));
  const first = Number(rendered("first"));
  return (shown.dataset["r"] =
    `${shortDay(first + day, locale, locale.day)}: ${tellDay(shown.dataset["x"] ?? "", day, locale)}`);
}

/** Listens on the document, because the whole page may be replaced. */
export function readHistory(): void {
  const barsOf = (event: Event): Element | null => (event.target as Element).closest(".bars");
  document.addEventListener("pointermove", (event) => {
    const bars = barsOf(event);
    const { left, width } = (bars?.firstElementChild ?? document.body).getBoundingClientRect();
    show(bars, Math.floor(((event.clientX - left) / width) * HISTORY_DAYS));
  });
  document.addEventListener("focusout", () => show(null, 0));
  document.addEventListener("keydown", (event) => {
    const bars = barsOf(event);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (bars === null || step === undefined) return;
    event.preventDefault();
    say(show(bars, shown === null ? HISTORY_DAYS - 1 : day + step));
  });
}
