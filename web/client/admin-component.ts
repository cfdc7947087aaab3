/** The form of a component, while it is filled in: what it would do is shown as it changes. */
import { inert } from "./patch.ts";

/** Nobody reads faster than they type. */
const TYPED_MS = 350;

export function watchComponent(): void {
  const form = document.querySelector<HTMLFormElement>("#component-form");
  if (form === null) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = 0;
  const update = async (): Promise<void> => {
    const mine = ++asked;
    const fields = [...new FormData(form)].flatMap(([name, value]) =>
      typeof value === "string" ? [[name, value]] : [],
    );
    try {
      const answer = await fetch(`${form.dataset["preview"]}?${new URLSearchParams(fields).toString()}`, {
        cache: "no-store",
      });
      const fresh = inert(await answer.text()).getElementById("preview");
      // An answer to what was typed before says nothing any more.
      if (mine === asked && answer.ok && fresh !== null)
        document.getElementById("preview")?.replaceChildren(...fresh.childNodes);
    } catch {
      // The next letter asks again; the button is there without it.
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => void update(), TYPED_MS);
  });
  void update();
}
