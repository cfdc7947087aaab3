/** The agent's own `/healthz` and `/metrics`, for the cluster's probes and its Prometheus. Nothing else is answered. */
import { createServer, type Server } from "node:http";
import { ownMetrics, type OwnFacts } from "./core/own-metrics.ts";

/** Without a sign of its own loops for this long a process is stuck, ms: 600 s is the longest interval. */
const STUCK_AFTER_MS = 900_000;
const CONNECTIONS_MAX = 32;
const REQUEST_TIMEOUT_MS = 5_000;

export interface Health {
  /** A loop has gone round: the process does its work. */
  beat(): void;
  /** Where the facts come from, once there are any. */
  tellBy(facts: () => OwnFacts): void;
  close(): void;
}

export interface HealthOptions {
  /** `host:port`. */
  readonly listen: string;
  readonly onFault: (message: string) => void;
}

export function startHealth({ listen, onFault }: HealthOptions): Health {
  let beatAt = performance.now();
  let facts: () => OwnFacts = () => ({ isLeading: false });
  const server = createServer((request, response) => {
    const answer = (status: number, body: string): void => {
      response.writeHead(status, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
      response.end(request.method === "HEAD" ? undefined : body);
    };
    if (request.method !== "GET" && request.method !== "HEAD") return answer(405, "only GET\n");
    const isStuck = performance.now() - beatAt > STUCK_AFTER_MS;
    switch ((request.url ?? "").split("?")[0]) {
      case "/healthz":
        return isStuck ? answer(503, "stuck\n") : answer(200, "ok\n");
      case "/metrics":
        return answer(200, ownMetrics(facts(), process.memoryUsage.rss(), process.cpuUsage()));
      default:
        return answer(404, "here are /healthz and /metrics\n");
    }
  });
  begin(server, listen, onFault);
  return {
    beat: () => void (beatAt = performance.now()),
    tellBy: (next) => void (facts = next),
    close: () => close(server),
  };
}

function begin(server: Server, listen: string, onFault: (message: string) => void): void {
  const at = listen.lastIndexOf(":");
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  // Without it the agent still does its work: a port in use must not cost the page its facts.
  server.on("error", (error) => onFault(`health cannot listen on ${listen}: ${error.message}`));
  server.listen(Number(listen.slice(at + 1)), listen.slice(0, at).replace(/^\[|\]$/g, ""));
}

function close(server: Server): void {
  server.closeAllConnections();
  server.close();
}
