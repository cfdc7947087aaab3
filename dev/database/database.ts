import { startEmbedded } from "./embedded.ts";
import { startEndpoint } from "./endpoint.ts";
import type { Endpoint } from "./endpoint.ts";
import { migrate } from "./migrate.ts";

/** A database with all migrations applied, and the endpoint that the Worker's driver speaks to. */
export interface RunningDatabase extends Endpoint {
  /** For `pg` and `psql`: the embedded one's wire port, or the server that was named. */
  readonly url: string;
}

/**
 * Starts the embedded Postgres in `dataDir` (in memory without it), or uses the server at `url`; applies the
 * migrations; serves Neon's protocol at `port`. `wirePort` is the embedded one's own port. 0 or absent is any free one.
 */
export async function startDatabase(options: {
  readonly dataDir?: string;
  readonly url?: string;
  readonly port?: number;
  readonly wirePort?: number;
}): Promise<RunningDatabase> {
  const { dataDir, wirePort, port } = options;
  const embedded =
    options.url === undefined
      ? await startEmbedded({
          ...(dataDir === undefined ? {} : { dataDir }),
          ...(wirePort === undefined ? {} : { port: wirePort }),
        })
      : null;
  const url = options.url ?? embedded?.url ?? "";
  try {
    await migrate(url);
    const endpoint = await startEndpoint({ url, ...(port === undefined ? {} : { port }) });
    return {
      ...endpoint,
      url,
      async stop() {
        await endpoint.stop();
        await embedded?.stop();
      },
    };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}
