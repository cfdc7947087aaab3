/** The session against a real WebSocket server, so that silence and close codes can be played. */
import { createPublicKey, verify } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createClock, type Clock } from "../../agent/clock.ts";
import { Keyring, type Identity } from "../../agent/identity.ts";
import { startSession, type Session } from "../../agent/session.ts";
import { SESSION_CLOSE, SessionOpenSchema, sessionOpenMessage } from "../../protocol/session.ts";
import { parse } from "valibot";
import { acceptSockets, closeCode, type Peer } from "./sockets.ts";

const NOW = 1_795_392_000_000;
let folder = "";
let identity: Identity;
let server: Server;
let peers: Peer[] = [];
/** What came, over all connections; close frames as "close CODE". */
let heard: string[] = [];
let session: Session | null = null;
let onHeard: (text: string, peer: Peer) => void = () => {};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "session-"));
  identity = new Keyring(folder);
  [peers, heard] = [[], []];
  onHeard = () => {};
  server = createServer();
  acceptSockets(
    server,
    (peer) => peers.push(peer),
    (frame, peer) => {
      const text = frame.kind === "close" ? `close ${closeCode(frame) ?? ""}` : frame.payload.toString();
      heard.push(text);
      onHeard(text, peer);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  const stopped = session?.stop();
  for (const peer of peers) peer.destroy();
  await stopped;
  session = null;
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

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
    await expect.poll(() => heard).toHaveLength(1);
    expect(peers.map(({ path }) => path)).toEqual(["/agent/v1/session?cluster=demo"]);
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
    onHeard = (_text, peer) => {
      for (const text of [
        opened,
        "{",
        '{"type":"else"}',
        JSON.stringify({ type: "desired" }),
        JSON.stringify({ type: "desired", desired: state }),
      ])
        peer.send(text);
    };
    start();
    await expect.poll(() => desired).toEqual([state]);
    expect(session?.isOpen()).toBe(true);
  });

  it("pings, stays while it is answered, and connects again after a silence", async () => {
    let isDead = false;
    onHeard = (text, peer) => {
      if (text.startsWith("{")) peer.send(opened);
      else if (text === "ping" && !isDead) peer.send("pong");
    };
    start(20, 60);
    await expect.poll(() => heard.filter((text) => text === "ping").length).toBeGreaterThan(5);
    expect(peers).toHaveLength(1);
    isDead = true;
    await expect.poll(() => peers.length).toBeGreaterThan(1);
  });

  it("connects again when the edge goes away", async () => {
    onHeard = (_text, peer) => peer.send(opened);
    start();
    await expect.poll(() => session?.isOpen()).toBe(true);
    peers[0]?.destroy();
    await expect.poll(() => peers).toHaveLength(2);
    await expect.poll(() => session?.isOpen()).toBe(true);
  });

  it.each(Object.entries(SESSION_CLOSE))("does not come back at once after %s", async (_name, code) => {
    onHeard = (text, peer) => {
      if (!text.startsWith("close")) peer.close(code);
    };
    start();
    await expect.poll(() => logged).toContain("the session ended; pushes go on");
    // Without the longer wait it would be back after 100 ms.
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(peers).toHaveLength(1);
  });

  it("comes back at once, and once, when a push has shown that its proof bore a wrong time", async () => {
    onHeard = (text, peer) => {
      if (!text.startsWith("close")) peer.close(SESSION_CLOSE.unauthenticated);
    };
    start();
    await expect.poll(() => logged).toContain("the session ended; pushes go on");
    clock.learn(NOW, NOW, NOW - 3_600_000);
    const proofs = (): string[] => heard.filter((text) => text.startsWith("{"));
    await expect.poll(() => proofs()).toHaveLength(2);
    expect(proofs().map((text) => parse(SessionOpenSchema, JSON.parse(text)).sentAt)).toEqual([NOW, NOW - 3_600_000]);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(peers).toHaveLength(2);
  });

  it("says goodbye when the agent stops", async () => {
    onHeard = (text, peer) => {
      if (text.startsWith("close")) peer.close(1000);
      else peer.send(opened);
    };
    start();
    await expect.poll(() => session?.isOpen()).toBe(true);
    await session?.stop();
    expect(heard.at(-1)).toBe("close 1000");
  });
});
