/** Whom the page tells: channels, what they answered, and what never arrived. */
import { moment } from "../english.ts";
import type { Html, Part } from "../html.ts";
import { markup, trusted } from "../html.ts";
import type { ChannelModel, ChannelsModel, DeliveryModel } from "./channel-model.ts";
import { adminDocument } from "./document.ts";
import { age, button, faultOf, invalid, marked, segment, table } from "./elements.ts";
import type { AdminFrame } from "./model.ts";

const KINDS: Readonly<Record<ChannelModel["kind"], readonly [word: string, hint: string]>> = {
  slack: ["Slack", "an incoming webhook of one channel"],
  teams: ["Microsoft Teams", "a workflow that starts when a Teams webhook request is received"],
  pagerduty: ["PagerDuty", "one alert an incident, which ends with it"],
  webhook: ["Webhook", "for programs, signed as Standard Webhooks"],
};

const TOPICS = [
  ["incident", "Incidents", "each update, to the end"],
  ["maintenance", "Maintenance", "announced, about to begin, under way, over; never to PagerDuty"],
] as const;

export function renderChannels(model: ChannelsModel, frame: AdminFrame): string {
  const { made, done, dead, waiting, delivered } = model;
  return adminDocument(
    frame,
    "/admin/channels",
    "Channels",
    markup`<p class="soft">Who outside hears of incidents and maintenance, with the words that the page shows. Each message goes out at least once and is tried for three days; what nobody takes is kept here.</p>
${made !== null && secret(made)}${done !== null && markup`<p class="after" role="status">${marked(done.isGood ? "operational" : "major_outage", done.words)}</p>`}
<div class="after">${channels(model, frame)}</div>
${dead.length > 0 && markup`<h2>Dead letters</h2>${deadLetters(model, frame)}`}
${waiting.length > 0 && markup`<h2>On their way</h2>${list("Messages on their way", ["Tried", "Next try"], waiting, (one) => [String(one.attempts), moment(one.at, frame.now, frame.timeZone, true)], frame)}`}
${delivered.length > 0 && markup`<details class="section"><summary>Delivered, the newest ${delivered.length}</summary>${list("Delivered messages", ["Arrived"], delivered, (one) => [age(one.at, frame)], frame)}</details>`}
${model.mayChange ? add(model) : markup`<p class="soft">Owners add channels and remove them.</p>`}`,
  );
}

function secret({ name, secret: text, isRenewed }: NonNullable<ChannelsModel["made"]>): Html {
  const until = isRenewed ? " The one before signs beside it for a day." : "";
  return markup`<section class="needs" role="status"><h2>The secret of ${name}</h2><p>Give it to the program that checks our signatures: any library of Standard Webhooks takes it. It is not shown again.${until}</p><pre><code>${text}</code></pre></section>`;
}

function channels(model: ChannelsModel, frame: AdminFrame): Html {
  return table({
    caption: "Channels",
    head: ["Channel", "Tells of", "State", "Last answer", "Do"],
    rows: model.channels.map((one) => [
      markup`${one.name}<br><small>${KINDS[one.kind][0]}, ${one.host}</small>`,
      one.topics.length === 0
        ? "nothing"
        : one.topics.map((topic) => (topic === "incident" ? "incidents" : topic)).join(", "),
      state(one, frame),
      one.last === null ? "never asked" : markup`${one.last.said}<br><small>${age(one.last.at, frame)}</small>`,
      actions(one, model),
    ]),
    empty: model.isSetUp
      ? "Nobody is told yet."
      : markup`Nobody can be told yet: this deployment has nothing to seal secrets with. Make a key with <code>npm run -s secrets</code> and set it: <code>npx wrangler secret put SEALING_KEY</code>`,
  });
}

function state({ isGone, restsUntil, waiting, dead, last }: ChannelModel, frame: AdminFrame): Html {
  const counts = [waiting > 0 && `${waiting} waiting`, dead > 0 && `${dead} dead`].filter((word) => word !== false);
  const small = counts.length > 0 && markup`<br><small>${counts.join(", ")}</small>`;
  if (isGone) return marked("major_outage", "gone: it said so itself", small);
  if (restsUntil !== null)
    return marked("partial_outage", `failing: asked again at ${moment(restsUntil, frame.now, frame.timeZone)}`, small);
  if (last?.isGood === false) return marked("degraded_performance", "failed last", small);
  return marked(last === null ? "unknown" : "operational", last === null ? "not tried" : "answers", small);
}

