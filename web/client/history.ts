/** Reads days out of the bars: under the pointer, and with the arrow keys. */
import { HISTORY_DAYS, shortDay, tellDay } from "../view/history.ts";

/** Listens on the document, because the whole page may be replaced. */
export function readHistory(): void {
  let shown: HTMLElement | null = null;
  let day = HISTORY_DAYS - 1;

  function show(bars: Element | null, index: number): string {
    const history = bars?.parentElement ?? null;
    if (shown !== history) shown?.removeAttribute("data-r");
    shown = history;
    if (history === null) return "";
    day = Math.max(0, Math.min(HISTORY_DAYS - 1, index));
    const first = Number(document.getElementById("days")?.dataset["first"]);
    const told = `${shortDay(first + day)}: ${tellDay(history.dataset["x"] ?? "", day)}`;
    history.dataset["r"] = told;
    return told;
  }

  const barsOf = (event: Event): Element | null => (event.target as Element).closest(".bars");

  document.addEventListener("pointermove", (event) => {
    const bars = barsOf(event);
    const box = bars?.firstElementChild?.getBoundingClientRect();
    show(bars, box === undefined ? 0 : Math.floor(((event.clientX - box.left) / box.width) * HISTORY_DAYS));
  });
  document.addEventListener("focusout", () => show(null, HISTORY_DAYS - 1));
  document.addEventListener("keydown", (event) => {
    const bars = barsOf(event);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (bars === null || step === undefined) return;
    event.preventDefault();
    const say = document.getElementById("say");
    const told = show(bars, shown === null ? HISTORY_DAYS - 1 : day + step);
    if (say !== null) say.textContent = told;
  });
}
