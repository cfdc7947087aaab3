/** `/view`: the form in which visitors choose the components of their own view. It works without a script. */
import type { PageComponent } from "../../protocol/page.ts";
import type { FrameView } from "./frame.ts";
import { frame } from "./frame.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";

/** @param chosen what is chosen already, if a choice is being changed */
export function renderChoose(view: FrameView, chosen: readonly string[]): string {
  const { components } = view.snapshot;
  const groups = [...new Set(components.map(({ group }) => group))];
  const main = markup`<div class="top"><h1>Your own view</h1><p class="lead">Choose what concerns you. The next page has an address of its own, with feeds and a calendar of just these. Nothing is stored: the choice is in the address.</p></div>${
    components.length === 0
      ? markup`<p class="empty">No component is shown here yet.</p>`
      : markup`<form action="/view">${groups.map((group) => fields(group, components, chosen))}<button>Show these</button></form>`
  }`;
  return frame(view, {
    title: "Your own view",
    description: "Choose the components that concern you, and get a page of your own.",
    status: "unknown",
    path: "/view",
    main,
  });
}

function fields(group: string | null, components: readonly PageComponent[], chosen: readonly string[]): Html {
  const boxes = components
    .filter((one) => one.group === group)
    .map(
      ({ id, name }) =>
        markup`<label><input type="checkbox" name="c" value="${id}"${chosen.includes(id) && markup` checked`}/> ${name}</label>`,
    );
  return markup`<fieldset><legend>${group ?? "Components"}</legend>${boxes}</fieldset>`;
}
