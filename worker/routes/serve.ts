/**
 * How everything public is answered: from this isolate's memory, else from the data centre's cache, else made from the
 * last snapshot, which is at most 5 s old. What is made depends on the path alone, so `/?x=1…10000` is one entry, and
 * visitors who come for it at the same moment wait for one making.
 */
import type { PageLog, PageSnapshot } from "../../protocol/page.ts";
import { holdsUntil, nextWindowAt, outlookAt } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import type { ComponentCharts } from "../../web/view/component.ts";
import type { Locale } from "../../web/view/words/locale.ts";
import { dayOf, nextDay } from "../core/calendar.ts";
import { entityMatches } from "../core/entity.ts";
import { shortHash } from "../core/hash.ts";
import { refuse } from "./answer.ts";
import type { Charted } from "./charts.ts";
import { copied } from "./copy.ts";
import { factsFor } from "./facts.ts";
import { within } from "./flight.ts";
import type { Kept } from "./kept.ts";
import { matchKept, putKept, remember, remembered } from "./kept.ts";
import { countView, freshMs } from "./latest.ts";
import type { AppContext } from "./table.ts";
import type { Tongue } from "./tongue.ts";
import { tongueOf } from "./tongue.ts";

/** Everything that a public document is made from. */
export interface PublicView {
  readonly snapshot: PageSnapshot;
  /** What people announced: as far back as it is kept if the document needs it, else what the page shows. */
  readonly log: PageLog;
  /** The page's own address without a slash at its end: the operator's, else the one it was asked by. */
  readonly origin: string;
  readonly now: Millis;
  /** Whether the Board cannot answer, and the snapshot is the last one known. */
  readonly isCopy: boolean;
  /** Numbers over time from the archive, if the document needs them and they can be had. */
  readonly charts: ComponentCharts | null;
  /** Of the brand's style, for the policy; null where it has none. */
  readonly brandHash: string | null;
  /** English, unless the document is spoken. */
  readonly locale: Locale;
}

export interface Rendering {
  readonly body: string | Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent: for as long as what is said holds. What counts down from when it was made must be made anew before that. */
  readonly keepUntil?: Millis;
}

/** One public document. What it says may depend on its path and on the view, and on nothing else. */
export interface Render {
  /** Whether an old one is honest by itself: browsers may show it while they ask for the next. */
  readonly agesWell: boolean;
  readonly needs?: {
    readonly log?: true;
    /** Whose numbers it needs; null where there are none to have. */
    readonly charts?: (snapshot: PageSnapshot) => Charted | null;
  };
  /** In the visitor's language: what its path names, else what the visitor's browser asks for. */
  readonly isSpoken?: true;
  /** Pure; null where there is nothing at this path, which is a 404. */
  readonly render: (view: PublicView) => Rendering | null;
}

/** Whoever waits for another visitor's making for this long makes their own. */
const FLIGHT_WAIT_MS = 5 * SECOND;

/** How long browsers may show an old page while they ask for the next, s, if it holds that long; */
const STALE_S_MAX = 600;
/** and where nobody answers them, s. The script says how old it is. */
const STALE_IF_ERROR_S = 86_400;

/** Why there is nothing to send: nothing is known of the Board, or nothing is at this path. */
type Missing = "unavailable" | "not_found";

/** What is being made at the moment. */
const flights = new Map<string, Promise<Kept | Missing>>();

/** Answers a visitor. The Board's outlook makes an old snapshot honest: evidence that has expired reads as unknown. */
export async function serve(c: AppContext, render: Render): Promise<Response> {
  const { origin, pathname } = new URL(c.req.url);
  if (pathname.includes("%")) return unescaped(c);
  const tongue = tongueOf(c, pathname, render.isSpoken === true);
  if (c.env.PAGE_COPY !== undefined) {
    const facts = await factsFor(c, origin, render, tongue);
    return facts === null ? unavailable(c) : (copied(facts, pathname, render) ?? notFound(c));
  }
  const key = `${origin}${tongue.key}${pathname}`;
  const last = remembered(key);
  const held = last !== null && Date.now() < last.freshUntil ? last : await shared(c, key);
  if (held !== null) countView("cached");
  const kept = held ?? (await makeOnce(c, key, origin, render, tongue));
  if (kept === "unavailable") return unavailable(c);
  if (kept === "not_found") return notFound(c);
  return answer(c, kept, render.agesWell);
}

/** None of our addresses needs an escape: with some, each document would have as many as anybody likes, made one by one. */
function unescaped(c: AppContext): Response {
  const plain = encodeURI(c.req.path);
  return plain.includes("%") ? notFound(c) : c.redirect(plain, 301);
}

function unavailable(c: AppContext): Response {
  return refuse(c, "unavailable", "The status cannot be read at the moment. Please try again soon.");
}

function notFound(c: AppContext): Response {
  return refuse(c, "not_found", "There is nothing at this address.");
}

/** What another isolate made, remembered here. */
async function shared(c: AppContext, key: string): Promise<Kept | null> {
  if (freshMs(c.env) === 0) return null;
  const found = await matchKept(key);
  if (found !== null) remember(key, found, null);
  return found;
}

