/** `/view`: the form in which visitors choose the components of their own view. It works without a script. */
import type { PageComponent } from "../../protocol/page.ts";
import type { FrameView } from "./frame.ts";
import { frame } from "./frame.ts";
import type { Html } from "./html.ts";
import { markup } from "./html.ts";

/** @param chosen what is chosen already, if a choice is being changed */
export function renderChoose(view: FrameView, chosen: readonly string[]): string {
  const { components } = view.snapshot;
  const { words, base } = view.locale;
  const { viewLead, viewAbout, viewShow } = words.pages;
  const groups = [...new Set(components.map(({ group }) => group))];
  const boxes = groups.map((group) =>
    fields(
      group ?? words.components,
      components.filter((one) => one.group === group),
      chosen,
    ),
  );
  const form = markup`<form action="${base}/view">${boxes}<button>${viewShow}</button></form>`;
  const main = markup`<div class="top"><h1>${words.ownViewLink}</h1><p class="lead">${viewLead}</p></div>${components.length === 0 ? markup`<p class="empty">${words.empty}</p>` : form}`;
  return frame(view, { title: words.ownViewLink, description: viewAbout, status: null, path: "/view", main });
}

function fields(legend: string, components: readonly PageComponent[], chosen: readonly string[]): Html {
  const boxes = components.map(
    ({ id, name }) =>
      markup`<label><input type="checkbox" name="c" value="${id}"${chosen.includes(id) && markup` checked`}/> <bdi>${name}</bdi></label>`,
  );
  return markup`<fieldset><legend><bdi>${legend}</bdi></legend>${boxes}</fieldset>`;
}
