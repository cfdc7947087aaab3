/**
 * The public page while it is open. It renders the same regions as the Worker each second, so ages count and evidence
 * expires with nobody's help; frames of `/live` bring news, and where sockets fail the page itself is asked again.
 */
import type { LiveComponent, PageChange } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { span } from "../view/format.ts";
import type { Shown } from "../view/regions.ts";
import { pageRegions } from "../view/regions.ts";
import { headline } from "../view/headline.ts";
import { fill } from "../view/words/fill.ts";
import { learnTime, notBefore, now } from "./clock.ts";
import { inert, patch } from "./patch.ts";
import { say } from "./say.ts";
import type { LiveSocket } from "./socket.ts";
import { openSocket } from "./socket.ts";
import { learnMessages, locale, rendered } from "./words.ts";

/** When what is shown is so old, the page is asked for: over an open socket, and without one. */
const QUIET_OPEN_MS = 45_000;
/** Pages that lost their sockets in one moment do not ask in one moment. */
const QUIET_CLOSED_MS = 10_000 + Math.random() * 5_000;
/** An answer that takes longer is none. */
const ANSWER_MS = 10_000;
/** Over how long the open pages spread their asking for the same news, and how rarely one asks that gets none. */
const SPREAD_MS = 3_000;
const PATIENCE_MAX_MS = 15_000;
/** Not bundled: who imports it again gets the one that is there. */
const READOUT = String("/readout.js");
/** Bars are drawn by the Worker only: an open page fetches them anew after an hour. */
const BARS_MS = 3_600_000;

/** What frames and the page have in common. */
type Known = Pick<Shown, "archive" | "announced">;

const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
const renderedAt: Millis = Number(rendered("now"));
/** A clock may be set back meanwhile; that is no reason to wait. */
const since = (at: Millis): number => Math.abs(Date.now() - at);

let change = JSON.parse(rendered("page")) as Shown;
notBefore(renderedAt);
/** A cache kept it, nobody knows for how long, and the clock may be wrong: it is asked for at once. */
const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
let isKept = navigation?.transferSize === 0;
let barsAt = Date.now();
let askedAt = 0;
let patienceMs = 0;
let said = sayings(renderedAt);

let live: LiveSocket | null = null;
setInterval(tick, 1_000);
document.addEventListener("visibilitychange", tick);
// Read-outs of its pictures come when somebody reaches for one.
for (const reach of ["pointerover", "focusin"]) {
  document.addEventListener(reach, ({ target }) => {
    if ((target as Element).closest(".h")) void import(READOUT).catch(() => null);
  });
}
tick();
// It works. Where it does not, the style lets everything look old.
document.body.className = "on";
// Last, because a page saved to a file has nobody to listen to, and fails here.
live = openSocket<PageChange>("/live", take);

function tick(): void {
  announce();
  // Nobody sees more of a page in the background than its title.
  if (document.hidden) return;
  patch(pageRegions(change, now(), locale));
  visitorTimes();
  const isWanted =
    isKept ||
    now() - change.generatedAt > (live?.isOpen() ? QUIET_OPEN_MS : QUIET_CLOSED_MS) ||
    since(barsAt) > BARS_MS ||
    now() >= (change.turnsAt ?? Infinity);
  if (isWanted && since(askedAt) >= patienceMs) void ask();
}

/** A frame, if it is one and no older than what is shown. */
async function take(frame: PageChange): Promise<void> {
  // What frames say of trouble is English; in other languages the first that says any waits for its words.
  if (!locale.messages && JSON.stringify(frame).includes('"why":"')) await learnMessages();
  // Also what is not a frame, as how to come back after a cut: it has no time.
  if (!(frame.generatedAt >= change.generatedAt)) return;
  notBefore(frame.generatedAt);
  isKept = false;
  showCopyNote(false);
  const { generatedAt } = frame;
  // A visitor's own view has some of them.
  const own = rendered("own");
  const components = frame.components.filter(({ id }) => own?.includes(id) ?? true);
  const idsOf = (of: readonly LiveComponent[]): string => of.map(({ id, name }) => id + name).join();
  const stillOf = ({ archive, announced }: Known): string => JSON.stringify([archive, announced]);
  const isSame = idsOf(components) === idsOf(change.components);
  // What comes and goes with the whole page; until then what is shown goes on ageing.
  if (!isSame || stillOf(frame) !== stillOf(change)) renew();
  if (isSame) change = { ...change, components, generatedAt };
  tick();
}

