/**
 * Admin pages while they are open: ages count, a maintenance's steps arrive, and the form says what it would do.
 * Everything works without it, by loading pages.
 */
import { length } from "../view/english.ts";
import { consequenceRegion } from "../view/admin/consequence.ts";
import { duesRegion } from "../view/admin/dues.ts";
import { maintenanceRegions } from "../view/admin/live.ts";
import type { AdminLiveFrame, DueModel, TargetModel } from "../view/admin/model.ts";
import { watchOrder } from "./admin-order.ts";
import { watchPreview } from "./admin-preview.ts";
import { isTyped, watchIncidentForm } from "./incident.ts";
import { inert, patch } from "./patch.ts";
import { say } from "./say.ts";
import "./passkey.ts";
import { openSocket } from "./socket.ts";

/** While no socket is open, pages that show something live are fetched anew this often. */
const POLL_MS = 5_000;

const main = (): HTMLElement | null => document.getElementById("main");
const offsetMs = Number(main()?.dataset["now"]) - Date.now();
const now = (): number => Date.now() + offsetMs;
const timeZone = main()?.dataset["zone"] ?? "UTC";
let frames = 0;
const shownId = (): string | undefined => document.getElementById("live")?.dataset["maintenance"];

if (main() !== null) start();

function start(): void {
  watchForm();
  watchPreview();
  watchOrder();
  watchIncidentForm();
  setInterval(countAges, 1_000);
  pollAsAsked();
  // What happened between the Worker's rendering and now was sent before anybody listened.
  const live = openSocket("/admin/live", take, () => void refresh());
  setInterval(() => {
    if (!live.isOpen() && !document.hidden) void refresh();
  }, POLL_MS);
}

/** Pages that show what happens; others hear of updates that are due, and nothing else. */
function isLive(): boolean {
  // What a refused form answers has an address that cannot be asked for, and shows what was typed.
  return /^\/admin(\/incidents(\/(?!new$)[^/]+)?)?$/.test(location.pathname) || shownId() !== undefined || pollS() > 0;
}

/** A page whose numbers move with every push says how often it is worth asking for, in seconds; 0 for others. */
function pollS(): number {
  return Number(document.querySelector<HTMLElement>("[data-poll]")?.dataset["poll"] ?? 0);
}

function pollAsAsked(): void {
  if (pollS() > 0) setInterval(() => void (document.hidden || refresh()), pollS() * 1_000);
}

function countAges(): void {
  for (const element of document.querySelectorAll<HTMLElement>("[data-ago]")) {
    element.textContent = `${length(now() - Number(element.dataset["ago"]))} ago`;
  }
}

function take(frame: AdminLiveFrame): void {
  if (frame.type === "incidents") return takeIncidents(frame.dues);
  frames++;
  if (shownId() === undefined) void refresh();
  if (shownId() !== frame.maintenance.id) return;
  const before = document.getElementById("m-state")?.textContent;
  patch(maintenanceRegions(frame.maintenance, { now: now(), timeZone }));
  const after = document.getElementById("m-state")?.textContent ?? "";
  if (after !== before) say(`${frame.maintenance.name}: ${after}`);
}

function takeIncidents(dues: readonly DueModel[]): void {
  frames++;
  patch({ dues: duesRegion(dues, { now: now(), timeZone }) });
  void refresh();
}

/** The page as the Worker renders it now, unless somebody is at work in it. */
async function refresh(): Promise<void> {
  if (!isLive() || isTyped()) return;
  const framesBefore = frames;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok || main()?.contains(document.activeElement) === true) return;
    // The session is over: what is shown is not theirs to see any more.
    if (new URL(answer.url).pathname === "/admin/sign-in") location.assign(answer.url);
    const fresh = inert(await answer.text()).getElementById("main");
    // What was sent meanwhile is newer than what was asked for.
    if (fresh === null || frames !== framesBefore) return;
    main()?.replaceWith(fresh);
  } catch {
    // The next round tries again; ages on the page go on counting.
  }
}

function watchForm(): void {
  const form = document.querySelector<HTMLFormElement>("#maintenance-form");
  if (form === null) return;
  const targets = JSON.parse(form.dataset["targets"] ?? "[]") as TargetModel[];
  const update = (): void => {
    const values = Object.fromEntries(
      [...new FormData(form)].map(([name, value]) => [name, typeof value === "string" ? value : ""]),
    );
    patch({ consequence: consequenceRegion(targets, values, { now: now(), timeZone }) });
    const replicas = form.querySelector<HTMLInputElement>("#replicas");
    if (replicas !== null) replicas.required = values["mode"] === "scale";
  };
  form.addEventListener("input", update);
  update();
}
