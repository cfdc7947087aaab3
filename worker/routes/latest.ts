/** What the Board said last, for all paths together: whatever visitors ask for, an isolate asks it every 5 s at most. */
import type { PageLog, PageSnapshot } from "../../protocol/page.ts";
import { holdsUntil } from "../../protocol/page.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import type { Views } from "../objects/board-metrics.ts";
import type { Env } from "../objects/env.ts";
import { boardOf } from "../objects/env.ts";
import type { Latest } from "./held.ts";
import { Held } from "./held.ts";
import type { AppContext } from "./table.ts";

/** How long what visitors get is fresh, unless a test says otherwise. */
const FRESH_MS = 5 * SECOND;
/** One for each name that the page is asked by; there are few. */
const ORIGINS_MAX = 8;

/** What this isolate knows of one origin. */
interface Known {
  readonly snapshot: Held<PageSnapshot>;
  readonly log: Held<PageLog>;
}

const known = new Map<string, Known>();

export function freshMs(env: Env): Millis {
  return env.PAGE_FRESH_MS === undefined ? FRESH_MS : Number(env.PAGE_FRESH_MS);
}

/** The snapshot to render from; null if the Board cannot answer and nothing is known of it. */
export function latestSnapshot(c: AppContext, origin: string): Promise<Latest<PageSnapshot> | null> {
  const fresh = freshMs(c.env);
  return knownOf(origin).snapshot.latest(c, {
    ask: (held) => askSnapshot(c.env, held),
    until: ({ components }, now) => Math.min(now + fresh, holdsUntil(components, now)),
    alone: fresh === 0,
  });
}

/** A Board that has made nothing since what is held says so, and sends nothing. */
async function askSnapshot(env: Env, held: PageSnapshot | null): Promise<PageSnapshot | null> {
  const board = boardOf(env);
  const views = takeViews();
  if (held === null) return board.snapshot(views);
  try {
    return await board.snapshotSince(held.version, held.generatedAt, views);
  } catch (error) {
    // A Board of the release before does not know the question.
    if (!String(error).includes("does not implement")) throw error;
    return board.snapshot(views);
  }
}

/** What people announced, no older than the snapshot that it is shown with: both have one ETag. */
export function latestLog(c: AppContext, origin: string, snapshot: PageSnapshot): Promise<Latest<PageLog> | null> {
  const fresh = freshMs(c.env);
  return knownOf(origin).log.latest(
    c,
    { ask: () => boardOf(c.env).log(), until: (_, now) => now + fresh, alone: fresh === 0 },
    ({ version }) => version >= snapshot.version,
  );
}

function knownOf(origin: string): Known {
  const found = known.get(origin);
  if (found !== undefined) return found;
  const made = { snapshot: new Held<PageSnapshot>(`${origin}/.snapshot`), log: new Held<PageLog>(`${origin}/.log`) };
  const [oldest] = known.keys();
  if (known.size >= ORIGINS_MAX && oldest !== undefined) known.delete(oldest);
  known.set(origin, made);
  return made;
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
