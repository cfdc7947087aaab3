/**
 * A component's own page while it is open: its state goes on as on the page itself, and its bars and charts are read
 * out. They stay as they were drawn: whoever reads a table must not lose it to a newer one.
 */
import type { PageChange } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import type { Shown } from "../view/regions.ts";
import { pageRegions } from "../view/regions.ts";
import { tellChart } from "./charts.ts";
import { learnTime, notBefore, now } from "./clock.ts";
import { tellBars } from "./history.ts";
import { inert, patch } from "./patch.ts";
import { readOut } from "./pictures.ts";
import { say } from "./say.ts";
import { openSocket } from "./socket.ts";
import { locale, rendered } from "./words.ts";

/** When what is shown is so old, the page is asked for again, and no sooner than so long after it was asked. */
const QUIET_MS = 45_000 + Math.random() * 5_000;
const ASK_MS = 20_000;
/** An answer that takes longer is none. */
const ANSWER_MS = 10_000;

let change = JSON.parse(rendered("page")) as Shown;
notBefore(Number(rendered("now")));
let askedAt = 0;
let said = saying();

readOut(".bars", tellBars);
readOut(".plot", tellChart);
setInterval(tick, 1_000);
document.addEventListener("visibilitychange", tick);
tick();
// It works. Where it does not, the style lets everything look old.
document.body.className = "on";
openSocket("/live", take);

function saying(): string {
  return change.components.map((one) => `${one.name}: ${locale.status[outlookAt(one, now()).status]}`).join();
}

function tick(): void {
  const before = said;
  said = saying();
  if (said !== before) {
    say(said);
    // The Worker draws the tab's icon. What it does not show any more, it must not show.
    document.querySelector("[rel=icon]")?.setAttribute("href", "data:,");
  }
  if (document.hidden) return;
  patch(pageRegions(change, now(), locale));
  if (now() - change.generatedAt > QUIET_MS && Math.abs(Date.now() - askedAt) > ASK_MS) void ask();
}

/** What of a frame is of this page, if it is one and no older than what is shown. */
function take(frame: Pick<PageChange, "generatedAt" | "components">): void {
  if (!(frame.generatedAt >= change.generatedAt)) return;
  notBefore(frame.generatedAt);
  document.getElementById("copy")?.setAttribute("hidden", "");
  const components = frame.components.filter(({ id }) => change.components.some((one) => one.id === id));
  // What is on the page no more goes on ageing.
  if (components.length > 0) change = { ...change, components, generatedAt: frame.generatedAt };
  tick();
}

async function ask(): Promise<void> {
  askedAt = Date.now();
  try {
    const answer = await fetch(location.pathname, { cache: "no-cache", signal: AbortSignal.timeout(ANSWER_MS) });
    learnTime(answer);
    take(JSON.parse(rendered("page", inert(await answer.text()))) as Shown);
  } catch {
    // No answer, or none of ours, is no news: the evidence shown goes on ageing.
    document.getElementById("copy")?.removeAttribute("hidden");
  }
}
