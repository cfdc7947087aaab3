/**
 * The public page while it is open. It renders the same regions as the Worker each second, so ages count and evidence
 * expires with nobody's help; frames of `/live` bring news, and where sockets fail the page itself is asked again.
 */
import type { PageChange } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import { span } from "../view/format.ts";
import { pageRegions } from "../view/regions.ts";
import { headline, STATUS_WORDS } from "../view/words.ts";
import { readHistory } from "./history.ts";
import { forgetShown, patch, trustedMarkup } from "./patch.ts";
import { openSocket } from "./socket.ts";

/** Without news for so long over an open socket, or without a socket, the page is asked for. */
const QUIET_OPEN_MS = 45_000;
const QUIET_CLOSED_MS = 10_000;
/** Bars are drawn by the Worker only: an open page fetches them anew after an hour. */
const BARS_MS = 3_600_000;

const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const page = (): DOMStringMap => document.getElementById("days")?.dataset ?? {};

let change = JSON.parse(page()["page"] ?? "null") as PageChange;
/** A reader's clock that is behind ours is set right by whatever is newer than it; see `learnTime` for one ahead. */
let offsetMs = Math.max(0, Number(page()["now"]) - Date.now());
/** A page that was rendered a while ago, and kept by a cache, is old news from the start. */
let newsAt = Number(page()["now"]) - offsetMs;
let barsAt = newsAt;
let askAt = 0;
let said = headline(change.components, Number(page()["now"]));
let statuses = statusesAt(Number(page()["now"]));

const live = openSocket("/live", take, (isReturn) => isReturn && (newsAt = 0));
setInterval(tick, 1_000);
document.addEventListener("visibilitychange", tick);
readHistory();
tick();

function tick(): void {
  if (document.hidden) return;
  const now = Date.now() + offsetMs;
  const zone = page()["zone"] ?? "UTC";
  patch(pageRegions(change, now, zone));
  visitorTimes(now, zone);
  announce(now);
  const quietMs = Date.now() - newsAt;
  const wanted = quietMs > (live.isOpen() ? QUIET_OPEN_MS : QUIET_CLOSED_MS) || Date.now() - barsAt > BARS_MS;
  if (wanted && Date.now() >= askAt) void ask();
}

/** A frame, if it is one and no older than what is shown. */
function take(text: string): void {
  let frame: PageChange;
  try {
    frame = JSON.parse(text) as PageChange;
  } catch {
    return;
  }
  if (!Array.isArray(frame.components) || frame.generatedAt < change.generatedAt) return;
  offsetMs = Math.max(offsetMs, frame.generatedAt - Date.now());
  newsAt = Date.now();
  // Rows and what is said of the archive come and go with the whole page only: the script does not build them.
  const setOf = (all: PageChange): string => JSON.stringify([all.archive, all.components.map((c) => c.id)]);
  if (setOf(frame) === setOf(change)) change = frame;
  else askAt = newsAt = 0;
  tick();
}

/** The page again. The browser adds If-None-Match by itself, and what has not changed costs no body. */
async function ask(): Promise<void> {
  askAt = Date.now() + 10_000 + Math.random() * 10_000;
  try {
    const answer = await fetch("/", { cache: "no-cache" });
    learnTime(answer);
    const fresh = new DOMParser()
      .parseFromString(trustedMarkup(await answer.text()), "text/html")
      .getElementById("days");
    const next = JSON.parse(fresh?.dataset["page"] ?? "null") as PageChange | null;
    if (!answer.ok || fresh === null || next === null || next.generatedAt < change.generatedAt) return;
    newsAt = barsAt = Date.now();
    change = next;
    const bars = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>(".bars")];
    const focused = bars().findIndex((element) => element === document.activeElement);
    document.getElementById("days")?.replaceWith(fresh);
    bars()[focused]?.focus({ preventScroll: true });
    forgetShown();
    tick();
  } catch {
    // No answer is no news: the evidence shown goes on ageing.
  }
}

/** A clock that is ahead makes all evidence look expired; an answer's own date tells. */
function learnTime({ headers }: Response): void {
  const at = Date.parse(headers.get("date") ?? "") + Number(headers.get("age")) * 1_000;
  if (Math.abs(at - Date.now() - offsetMs) > 5_000) offsetMs = at - Date.now();
}

function statusesAt(now: number): Map<string, string> {
  return new Map(change.components.map((c) => [c.name, STATUS_WORDS[outlookAt(c, now).status]]));
}

/** Says once, politely, what is different now. */
function announce(now: number): void {
  const sentence = headline(change.components, now);
  const next = statusesAt(now);
  const news = [...next]
    .filter(([name, word]) => statuses.get(name) !== word)
    .map(([name, word]) => `${name}: ${word}`);
  statuses = next;
  if (sentence !== said) news.unshift(sentence);
  document.title = document.title.replace(said, () => sentence);
  said = sentence;
  const say = document.getElementById("say");
  if (news.length > 0 && say !== null) say.textContent = `${news.slice(0, 5).join(". ")}.`;
}

/** The same span in the visitor's zone, where that reads differently. */
function visitorTimes(now: number, zone: string): void {
  for (const time of document.querySelectorAll<HTMLElement>("time:not([title])")) {
    const said = (timeZone: string): string =>
      span(Number(time.dataset["from"]), Number(time.dataset["until"]), now, timeZone);
    time.title = said(ownZone);
    if (said(zone) !== time.title) time.append(` (${time.title} your time)`);
  }
}
