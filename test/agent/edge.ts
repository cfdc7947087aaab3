/** A real server that answers pushes as a test says, by POST and over sessions, and remembers what it was sent. */
import { createHash, createPublicKey, verify } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import type { Push } from "../../protocol/push.ts";
import type { PushFrame } from "../../protocol/session.ts";
import { parseSignature, signatureBase } from "../../protocol/signature.ts";
import { acceptSockets, type Peer } from "./sockets.ts";

export interface Received {
  readonly path: string;
  readonly via: "post" | "session";
  readonly push: Push;
  readonly headers: IncomingMessage["headers"];
  readonly raw: Buffer;
}

export type Reply =
  | { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> }
  | "hang up"
  /** No answer, and the connection stays. */
  | "silence";

export interface TestEdge {
  readonly url: string;
  readonly received: Received[];
  /** Answers the next requests; the last answer stays. */
  answer(...replies: ((push: Push, path: string) => Reply)[]): void;
  /** Takes sessions from now on, and says this to whoever opens one. */
  takeSessions(opened: string): void;
  /** Sessions as they came, the torn ones too. */
  readonly sessions: readonly Peer[];
  close(): Promise<void>;
}

export async function startTestEdge(): Promise<TestEdge> {
  const received: Received[] = [];
  let replies: ((push: Push, path: string) => Reply)[] = [];
  const next = (push: Push, path: string): Reply =>
    (replies.length > 1 ? replies.shift() : replies[0])?.(push, path) ?? "hang up";
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks);
    const text = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw).toString() : raw.toString();
    // What an agent sends is what these tests look at; a GET has no body.
    const push = JSON.parse(text === "" ? "{}" : text) as Push;
    received.push({ path: request.url ?? "", via: "post", push, headers: request.headers, raw });
    const reply = next(push, request.url ?? "");
    if (reply === "silence") return;
    if (reply === "hang up") return void request.socket.destroy();
    response.writeHead(reply.status, { "content-type": "application/json", ...reply.headers });
    response.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body));
  };
  const server = createServer((request, response) => void handle(request, response));
  const sessions: Peer[] = [];
  let opened = "";
  const takeFrame = (raw: Buffer, peer: Peer): void => {
    const { id, push } = JSON.parse(gunzipSync(raw).toString()) as PushFrame & { readonly push: Push };
    received.push({ path: peer.path, via: "session", push, headers: {}, raw });
    const reply = next(push, peer.path);
    if (reply === "silence") return;
    if (reply === "hang up") return peer.destroy();
    peer.send(JSON.stringify(answerOf(id, reply)));
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: (...following) => (replies = following),
    sessions,
    takeSessions(says) {
      opened = says;
      acceptSockets(
        server,
        (peer) => sessions.push(peer),
        ({ kind, payload }, peer) => {
          if (kind === "close") peer.close(1000);
          else if (kind === "binary") takeFrame(payload, peer);
          else peer.send(payload.toString() === "ping" ? "pong" : opened);
        },
      );
    },
    close: () =>
      new Promise((resolve) => {
        for (const peer of sessions) peer.destroy();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** A POST's answer as the session says it. */
function answerOf(id: number, { status, body, headers }: Exclude<Reply, string>): object {
  if (status === 200) return { type: "receipt", id, receipt: body };
  const retryAfterS = headers?.["retry-after"];
  const retryAfter = retryAfterS === undefined ? {} : { retryAfterMs: Number(retryAfterS) * 1_000 };
  const said = body as { readonly serverTime: number };
  const unusable = { error: { code: "push_unusable", message: "why" }, receipt: body, serverTime: said.serverTime };
  return { type: "refused", id, status, ...retryAfter, ...(status === 422 ? unusable : said) };
}

/** Whether a request is signed by this raw public key, as the edge checks it. */
export function isSigned(url: string, { path, headers, raw }: Received, publicKey: string): boolean {
  const parsed = parseSignature(String(headers["signature-input"]), String(headers["signature"]));
  if (parsed === null) return false;
  const digest = createHash("sha256").update(raw).digest("base64");
  const signed = { method: "POST", targetUri: `${url}${path}`, digest, contentType: String(headers["content-type"]) };
  const x = Buffer.from(publicKey, "base64").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const isDigest = headers["content-digest"] === `sha-256=:${digest}:`;
  return (
    isDigest &&
    verify(null, Buffer.from(signatureBase(signed, parsed.parameters)), key, Buffer.from(parsed.signature, "base64"))
  );
}
