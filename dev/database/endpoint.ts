/**
 * Neon's HTTP protocol in front of any Postgres, as `@neondatabase/serverless` 1.2.0 speaks it:
 *
 *   POST /sql   Neon-Connection-String: postgres://…    Neon-Raw-Text-Output: true    Neon-Array-Mode: true
 *   { query, params }                 200 { fields: [{ name, dataTypeID, … }], rows: [["text", null]], command, rowCount }
 *   { queries: [{ query, params }] }  200 { results: [the same] }, one transaction, Neon-Batch-* say of which kind
 *                                     400 { message, code: SQLSTATE, … } when Postgres refuses; 503 when it is not there
 *
 * With hooks for faults, because how a database fails is half of what its client must know.
 */
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import pg from "pg";

/** As Neon's own bound. */
const BODY_BYTES_MAX = 10 * 1_048_576;
/** Neon ends a request after 15 s. */
const QUERY_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 5_000;
const CONNECTIONS_MAX = 4;

/** `refuse`: the connection breaks. `hang`: no answer. `57P01`: the server shuts down. `lose_answer`: it commits, then the connection breaks. */
type Fault = "refuse" | "hang" | "57P01" | "lose_answer";

export interface Endpoint {
  /** `http://127.0.0.1:PORT/sql` */
  readonly endpoint: string;
  /** The next `times` requests fail in this way. */
  inject(fault: Fault, times?: number): void;
  /** Ends all faults, and with them what hangs. */
  heal(): void;
  stop(): Promise<void>;
}

interface Statement {
  readonly query: string;
  readonly params: readonly unknown[];
}

/** Serves the database at `url` on 127.0.0.1, whatever connection string a request names. */
export async function startEndpoint(options: { readonly url: string; readonly port?: number }): Promise<Endpoint> {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
  });
  // An idle connection that breaks is no news: the next request opens another.
  pool.on("error", () => {});
  let fault: { readonly kind: Fault; left: number } | null = null;
  const hanging = new Set<ServerResponse>();

  const nextFault = (): Fault | null => {
    if (fault === null || fault.left === 0) return null;
    fault.left--;
    return fault.kind;
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== "POST" || request.url !== "/sql") return send(response, 404, { message: "POST /sql" });
    // Both keep web pages out: a browser asks before it sends the header, and one whose name was led here says so.
    if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? ""))
      return send(response, 403, { message: "this database answers on 127.0.0.1 only" });
    if (typeof request.headers["neon-connection-string"] !== "string")
      return send(response, 403, { message: "Neon-Connection-String is missing" });
    const body = await read(request);
    if (body === null) return send(response, 413, { message: `body above ${BODY_BYTES_MAX} bytes` });
    const statements = parse(body);
    if (statements === null) return send(response, 400, { message: "expected { query, params } or { queries }" });
    const kind = nextFault();
    if (kind === "refuse") return void response.destroy();
    if (kind === "57P01") return send(response, 400, SHUTDOWN);
    if (kind === "hang") {
      hanging.add(response);
      response.on("close", () => hanging.delete(response));
      return;
    }
    const result = await execute(pool, request, statements);
    if (kind === "lose_answer") return void response.destroy();
    send(response, result.status, result.body);
  };

  const server = createServer((request, response) => {
    response.on("error", () => {});
    answer(request, response).catch(() => void response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const heal = (): void => {
    fault = null;
    for (const response of hanging) response.destroy();
  };
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/sql`,
    inject(kind, times = Number.POSITIVE_INFINITY) {
      fault = { kind, left: times };
    },
    heal,
    async stop() {
      heal();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await pool.end();
    },
  };
}

const SHUTDOWN = {
  severity: "FATAL",
  code: "57P01",
  message: "terminating connection due to administrator command",
};

/** The body as text; null if it is too large, read to its end all the same, so that the refusal can be heard. */
async function read(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
    else if (bytes > 2 * BODY_BYTES_MAX) throw new Error("body without end");
  }
  return bytes <= BODY_BYTES_MAX ? Buffer.concat(chunks).toString() : null;
}

function parse(body: string): Statement | readonly Statement[] | null {
  try {
    const value: unknown = JSON.parse(body);
    if (isStatement(value)) return value;
    const queries = (value as { queries?: unknown } | null)?.queries;
    return Array.isArray(queries) && queries.every(isStatement) ? queries : null;
  } catch {
    return null;
  }
}

function isStatement(value: unknown): value is Statement {
  const statement = value as Partial<Statement> | null;
  return typeof statement?.query === "string" && Array.isArray(statement.params);
}

async function execute(
  pool: pg.Pool,
  request: IncomingMessage,
  statements: Statement | readonly Statement[],
): Promise<{ readonly status: number; readonly body: object }> {
  try {
    const client = await pool.connect();
    let failure: Error | undefined;
    // A connection may break between two queries: the query says so, the event must only not end the process.
    const ignore = (): void => {};
    client.on("error", ignore);
    try {
      if ("query" in statements) return { status: 200, body: await query(client, statements) };
      return { status: 200, body: { results: await transaction(client, request, statements) } };
    } catch (error) {
      // Whatever failed, the connection's state is not worth guessing.
      failure = error instanceof Error ? error : new Error(String(error));
      throw failure;
    } finally {
      client.off("error", ignore);
      client.release(failure instanceof pg.DatabaseError && "query" in statements ? undefined : failure);
    }
  } catch (error) {
    // Copied field by field as Postgres sent them; `message` alone is not enumerable.
    if (error instanceof pg.DatabaseError)
      return { status: 400, body: Object.assign({ message: error.message }, error) };
    return { status: 503, body: { message: error instanceof Error ? error.message : String(error) } };
  }
}

/** Values as Postgres writes them: the driver at the other end parses by `dataTypeID`. */
const TEXT_ONLY = { getTypeParser: () => (text: string) => text };

async function query(client: pg.PoolClient, { query: text, params }: Statement): Promise<object> {
  const { fields, rows, command, rowCount } = await client.query({
    text,
    values: [...params],
    rowMode: "array",
    types: TEXT_ONLY,
  });
  return { fields, rows, command, rowCount, rowAsArray: true };
}

const ISOLATION: Readonly<Record<string, string>> = {
  ReadUncommitted: "READ UNCOMMITTED",
  ReadCommitted: "READ COMMITTED",
  RepeatableRead: "REPEATABLE READ",
  Serializable: "SERIALIZABLE",
};

async function transaction(
  client: pg.PoolClient,
  request: IncomingMessage,
  statements: readonly Statement[],
): Promise<object[]> {
  const isolation = ISOLATION[String(request.headers["neon-batch-isolation-level"])];
  const modes = [
    isolation === undefined ? "" : `ISOLATION LEVEL ${isolation}`,
    request.headers["neon-batch-read-only"] === "true" ? "READ ONLY" : "",
    request.headers["neon-batch-deferrable"] === "true" ? "DEFERRABLE" : "",
  ].filter((mode) => mode !== "");
  await client.query(`BEGIN ${modes.join(", ")}`);
  const results: object[] = [];
  for (const statement of statements) results.push(await query(client, statement));
  await client.query("COMMIT");
  return results;
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
