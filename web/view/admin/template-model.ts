/** What the admin's pages of incident templates are made of. */
import type { IncidentStatus } from "../../../protocol/page.ts";
import type { ComponentStatus } from "../../../protocol/status.ts";
import type { FormModel } from "./model.ts";

export interface TemplateModel {
  readonly id: string;
  readonly title: string;
  /** What it may leave open stands as {{word}} in both. */
  readonly name: string;
  readonly body: string;
  readonly status: IncidentStatus;
  readonly affected: ComponentStatus;
}

export interface TemplatesModel {
  readonly templates: readonly TemplateModel[];
  /** Whether they are those that every page begins with. */
  readonly areOurs: boolean;
  /** Whether another one fits. */
  readonly hasRoom: boolean;
}

export type TemplateField = "title" | "name" | "status" | "affected" | "body" | "revision";

/** POST /admin/templates makes one, POST /admin/templates/:id changes it, and …/preview keeps nothing. */
export interface TemplateFormModel extends FormModel<TemplateField> {
  /** Null of a new one. */
  readonly id: string | null;
  readonly variables: readonly { readonly word: string; readonly means: string }[];
  /** As visitors would read it of this page's first component, now. */
  readonly sample: { readonly name: string; readonly body: string };
}
