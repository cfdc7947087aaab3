/**
 * A clock for all that a test runs: this process, with the agent, the cluster and the database in it, and the edge in
 * workerd. It is the real one, put forward; the product's code knows nothing of it.
 */
import type { Edge } from "./miniflare.ts";
import { bundleOf } from "./miniflare.ts";

const real = Date.now.bind(Date);
let aheadMs = 0;

const ahead = (): number => real() + aheadMs;

/** Puts this process's clock forward, or back to what it is. */
export function setAhead(ms: number): void {
  aheadMs = ms;
  // Once, and not anew: an agent that was started keeps the function.
  Date.now = ahead;
}

/**
 * The Worker with a clock that is as far ahead as `AHEAD` says when it starts, and as POST /clock says from then on.
 * Alarms are the runtime's, whose clock is the real one. A clock that jumps is noticed by the next cron.
 */
const SOURCE = `
import worker, * as all from "./worker/index.ts";
export * from "./worker/index.ts";
const real = Date.now.bind(Date);
let aheadMs = AHEAD;
Date.now = () => real() + aheadMs;
const clocked = (storage) => {
  const [set, get] = [storage.setAlarm.bind(storage), storage.getAlarm.bind(storage)];
  storage.setAlarm = (at) => set(Number(at) - aheadMs);
  storage.getAlarm = async () => { const at = await get(); return at === null ? null : at + aheadMs; };
};
export class Board extends all.Board { constructor(ctx, env) { clocked(ctx.storage); super(ctx, env); } }
export class Cluster extends all.Cluster { constructor(ctx, env) { clocked(ctx.storage); super(ctx, env); } }
export default {
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== "/clock") return worker.fetch(request, env, ctx);
    aheadMs = Number(await request.text());
    await worker.scheduled(null, env, ctx);
    return new Response(String(Date.now()));
  },
};`;

let bundled: Promise<string> | null = null;

/** The Worker's one module, whose clock begins where this process's is. */
export async function clockedWorker(): Promise<string> {
  bundled ??= bundleOf(SOURCE);
  return (await bundled).replace(/\bAHEAD\b/, String(aheadMs));
}

/** Tells a running edge what time it is; the cron runs with it. */
export async function tellTime(edge: Edge): Promise<void> {
  const answer = await fetch(`${edge.url}/clock`, { method: "POST", body: String(aheadMs) });
  if (!answer.ok) throw new Error(`POST /clock: ${answer.status} ${await answer.text()}`);
}

/** Puts the clock to a moment that is to come. */
export function jumpTo(at: number): void {
  setAhead(at - real());
}
