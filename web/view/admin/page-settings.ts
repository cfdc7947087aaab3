import type { Html, Part } from "../html.ts";
import { markup, trusted } from "../html.ts";
import { shape } from "../shape.ts";
import { adminDocument } from "./document.ts";
import { faultOf, invalid } from "./elements.ts";
import type { AdminFrame } from "./model.ts";
import type { PageSettingsModel, SampleModel } from "./page-settings-model.ts";
import { CHART_ROWS, COLOUR_NAMES, LINK_ROWS } from "./page-settings-model.ts";

/** WCAG 2.2, 1.4.3. */
const CONTRAST_MIN = 4.5;

/** How the page looks, where it stands, and which charts it begins with. */
export function renderPageSettings(model: PageSettingsModel, frame: AdminFrame): string {
  return adminDocument(
    frame,
    "/admin/page",
    "Page",
    markup`<p class="soft">What visitors see around the components. Each reads it in their own of six languages, with the page's times beside their own.</p>
<form class="sheet" id="page-form" method="post" action="/admin/page" data-preview="/admin/page/preview" data-region="samples" data-posts><input type="hidden" name="revision" value="${model.revision}">
${faultOf(model.faults, null, "fault-form")}
${section("Name and address", [
  text(model, "name", "Name", 'maxlength="80"', `Empty: ${model.deploymentName}, as deployed.`),
  text(
    model,
    "timeZone",
    "Time zone",
    'maxlength="60" placeholder="Europe/Berlin"',
    `Days are cut in it; those that are frozen stay as they are. Empty: ${model.deploymentZone}, as deployed.`,
  ),
  text(
    model,
    "origin",
    "Address",
    'type="url" maxlength="300" placeholder="https://"',
    "Where the page stands for visitors: feeds, calendars and search engines are told it. Empty: whichever they asked.",
  ),
])}
${section("Looks", [logo(model), accent(model), samples(model)])}
${links(model)}
${colours(model)}
<p class="actions"><button class="primary">Save</button> <button class="secondary" formaction="/admin/page/preview" formnovalidate>Preview</button></p></form>
${charts(model)}
<h2>Page as code</h2>
<p class="soft">The page with its components, order, limits, charts and rules as one file: <code>npm run -s config -- plan status.yaml</code> says what a changed one would change.</p>
<p class="actions"><a class="secondary" href="/admin/page/export">Export status.yaml</a></p>`,
  );
}

function section(title: string, fields: readonly Part[]): Html {
  return markup`<fieldset class="section"><legend>${title}</legend>${fields}</fieldset>`;
}

function folded(title: string, isOpen: boolean, fields: readonly Part[]): Html {
  return markup`<details class="section"${isOpen && trusted(" open")}><summary>${title}</summary>${fields}</details>`;
}

/** `attributes` are our own constants. */
function text(model: PageSettingsModel, name: string, label: string, attributes: string, hint?: string): Html {
  const said = invalid(model.faults, name, `fault-${name}`, hint === undefined ? null : `hint-${name}`);
  return markup`<div class="field"><label for="${name}">${label}</label><input id="${name}" name="${name}" ${trusted(attributes)} value="${model.values[name] ?? ""}"${said}>${hint !== undefined && markup`<small id="hint-${name}">${hint}</small>`}${faultOf(model.faults, name, `fault-${name}`)}</div>`;
}

function logo(model: PageSettingsModel): Html {
  return markup`<div class="field"><label for="logo">Logo</label>${model.logo !== null && markup`<p><img src="${model.logo}" alt="The logo as it stands" height="28"></p>`}<textarea id="logo" name="logo" rows="3" spellcheck="false"${invalid(model.faults, "logo", "fault-logo", "hint-logo")}>${model.values["logo"] ?? ""}</textarea><small id="hint-logo">An SVG as text, or a picture as a data: URL, at most 8,192 letters. It stands before the name, 28 px high. Empty: none.</small>${faultOf(model.faults, "logo", "fault-logo")}</div>`;
}

function accent(model: PageSettingsModel): Html {
  return markup`<fieldset><legend>Accent</legend><div class="pair">${text(model, "accent.light", "On light paper", 'size="9" placeholder="ours"')}${text(model, "accent.dark", "In the dark", 'size="9" placeholder="made from it"')}</div>${faultOf(model.faults, "accent", "fault-accent")}</fieldset>`;
}