function actions({ id, kind, isGone, dead, name }: ChannelModel, { mayChange }: ChannelsModel): Html {
  const path = `/admin/channels/${segment(id)}`;
  const of = markup`<span class="vh"> ${name}</span>`;
  const one = (verb: string, word: string, style = "quiet"): Html =>
    markup`<form method="post" action="${path}/${verb}"><button class="${style}">${word}${of}</button></form>`;
  return markup`<div class="shown">${isGone && one("resume", "Turn on")}${one("test", "Test", "secondary")}${dead > 0 && one("replay", "Replay all")}${mayChange && kind === "webhook" && one("rotate", "New secret")}${mayChange && one("remove", "Remove", "quiet danger")}</div>`;
}

function deadLetters({ dead }: ChannelsModel, frame: AdminFrame): Html {
  const last = (one: DeliveryModel): readonly Part[] => [
    String(one.attempts),
    age(one.at, frame),
    button("/admin/deliveries/replay", "Replay", { id: one.id }),
  ];
  return list("Dead letters", ["Tried", "Given up", "Do"], dead, last, frame);
}

function list(
  caption: string,
  more: readonly string[],
  deliveries: readonly DeliveryModel[],
  cells: (one: DeliveryModel) => readonly Part[],
  frame: AdminFrame,
): Html {
  return table({
    caption,
    head: ["Message", "To", "Said", "Answer", ...more],
    rows: deliveries.map((one) => [
      markup`${one.title}<br><small>${one.step}</small>`,
      one.to,
      moment(one.createdAt, frame.now, frame.timeZone),
      one.said ?? "none yet",
      ...cells(one),
    ]),
    empty: "",
  });
}

function add({ values, topics, faults, isSetUp }: ChannelsModel): Html | null {
  if (!isSetUp) return null;
  const kind = values["kind"] ?? "slack";
  const kinds = Object.entries(KINDS).map(
    ([value, [word, hint]]) =>
      markup`<label class="choice"><input type="radio" name="kind" value="${value}"${value === kind && trusted(" checked")}> <span>${word} <small>${hint}</small></span></label>`,
  );
  const wanted = TOPICS.map(
    ([value, word, hint]) =>
      markup`<label class="choice"><input type="checkbox" name="topic" value="${value}"${topics.includes(value) && trusted(" checked")}> <span>${word} <small>${hint}</small></span></label>`,
  );
  return markup`<h2>Add a channel</h2><form class="sheet" method="post" action="/admin/channels">${faultOf(faults, null, "fault-form")}
<fieldset><legend>Kind</legend>${kinds}${faultOf(faults, "kind", "fault-kind")}</fieldset>
<div class="field"><label for="name">Name</label><input id="name" name="name" required maxlength="60" autocomplete="off" placeholder="#incidents" value="${values["name"] ?? ""}"${invalid(faults, "name", "fault-name")}>${faultOf(faults, "name", "fault-name")}</div>
<div class="field"><label for="url">Address</label><input id="url" name="url" type="url" maxlength="500" autocomplete="off" spellcheck="false" placeholder="https://" value="${values["url"] ?? ""}"${invalid(faults, "url", "fault-url", "hint-url")}><small id="hint-url">Kept sealed; only its host is shown again. Empty for PagerDuty, unless your account is in Europe: https://events.eu.pagerduty.com/v2/enqueue</small>${faultOf(faults, "url", "fault-url")}</div>
<div class="field"><label for="key">Integration key (PagerDuty only)</label><input id="key" name="key" maxlength="100" autocomplete="off" spellcheck="false"${invalid(faults, "key", "fault-key", "hint-key")}><small id="hint-key">Of an integration of kind Events API v2. Kept sealed, never shown again.</small>${faultOf(faults, "key", "fault-key")}</div>
<fieldset><legend>Tells of</legend>${wanted}${faultOf(faults, "topic", "fault-topic")}</fieldset>
<p class="actions"><button class="primary">Add</button></p></form>`;
}
