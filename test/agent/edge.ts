/** A real HTTP server that answers pushes as a test says, and remembers what it was sent. */
import { createHash, createPublicKey, verify } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import type { Push } from "../../protocol/push.ts";
import { parseSignature, signatureBase } from "../../protocol/signature.ts";

export interface Received {
  readonly path: string;
  readonly push: Push;
  readonly headers: IncomingMessage["headers"];
  readonly raw: Buffer;
}

export type Reply =
  | { readonly status: number; readonly body: unknown; readonly headers?: Record<string, string> }
  | "hang up";

export interface TestEdge {
  readonly url: string;
  readonly received: Received[];
  /** Answers the next requests; the last answer stays. */
  answer(...replies: ((push: Push, path: string) => Reply)[]): void;
  close(): Promise<void>;
}

export async function startTestEdge(): Promise<TestEdge> {
  const received: Received[] = [];
  let replies: ((push: Push, path: string) => Reply)[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const raw = Buffer.concat(chunks);
    const text = request.headers["content-encoding"] === "gzip" ? gunzipSync(raw).toString() : raw.toString();
    // What an agent sends is what these tests look at; a GET has no body.
    const push = JSON.parse(text === "" ? "{}" : text) as Push;
    received.push({ path: request.url ?? "", push, headers: request.headers, raw });
    const reply = (replies.length > 1 ? replies.shift() : replies[0])?.(push, request.url ?? "") ?? "hang up";
    if (reply === "hang up") return void request.socket.destroy();
    response.writeHead(reply.status, { "content-type": "application/json", ...reply.headers });
    response.end(typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body));
  };
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: (...next) => (replies = next),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
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
