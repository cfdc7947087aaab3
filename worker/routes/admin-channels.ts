/** Channels: whom the page tells outside, for operators; what opens them, for owners. */
import * as v from "valibot";
import { line } from "../../protocol/name.ts";
import type { ChannelModel, ChannelsModel, DeliveryModel } from "../../web/view/admin/channel-model.ts";
import { renderChannels } from "../../web/view/admin/channels.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import { includesRole } from "../core/access.ts";
import type { Delivery } from "../core/notify-delivery.ts";
import { isOpen } from "../core/notify-delivery.ts";
import { TOPICS } from "../core/notify-message.ts";
import type { ChannelRefusal } from "../core/notify-receiver.ts";
import {
  canTake,
  CHANNEL_KINDS,
  PAGERDUTY_ADDRESS,
  RECEIVER_NAME_MAX,
  RECEIVERS_MAX,
} from "../core/notify-receiver.ts";
import { boardOf, outboxOf } from "../objects/env.ts";
import type { ChannelAct, ChannelDone } from "../objects/outbox-channels.ts";
import type { ChannelsView, Replayed } from "../objects/outbox.ts";
import { adminPage, FORM_MAX, formOf } from "./admin-page.ts";
import { frameOf } from "./admin-view.ts";
import { refuse } from "./answer.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

type Said = Pick<ChannelsModel, "values" | "topics" | "faults" | "made" | "done">;
const NOTHING: Said = { values: {}, topics: TOPICS, faults: [], made: null, done: null };

async function channelsPage(
  c: AppContext,
  { visitor }: RouteRequest,
  said: Partial<Said> = {},
  status: 200 | 201 | 400 | 409 = 200,
): Promise<Response> {
  const [channels, view] = await Promise.all([outboxOf(c.env).view(), boardOf(c.env).operatorView([])]);
  const now = Date.now();
  const model: ChannelsModel = {
    ...NOTHING,
    ...said,
    ...listed(channels, now),
    mayChange: visitor.role !== null && includesRole(visitor.role, "owner"),
  };
  return adminPage(c, renderChannels(model, frameOf(view, now)), status);
}

function listed(
  { receivers, waiting, delivered, dead, isSetUp }: ChannelsView,
  now: number,
): Pick<ChannelsModel, "channels" | "waiting" | "delivered" | "dead" | "isSetUp"> {
  const nameOf = new Map(receivers.map(({ id, name }) => [id, name]));
  const shown = (one: Delivery): DeliveryModel => ({
    id: one.id,
    to: nameOf.get(one.receiver) ?? "",
    title: one.message.title,
    step: one.message.step.replaceAll("_", " "),
    attempts: one.attempts,
    said: one.said,
    createdAt: one.createdAt,
    at: one.nextAt,
  });
  return {
    channels: receivers.map(
      ({ id, kind, name, host, topics, state, breaker, last, waiting: count, dead: lost }): ChannelModel => ({
        id,
        kind,
        name,
        host,
        topics,
        last,
        waiting: count,
        dead: lost,
        isGone: state === "gone",
        restsUntil: isOpen(breaker, now) ? breaker.openUntil : null,
      }),
    ),
    waiting: waiting.map(shown),
    delivered: delivered.map(shown),
    dead: dead.map(shown),
    isSetUp,
  };
}

const AddForm = v.object({
  kind: v.picklist(CHANNEL_KINDS, "Choose what it is."),
  name: v.pipe(v.string(), v.trim(), v.nonEmpty("Give a name."), line(RECEIVER_NAME_MAX)),
  url: v.pipe(v.string(), v.trim()),
  key: v.pipe(v.string(), v.trim()),
  topics: v.pipe(v.array(v.picklist(TOPICS)), v.minLength(1, "Choose at least one.")),
});
const WAKES = "PagerDuty hears of incidents alone.";

async function add(c: AppContext, request: RouteRequest): Promise<Response> {
  const form = formOf(request.body);
  const { key: _, ...values }: Record<string, string> = Object.fromEntries(form);
  const topics = form.getAll("topic");
  const typed = { values, topics };
  const parsed = v.safeParse(AddForm, { kind: "", name: "", url: "", key: form.get("key") ?? "", ...values, topics });
  if (!parsed.success) {
    const faults = parsed.issues.map(({ path, message }): Fault => ({ field: fieldOf(path?.[0]?.key), message }));
    return channelsPage(c, request, { ...typed, faults }, 400);
  }
  const { kind, name, url, key, topics: wanted } = parsed.output;
  const taken = wanted.filter((topic) => canTake(kind, topic));
  if (taken.length === 0)
    return channelsPage(c, request, { ...typed, faults: [{ field: "topic", message: WAKES }] }, 400);
  const made = {
    kind,
    name,
    topics: taken,
    url: url === "" && kind === "pagerduty" ? PAGERDUTY_ADDRESS : url,
    key: kind === "pagerduty" ? key : null,
    own: new URL(c.req.url).hostname,
  };
  return run(c, request, { kind: "channel.add", request: made }, typed);
}

