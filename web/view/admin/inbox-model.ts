/** What the page of services that wait is made of. */
import type { FormModel, ServiceModel } from "./model.ts";

/**
 * POST /admin/services/publish: `service` of each that is chosen, `as` each, one or join; `name` with one, `component`
 * with join, `group` with the others. POST /admin/services/ignore: the same choice, or `pattern`. POST
 * /admin/services/heed: `ignored` takes it back.
 */
type InboxField = "service" | "as" | "name" | "group" | "component";

export interface InboxModel {
  readonly waiting: readonly ServiceModel[];
  readonly ignored: readonly string[];
  readonly groups: readonly string[];
  readonly components: readonly { readonly id: string; readonly name: string }[];
  /** What is ticked in a form that was refused. */
  readonly chosen: readonly string[];
  readonly form: FormModel<InboxField>;
}
