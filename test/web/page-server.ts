/** A server of pages and frames, so that the browser's side is tested without the edge. */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { gzipSync } from "node:zlib";
import { READOUT_SCRIPT } from "../../web/view/assets.generated.ts";
import { LANGUAGES, messagesOf } from "../../web/view/words/locale.ts";
import { NOW } from "./snapshots.ts";

export interface PageServer {
  readonly url: string;
  /** Every request line so far. */
  readonly requests: string[];
  /** Sends a frame to every open socket. */
  send(frame: unknown): void;
  /** How many sockets are open. */
  sockets(): number;
  /** Cuts every open socket. */
  drop(): void;
  /** Stops answering: sockets stay open and silent, requests are cut or, if it `hangs`, wait for ever, sockets' too. */
  freeze(how?: "cuts" | "hangs"): void;
  stop(): void;
}

export interface Served {
  readonly policy: string;
  readonly body: string;
  /** Besides what every page has, or in its place. */
  readonly headers?: Readonly<Record<string, string>>;
}

const script = (body: string): Served => {
  return { policy: "default-src 'none'", body, headers: { "content-type": "text/javascript; charset=utf-8" } };
};

/** What a page asks for by itself: once somebody reaches for one of its pictures, and at the first trouble. */
const SCRIPTS: Readonly<Record<string, Served>> = {
  "/readout.js": script(READOUT_SCRIPT),
  ...Object.fromEntries(
    LANGUAGES.map((lang) => [`/words/${lang}.js`, script(`export const messages=${JSON.stringify(messagesOf(lang))}`)]),
  ),
};

/** `pages` answers a path, or null for a 404. */
export async function servePages(pages: (path: string) => Served | null): Promise<PageServer> {
  const requests: string[] = [];
  const sockets = new Set<Duplex>();
  let frozen: "cuts" | "hangs" | null = null;
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (frozen === "cuts") return void request.socket.destroy();
    if (frozen === "hangs") return;
    const served = SCRIPTS[request.url ?? "/"] ?? pages(request.url ?? "/");
    if (served === null) return void response.writeHead(404).end();
    const body = gzipSync(served.body);
    response.writeHead(200, {
      "content-type": "text/html; charset=utf-8",
      "content-encoding": "gzip",
      date: new Date(NOW).toUTCString(),
      "content-security-policy": served.policy,
      ...served.headers,
    });
    response.end(body);
  });
  server.on("upgrade", (request, socket) => {
    requests.push(`UPGRADE ${request.url}`);
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => sockets.delete(socket));
    if (frozen === "hangs") return;
    // RFC 6455 1.3: the key with this fixed text, hashed, proves that the server understood.
    const proof = createHash("sha1").update(
      `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
    );
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${proof.digest("base64")}\r\n\r\n`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    send: (frame) => sockets.forEach((socket) => socket.write(textFrame(JSON.stringify(frame)))),
    sockets: () => sockets.size,
    drop: () => sockets.forEach((socket) => socket.destroy()),
    freeze: (how = "cuts") => void (frozen = how),
    stop: () => {
      sockets.forEach((socket) => socket.destroy());
      server.closeAllConnections();
      server.close();
    },
  };
}

/** RFC 6455 5.2: one unmasked text frame. */
function textFrame(text: string): Buffer {
  const body = Buffer.from(text);
  const header = Buffer.alloc(body.length < 126 ? 2 : 4);
  header[0] = 0x81;
  if (body.length < 126) header[1] = body.length;
  else {
    header[1] = 126;
    header.writeUInt16BE(body.length, 2);
  }
  return Buffer.concat([header, body]);
}
