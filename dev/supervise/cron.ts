/** The cron of a laptop: `wrangler dev` runs none by itself, and a deployed Worker has one each minute. */
const MINUTE_MS = 60_000;
/** A round of probes may take most of its minute. */
const TIMEOUT_MS = 55_000;

/** Runs the edge's cron once. */
export async function runCron(edgeUrl: string): Promise<void> {
  const answer = await fetch(`${edgeUrl}/cdn-cgi/handler/scheduled`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`the edge's cron answered ${answer.status}`);
}

/** Runs it each minute from now on. An edge that does not answer is being started again, and the next minute comes. */
export function startCron(edgeUrl: string): void {
  setInterval(() => void runCron(edgeUrl).catch(() => {}), MINUTE_MS).unref();
}
