/** The session against a real WebSocket server of a few lines (RFC 6455), so that silence and close codes can be played. */
import { createHash, createPublicKey, verify } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createClock, type Clock } from "../../agent/clock.ts";
import { loadIdentity, type Identity } from "../../agent/identity.ts";
import { startSession, type Session } from "../../agent/session.ts";
import { SESSION_CLOSE, SessionOpenSchema, sessionOpenMessage } from "../../protocol/session.ts";
import { parse } from "valibot";

const NOW = 1_795_392_000_000;
let folder = "";
let identity: Identity;
let server: Server;
let sockets: Duplex[] = [];
let paths: string[] = [];
/** What came, over all connections; close frames as "close CODE". */
let heard: string[] = [];
let session: Session | null = null;
let onHeard: (text: string, socket: Duplex) => void = () => {};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "session-"));
  identity = loadIdentity(folder);
  [sockets, paths, heard] = [[], [], []];
  onHeard = () => {};
  server = createServer();
  server.on("upgrade", (request, socket: Duplex) => {
    sockets.push(socket);
    paths.push(request.url ?? "");
    const accept = createHash("sha1")
      .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    let buffer = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (data: Buffer) => {
      buffer = Buffer.concat([buffer, data]);
      for (let frame = read(buffer); frame !== null; frame = read(buffer)) {
        buffer = buffer.subarray(frame.bytes);
        heard.push(frame.text);
        onHeard(frame.text, socket);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  for (const socket of sockets) socket.on("data", () => {});
  const stopped = session?.stop();
  for (const socket of sockets) socket.destroy();
  await stopped;
  session = null;
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** One masked frame of a client, of up to 65,535 bytes. */
function read(buffer: Buffer): { text: string; bytes: number } | null {
  if (buffer.length < 6) return null;
  const short = (buffer[1] ?? 0) & 0x7f;
  const header = short === 126 ? 4 : 2;
  const length = short === 126 ? buffer.readUInt16BE(2) : short;
  if (buffer.length < header + 4 + length) return null;
  const mask = buffer.subarray(header, header + 4);
  const payload = Buffer.from(buffer.subarray(header + 4, header + 4 + length)).map(
    (byte, i) => byte ^ (mask[i % 4] ?? 0),
  );
  const isClose = ((buffer[0] ?? 0) & 0x0f) === 8;
  return {
    text: isClose
      ? `close ${payload.length < 2 ? "" : Buffer.from(payload).readUInt16BE(0)}`
      : Buffer.from(payload).toString(),
    bytes: header + 4 + length,
  };
}

function send(socket: Duplex, text: string): void {
  const payload = Buffer.from(text);
  const header =
    payload.length < 126
      ? Buffer.from([0x81, payload.length])
      : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 0xff]);
  socket.write(Buffer.concat([header, payload]));
}

function close(socket: Duplex, code: number): void {
  // The server ends the connection, RFC 6455 7.1.1.
  socket.end(Buffer.from([0x88, 2, code >> 8, code & 0xff]));
}

let desired: unknown[] = [];
let logged: string[] = [];
let clock: Clock;
function start(pingMs = 60_000, pongWithinMs = 60_000): string {
  const edge = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  desired = [];
  logged = [];
  clock = createClock(() => NOW);
  session = startSession({
    edge,
    cluster: "demo",
    identity,
    clock,
    observedGeneration: () => 12,
    onDesired: (state) => desired.push(state),
    random: () => 0,
    log: (_level, message) => logged.push(message),
    pingMs,
    pongWithinMs,
  });
  return edge;
}

const opened = JSON.stringify({ type: "opened", serverTime: NOW });

describe("the session", () => {
  it("opens with a proof that this edge can check and another cannot use", async () => {
    const edge = start();
    await vi.waitFor(() => expect(heard).toHaveLength(1));
    expect(paths).toEqual(["/agent/v1/session?cluster=demo"]);
    const open = parse(SessionOpenSchema, JSON.parse(heard[0] ?? ""));
    expect(open).toMatchObject({ cluster: "demo", keyId: identity.keyId, sentAt: NOW, observedGeneration: 12 });
    const key = createPublicKey({
      key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(identity.publicKey, "base64").toString("base64url") },
      format: "jwk",
    });
    const isProof = (host: string): boolean =>
      verify(null, Buffer.from(sessionOpenMessage(open, host)), key, Buffer.from(open.signature, "base64"));
    expect(isProof(new URL(edge).host)).toBe(true);
    expect(isProof("evil.example")).toBe(false);
  });

  it("hands on desired state, and nothing that it does not understand", async () => {
    const state = { payload: "{}", keyId: "k", signature: "s" };
    onHeard = (_text, socket) => {
      for (const text of [
        opened,
        "{",
        '{"type":"else"}',
        JSON.stringify({ type: "desired" }),
        JSON.stringify({ type: "desired", desired: state }),
      ])
        send(socket, text);
    };
    start();
    await vi.waitFor(() => expect(desired).toEqual([state]));
    expect(session?.isOpen()).toBe(true);
  });

  it("pings, stays while it is answered, and connects again after a silence", async () => {
    let isDead = false;
    onHeard = (text, socket) => {
      if (text.startsWith("{")) send(socket, opened);
      else if (text === "ping" && !isDead) send(socket, "pong");
    };
    start(20, 60);
    await vi.waitFor(() => expect(heard.filter((text) => text === "ping").length).toBeGreaterThan(5));
    expect(sockets).toHaveLength(1);
    isDead = true;
    await vi.waitFor(() => expect(sockets.length).toBeGreaterThan(1), { timeout: 5_000 });
  });

  it("connects again when the edge goes away", async () => {
    onHeard = (_text, socket) => send(socket, opened);
    start();
    await vi.waitFor(() => expect(session?.isOpen()).toBe(true));
    (sockets[0] as Socket).destroy();
    await vi.waitFor(() => expect(sockets).toHaveLength(2), { timeout: 5_000 });
    await vi.waitFor(() => expect(session?.isOpen()).toBe(true));
  });

  it.each(Object.entries(SESSION_CLOSE))("does not come back at once after %s", async (_name, code) => {
    onHeard = (text, socket) => {
      if (!text.startsWith("close")) close(socket, code);
    };
    start();
    await vi.waitFor(() => expect(logged).toContain("the session ended; pushes go on"));
    // Without the longer wait it would be back after 100 ms.
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(sockets).toHaveLength(1);
  });

  it("comes back at once, and once, when a push has shown that its proof bore a wrong time", async () => {
    onHeard = (text, socket) => {
      if (!text.startsWith("close")) close(socket, SESSION_CLOSE.unauthenticated);
    };
    start();
    await vi.waitFor(() => expect(logged).toContain("the session ended; pushes go on"));
    clock.learn(NOW, NOW, NOW - 3_600_000);
    await vi.waitFor(() => expect(sockets).toHaveLength(2), { timeout: 2_000 });
    const proofs = heard.filter((text) => text.startsWith("{"));
    expect(proofs.map((text) => parse(SessionOpenSchema, JSON.parse(text)).sentAt)).toEqual([NOW, NOW - 3_600_000]);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(sockets).toHaveLength(2);
  });

  it("says goodbye when the agent stops", async () => {
    onHeard = (text, socket) => {
      if (text.startsWith("close")) close(socket, 1000);
      else send(socket, opened);
    };
    start();
    await vi.waitFor(() => expect(session?.isOpen()).toBe(true));
    await session?.stop();
    expect(heard.at(-1)).toBe("close 1000");
  });
});
