/** Reads pictures out, step by step: under the pointer and with the arrow keys, in place of what stands below them. */
import { say } from "./say.ts";

/** What the picture in a box says of one of its steps. */
export type Tell = (box: HTMLElement, step: number) => string;

/** Listens on the document, because the whole page may be replaced. A box without `data-steps` has those of bars. */
export function readOut(selector: string, tell: Tell): void {
  let shown: HTMLElement | null = null;
  let step = 0;
  /** The step `index`, or the one that lies at `share` of the picture's width. */
  const show = (picture: Element | null, index: number, share = 0): string => {
    shown?.removeAttribute("data-r");
    shown = picture?.parentElement ?? null;
    if (!shown) return "";
    const steps = Number(shown.dataset["steps"]);
    step = Math.max(0, Math.min(steps - 1, index + Math.floor(share * steps)));
    return (shown.dataset["r"] = tell(shown, step));
  };
  const pictureOf = (event: Event): Element | null => (event.target as Element).closest(selector);
  document.addEventListener("pointermove", (event) => {
    const picture = pictureOf(event);
    const { x, width } = (picture?.firstElementChild ?? document.body).getBoundingClientRect();
    show(picture, 0, (event.x - x) / width);
  });
  document.addEventListener("focusout", () => show(null, 0));
  document.addEventListener("keydown", (event) => {
    const picture = pictureOf(event);
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!picture || !by) return;
    event.preventDefault();
    say(show(picture, shown ? step + by : Infinity));
  });
}