async function makeOnce(
  c: AppContext,
  key: string,
  origin: string,
  render: Render,
  tongue: Tongue,
): Promise<Kept | Missing> {
  if (freshMs(c.env) === 0) return make(c, key, origin, render, tongue);
  const flight = flights.get(key);
  const landed = flight === undefined ? undefined : await within(flight, FLIGHT_WAIT_MS);
  if (landed !== undefined) {
    countView("cached");
    return landed;
  }
  const making = make(c, key, origin, render, tongue).finally(() => flights.get(key) === making && flights.delete(key));
  flights.set(key, making);
  // Goes on when its visitor is gone: others wait for it.
  c.executionCtx.waitUntil(making.catch(() => null));
  return making;
}

async function make(
  c: AppContext,
  key: string,
  origin: string,
  render: Render,
  tongue: Tongue,
): Promise<Kept | Missing> {
  countView("made");
  const facts = await factsFor(c, origin, render, tongue);
  if (facts === null) return "unavailable";
  const view = { ...facts.view, now: Date.now() };
  const kept = madeBefore(key, view, facts.until) ?? rendered(render, view, facts.until, tongue.headers);
  // What a copy does not know of may be there all the same.
  if (kept === null) return view.isCopy ? "unavailable" : "not_found";
  remember(key, kept, sourceOf(view));
  if (!view.isCopy && view.now < kept.freshUntil) c.executionCtx.waitUntil(putKept(key, kept, view.now));
  return kept;
}

/** What was made of the very same facts, while time alone has changed nothing of what they say. */
function madeBefore(key: string, view: PublicView, until: Millis): Kept | null {
  const last = remembered(key);
  if (last === null || last.source !== sourceOf(view) || view.now >= last.holdsUntil) return null;
  const { body, headers, holdsUntil: holds } = last;
  return { body, headers, holdsUntil: holds, freshUntil: Math.min(until, holds) };
}

/** The same for two views that are made from the same facts. */
function sourceOf({ snapshot, log, charts, isCopy }: PublicView): string {
  return [snapshot.version, snapshot.generatedAt, log.version, charts?.at, isCopy].join();
}

const encoder = new TextEncoder();

function rendered(render: Render, view: PublicView, until: Millis, spoken: Tongue["headers"]): Kept | null {
  const rendering = render.render(view);
  if (rendering === null) return null;
  const { body, keepUntil = Infinity } = rendering;
  const headers = { ...rendering.headers, ...spoken };
  const { components, page } = view.snapshot;
  // Bars and dates are cut in days.
  // A maintenance may begin that changes nothing of what is said of components.
  const window = nextWindowAt(view.log.maintenances, view.now);
  const holds = Math.min(keepUntil, window, holdsUntil(components, view.now), nextDay(view.now, page.timeZone));
  return {
    body: typeof body === "string" ? encoder.encode(body) : body,
    headers: view.isCopy ? { ...headers, "cache-control": "no-store" } : { ...headers, etag: etagOf(view, rendering) },
    freshUntil: Math.min(until, holds),
    holdsUntil: holds,
  };
}

/**
 * The version of what is said, what is said (evidence expires, facts grow late, days freeze and charts move on without
 * a new version), the day up to which bars are drawn, and the policy, which names script and style: a 304 after a deploy
 * must not put a new policy on an old page. And the language: one address has a page in each.
 */
function etagOf({ snapshot, log, charts, now, locale }: PublicView, { headers, keepUntil }: Rendering): string {
  const { page, components, maintenances, archive, frozen, metrics = [] } = snapshot;
  // Steps that are over do not change any more.
  const charted = metrics.map(({ id, name, from, limit, values }) => [id, name, from, limit, values.slice(-2)]);
  const statuses = components.map((one) => outlookAt(one, now).status);
  const window = nextWindowAt(log.maintenances, now);
  const said = shortHash(
    JSON.stringify([statuses, maintenances, window, archive, frozen, charted, keepUntil, charts?.at]),
  );
  const version = Math.max(snapshot.version, log.version);
  const policy = shortHash(headers["content-security-policy"] ?? "");
  return `"${version}.${said}.${dayOf(now, page.timeZone)}.${policy}.${locale.lang}"`;
}

function answer(c: AppContext, kept: Kept, agesWell: boolean): Response {
  const { body, headers } = kept;
  const told = { "cache-control": cacheControl(kept, agesWell, Date.now()), ...headers };
  const { etag } = headers;
  if (etag !== undefined && entityMatches(c.req.header("if-none-match"), etag))
    return new Response(null, { status: 304, headers: told });
  return new Response(body, { headers: told });
}

/**
 * Browsers keep it for as long as it is fresh here. While they ask for the next they may show it for longer, but never
 * for longer than it holds: without script, nothing on it would turn. After that only where nothing else can be had.
 */
function cacheControl({ freshUntil, holdsUntil }: Kept, agesWell: boolean, now: Millis): string {
  const holdsS = Math.max(0, Math.floor((holdsUntil - now) / SECOND));
  const freshS = Math.min(holdsS, Math.max(0, Math.ceil((freshUntil - now) / SECOND)));
  const staleS = Math.min(holdsS - freshS, STALE_S_MAX);
  const stale = agesWell ? `, stale-while-revalidate=${staleS}, stale-if-error=${STALE_IF_ERROR_S}` : "";
  return `public, max-age=${freshS}${stale}`;
}
