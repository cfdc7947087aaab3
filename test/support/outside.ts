/**
 * The world outside, for the Worker's tests: a site on this machine that answers as a path asks, at the port that the
 * configuration chose.
 *
 *   GET /status/503[/name]   that status; `name` makes an address of its own
 *   GET /redirect            302 to /status/200/redirected
 *   GET /hang                nothing
 *   GET /stall               the beginning of an answer, and never its end
 *   GET /endless             an answer without an end
 *   GET /reset               the connection breaks
 *   GET /torn                the beginning of a good answer, and the connection breaks
 *   GET /drip                a good answer, a letter now and then
 *   PUT /set/name            from now on /named/name answers the status in the body; a verb above is one, too
 *   GET /hits/path…          how often the path was asked for
 *   GET /posted/path…        what was posted there: headers and body of each
 */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";

const hits = new Map<string, number>();
const named = new Map<string, string>();
const posted = new Map<string, { readonly headers: IncomingMessage["headers"]; readonly body: string }[]>();

export default async function setup(): Promise<() => Promise<void>> {
  const server = createServer((request, response) => {
    response.on("error", () => {});
    answer(request, response);
  });
  const port = Number(process.env["WORKER_TEST_OUTSIDE_PORT"]);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? "/";
  const [, verb = "", ...rest] = path.split("/");
  if (verb === "hits") return void response.end(String(hits.get(`/${rest.join("/")}`) ?? 0));
  if (verb === "posted") return void response.end(JSON.stringify(posted.get(`/${rest.join("/")}`) ?? []));
  if (verb === "set") return void set(request, rest[0] ?? "").then(() => response.end());
  hits.set(path, (hits.get(path) ?? 0) + 1);
  if (request.method === "POST") return void keep(request, path).then(() => speak(verb, rest, request, response));
  speak(verb, rest, request, response);
}

async function keep(request: IncomingMessage, path: string): Promise<void> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  posted.set(path, [...(posted.get(path) ?? []), { headers: request.headers, body }]);
}

function speak(verb: string, rest: readonly string[], request: IncomingMessage, response: ServerResponse): void {
  const [name = ""] = rest;
  if (verb === "named") return speak(...wordOf(named.get(name) ?? "200"), request, response);
  if (verb === "hang") return;
  if (verb === "reset") return void request.socket.destroy();
  if (verb === "redirect") return void response.writeHead(302, { location: "/status/200/redirected" }).end();
  if (verb === "stall") return void response.writeHead(200).write("a beginning");
  if (verb === "endless") return pour(response);
  if (verb === "drip") return drip(response);
  if (verb === "torn")
    return void response.writeHead(200, { "content-length": 9 }).write("a torn", () => request.socket.destroy());
  response.writeHead(Number(name), name === "429" ? { "retry-after": "120" } : {}).end("hello");
}

/** What `/set` was told is a status or one of the verbs. */
function wordOf(said: string): readonly [string, readonly string[]] {
  return /^\d+$/.test(said) ? ["status", [said]] : [said, []];
}

function drip(response: ServerResponse): void {
  response.writeHead(200);
  const more = setInterval(() => (response.destroyed ? clearInterval(more) : response.write("x")), 50);
}

async function set(request: IncomingMessage, name: string): Promise<void> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  named.set(name, text);
}

function pour(response: ServerResponse): void {
  response.writeHead(200);
  const chunk = "x".repeat(16_384);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
}
