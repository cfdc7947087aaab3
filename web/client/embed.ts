/**
 * What other sites include: `<script src="https://status.example.com/embed.js" async></script>`. Puts a small frame of
 * this page's own into theirs, and shows it while there is something to say. Keeps nothing with the visitor.
 *
 * Frame and messages are Statuspage's, so that their embed is replaced by changing its address.
 */
const script = document.currentScript as HTMLScriptElement;
const { origin } = new URL(script.src);
const [edge = "bottom", side = "right"] = (script.dataset["position"] ?? "").split("-").filter((word) => word !== "");

const frame = document.createElement("iframe");
frame.src = `${origin}/embed/frame`;
frame.title = "Status";
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
Object.assign(frame.style, {
  position: "fixed",
  [edge === "top" ? "top" : "bottom"]: "16px",
  [side === "left" ? "left" : "right"]: "16px",
  width: "320px",
  maxWidth: "calc(100vw - 32px)",
  height: "115px",
  border: "0",
  borderRadius: "8px",
  boxShadow: "0 0 0 1px rgb(128 128 128 / 0.35), 0 8px 24px rgb(0 0 0 / 0.16)",
  zIndex: "2147483000",
  // Out of reach of the keyboard too, for as long as there is nothing to say.
  visibility: "hidden",
  opacity: "0",
  transition: still ? "none" : "opacity 0.15s, visibility 0.15s",
});

const ACTIONS: Record<string, boolean> = { showFrame: true, dismissFrame: false };

window.addEventListener("message", ({ source, origin: from, data }) => {
  if (source !== frame.contentWindow || from !== origin) return;
  const shows = ACTIONS[String((data as { action?: unknown } | null)?.action)];
  if (shows === undefined) return;
  frame.style.visibility = shows ? "visible" : "hidden";
  frame.style.opacity = shows ? "1" : "0";
});

function place(): void {
  document.body.append(frame);
}
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", place);
else place();
