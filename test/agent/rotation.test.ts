/** The agent replaces its key, and is stopped between any two steps of it. */
import { createHash, createPublicKey, verify } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createClock } from "../../agent/clock.ts";
import { Keyring, loadEnrolment, saveEnrolment } from "../../agent/identity.ts";
import { Rotation } from "../../agent/rotation.ts";
import { rotationMessage, type Rotate } from "../../protocol/agent.ts";
import { isSigned, startTestEdge, type Reply, type TestEdge } from "./edge.ts";

const NOW = 1_795_392_000_000;
const CLUSTER = "eu-1";
let folder = "";
let edge: TestEdge;
let keyring: Keyring;
let renewed = 0;
let logged: string[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "rotation-"));
  edge = await startTestEdge();
  keyring = new Keyring(folder);
  saveEnrolment(folder, { cluster: CLUSTER, edge: edge.url, keyId: keyring.keyId, state: "active" });
  [renewed, logged] = [0, []];
});
afterEach(async () => {
  await edge.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Asks, and waits until it is done or given up. */
async function rotate(on = keyring): Promise<void> {
  const lines = logged.length;
  const log = (_level: string, message: string): void => void logged.push(message);
  const clock = createClock(() => NOW);
  const onRotated = (): void => void renewed++;
  const rotation = new Rotation({
    edge: edge.url,
    cluster: CLUSTER,
    dataDir: folder,
    clock,
    keyring: on,
    onRotated,
    log,
  });
  rotation.ask();
  // What is under way is not begun twice.
  rotation.ask();
  await expect.poll(() => logged.length, { timeout: 20_000 }).toBeGreaterThan(lines);
}

const sent = (i: number): Rotate => edge.received[i]?.push as unknown as Rotate;
const keyIdOf = (publicKey: string): string =>
  createHash("sha256").update(Buffer.from(publicKey, "base64")).digest().subarray(0, 16).toString("base64url");
const taken = (push: unknown): Reply => {
  const { publicKey } = push as Rotate;
  const body = { keyId: keyIdOf(publicKey), fingerprint: "", state: "active", serverTime: NOW };
  return { status: 200, body };
};

describe("a key that is replaced", () => {
  it("shows the next one, which proves itself, and is the agent's no more once that is taken", async () => {
    const before = { keyId: keyring.keyId, publicKey: keyring.publicKey };
    edge.answer(taken);
    await rotate();
    const [request] = edge.received;
    if (request === undefined) throw new Error("nothing came");
    expect([edge.received.length, request.path]).toEqual([1, "/agent/v1/rotate?cluster=eu-1"]);
    expect(isSigned(edge.url, request, before.publicKey)).toBe(true);
    const { publicKey, proof } = sent(0);
    const x = Buffer.from(publicKey, "base64").toString("base64url");
    const held = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    const text = rotationMessage(CLUSTER, before.keyId, publicKey);
    expect(verify(null, Buffer.from(text), held, Buffer.from(proof, "base64"))).toBe(true);
    expect([keyring.publicKey, renewed]).toEqual([publicKey, 1]);
    const restarted = new Keyring(folder);
    expect(restarted.keyId).toBe(keyring.keyId);
    expect(loadEnrolment(folder, CLUSTER, edge.url, restarted.keyId)).not.toBeNull();
    expect(existsSync(join(folder, "agent-key-next.pem"))).toBe(false);
  });

  it("stays in use while the edge says no, or nothing, and the same next one is shown again", async () => {
    const before = keyring.keyId;
    edge.answer(() => "hang up");
    await rotate();
    edge.answer(() => ({ status: 403, body: { error: { code: "forbidden", message: "why" } } }));
    await rotate();
    expect([keyring.keyId, new Keyring(folder).keyId, renewed]).toEqual([before, before, 0]);
    edge.answer(taken);
    await rotate(new Keyring(folder));
    expect(new Set(edge.received.map((_, i) => sent(i).publicKey)).size).toBe(1);
    expect(new Keyring(folder).publicKey).toBe(sent(0).publicKey);
  });

  it("is found again by a start after the note of it, whatever its file was called", async () => {
    const next = keyring.next();
    saveEnrolment(folder, { cluster: CLUSTER, edge: edge.url, keyId: next.keyId, state: "active" });
    const restarted = new Keyring(folder);
    expect(restarted.keyId).toBe(next.keyId);
    // And a later one is another.
    expect(restarted.next().keyId).not.toBe(next.keyId);
    expect(new Keyring(folder).keyId).toBe(next.keyId);
  });

  it("is not given up for an answer that speaks of another", async () => {
    const before = keyring.keyId;
    edge.answer(() => ({ status: 200, body: { keyId: "other", fingerprint: "", state: "active", serverTime: NOW } }));
    await rotate();
    expect([keyring.keyId, renewed]).toEqual([before, 0]);
  });
});
