/** What the page of all components is made of. */
import type { ComponentStatus } from "../../../protocol/status.ts";

export interface ListedComponent {
  readonly id: string;
  readonly name: string;
  readonly group: string | null;
  readonly status: ComponentStatus;
  readonly hidden: boolean;
  /** Services that it stands for. */
  readonly services: number;
}

/** What stands in a group; `name` is the whole name, null where there is none. */
export interface ListedGroup {
  readonly name: string | null;
  readonly own: readonly ListedComponent[];
  readonly groups: readonly ListedGroup[];
}

/** What was just moved: a component by its id, or a group by its name behind "group:". */
export interface MovedModel {
  readonly key: string;
  readonly by: "up" | "down" | null;
  /** Where it stands now, in words. */
  readonly says: string;
}

/**
 * POST /admin/components/order: `component` or `group`, and `by` up or down; or `to` the group that it stands in from now
 * on, and `before` what stands after it, empty for nothing. POST /admin/components/rename: `from`, `to`.
 */
export interface ComponentsModel {
  readonly groups: readonly ListedGroup[];
  readonly moved: MovedModel | null;
  /** A group's new name that was refused. */
  readonly refused: { readonly from: string; readonly to: string; readonly message: string } | null;
}
