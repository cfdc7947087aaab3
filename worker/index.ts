/** The whole surface on one screen: routes, objects, cron. */
import { Hono } from "hono";
import type { Env } from "./objects/env.ts";
import { boardOf, clusterOf, isOverloaded, outboxOf } from "./objects/env.ts";
import { probeOutside } from "./objects/prober.ts";
import { adminRoutes } from "./routes/admin.ts";
import { agentRoutes } from "./routes/agent.ts";
import { announceRoutes } from "./routes/announce.ts";
import { planRoutes } from "./routes/plans.ts";
import { refuse } from "./routes/answer.ts";
import { auditRoutes } from "./routes/audit.ts";
import { chartsCliRoute } from "./routes/charts-cli.ts";
import { cliRoutes } from "./routes/cli.ts";
import { configRoutes } from "./routes/config.ts";
import { discoveryRoutes } from "./routes/discovery.ts";
import { draftRoutes } from "./routes/drafts.ts";
import { copyRoute } from "./routes/copy.ts";
import { embedRoutes } from "./routes/embed.ts";
import { componentPageRoutes } from "./routes/component-page.ts";
import { feedRoutes } from "./routes/feeds.ts";
import { importRoutes } from "./routes/import.ts";
import { ingestRoutes } from "./routes/ingest.ts";
import { openApiRoute } from "./routes/openapi.ts";
import { operatorRoutes } from "./routes/operator.ts";
import { pageCliRoutes } from "./routes/page-cli.ts";
import { pageRoutes } from "./routes/page.ts";
import { pagesRoutes } from "./routes/pages.ts";
import { statuspageRoutes } from "./routes/statuspage.ts";
import type { AppEnv, Route } from "./routes/table.ts";
import { mount } from "./routes/table.ts";
import { topologyRoutes } from "./routes/topology.ts";
import { uptimeRoutes } from "./routes/uptime.ts";
import { viewRoutes } from "./routes/views.ts";

export { Board } from "./objects/board.ts";
export { Cluster } from "./objects/cluster.ts";
export { Outbox } from "./objects/outbox.ts";
export { Relay } from "./objects/relay.ts";
export { Throttle } from "./objects/throttle.ts";

const routes: readonly Route[] = [
  ...pageRoutes,
  ...statuspageRoutes,
  ...feedRoutes,
  ...pagesRoutes,
  ...viewRoutes,
  ...embedRoutes,
  ...discoveryRoutes,
  ...componentPageRoutes,
  ...agentRoutes,
  ...operatorRoutes,
  ...uptimeRoutes,
  ...topologyRoutes,
  ...adminRoutes,
  ...auditRoutes,
  ...cliRoutes,
  chartsCliRoute,
  ...configRoutes,
  ...pageCliRoutes,
  ...importRoutes,
  ...announceRoutes,
  ...planRoutes,
  ...draftRoutes,
  ...ingestRoutes,
];

/** Every route there is, with its policy. */
export const ROUTES: readonly Route[] = [
  ...routes,
  openApiRoute(routes),
  copyRoute((request, env, context) => visitors.fetch(request, env, context)),
];

/** Agents ask far more often than everybody else: among their few addresses theirs is found at once. */
const agents = appOf(agentRoutes);
const everybody = appOf(ROUTES);
/** What a copy may be made of. */
const visitors = appOf(routes.filter(({ method, policy }) => method === "GET" && policy === "public"));

function appOf(routes: readonly Route[]): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  mount(app, routes);
  app.notFound((c) => refuse(c, "not_found", "There is nothing at this address."));
  app.onError((error, c) => {
    console.error(JSON.stringify({ event: "request_failed", path: new URL(c.req.url).pathname, error: String(error) }));
    // An object that is overloaded must not be asked again at once; everything else is a bug of ours.
    const overloaded = isOverloaded(error);
    return refuse(
      c,
      overloaded ? "unavailable" : "internal",
      overloaded ? "Too busy at the moment." : "Something failed here. It was logged.",
    );
  });
  return app;
}

export default {
  fetch(request, env, ctx) {
    const path = request.url.indexOf("/", "https://".length);
    return (request.url.startsWith("/agent/", path) ? agents : everybody).fetch(request, env, ctx);
  },
  /** Every minute. None waits for another: an address that hangs must not keep facts from Postgres. */
  async scheduled(_, env) {
    await Promise.all([wakeClusters(env), probeOutside(env), outboxOf(env).wake()]);
  },
} satisfies ExportedHandler<Env>;

/** The Board closes its books, and it or a Cluster whose alarm was lost finds it again. */
async function wakeClusters(env: Env): Promise<void> {
  const clusters = await boardOf(env).tick();
  const wake = async (cluster: string) => ({ cluster, backlog: await clusterOf(env, cluster).wake() });
  const woken = await Promise.allSettled(clusters.map(wake));
  const answers = woken.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (answers.length > 0) await boardOf(env).learn(answers);
  const failed = clusters.length - answers.length;
  if (failed > 0) console.warn(JSON.stringify({ event: "wake_failed", clusters: failed }));
}
