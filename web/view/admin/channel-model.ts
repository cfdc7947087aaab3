/** What the page of channels is made of: whom the page tells, and what became of it. */
import type { Millis } from "../../../protocol/time.ts";
import type { Fault } from "./model.ts";

export interface ChannelModel {
  readonly id: string;
  readonly kind: "slack" | "teams" | "pagerduty" | "webhook";
  readonly name: string;
  readonly host: string;
  readonly topics: readonly ("incident" | "maintenance")[];
  readonly isGone: boolean;
  /** It failed so often that it is left alone until then; null if it is not. */
  readonly restsUntil: Millis | null;
  readonly last: { readonly at: Millis; readonly said: string; readonly isGood: boolean } | null;
  readonly waiting: number;
  readonly dead: number;
}

export interface DeliveryModel {
  readonly id: string;
  /** The channel's name. */
  readonly to: string;
  readonly title: string;
  readonly step: string;
  readonly attempts: number;
  readonly said: string | null;
  /** When it was said, and when it was or will be tried. */
  readonly createdAt: Millis;
  readonly at: Millis;
}

/**
 * POST /admin/channels: `kind`, `name`, `url`, `key` (PagerDuty's), `topic` (each). POST /admin/channels/:id/test,
 * /replay, /resume, /rotate, /remove: nothing. POST /admin/deliveries/replay: `id`.
 */
export interface ChannelsModel {
  readonly channels: readonly ChannelModel[];
  readonly waiting: readonly DeliveryModel[];
  readonly delivered: readonly DeliveryModel[];
  readonly dead: readonly DeliveryModel[];
  /** False where the deployment has nothing to seal secrets with. */
  readonly isSetUp: boolean;
  /** Whether whoever looks may add, remove and renew secrets. */
  readonly mayChange: boolean;
  /** What was typed, if it could not be taken. */
  readonly values: Readonly<Record<string, string>>;
  readonly topics: readonly string[];
  readonly faults: readonly Fault[];
  /** A webhook's secret, shown once. */
  readonly made: { readonly name: string; readonly secret: string; readonly isRenewed: boolean } | null;
  /** What was just done; null if nothing was. */
  readonly done: { readonly isGood: boolean; readonly words: string } | null;
}
