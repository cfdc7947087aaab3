/** What an agent makes of the edge's wishes: signed ones only, never back, each command once, and its owner has the last word. */
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createAnomalies, nobodyLooks } from "../../agent/anomalies.ts";
import { leftOutOf, maintainedAt, notDone, refusalOf, thresholdInForce, type Allowed } from "../../agent/core/wish.ts";
import { edgeKeys } from "../../agent/desired.ts";
import { Wishes } from "../../agent/wishes.ts";
import { detectorWishMessage, type DetectorCommand, type DetectorWish, type Unusual } from "../../protocol/detector.ts";
import { canonicalJson, desiredStateMessage, type SignedDesired } from "../../protocol/lease.ts";
import { HOUR, MINUTE } from "../../protocol/time.ts";

const NOW = Date.UTC(2026, 10, 23, 12);
const folder = mkdtempSync(join(tmpdir(), "wishes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const raw = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");
const keys = edgeKeys([raw]);
const [keyId = ""] = [...keys.keys()];

function signed(wish: DetectorWish, messageOf = detectorWishMessage): SignedDesired {
  const payload = canonicalJson(wish);
  const digest = createHash("sha256").update(messageOf(payload)).digest();
  return { payload, keyId, signature: sign(null, digest, privateKey).toString("base64") };
}

const ALLOWED: Allowed = {
  threshold: 0.85,
  edge: { threshold: true, min: 0.7, max: 0.95, commands: true, incidents: true },
};
const edgeOf = (edge: Partial<Allowed["edge"]>): Allowed => ({ ...ALLOWED, edge: { ...ALLOWED.edge, ...edge } });
const COMMAND: DetectorCommand = {
  kind: "retrain",
  id: "a".repeat(12),
  askedAt: NOW,
  expiresAt: NOW + HOUR,
  by: "ops",
};
const wish = (facts: Partial<DetectorWish> = {}): DetectorWish => ({
  v: 1,
  cluster: "demo",
  generation: 7,
  threshold: null,
  unusual: [],
  command: null,
  ...facts,
});

function agent(options: { readonly dataDir?: string; readonly allowed?: Allowed; readonly now?: number } = {}) {
  const { dataDir = mkdtempSync(join(folder, "data-")), allowed = ALLOWED, now = NOW } = options;
  let changes = 0;
  const told = { now: () => now, onChange: () => void changes++, log: () => {} };
  return { dataDir, changes: () => changes, wishes: new Wishes({ allowed, keys, cluster: "demo", dataDir, ...told }) };
}

describe("a wish", () => {
  it("of a threshold is in force at once, is told, and outlives the process with its moment", () => {
    const { wishes, dataDir, changes } = agent();
    expect(wishes.report()).toMatchObject({ threshold: 0.85, setBy: "agent", since: NOW, observedGeneration: 0 });
    wishes.offer(signed(wish({ threshold: 0.9 })));
    expect([wishes.threshold, changes()]).toEqual([0.9, 1]);
    const later = agent({ dataDir, now: NOW + HOUR }).wishes;
    expect(later.report()).toMatchObject({ threshold: 0.9, setBy: "edge", since: NOW, observedGeneration: 7 });
    later.offer(signed(wish({ generation: 8 })));
    expect(later.report()).toMatchObject({ threshold: 0.85, setBy: "agent", since: NOW + HOUR });
  });

  it.each<[string, SignedDesired, RegExp]>([
    [
      "that somebody else signed",
      { ...signed(wish({ threshold: 0.9 })), payload: canonicalJson(wish({ threshold: 0.8 })) },
      /did not sign/,
    ],
    ["that was signed as a lease", signed(wish({ threshold: 0.9 }), desiredStateMessage), /did not sign/],
    ["by a key that is not pinned", { ...signed(wish({ threshold: 0.9 })), keyId: "other" }, /leases\.edgeKeys/],
    ["for another cluster", signed(wish({ threshold: 0.9, cluster: "other" })), /another cluster/],
    ["above the scores that there are", signed(wish({ threshold: 1.5 })), /malformed/],
  ])("%s changes nothing, and the edge reads why", (_name, offered, why) => {
    const { wishes } = agent();
    wishes.offer(offered);
    expect(wishes.report()).toMatchObject({
      threshold: 0.85,
      observedGeneration: 0,
      detail: expect.stringMatching(why),
    });
  });

  it("never goes back, not even to another one of its number", () => {
    const { wishes } = agent();
    wishes.offer(signed(wish({ threshold: 0.9 })));
    wishes.offer(signed(wish({ threshold: 0.8 })));
    wishes.offer(signed(wish({ threshold: 0.8, generation: 6 })));
    expect(wishes.threshold).toBe(0.9);
  });
});

describe("a command", () => {
  const answer = { id: COMMAND.id, kind: COMMAND.kind, at: NOW, says: "baseline 4" } as const;

  it("is due once: also when it comes again, and after a restart", () => {
    const { wishes, dataDir } = agent();
    wishes.offer(signed(wish({ command: COMMAND })));
    expect(wishes.due).toEqual(COMMAND);
    wishes.answer({ ...answer, state: "done" });
    wishes.offer(signed(wish({ command: COMMAND, generation: 8 })));
    expect([wishes.due, agent({ dataDir }).wishes.due]).toEqual([null, null]);
    expect(wishes.report().answer).toMatchObject({ state: "done", says: "baseline 4" });
    wishes.offer(signed(wish({ generation: 9 })));
    expect(wishes.report().answer).toBeNull();
  });

  it("whose process died is said to have failed, and is not begun again", () => {
    const { wishes, dataDir } = agent();
    wishes.offer(signed(wish({ command: COMMAND })));
    wishes.answer({ ...answer, state: "running" });
    const next = agent({ dataDir }).wishes;
    expect([next.due, next.report().answer?.state]).toEqual([null, "failed"]);
  });

  it("where nothing looks is answered with why, and not left to expire", () => {
    const { wishes } = agent();
    const nobody = nobodyLooks(wishes, "anomalies.enabled is false in agent.yaml", () => NOW);
    nobody.offer(signed(wish({ command: COMMAND })));
    expect([wishes.due, nobody.report()]).toMatchObject([
      null,
      { state: "off", detail: "anomalies.enabled is false in agent.yaml", answer: { state: "forbidden" } },
    ]);
  });

  it("waits for a baseline that is being learnt; a preview without any is answered at once", async () => {
    const { wishes, dataDir } = agent();
    // The first baseline takes for ever.
    const golden = { name: "a slow one", lateMs: 0, query: () => new Promise<never>(() => {}) };
    const mesh = { golden, maintained: () => new Set<string>(), onEvent: () => {}, log: () => {} };
    const time = { intervalMs: 1, now: () => NOW, isConfirmed: () => true };
    const anomalies = createAnomalies({ ...mesh, ...time, wishes, cluster: "demo", dataDir });
    await anomalies.look();
    wishes.offer(signed(wish({ command: COMMAND })));
    await anomalies.look();
    expect(anomalies.report().answer).toMatchObject({ state: "running", says: expect.stringContaining("waits until") });
    const preview: DetectorCommand = { ...COMMAND, kind: "preview", id: "b".repeat(12), threshold: 0.9 };
    wishes.offer(signed(wish({ command: preview, generation: 8 })));
    await anomalies.look();
    await expect.poll(() => anomalies.report().answer?.state).toBe("no_data");
  });

  it("waits visibly, and is still due", () => {
    const { wishes } = agent();
    wishes.offer(signed(wish({ command: COMMAND })));
    wishes.wait(COMMAND, "waits");
    expect(wishes.report().answer).toMatchObject({ state: "running", says: "waits" });
    expect(wishes.due).toEqual(COMMAND);
  });

  it.each([
    ["in time", ALLOWED, COMMAND.expiresAt, null],
    ["too late", ALLOWED, COMMAND.expiresAt + 1, "expired"],
    ["that agent.yaml forbids", edgeOf({ commands: false }), NOW, "forbidden"],
  ] as const)("%s: %s", (_name, allowed, now, state) =>
    expect(refusalOf(COMMAND, allowed, now)?.state ?? null).toBe(state),
  );
});

describe("what agent.yaml allows", () => {
  it.each<[string, Allowed, number | null, number, string, RegExp | null]>([
    ["nothing is wished: its own", ALLOWED, null, 0.85, "agent", null],
    ["a threshold within its limits is taken", ALLOWED, 0.9, 0.9, "edge", null],
    ["one above is moved to them, and said", ALLOWED, 0.99, 0.95, "limited", /0\.7 to 0\.95: 0\.99 was asked for/],
    ["one below likewise", ALLOWED, 0.6, 0.7, "limited", /0\.6 was asked for/],
    ["none is taken where it says so", edgeOf({ threshold: false }), 0.9, 0.85, "agent", /edge\.threshold is false/],
  ])("%s", (_name, allowed, threshold, expected, setBy, said) => {
    const asked = wish({ threshold });
    expect(thresholdInForce(allowed, asked)).toEqual({ threshold: expected, setBy });
    expect(notDone(allowed, asked)).toEqual(said === null ? null : expect.stringMatching(said));
  });

  it("incidents of the edge are left out only where it lets them", () => {
    const unusual: Unusual[] = [{ from: NOW - HOUR, to: NOW, service: "shop/cart", kind: "incident", name: "Cart" }];
    const [open, closed] = [agent().wishes, agent({ allowed: edgeOf({ incidents: false }) }).wishes];
    for (const wishes of [open, closed]) wishes.offer(signed(wish({ unusual })));
    expect([open.unusual.length, closed.unusual.length]).toEqual([1, 0]);
  });
});

describe("what is not usual", () => {
  const cart: Unusual = { from: NOW - HOUR, to: null, service: "shop/cart", kind: "incident", name: "Cart fails" };
  const all: Unusual = { from: NOW - HOUR, to: NOW, service: null, kind: "maintenance", name: "Upgrade" };

  it("is left out of what is learnt, with its reason; what lasts, until now; what is to come, not yet", () => {
    expect(leftOutOf([cart, all, { ...all, from: NOW + HOUR, to: NOW + 2 * HOUR }], NOW)).toEqual([
      { from: NOW - HOUR, to: NOW, service: "shop/cart", why: "incident: Cart fails" },
      { from: NOW - HOUR, to: NOW, service: null, why: "maintenance: Upgrade" },
    ]);
  });

  it("silences what is in maintenance, and nothing that fails", () => {
    const services = ["shop/cart", "shop/web"];
    expect([...maintainedAt([cart, all], services, NOW)]).toEqual(services);
    expect([...maintainedAt([cart, all], services, NOW + MINUTE)]).toEqual([]);
    expect([...maintainedAt([cart], services, NOW)]).toEqual([]);
  });
});