function fieldOf(key: unknown): string | null {
  return key === "topics" ? "topic" : typeof key === "string" ? key : null;
}

const SAID: Readonly<Record<Exclude<ChannelRefusal["code"], "address" | "key">, string>> = {
  unknown: "This channel is gone.",
  too_many: `A page has at most ${RECEIVERS_MAX} channels.`,
  not_set_up: "This deployment has no SEALING_KEY: secrets could not be kept.",
  unreadable: "What is kept of this channel cannot be opened: SEALING_KEY has changed. Remove it and add it anew.",
  name_taken: "Another channel has this name.",
};

function faultFor(refusal: ChannelRefusal): Fault {
  if (refusal.code === "address") return { field: "url", message: `The address ${refusal.message}.` };
  if (refusal.code === "key") return { field: "key", message: `The key ${refusal.message}.` };
  return { field: refusal.code === "name_taken" ? "name" : null, message: SAID[refusal.code] };
}

async function run(
  c: AppContext,
  request: RouteRequest,
  act: ChannelAct,
  typed: Partial<Said> = {},
): Promise<Response> {
  const done = await outboxOf(c.env).run(act, request.visitor.by ?? "unknown");
  if (done.ok) return channelsPage(c, request, saidOf(act, done.value), act.kind === "channel.add" ? 201 : 200);
  if (done.failure.code === "unknown") return refuse(c, "not_found", SAID.unknown);
  const fault = faultFor(done.failure);
  if (act.kind !== "channel.add")
    return channelsPage(c, request, { done: { isGood: false, words: fault.message } }, 409);
  return channelsPage(c, request, { ...typed, faults: [fault] }, done.failure.code === "name_taken" ? 409 : 400);
}

function saidOf({ kind }: ChannelAct, { receiver, secret, tested }: ChannelDone): Partial<Said> {
  const { name } = receiver;
  if (tested !== null) {
    const words = `${name} answered: ${tested.said}.`;
    return { done: { isGood: tested.isGood, words: tested.isGood ? words : `The test failed. ${words}` } };
  }
  const words: Partial<Record<ChannelAct["kind"], string>> = {
    "channel.add": `${name} is told from now on. Test it.`,
    "channel.remove": `${name} is told nothing any more.`,
    "channel.resume": `${name} is told again. What was not delivered meanwhile is among the dead letters.`,
    "channel.rotate": `${name} has a new secret.`,
  };
  return {
    made: secret === null ? null : { name, secret, isRenewed: kind === "channel.rotate" },
    done: { isGood: true, words: words[kind] ?? "Done." },
  };
}

const act = (kind: Exclude<ChannelAct["kind"], "channel.add">) => (c: AppContext, request: RouteRequest) =>
  run(c, request, { kind, id: c.req.param("id") ?? "" });

async function replayOne(c: AppContext, request: RouteRequest): Promise<Response> {
  const delivery = formOf(request.body).get("id") ?? "";
  return replayed(c, request, await outboxOf(c.env).replay({ delivery }, request.visitor.by ?? "unknown"));
}

async function replayAll(c: AppContext, request: RouteRequest): Promise<Response> {
  const receiver = c.req.param("id") ?? "";
  return replayed(c, request, await outboxOf(c.env).replay({ receiver }, request.visitor.by ?? "unknown"));
}

async function replayed(c: AppContext, request: RouteRequest, { again, overtaken }: Replayed): Promise<Response> {
  const gone = again === 0 ? "No dead letter went on its way." : `${again} on the way again, under the same keys.`;
  const stay = overtaken === 0 ? "" : ` ${overtaken} stay: what they begin has ended already.`;
  return channelsPage(c, request, { done: { isGood: again > 0, words: gone + stay } });
}

const look = { policy: "admin", role: "operator" } as const;
const own = { policy: "admin", role: "owner", stepUp: true } as const;
const CHANNEL = "/admin/channels/:id";

export const channelRoutes: readonly Route[] = [
  { ...look, method: "GET", path: "/admin/channels", handle: (c, request) => channelsPage(c, request) },
  { ...own, method: "POST", path: "/admin/channels", bodyMaxBytes: FORM_MAX, handle: add },
  { ...look, method: "POST", path: `${CHANNEL}/test`, bodyMaxBytes: FORM_MAX, handle: act("channel.test") },
  { ...look, method: "POST", path: `${CHANNEL}/resume`, bodyMaxBytes: FORM_MAX, handle: act("channel.resume") },
  { ...look, method: "POST", path: `${CHANNEL}/replay`, bodyMaxBytes: FORM_MAX, handle: replayAll },
  { ...own, method: "POST", path: `${CHANNEL}/rotate`, bodyMaxBytes: FORM_MAX, handle: act("channel.rotate") },
  { ...own, method: "POST", path: `${CHANNEL}/remove`, bodyMaxBytes: FORM_MAX, handle: act("channel.remove") },
  { ...look, method: "POST", path: "/admin/deliveries/replay", bodyMaxBytes: FORM_MAX, handle: replayOne },
];
