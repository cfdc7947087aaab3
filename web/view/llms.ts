/** `/llms.txt`: what this page is, what it says just now, and where programs find all of it. English, Markdown. */
import type { PageComponent, PageIncident, PageSnapshot } from "../../protocol/page.ts";
import { isUnresolved, outlookAt, pageVerdict, shownStatus } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { STATE_WORDS } from "./badge.ts";
import { isoText } from "./iso.ts";

export interface LlmsView {
  readonly snapshot: PageSnapshot;
  readonly now: Millis;
  /** The page's own address without a slash at its end. */
  readonly origin: string;
}

export function renderLlms({ snapshot, now, origin }: LlmsView): string {
  const { page, components, incidents = [], maintenances } = snapshot;
  const open = incidents.filter(isUnresolved);
  const ahead = maintenances.filter(({ status, cancelledAt }) => status !== "completed" && cancelledAt === undefined);
  return [
    `# ${plain(page.name)}`,
    `> The public status page of a service. Overall, as of ${isoText(now)}: ${STATE_WORDS[shownStatus(pageVerdict(snapshot, now))]}. What is said here holds for seconds: ask again for what is now.`,
    "“unknown” means that nothing is reported: it is neither operational nor an outage.",
    section(
      "Components",
      components.map((component) => componentLine(component, now, origin)),
    ),
    section(
      "Open incidents",
      open.map((incident) => incidentLine(incident, origin)),
    ),
    section(
      "Maintenance under way or ahead",
      ahead.map(
        ({ id, name, startsAt, endsAt }) =>
          `- [${plain(name)}](${origin}/maintenance/${id}): ${isoText(startsAt)} to ${isoText(endsAt)}`,
      ),
    ),
    section("Documents", documents(origin)),
    "",
  ]
    .filter((part) => part !== null)
    .join("\n\n");
}

function section(title: string, lines: readonly string[]): string | null {
  return lines.length === 0 ? null : `## ${title}\n\n${lines.join("\n")}`;
}

function componentLine(component: PageComponent, now: Millis, origin: string): string {
  const { status, since, why } = outlookAt(component, now);
  const group = component.group === null ? "" : ` (${plain(component.group)})`;
  const trouble = status === "operational" ? "" : ` since ${isoText(since)}${why === null ? "" : `. ${plain(why)}`}`;
  return `- [${plain(component.name)}](${origin}/components/${component.id})${group}: ${STATE_WORDS[status]}${trouble}`;
}

function incidentLine({ id, name, status, startedAt }: PageIncident, origin: string): string {
  return `- [${plain(name)}](${origin}/incidents/${id}): ${status} since ${isoText(startedAt)}`;
}

function documents(origin: string): readonly string[] {
  return [
    `- [Summary](${origin}/api/v2/summary.json): components, open incidents and maintenances as JSON, in Statuspage's form`,
    `- [Incidents](${origin}/api/v2/incidents.json) and [maintenances](${origin}/api/v2/scheduled-maintenances.json): with all that was said of them`,
    `- [OpenAPI](${origin}/openapi.json): every document there is`,
    `- [Atom](${origin}/history.atom), [RSS](${origin}/history.rss) and [iCalendar](${origin}/maintenance.ics): to subscribe to`,
    `- [History](${origin}/history): past incidents, month by month`,
  ];
}

/** One line of text that is no Markdown. */
function plain(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll(/[\\`*_[\]<>#|]/g, String.raw`\$&`);
}
