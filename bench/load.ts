/**
 * Load from raw sockets: requests are bytes made beforehand, so that the client measures the server and not itself.
 * Each connection waits for its answer before it sends the next.
 */
import { connect } from "node:net";
import type { Socket } from "node:net";

/** A connection without an answer for this long ends the bench, ms. */
export const ANSWER_TIMEOUT_MS = 20_000;

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A request as bytes. `host` is also what the server takes for its own address. */
export function requestBytes(
  method: string,
  host: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body: Uint8Array = new Uint8Array(),
): Buffer {
  const lines = Object.entries({ host, ...headers, "content-length": String(body.length) });
  const head = `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/** A connection that carries one request at a time. */
export interface Line {
  exchange(bytes: Buffer): Promise<Answer>;
  close(): void;
}

export interface Step {
  readonly line: Line;
  readonly bytes: Buffer;
}

/** Sends each list over a connection of its own, all at the same time. */
export async function load(port: number, lists: readonly (readonly Buffer[])[]): Promise<LoadResult> {
  const lines = await Promise.all(lists.map(() => openLine(port)));
  try {
    return await play(lists.map((list, i) => list.map((bytes) => ({ line: lines[i] as Line, bytes }))));
  } finally {
    for (const line of lines) line.close();
  }
}

/** Plays the lists of steps at the same time, in each one step after the other. Throws at the first answer that is not 200. */
export async function play(lists: readonly (readonly Step[])[]): Promise<LoadResult> {
  const latencies: number[] = [];
  const startedAt = performance.now();
  await Promise.all(
    lists.map(async (steps) => {
      for (const { line, bytes } of steps) {
        const sentAt = performance.now();
        const answer = await line.exchange(bytes);
        if (answer.status !== 200) throw new Error(`status ${answer.status}: ${answer.body.toString().slice(0, 300)}`);
        latencies.push(performance.now() - sentAt);
      }
    }),
  );
  const tookMs = performance.now() - startedAt;
  latencies.sort((a, b) => a - b);
  const at = (q: number): number => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] ?? 0;
  return { perSecond: (latencies.length / tookMs) * 1_000, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** A connection that speaks HTTP. */
async function openLine(port: number): Promise<Line> {
  const socket = await open(port);
  return { exchange: (bytes) => exchange(socket, bytes), close: () => void socket.destroy() };
}

/** One request on a connection of its own. */
export async function once(port: number, request: Buffer): Promise<Answer> {
  const socket = await open(port);
  try {
    return await exchange(socket, request);
  } finally {
    socket.destroy();
  }
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return socket;
}

function exchange(socket: Socket, request: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let received: Buffer = Buffer.alloc(0);
    const timer = setTimeout(() => end(new Error("no answer")), ANSWER_TIMEOUT_MS);
    const end = (outcome: Answer | Error): void => {
      clearTimeout(timer);
      socket.off("data", take).off("close", closed).off("error", end);
      if (outcome instanceof Error) reject(outcome);
      else resolve(outcome);
    };
    const closed = (): void => end(new Error("the connection was closed"));
    const take = (bytes: Buffer): void => {
      received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
      const answer = parse(received);
      if (answer !== null) end(answer);
    };
    socket.on("data", take).on("close", closed).on("error", end);
    socket.write(request);
  });
}

/** The answer, if all of it is there. */
function parse(bytes: Buffer): Answer | null {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return null;
  const head = bytes.subarray(0, end).toString("latin1").toLowerCase();
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1];
  const body = bytes.subarray(end + 4);
  if (length !== undefined) return body.length >= Number(length) ? { status, body } : null;
  if (!head.includes("\r\ntransfer-encoding: chunked")) return { status, body };
  return body.subarray(-5).equals(LAST_CHUNK) ? { status, body: joinChunks(body) } : null;
}

const LAST_CHUNK = Buffer.from("0\r\n\r\n");

function joinChunks(body: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const lineEnd = body.indexOf("\r\n", at);
    const length = Number.parseInt(body.subarray(at, lineEnd).toString(), 16);
    chunks.push(body.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return Buffer.concat(chunks);
}
