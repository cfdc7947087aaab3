/** Texts to begin an incident with, after the runbook's procedures. Placeholders are a fixed list; all else stays as it is. */
import type { IncidentStatus } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";

export interface Template {
  readonly id: string;
  /** What its button says. */
  readonly title: string;
  readonly name: string;
  readonly status: IncidentStatus;
  /** What is said of the components that it begins with. */
  readonly affected: ComponentStatus;
  readonly body: string;
}

/** What stands for {{component}} and {{time}}. */
export interface TemplateFacts {
  readonly component: string;
  readonly time: string;
}

export const TEMPLATES: readonly Template[] = [
  {
    id: "complete-outage",
    title: "Complete outage",
    name: "{{component}} is not available",
    status: "investigating",
    affected: "major_outage",
    body: "{{component}} has not been available since {{time}}. We are investigating. We say more within 30 minutes.",
  },
  {
    id: "some-fail",
    title: "Some requests fail",
    name: "Some requests to {{component}} fail",
    status: "investigating",
    affected: "partial_outage",
    body: "Some requests to {{component}} have failed since {{time}}; trying again may help. We are investigating.",
  },
  {
    id: "slow",
    title: "Slow answers",
    name: "{{component}} is slow",
    status: "investigating",
    affected: "degraded_performance",
    body: "{{component}} has answered more slowly than usual since {{time}}. Requests get through. We are investigating.",
  },
  {
    id: "rollback",
    title: "Rolling back",
    name: "{{component}} is not available",
    status: "identified",
    affected: "major_outage",
    body: "A change that we made broke {{component}} at {{time}}. We are rolling it back.",
  },
  {
    id: "data",
    title: "Restoring data",
    name: "{{component}} is offline while data is restored",
    status: "identified",
    affected: "major_outage",
    body: "We took {{component}} offline at {{time}} to protect its data, and are restoring it from a backup. What was entered shortly before may be missing; we say so when we know.",
  },
  {
    id: "restored",
    title: "Restored, being watched",
    name: "{{component}} was not available",
    status: "monitoring",
    affected: "degraded_performance",
    body: "{{component}} has worked again since {{time}}. We are watching it, and looking for the root cause.",
  },
];

/** `{{component}}` and `{{time}}` filled in once: what they are filled with is not looked at again, nor is anything else. */
export function filled(text: string, facts: TemplateFacts): string {
  return text.replaceAll(/\{\{(component|time)\}\}/g, (_, word: keyof TemplateFacts) => facts[word]);
}
