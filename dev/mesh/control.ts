/**
 * The demo's control endpoint, and the mesh's metrics beside it.
 *
 *   GET  /stats/prometheus                                        Istio's metrics of all sidecars
 *   GET  /control                                                 { services: [{ service, fault }] }
 *   POST /control/break  { service, mode = "failing", ratio = 0.3, of silent 1 }
 *   POST /control/heal   { service }                              without a service: all of them
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import * as v from "valibot";
import { FAULT_MODES, ratioDefault, type Fault } from "./fault.ts";
import { METRICS_CONTENT_TYPE, type MeshMetrics } from "./metrics.ts";
import { close, listen } from "./service.ts";

const BODY_BYTES_MAX = 4_096;

const BreakSchema = v.strictObject({
  service: v.string(),
  mode: v.optional(v.picklist(FAULT_MODES), "failing"),
  ratio: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
});
const HealSchema = v.strictObject({ service: v.optional(v.string()) });

/** The switches. They answer false for a service that is not there. */
export interface Faults {
  list(): readonly { readonly service: string; readonly fault: Fault | null }[];
  break(service: string, fault: Fault): boolean;
  heal(service: string | null): boolean;
}

export interface Control {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startControl(options: { port: number; metrics: MeshMetrics; faults: Faults }): Promise<Control> {
  const server = createServer((request, response) => {
    void route(request, options).then(({ status, type, body }) => answer(response, status, type, body));
  });
  const port = await listen(server, options.port);
  return { port, stop: () => close(server) };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

async function route(
  request: IncomingMessage,
  { metrics, faults }: { metrics: MeshMetrics; faults: Faults },
): Promise<Answer> {
  switch (`${request.method} ${request.url}`) {
    case "GET /stats/prometheus":
      return { status: 200, type: METRICS_CONTENT_TYPE, body: metrics.render() };
    case "GET /control":
      return json(200, { services: faults.list() });
    case "POST /control/break": {
      const wish = v.safeParse(BreakSchema, await readJson(request));
      if (!wish.success) return refuse(400, faultOf(wish.issues));
      const { service, mode, ratio = ratioDefault(mode) } = wish.output;
      return faults.break(service, { mode, ratio })
        ? json(200, { services: faults.list() })
        : unknownService(service, faults);
    }
    case "POST /control/heal": {
      const wish = v.safeParse(HealSchema, await readJson(request));
      if (!wish.success) return refuse(400, faultOf(wish.issues));
      const service = wish.output.service ?? null;
      return faults.heal(service) ? json(200, { services: faults.list() }) : unknownService(service ?? "", faults);
    }
    default:
      return refuse(404, "no such page: GET /stats/prometheus, GET /control, POST /control/break, POST /control/heal");
  }
}

/** The body, or null when it is no JSON. The content type is what keeps a foreign web page from posting here. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  if (bytes > BODY_BYTES_MAX || request.headers["content-type"] !== "application/json") return null;
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown;
  } catch {
    return null;
  }
}

function faultOf(issues: readonly v.BaseIssue<unknown>[]): string {
  return issues.map((issue) => `${v.getDotPath(issue) ?? "body"}: ${issue.message}`).join("; ");
}

function unknownService(service: string, faults: Faults): Answer {
  const names = faults.list().map((one) => one.service);
  return refuse(404, `there is no service "${service}": choose one of ${names.join(", ")}`);
}

function refuse(status: number, message: string): Answer {
  return json(status, { error: { message } });
}

function json(status: number, body: unknown): Answer {
  return { status, type: "application/json", body: JSON.stringify(body) };
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
}
