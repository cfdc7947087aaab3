/** A key takes another's place: who may speak, step by step, and whatever is lost between two steps. */
import { describe, expect, it } from "vitest";
import { DAY, HOUR } from "../../protocol/time.ts";
import type { Identity, KnownKey } from "../../worker/core/identity.ts";
import {
  askedToRotate,
  KEY_OVERLAP_MS,
  keyStateAt,
  nextRetirementAt,
  successorSpoke,
  wantsRotation,
  withCode,
  withKey,
  withKeyState,
  withRetired,
  withSuccessor,
} from "../../worker/core/identity.ts";

const NOW = 1_795_392_000_000;
const key = (keyId: string, facts: Partial<KnownKey> = {}): KnownKey => ({
  keyId,
  fingerprint: keyId,
  publicKey: keyId,
  state: "active",
  createdAt: NOW - DAY,
  ...facts,
});
const held = (...keys: readonly KnownKey[]): Identity => ({ cluster: "eu-1", createdAt: 0, codes: [], keys });
const next = (keyId: string) => ({ keyId, fingerprint: keyId, publicKey: keyId });
const speaking = (identity: Identity, now: number): string[] =>
  identity.keys.filter((one) => keyStateAt(one, now) === "active").map(({ keyId }) => keyId);

describe("a key that is replaced", () => {
  const asked = askedToRotate(held(key("a")), "a", NOW);
  const shown = withSuccessor(asked, "a", next("b"), NOW)?.identity ?? asked;
  const spoke = successorSpoke(shown, "b", NOW + HOUR);

  it("speaks beside the one that takes its place, until a day after that was used", () => {
    expect(speaking(shown, NOW + 30 * DAY)).toEqual(["a", "b"]);
    expect(spoke.keys[0]?.retiresAt).toBe(NOW + HOUR + KEY_OVERLAP_MS);
    expect(speaking(spoke, NOW + HOUR + KEY_OVERLAP_MS - 1)).toEqual(["a", "b"]);
    expect(speaking(spoke, NOW + HOUR + KEY_OVERLAP_MS)).toEqual(["b"]);
    expect(nextRetirementAt(spoke)).toBe(NOW + HOUR + KEY_OVERLAP_MS);
    const retired = withRetired(spoke, NOW + 2 * DAY);
    expect([retired.keys[0]?.state, nextRetirementAt(retired)]).toEqual(["revoked", null]);
    expect(withRetired(retired, NOW + 3 * DAY)).toBe(retired);
  });

  it("is asked for until the next one has spoken, because an answer may be lost", () => {
    expect(wantsRotation(shown, "a", NOW)).toBe(true);
    expect(withSuccessor(shown, "a", next("b"), NOW + 5)?.identity).toBe(shown);
    expect(wantsRotation(spoke, "a", NOW + HOUR)).toBe(false);
    expect(successorSpoke(spoke, "b", NOW + 2 * HOUR)).toBe(spoke);
  });

  it("leaves no second successor behind, where the first was lost before it spoke", () => {
    const again = withSuccessor(shown, "a", next("c"), NOW)?.identity ?? shown;
    expect(speaking(again, NOW)).toEqual(["a", "c"]);
    expect(withSuccessor(again, "a", next("b"), NOW)).toBeNull();
  });

  it.each([
    ["nobody asked", held(key("a")), "a"],
    ["it waits", held(key("a", { state: "pending", rotateAskedAt: NOW })), "a"],
    ["it was taken away", held(key("a", { state: "revoked", rotateAskedAt: NOW })), "a"],
    ["it has a successor in use", spoke, "a"],
    ["it is none", asked, "x"],
  ])("gets no other where %s", (_name, identity, keyId) => {
    expect(withSuccessor(identity, keyId, next("z"), NOW)).toBeNull();
    expect(wantsRotation(identity, keyId, NOW)).toBe(false);
  });

  it("cannot put another cluster's or another agent's key in its place", () => {
    const two = askedToRotate(held(key("a"), key("b")), "a", NOW);
    expect(withSuccessor(two, "a", next("b"), NOW)).toBeNull();
  });
});

it("a key is replaced by itself after ninety days", () => {
  const old = held(key("a", { createdAt: NOW - 90 * DAY }));
  expect([wantsRotation(old, "a", NOW - 1), wantsRotation(old, "a", NOW)]).toEqual([false, true]);
  expect(askedToRotate(held(key("a", { retiresAt: NOW + 1 })), "a", NOW).keys[0]?.rotateAskedAt).toBeUndefined();
});

it("a successor that is revoked takes nothing else along, and a revoked key never comes back", () => {
  const spoke = held(key("a", { retiresAt: NOW + DAY }), key("b", { replaces: "a" }));
  const revoked = withKeyState(spoke, "b", "revoked");
  expect(speaking(revoked, NOW)).toEqual(["a"]);
  expect(withKeyState(revoked, "b", "active")).toBe(revoked);
});

it("however many keys there were, those that may speak are kept", () => {
  const many = Array.from({ length: 19 }, (_, i) => key(`old${i}`, { state: "revoked" }));
  let identity = held(key("first"), ...many);
  for (let i = 0; i < 5; i++) {
    identity = withCode(identity, { hash: `h${i}`, expiresAt: NOW + 1, pending: false }, NOW);
    identity = withKey(identity, `h${i}`, next(`new${i}`), NOW)?.identity ?? identity;
  }
  expect(speaking(identity, NOW)).toEqual(["first", "new0", "new1", "new2", "new3", "new4"]);
  expect(identity.keys).toHaveLength(20);
});