/** Wants the page soon; who waits for it already, or asked in vain for long, does so too. */
function renew(): void {
  if (barsAt > 0 || patienceMs > SPREAD_MS) {
    barsAt = 0;
    askedAt = Date.now();
    patienceMs = Math.random() * SPREAD_MS;
  }
}

/** The page again. The browser adds If-None-Match by itself, and what has not changed costs no body. */
async function ask(): Promise<void> {
  askedAt = Date.now();
  // Soon once more, as a cache may be some seconds behind, and an answer within the second of the page's own rendering
  // does not tell the time; then ever more rarely.
  patienceMs = Math.min(PATIENCE_MAX_MS, 2_000 + patienceMs * (1 + Math.random()));
  try {
    // This very address.
    const answer = await fetch("", { cache: "no-cache", signal: AbortSignal.timeout(ANSWER_MS) });
    learnTime(answer);
    const fresh = inert(await answer.text());
    // Whatever is not our page ends here: a sign-in of the network, somebody's archive, an error.
    const next = JSON.parse(rendered("page", fresh)) as Shown;
    if (next.generatedAt >= change.generatedAt) replace(fresh.getElementById("days") as HTMLElement, next);
  } catch {
    // No answer is no news: the evidence shown goes on ageing.
    // And how old a kept page is, nobody can say then.
    if (isKept) change = { ...change, components: change.components.map((one) => ({ ...one, outlook: [] })) };
    showCopyNote(true);
  }
  tick();
}

function showCopyNote(isShown: boolean): void {
  (document.getElementById("copy") as HTMLElement).hidden = !isShown;
}

function replace(fresh: HTMLElement, next: Shown): void {
  barsAt = Date.now();
  isKept = false;
  change = next;
  const focused = document.activeElement as Stop;
  const place = alike(focused).indexOf(focused);
  // Groups stay as their reader folded them.
  for (const group of fresh.querySelectorAll<HTMLDetailsElement>(".g")) {
    group.open = (document.getElementById(group.id) as HTMLDetailsElement | null)?.open ?? group.open;
  }
  // Of another version it may be, and this page's policy knows only its own.
  fresh.querySelector("style")?.replaceWith(document.querySelector("main style") as HTMLElement);
  document.getElementById("days")?.replaceWith(fresh);
  alike(focused)[place]?.focus({ preventScroll: true });
}

type Stop = HTMLElement & { readonly href?: string };

/** What is the same thing as `one`, before and after the page was fetched anew: more may stand above it than did. */
function alike(one: Stop): Stop[] {
  const keyOf = (stop: Stop): string => `${stop.href}${stop.closest("[id]")?.id}`;
  return [...document.querySelectorAll<Stop>(one.localName)].filter((stop) => keyOf(stop) === keyOf(one));
}

/** What the page says at `at`, beginning with its headline: how components are, and what was announced last. */
function sayings(at: Millis): readonly [string, ...string[]] {
  const rows = change.components.map((one) => `${one.name}: ${locale.status[outlookAt(one, at).status]}`);
  const notices = [...document.querySelectorAll(".notice>:not(details)")].map(({ textContent }) => textContent);
  return [headline(change, change.incident, at, locale), ...notices, ...rows];
}

/** Says once, politely, what is different now. */
function announce(): void {
  const next = sayings(now());
  const [[before], [sentence]] = [said, next];
  const news = next.filter((text) => !said.includes(text));
  said = next;
  if (news[0]) say(`${news.slice(0, 6).join(". ")}.`);
  if (sentence === before) return;
  document.title = document.title.replace(before, () => sentence);
  // The Worker draws the tab's icon. What it does not show any more, it must not show.
  (document.querySelector("[rel=icon]") as HTMLLinkElement).href = "data:,";
}

/** The same span in the visitor's zone, where that reads differently. */
function visitorTimes(): void {
  for (const time of document.querySelectorAll<HTMLElement>("time:not([title])")) {
    time.title = span(Number(time.dataset["from"]), Number(time.dataset["until"]), now(), { ...locale, timeZone });
    if (time.textContent !== time.title) time.append(` (${fill(locale.yourTime, { span: time.title })})`);
  }
}
