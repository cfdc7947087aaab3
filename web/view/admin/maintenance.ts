import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { adminDocument } from "./document.ts";
import { maintenanceRegions } from "./live.ts";
import type { AdminFrame, MaintenancePageModel } from "./model.ts";
import { clusterLink, maintenanceChange } from "./parts.ts";
import { moment } from "../english.ts";

export function renderMaintenance(model: MaintenancePageModel, frame: AdminFrame): string {
  const { maintenance: m, components } = model;
  const regions = maintenanceRegions(m, frame);
  const facts: [string, Html | string][] = [
    ["Target", markup`${m.service} in ${clusterLink(m.cluster)}`],
    ["Change", maintenanceChange(m)],
    [
      "Time",
      markup`${moment(m.startsAt, frame.now, frame.timeZone)} until ${moment(m.endsAt, frame.now, frame.timeZone)} at the latest`,
    ],
    ["Reason", m.reason],
    ["On the page", components.length === 0 ? "no public component shows it" : components.join(", ")],
  ];
  return adminDocument(
    frame,
    "/admin/maintenance",
    m.name,
    markup`<div id="live" data-maintenance="${m.id}"><p id="m-state">${regions["m-state"]}</p></div>
<div id="m-steps">${regions["m-steps"]}</div>
<div id="m-end">${regions["m-end"]}</div>
<dl>${facts.map(([term, fact]) => markup`<div><dt>${term}</dt><dd>${fact}</dd></div>`)}</dl>`,
  );
}
