/**
 * Texts to begin an incident with: an operator's own, and until there are any those after the runbook's procedures. What
 * may be filled in is a fixed list; all else stays as it is.
 */
import type { IncidentStatus } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import { shortHash } from "./hash.ts";

/** The page's settings hold them all, and are archived as a whole. */
export const TEMPLATES_MAX = 30;
export const TEMPLATE_TITLE_MAX = 60;
export const TEMPLATE_BODY_MAX = 2_000;

export interface Template {
  /** 1 to 40 of 0-9, a-z and -; for ever its own. */
  readonly id: string;
  /** What its button says. */
  readonly title: string;
  readonly name: string;
  readonly status: IncidentStatus;
  /** What is said of the components that it begins with. */
  readonly affected: ComponentStatus;
  readonly body: string;
}

/** What a template may leave open, and what is filled in. */
export const VARIABLES = {
  component: "the components that it is about",
  time: "when it began, as far as it is known",
  page: "the page's name",
  status: "how the worst of them is: “partial outage”",
} as const;

export type TemplateFacts = Readonly<Record<keyof typeof VARIABLES, string>>;

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

/** What a page offers: its own, or ours. */
export function templatesOf({ incidentTemplates }: { readonly incidentTemplates?: readonly Template[] }) {
  return incidentTemplates ?? TEMPLATES;
}

/** Filled in once: what is filled in is not looked at again, nor is anything else. */
export function filled(text: string, facts: TemplateFacts): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (whole, word: string) =>
    Object.hasOwn(VARIABLES, word) ? facts[word as keyof TemplateFacts] : whole,
  );
}

/** What looks like something to fill in and is nothing: visitors would read it as it stands. */
export function unknownVariables(text: string): readonly string[] {
  const found = [...text.matchAll(/\{\{[^{}]*\}\}/g)].map(([whole]) => whole);
  return [...new Set(found)].filter((whole) => !Object.hasOwn(VARIABLES, whole.slice(2, -2)));
}

/** Stands for all that a template says: who changes it says which one they saw. */
export function templateRevision(template: Template): string {
  return shortHash(JSON.stringify(template));
}

/** What an operator does to the templates. `id` is null of a new one; `revision` of what they saw. */
export type TemplateAct =
  | {
      readonly kind: "put";
      readonly id: string | null;
      readonly revision: string | null;
      readonly template: Omit<Template, "id">;
    }
  | { readonly kind: "remove"; readonly id: string; readonly revision: string }
  | { readonly kind: "reset" };

/** `held` is what stands in its place by now. */
export interface TemplateRefusal {
  readonly code: "unknown" | "stale" | "same_title" | "too_many";
  readonly held: Template | null;
}

/** The templates after an act; null for ours. */
export function templatesAfter(
  held: readonly Template[],
  act: TemplateAct,
  freshId: () => string,
): Result<readonly Template[] | null, TemplateRefusal> {
  if (act.kind === "reset") return success(null);
  const before = held.find(({ id }) => id === act.id) ?? null;
  if (act.id !== null && before === null) return failure({ code: "unknown", held: null });
  if (before !== null && act.revision !== templateRevision(before)) return failure({ code: "stale", held: before });
  if (act.kind === "remove") return success(held.filter((one) => one !== before));
  const other = held.find((one) => one !== before && one.title === act.template.title);
  if (other !== undefined) return failure({ code: "same_title", held: other });
  if (before === null && held.length >= TEMPLATES_MAX) return failure({ code: "too_many", held: null });
  const { title, name, status, affected, body } = act.template;
  const made: Template = { id: before?.id ?? freshId(), title, name, status, affected, body };
  return success(before === null ? [...held, made] : held.map((one) => (one === before ? made : one)));
}
