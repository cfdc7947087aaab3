/**
 * The frame that /embed.js puts into other sites. It asks for itself again while it is open, and tells the site around
 * it whether there is something to show. What a visitor closed stays closed until something else is said.
 */
import { inert } from "./patch.ts";

const ASK_EVERY_MS = 30_000;
const ASK_TIMEOUT_MS = 10_000;

/** What `data-key` was when it was closed; "" is nothing to say. */
let closed = "";
let askedAt = Date.now();

function main(): HTMLElement | null {
  return document.querySelector("main");
}

function tell(): void {
  const key = main()?.dataset["key"] ?? "";
  parent.postMessage({ action: key === "" || key === closed ? "dismissFrame" : "showFrame" }, "*");
}

/** When what is shown is no longer known to be so, and nobody answers, it must not go on being said. */
function lose(): void {
  const shown = main();
  if (shown === null || Date.now() < Number(shown.dataset["until"])) return;
  document.getElementById("said")?.setAttribute("hidden", "");
  document.getElementById("lost")?.removeAttribute("hidden");
}

async function ask(): Promise<void> {
  askedAt = Date.now();
  try {
    const answer = await fetch(location.pathname, { cache: "no-cache", signal: AbortSignal.timeout(ASK_TIMEOUT_MS) });
    const fresh = inert(await answer.text()).querySelector("main");
    if (!answer.ok || fresh === null) throw new Error("no frame");
    main()?.replaceWith(fresh);
  } catch {
    // A network that fails and an edge that does are the same here: nothing new is known.
    lose();
  }
  tell();
}

document.addEventListener("click", ({ target }) => {
  if ((target as Element).closest("button") === null) return;
  closed = main()?.dataset["key"] ?? "";
  tell();
});

/** Nobody looks at a tab in the background: it asks once somebody does. */
function askIfSeen(): void {
  if (!document.hidden) void ask();
}
setInterval(askIfSeen, ASK_EVERY_MS);
document.addEventListener("visibilitychange", () => {
  if (Date.now() - askedAt >= ASK_EVERY_MS) askIfSeen();
});
tell();
