/**
 * What the Board said last, for all paths together: it is asked at most every 5 s by each isolate, whatever visitors
 * ask for, and where it cannot answer, the last that it said stands in for it.
 */
import type { PageSnapshot } from "../../protocol/page.ts";
import { holdsUntil } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { DAY, SECOND } from "../../protocol/time.ts";
import type { Views } from "../objects/board-metrics.ts";
import type { Env } from "../objects/env.ts";
import { boardOf } from "../objects/env.ts";
import { within } from "./flight.ts";
import type { AppContext } from "./table.ts";

/** How long what visitors get is fresh, unless a test says otherwise. */
const FRESH_MS = 5 * SECOND;
/** The last snapshot is kept this long for when the Board cannot answer. */
const KEPT_MS = 7 * DAY;
/** A Board that hangs is waited for no longer than this where an older snapshot can stand in for it, */
const BOARD_WAIT_MS = 2 * SECOND;
/** and where none can. A question that is older died with the request that asked it. */
const BOARD_WAIT_MS_MAX = 10 * SECOND;
/** A Board that could not answer is left alone for this long. */
const FAILED_KEPT_MS = SECOND;
/** One for each name that the page is asked by; there are few. */
const ORIGINS_MAX = 8;

/** `isCopy`: the Board cannot answer, and this is the last snapshot known. */
export interface Latest {
  readonly snapshot: PageSnapshot;
  readonly isCopy: boolean;
  /** It is asked for again from then on. */
  readonly until: Millis;
}

/** What this isolate knows of one origin. */
interface Known {
  latest: Latest | null;
  /** When it was put aside for a day on which neither the Board nor this isolate knows anything. */
  keptAt: Millis;
  asking: { readonly answer: Promise<Latest | null>; readonly since: Millis } | null;
}

const known = new Map<string, Known>();

export function freshMs(env: Env): number {
  return env.PAGE_FRESH_MS === undefined ? FRESH_MS : Number(env.PAGE_FRESH_MS);
}

/** The snapshot to render from; null if the Board cannot answer and nothing is known of it. */
export async function latestSnapshot(c: AppContext, origin: string): Promise<Latest | null> {
  const mine = knownOf(origin);
  const now = Date.now();
  if (mine.latest !== null && now < mine.latest.until) return mine.latest;
  if (freshMs(c.env) === 0) return ask(c, origin, mine);
  if (mine.asking === null || now - mine.asking.since > BOARD_WAIT_MS_MAX) {
    const answer = ask(c, origin, mine).finally(() => (mine.asking = null));
    mine.asking = { answer, since: now };
    // Goes on when its visitor is gone: others wait for it, and the next will want it.
    c.executionCtx.waitUntil(answer);
  }
  const { answer } = mine.asking;
  const answered = await within(answer, BOARD_WAIT_MS);
  if (answered !== undefined) return answered;
  console.warn(JSON.stringify({ event: "board_slow", waitedMs: BOARD_WAIT_MS }));
  const copy = mine.latest?.snapshot ?? (await keptSnapshot(origin));
  if (copy !== null) return { snapshot: copy, isCopy: true, until: now + FAILED_KEPT_MS };
  return (await within(answer, BOARD_WAIT_MS_MAX - BOARD_WAIT_MS)) ?? null;
}

function knownOf(origin: string): Known {
  const found = known.get(origin);
  if (found !== undefined) return found;
  const made: Known = { latest: null, keptAt: 0, asking: null };
  const [oldest] = known.keys();
  if (known.size >= ORIGINS_MAX && oldest !== undefined) known.delete(oldest);
  known.set(origin, made);
  return made;
}

async function ask(c: AppContext, origin: string, mine: Known): Promise<Latest | null> {
  try {
    const snapshot = await boardOf(c.env).snapshot(takeViews());
    const now = Date.now();
    mine.latest = {
      snapshot,
      isCopy: false,
      until: Math.min(now + freshMs(c.env), holdsUntil(snapshot.components, now)),
    };
    if (now - mine.keptAt >= FRESH_MS) {
      mine.keptAt = now;
      c.executionCtx.waitUntil(keep(origin, snapshot));
    }
    return mine.latest;
  } catch (error) {
    console.warn(JSON.stringify({ event: "board_unreachable", error: String(error) }));
    const snapshot = mine.latest?.snapshot ?? (await keptSnapshot(origin));
    if (snapshot === null) return null;
    mine.latest = { snapshot, isCopy: true, until: Date.now() + FAILED_KEPT_MS };
    return mine.latest;
  }
}

/** A path that no route serves, so that no visitor can read or fill it. */
function keyOf(origin: string): string {
  return `${origin}/.snapshot`;
}

async function keep(origin: string, snapshot: PageSnapshot): Promise<void> {
  const headers = { "cache-control": `public, max-age=${KEPT_MS / SECOND}` };
  await caches.default.put(keyOf(origin), Response.json(snapshot, { headers }));
}

async function keptSnapshot(origin: string): Promise<PageSnapshot | null> {
  const copy = await caches.default.match(keyOf(origin));
  // Put there by `keep`.
  return copy === undefined ? null : copy.json<PageSnapshot>();
}

/** What this isolate has answered since it told the Board: it tells with its next question, which costs nothing more. */
let views: Views = { cached: 0, made: 0 };

export function countView(how: keyof Views): void {
  views = { ...views, [how]: views[how] + 1 };
}

function takeViews(): Views {
  const taken = views;
  views = { cached: 0, made: 0 };
  return taken;
}
