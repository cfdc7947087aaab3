/** Forms that say what they would do while they are filled in: a component's, and the page's. */
import { inert } from "./patch.ts";

/** Nobody reads faster than they type. */
const TYPED_MS = 350;

/** `data-preview` is who tells, `data-region` what is told anew; without a script a button asks the same. */
export function watchPreview(): void {
  const form = document.querySelector<HTMLFormElement>("form[data-preview]");
  if (form === null) return;
  const { preview = "", region = "" } = form.dataset;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = 0;
  const update = async (): Promise<void> => {
    const mine = ++asked;
    const fields = [...new FormData(form)].flatMap(([name, value]) =>
      typeof value === "string" ? [[name, value]] : [],
    );
    try {
      // What is large may not stand in an address: a logo does not.
      const body = new URLSearchParams(fields);
      const isPosted = form.dataset["posts"] !== undefined;
      const answer = isPosted
        ? await fetch(preview, { method: "POST", body })
        : await fetch(`${preview}?${body.toString()}`, { cache: "no-store" });
      const fresh = inert(await answer.text()).getElementById(region);
      // An answer to what was typed before says nothing any more.
      if (mine === asked && (answer.ok || isPosted) && fresh !== null)
        document.getElementById(region)?.replaceChildren(...fresh.childNodes);
    } catch {
      // The next letter asks again; the button is there without it.
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => void update(), TYPED_MS);
  });
  if (form.dataset["posts"] === undefined) void update();
}
