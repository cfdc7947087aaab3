/** All channels by their kind. */
import type { ChannelKind } from "../core/notify-receiver.ts";
import type { Channel } from "./channel.ts";
import { pagerduty } from "./pagerduty.ts";
import { slack } from "./slack.ts";
import { teams } from "./teams.ts";
import { webhook } from "./webhook.ts";

export const CHANNELS: Readonly<Record<ChannelKind, Channel>> = { slack, teams, pagerduty, webhook };
