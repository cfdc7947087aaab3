/**
 * The order of the page by hand. The arrows are forms, sent from here so that the page stays and the focus with it; what
 * is dragged is put down as a form that nobody saw.
 */
import { inert } from "./patch.ts";
import { say } from "./say.ts";

/** What is dragged near an edge scrolls the page, px. */
const EDGE_PX = 48;
const SCROLL_PX = 12;

const region = (): HTMLElement | null => document.getElementById("order");

export function watchOrder(): void {
  const order = region();
  if (order === null) return;
  order.classList.add("drags");
  order.addEventListener("submit", (event) => {
    const { target: form, submitter } = event as SubmitEvent & { target: HTMLFormElement };
    if (!form.classList.contains("arrows")) return;
    event.preventDefault();
    const fields = new FormData(form, submitter);
    void send(fields);
  });
  order.addEventListener("pointerdown", (event) => {
    const grip = (event.target as Element).closest<HTMLElement>(".grip");
    if (grip === null || event.button !== 0) return;
    event.preventDefault();
    drag(grip, event.pointerId);
  });
}

/** Does what a form asks, and shows the order as it is then: the button that was pressed has the focus again. */
async function send(fields: FormData): Promise<void> {
  const body = new URLSearchParams();
  for (const [name, value] of fields) if (typeof value === "string") body.append(name, value);
  try {
    const answer = await fetch("/admin/components/order", { method: "POST", body });
    const fresh = inert(await answer.text()).getElementById("order");
    if (!answer.ok || fresh === null) throw new Error(String(answer.status));
    region()?.replaceChildren(...fresh.childNodes);
    region()?.querySelector<HTMLElement>("[autofocus]")?.focus();
    say(document.getElementById("moved")?.textContent ?? "");
  } catch {
    // Whatever it was, the page says it.
    location.reload();
  }
}

function drag(grip: HTMLElement, pointer: number): void {
  const isGroup = grip.dataset["drag"] === "group";
  const dragged = grip.closest<HTMLElement>(isGroup ? "section" : "li");
  if (dragged === null) return;
  const home = { parent: dragged.parentElement, next: dragged.nextElementSibling };
  const stop = new AbortController();
  const end = (isDropped: boolean): void => {
    stop.abort();
    dragged.classList.remove("dragged");
    if (isDropped && (dragged.parentElement !== home.parent || dragged.nextElementSibling !== home.next))
      void send(placeOf(dragged, isGroup));
    else if (!isDropped) home.parent?.insertBefore(dragged, home.next);
  };
  const { signal } = stop;
  dragged.classList.add("dragged");
  document.addEventListener(
    "pointermove",
    (event) => {
      if (event.pointerId !== pointer) return;
      if (event.clientY < EDGE_PX) scrollBy(0, -SCROLL_PX);
      if (event.clientY > innerHeight - EDGE_PX) scrollBy(0, SCROLL_PX);
      if (isGroup) overGroup(dragged, event.clientY);
      else overComponent(dragged, event);
    },
    { signal },
  );
  document.addEventListener("pointerup", () => end(true), { signal });
  document.addEventListener("pointercancel", () => end(false), { signal });
  document.addEventListener("keydown", ({ key }) => key === "Escape" && end(false), { signal });
}

function overComponent(dragged: HTMLElement, { clientX, clientY }: PointerEvent): void {
  const under = document.elementFromPoint(clientX, clientY);
  const row = under?.closest<HTMLElement>("#order li");
  if (row !== null && row !== undefined) {
    if (row !== dragged) row.parentElement?.insertBefore(dragged, isAbove(row, clientY) ? row : row.nextSibling);
    return;
  }
  const list = under?.closest<HTMLElement>("#order section")?.querySelector<HTMLElement>(":scope > ol");
  if (list !== null && list !== undefined && list !== dragged.parentElement)
    list.insertBefore(dragged, isAbove(list, clientY) ? list.firstChild : null);
}

/** Groups stay in the one that they stand in. */
function overGroup(dragged: HTMLElement, y: number): void {
  const beside = besides(dragged);
  const next = beside.find((one) => isAbove(one, y));
  const last = beside.at(-1);
  if (next !== undefined) next.parentElement?.insertBefore(dragged, next);
  else last?.parentElement?.insertBefore(dragged, last.nextSibling);
}

function besides(group: HTMLElement): HTMLElement[] {
  return [...(group.parentElement?.querySelectorAll<HTMLElement>(":scope > section") ?? [])].filter(
    (one) => one !== group,
  );
}

function isAbove(element: Element, y: number): boolean {
  const { top, height } = element.getBoundingClientRect();
  return y < top + height / 2;
}

function placeOf(dragged: HTMLElement, isGroup: boolean): FormData {
  const fields = new FormData();
  const next = dragged.nextElementSibling as HTMLElement | null;
  if (isGroup) {
    fields.set("group", dragged.dataset["group"] ?? "");
    fields.set("before", next === null ? "" : `group:${next.dataset["group"]}`);
  } else {
    fields.set("component", dragged.dataset["component"] ?? "");
    fields.set("to", dragged.closest<HTMLElement>("ol")?.dataset["list"] ?? "");
    fields.set("before", next?.dataset["component"] ?? "");
  }
  return fields;
}