/** What the colours look like, and how well they can be read. */
function samples({ samples: list, faults }: PageSettingsModel): Html {
  return markup`<div id="samples" role="status">${list === null ? markup`${faults.map(({ message }) => markup`<p class="fault">${shape("major_outage")} <span>${message}</span></p>`)}` : list.map(sample)}</div>`;
}

function sample({ mode, paper, raised, ink, accent: colour, onPaper, onRaised }: SampleModel): Html {
  const isPoor = Math.min(onPaper, onRaised) < CONTRAST_MIN;
  const words = `${colour} ${mode === "light" ? "on light paper" : "in the dark"}: ${onPaper} to 1, and ${onRaised} to 1 on what is raised; ${CONTRAST_MIN} is needed`;
  return markup`<p class="sample"><svg viewBox="0 0 220 56" width="220" height="56" aria-hidden="true"><rect width="220" height="56" rx="6" fill="${paper}"/><rect x="112" y="8" width="100" height="40" rx="6" fill="${raised}"/><text x="12" y="24" fill="${ink}" font-size="13">All is well</text><text x="12" y="44" fill="${colour}" font-size="13" text-decoration="underline">History</text><text x="124" y="33" fill="${colour}" font-size="13" text-decoration="underline">Subscribe</text></svg> <span>${isPoor && shape("major_outage")} ${words}</span></p>`;
}

function links(model: PageSettingsModel): Html {
  const rows = Array.from({ length: LINK_ROWS }, (_, i) => {
    const row = markup`<div class="pair">${text(model, `links.${i}.name`, `Link ${i + 1}`, 'maxlength="40"')}${text(model, `links.${i}.url`, "Address", 'type="url" maxlength="300" placeholder="https://"')}</div>`;
    return row;
  });
  const isOpen = hasAny(model, "links.");
  return folded("Links in the foot", isOpen, rows);
}

function colours(model: PageSettingsModel): Html {
  const rows = COLOUR_NAMES.map(
    (name) =>
      markup`<div class="pair">${text(model, `variables.${name}.light`, `${name}, light`, 'size="9" placeholder="ours"')}${text(model, `variables.${name}.dark`, `${name}, dark`, 'size="9" placeholder="ours"')}</div>${faultOf(model.faults, `variables.${name}`, `fault-variables.${name}`)}`,
  );
  return folded("Colours of paper, text and lines", hasAny(model, "variables."), [
    markup`<p class="soft">What stands on them must stay readable. The colours of states are the same on every page.</p>`,
    rows,
  ]);
}

function hasAny({ values, faults }: PageSettingsModel, prefix: string): boolean {
  const isSaid = Object.entries(values).some(([name, value]) => name.startsWith(prefix) && value !== "");
  return isSaid || faults.some(({ field }) => field?.startsWith(prefix) === true);
}

const KINDS = [
  ["", "no chart"],
  ["p95", "response time, p95"],
  ["error_ratio", "error ratio"],
  ["request_rate", "requests"],
] as const;

function charts(model: PageSettingsModel): Html {
  const { charts: list, components, areChartsOurs, chartFault } = model;
  // One more than there are: the next comes when that is taken.
  const rows = Array.from({ length: Math.min(CHART_ROWS, list.length + 1) }, (_, i) => {
    const chart = list[i];
    const kinds = KINDS.map(
      ([kind, word]) =>
        markup`<option value="${kind}"${(chart?.kind ?? "") === kind && trusted(" selected")}>${word}</option>`,
    );
    const of = [{ id: "", name: "the whole page" }, ...components].map(
      ({ id, name }) =>
        markup`<option value="${id}"${(chart?.component ?? "") === id && trusted(" selected")}>${name}</option>`,
    );
    return markup`<div class="triple"><label><span>Chart ${i + 1}</span><select name="charts.${i}.kind">${kinds}</select></label><label><span>of</span><select name="charts.${i}.component">${of}</select></label><label><span>called</span><input name="charts.${i}.name" maxlength="60" value="${chart?.name ?? ""}"></label></div>`;
  });
  return markup`<h2>Charts of the first view</h2>
<form class="sheet" method="post" action="/admin/page/charts"><p class="soft">${areChartsOurs ? "These are those that every page begins with." : "At most six, in this order."}</p>
${chartFault !== null && markup`<p class="fault">${shape("major_outage")} ${chartFault}</p>`}${rows}
<p class="actions"><button class="secondary">Save charts</button>${!areChartsOurs && markup` <button class="secondary" name="own" value="yes">Back to ours</button>`}</p></form>`;
}
