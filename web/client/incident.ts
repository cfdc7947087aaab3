/** The form of an incident while somebody types: how the text will read, and what the chosen states come to. */
import { COMPONENT_STATUSES, INDICATORS } from "../../protocol/status.ts";
import { impactRegion } from "../view/admin/incident-form.ts";
import { trusted } from "../view/html.ts";
import { patch } from "./patch.ts";

/** Nobody reads between two letters. */
const TYPING_MS = 250;

export function watchIncidentForm(): void {
  const form = document.querySelector<HTMLFormElement>("#incident-form");
  if (form === null) return;
  const soFar = INDICATORS.find((one) => one === form.dataset["impact"]) ?? "none";
  const showImpact = (): void => {
    // A row that names nobody says nothing.
    const rows = [...form.querySelectorAll(".add")].filter((row) => row.querySelector("input")?.value !== "");
    const added = rows.flatMap((row) => row.querySelector("select") ?? []);
    const chosen = [...form.querySelectorAll<HTMLSelectElement>(".affected select"), ...added].flatMap(
      ({ value }) => COMPONENT_STATUSES.find((one) => one === value) ?? [],
    );
    const byHand = form.querySelector<HTMLSelectElement>("#impact")?.value ?? "";
    if (byHand === "") patch({ "impact-now": impactRegion(soFar, chosen) });
  };
  form.addEventListener("change", showImpact);
  let timer: ReturnType<typeof setTimeout> | undefined;
  form.querySelector("#body")?.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => void showPreview(form), TYPING_MS);
  });
}

/** Whether somebody has typed or chosen what is not posted yet: the page must not be replaced under their hands. */
export function isTyped(): boolean {
  return [...document.querySelectorAll("textarea, select, input")].some((one) => {
    if (one instanceof HTMLSelectElement)
      return (
        one.selectedIndex !==
        Math.max(
          0,
          [...one.options].findIndex(({ defaultSelected }) => defaultSelected),
        )
      );
    if (one instanceof HTMLTextAreaElement) return one.value !== one.defaultValue;
    if (!(one instanceof HTMLInputElement)) return false;
    // Browsers leave out a zero of seconds.
    const end = one.type === "datetime-local" ? 16 : undefined;
    return one.checked !== one.defaultChecked || one.value.slice(0, end) !== one.defaultValue.slice(0, end);
  });
}

/** The edge renders it: what visitors get is rendered by nothing else. */
async function showPreview(form: HTMLFormElement): Promise<void> {
  const text = form.querySelector<HTMLTextAreaElement>("#body")?.value ?? "";
  try {
    const body = new URLSearchParams({ body: text });
    const answer = await fetch("/admin/incidents/preview", { method: "POST", body });
    if (answer.ok && form.querySelector<HTMLTextAreaElement>("#body")?.value === text)
      patch({ preview: trusted(await answer.text()) });
  } catch {
    // The button shows it, and the next letter asks again.
  }
}
