/**
 * A WebSocket as bytes, RFC 6455, as far as the bench needs it: frames are made beforehand, so that the client measures
 * the server and not itself. Each frame waits for its answer before the next is sent.
 */
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import type { Answer, Line } from "./load.ts";
import { ANSWER_TIMEOUT_MS } from "./load.ts";

const OPCODES = { text: 1, binary: 2, close: 8 } as const;

/** A client's frame. Its mask is zero, which is as good as any other to a server that nobody stands before. */
export function frameBytes(kind: keyof typeof OPCODES, payload: Uint8Array): Buffer {
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 8 : 6);
  head[0] = 0x80 | OPCODES[kind];
  head[1] = 0x80 | (long ? 126 : payload.length);
  if (long) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

/** A listener that never speaks: `onText` gets each text that the server sends. */
export async function listen(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  onText: (payload: Buffer) => void,
): Promise<Listener> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  let received: Buffer = Buffer.alloc(0);
  let isUpgraded = false;
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject).once("close", () => reject(new Error("the socket was closed")));
    socket.once("connect", () => socket.write(upgradeRequest(`127.0.0.1:${port}`, path, lines.join(""))));
    socket.on("data", (bytes) => {
      received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
      const end = received.indexOf("\r\n\r\n");
      if (!isUpgraded && end === -1) return;
      if (!isUpgraded) {
        const status = received.subarray(9, 12).toString();
        if (status !== "101") return reject(new Error(`the socket got HTTP ${status}`));
        isUpgraded = true;
        received = received.subarray(end + 4);
        resolve();
      }
      for (let frame = frameOf(received); frame !== null; frame = frameOf(received)) {
        received = received.subarray(frame.length);
        if (frame.opcode === OPCODES.text) onText(frame.payload);
      }
    });
  });
  return { close: () => void socket.destroy() };
}

export interface Listener {
  close(): void;
}

function upgradeRequest(host: string, path: string, headers = ""): string {
  const key = randomBytes(16).toString("base64");
  return `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${headers}upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-key: ${key}\r\nsec-websocket-version: 13\r\n\r\n`;
}

/** Opens a socket. An answer is the next text: 200 unless it says `refused`; a socket that is closed answers 0. */
export async function openSocket(port: number, host: string, path: string): Promise<Line> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  let received: Buffer = Buffer.alloc(0);
  let isUpgraded = false;
  let waiting: ((answer: Answer) => void) | null = null;
  const answer = (outcome: Answer): void => {
    waiting?.(outcome);
    waiting = null;
  };
  const next = (bytes?: Buffer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no answer over the socket")), ANSWER_TIMEOUT_MS);
      waiting = (outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
      if (bytes !== undefined) socket.write(bytes);
    });
  socket.on("data", (bytes) => {
    received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
    if (!isUpgraded) {
      const end = received.indexOf("\r\n\r\n");
      if (end === -1) return;
      isUpgraded = true;
      const status = Number(received.subarray(9, 12).toString());
      received = received.subarray(end + 4);
      answer({ status, body: Buffer.alloc(0) });
    }
    for (let frame = frameOf(received); frame !== null; frame = frameOf(received)) {
      received = received.subarray(frame.length);
      if (frame.opcode === OPCODES.close) answer({ status: 0, body: frame.payload.subarray(2) });
      // Desired state comes unasked.
      else if (!frame.payload.subarray(0, 16).toString().startsWith('{"type":"desired'))
        answer({ status: frame.payload.includes('"type":"refused"') ? 400 : 200, body: frame.payload });
    }
  });
  socket.on("close", () => answer({ status: 0, body: Buffer.from("the socket was closed") }));
  socket.on("error", () => socket.destroy());
  const upgraded = await next(Buffer.from(upgradeRequest(host, path)));
  if (upgraded.status !== 101) throw new Error(`the socket got HTTP ${upgraded.status}`);
  return { exchange: next, close: () => void socket.destroy() };
}

/** The first frame of what a server sent, if all of it is there. */
function frameOf(bytes: Buffer): { readonly opcode: number; readonly payload: Buffer; readonly length: number } | null {
  if (bytes.length < 2) return null;
  const short = (bytes[1] ?? 0) & 0x7f;
  const head = short === 126 ? 4 : short === 127 ? 10 : 2;
  if (bytes.length < head) return null;
  const size = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < head + size) return null;
  return { opcode: (bytes[0] ?? 0) & 0x0f, payload: bytes.subarray(head, head + size), length: head + size };
}
