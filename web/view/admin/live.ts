import type { Html } from "../html.ts";
import { markup } from "../html.ts";
import { button, segment } from "./elements.ts";
import type { AdminFrame, MaintenanceModel } from "./model.ts";
import { standingMark } from "./parts.ts";
import { canEnd, standing, stepsRegion } from "./steps.ts";

/** What a frame of `/admin/live` changes on the page, by the id of its element. */
export function maintenanceRegions(
  m: MaintenanceModel,
  frame: Pick<AdminFrame, "now" | "timeZone">,
): Readonly<Record<string, Html>> {
  return {
    "m-state": standingMark(m, frame),
    "m-steps": stepsRegion(m, frame.now, frame.timeZone),
    "m-end": canEnd(m, frame.now)
      ? markup`<p class="soft">${standing(m, frame.now) === "refused" ? "Nothing was changed in the cluster. Ending it takes the request back." : "Ending it now gives the deployment back its former state."}</p>${button(`/admin/maintenance/${segment(m.id)}/end`, "End now", {}, "primary")}`
      : markup``,
  };
}
