/** The server's side of WebSockets in a few lines (RFC 6455), so that silence, close codes and torn connections can be played. */
import { createHash } from "node:crypto";
import type { Server } from "node:http";
import type { Duplex } from "node:stream";

export interface Frame {
  readonly kind: "text" | "binary" | "close";
  readonly payload: Buffer;
}

export interface Peer {
  /** What it asked for. */
  readonly path: string;
  send(text: string): void;
  /** Ends the connection with a close code, RFC 6455 7.1.1. */
  close(code: number): void;
  /** Tears the connection. */
  destroy(): void;
}

const KINDS: Readonly<Record<number, Frame["kind"]>> = { 1: "text", 2: "binary", 8: "close" };

/** Accepts every upgrade of a server. */
export function acceptSockets(
  server: Server,
  onOpen: (peer: Peer) => void,
  onFrame: (frame: Frame, peer: Peer) => void,
): void {
  server.on("upgrade", (request, socket: Duplex) => {
    const accept = createHash("sha1")
      .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    const peer: Peer = {
      path: request.url ?? "",
      send: (text) => void socket.write(textFrame(text)),
      close: (code) => void socket.end(Buffer.from([0x88, 2, code >> 8, code & 0xff])),
      destroy: () => void socket.destroy(),
    };
    let buffer = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (data: Buffer) => {
      buffer = Buffer.concat([buffer, data]);
      for (let frame = readFrame(buffer); frame !== null; frame = readFrame(buffer)) {
        buffer = buffer.subarray(frame.bytes);
        onFrame(frame, peer);
      }
    });
    onOpen(peer);
  });
}

/** What a close frame says. */
export function closeCode({ payload }: Frame): number | null {
  return payload.length < 2 ? null : payload.readUInt16BE(0);
}

/** One masked, unfragmented frame of a client; null while it is not all there. */
function readFrame(buffer: Buffer): (Frame & { readonly bytes: number }) | null {
  if (buffer.length < 6) return null;
  const short = (buffer[1] ?? 0) & 0x7f;
  const header = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (buffer.length < header + 4) return null;
  const length = short === 127 ? Number(buffer.readBigUInt64BE(2)) : short === 126 ? buffer.readUInt16BE(2) : short;
  const bytes = header + 4 + length;
  if (buffer.length < bytes) return null;
  const mask = buffer.subarray(header, header + 4);
  const payload = Buffer.from(buffer.subarray(header + 4, bytes)).map((byte, i) => byte ^ (mask[i % 4] ?? 0));
  const kind = KINDS[(buffer[0] ?? 0) & 0x0f];
  if (kind === undefined) throw new Error(`a frame of kind ${(buffer[0] ?? 0) & 0x0f}`);
  return { kind, payload: Buffer.from(payload), bytes };
}

function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(payload.length < 126 ? 2 : 4);
  header[0] = 0x81;
  header[1] = Math.min(payload.length, 126);
  if (payload.length >= 126) header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
}
