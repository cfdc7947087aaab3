/**
 * The Postgres that the Worker's tests write to, at the port that the configuration chose, behind a proxy that fails
 * for one cluster and serves all others.
 *
 *   POST /sql      as `dev/database` speaks it
 *   POST /fault    { cluster, fault, times }    the cluster's next writes fail so; `fault: null` heals, and ends what hangs
 *   GET  /seen?cluster=                         how many writes of the cluster came since it was named here first
 */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { startDatabase } from "../../dev/database/database.ts";
import type { Fault } from "./fault.ts";

interface Order {
  readonly fault: Fault;
  left: number;
}

const orders = new Map<string, Order>();
/** What ends that a statement of the cluster hangs. */
const hanging = new Map<string, (() => void)[]>();
const seen = new Map<string, number>();

export default async function setup(): Promise<() => Promise<void>> {
  const database = await startDatabase({});
  const server = createServer((request, response) => {
    response.on("error", () => {});
    answer(request, response, database.endpoint).catch(() => void response.destroy());
  });
  const port = Number(process.env["WORKER_TEST_DATABASE_PORT"]);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await database.stop();
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, endpoint: string): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
  const body = await text(request);
  if (pathname === "/seen") return void response.end(String(named(searchParams.get("cluster") ?? "")));
  if (pathname === "/fault") {
    order(JSON.parse(body));
    return void response.end();
  }
  const { query, params }: { query: string; params: unknown[] } = JSON.parse(body);
  const cluster = (/\binsert\b/i.test(query) && [...seen.keys()].find((name) => params.includes(name))) || "";
  if (cluster !== "") seen.set(cluster, named(cluster) + 1);
  const fault = nextFault(cluster);
  if (fault === "away") return void response.writeHead(503).end("the database is not there");
  if (fault === "hang") return hang(cluster, () => response.destroy());
  if (fault === "garbage") return void response.end("<html>a proxy's greeting</html>");
  const headers = Object.entries(request.headers).filter(([name]) => name.startsWith("neon-"));
  const taken = await fetch(endpoint, { method: "POST", headers: headers as [string, string][], body });
  const result = await taken.text();
  if (fault === "lose_answer") return void response.destroy();
  const send = (): void => void response.writeHead(taken.status, { "content-type": "application/json" }).end(result);
  if (fault === "late_answer") return hang(cluster, send);
  send();
}

function hang(cluster: string, end: () => void): void {
  // Healed while the statement ran.
  if (!orders.has(cluster)) return end();
  hanging.set(cluster, [...(hanging.get(cluster) ?? []), end]);
}

function named(cluster: string): number {
  const count = seen.get(cluster) ?? 0;
  seen.set(cluster, count);
  return count;
}

function order(facts: { readonly cluster: string; readonly fault: Fault | null; readonly times?: number }): void {
  const { cluster, fault, times = Number.POSITIVE_INFINITY } = facts;
  named(cluster);
  if (fault !== null) return void orders.set(cluster, { fault, left: times });
  orders.delete(cluster);
  for (const end of hanging.get(cluster) ?? []) end();
  hanging.delete(cluster);
}

function nextFault(cluster: string): Fault | null {
  const due = orders.get(cluster);
  if (due === undefined || due.left <= 0) return null;
  due.left--;
  return due.fault;
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
