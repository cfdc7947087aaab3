import { describe, expect, it } from "vitest";
import type { DesiredState, LeaseResult } from "../../protocol/lease.ts";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import { SESSION_IDLE_MS, SESSION_LIFETIME_MS, sessionAlive } from "../../worker/core/access.ts";
import { aboveObserved, asWanted, isRewound, withLease, withoutLease } from "../../worker/core/desired.ts";
import { withCode, withKey, withKeyState } from "../../worker/core/identity.ts";
import {
  coversUntil,
  isConfirmed,
  maintenanceFaults,
  maintenanceStatus,
  withReport,
} from "../../worker/core/maintenance.ts";
import { isTellDue, newsOf, toldOf } from "../../worker/core/tell.ts";
import { NOON, maintenance, tell, told } from "../support/facts.ts";

function result(state: LeaseResult["state"], facts: Partial<LeaseResult> = {}): LeaseResult {
  return { target: "shop/checkout", generation: 7, state, reason: state, evidence: null, at: NOON + 1, ...facts };
}

describe("a maintenance", () => {
  it.each([
    ["before it starts", { startsAt: NOON + 1 }, "scheduled"],
    ["in its window", {}, "in_progress"],
    ["past its end", { endsAt: NOON }, "completed"],
    ["ended early", { endedAt: NOON }, "completed"],
  ] as const)("%s is %s", (_name, facts, status) => expect(maintenanceStatus(maintenance(facts), NOON)).toBe(status));

  it.each(["forbidden", "conflict", "superseded", "expired", "released"] as const)(
    "that the cluster calls %s covers nothing from then on",
    (state) => expect(coversUntil(maintenance({ results: [result(state)] }))).toBe(NOON + 1),
  );

  it("is confirmed only when the cluster shows it", () => {
    expect(isConfirmed(maintenance({ results: [result("pending")] }))).toBe(false);
    expect(isConfirmed(maintenance({ results: [result("pending"), result("applied")] }))).toBe(true);
  });

  it("takes the agent's answer once, of its own generation and target only", () => {
    const asked = maintenance();
    const report = (...targets: LeaseResult[]) => ({ observedGeneration: 7, targets, allowed: [] });
    const answered = withReport(asked, report(result("applied")), NOON + 2);
    expect(answered).toMatchObject({ deliveredAt: NOON + 2, results: [{ state: "applied" }] });
    expect(withReport(answered, report(result("applied")), NOON + 3)).toBe(answered);
    expect(withReport(answered, report(result("released", { generation: 6 })), NOON + 3)).toBe(answered);
    expect(withReport(answered, report(result("released", { target: "shop/cart" })), NOON + 3)).toBe(answered);
  });

  it("request names each fault by its field", () => {
    const request = {
      name: " ",
      reason: "",
      cluster: "eu-1",
      service: "shop/checkout",
      mode: "scale",
      replicas: null,
      hours: 25,
    } as const;
    expect(Object.keys(maintenanceFaults(request)).toSorted()).toEqual(["hours", "name", "reason", "replicas"]);
    expect(Object.keys(maintenanceFaults({ ...request, name: "a", reason: "b", hours: 1, replicas: 1_001 }))).toEqual([
      "replicas",
    ]);
    expect(maintenanceFaults({ ...request, name: "Upgrade", reason: "disks", replicas: 0, hours: 24 })).toEqual({});
  });
});

describe("desired state", () => {
  const empty: DesiredState = { v: 1, cluster: "eu-1", generation: 0, leases: [] };

  it("rises with every change and with the clock, and repeats itself without one", () => {
    const first = withLease(empty, maintenance(), NOON);
    expect(first).toMatchObject({
      generation: NOON,
      leases: [{ target: "shop/checkout", generation: NOON, replicas: 1 }],
    });
    if (typeof first === "string") throw new Error(first);
    expect(withLease(first, maintenance(), NOON + 5)).toBe(first);
    expect(withoutLease(first, maintenance(), NOON - 5)).toMatchObject({ generation: NOON + 1, leases: [] });
    expect(withoutLease(first, maintenance({ id: "other0000000" }), NOON)).toBe(first);
  });

  it("does not take a target over from another maintenance, unless that one has expired", () => {
    const first = withLease(empty, maintenance(), NOON);
    if (typeof first === "string") throw new Error(first);
    const second = maintenance({ id: "maint0000001", endsAt: NOON + 5 * HOUR });
    expect(withLease(first, second, NOON + 1)).toBe("target_busy");
    expect(withLease(first, second, NOON + 2 * HOUR)).toMatchObject({ leases: [{ maintenance: "maint0000001" }] });
  });
});

describe("desired state of a Cluster that was rewound", () => {
  const empty: DesiredState = { v: 1, cluster: "eu-1", generation: 0, leases: [] };
  const given = maintenance({ generation: NOON });
  const other = maintenance({ id: "maint0000001", service: "shop/cart", generation: NOON + 5 });

  it("is noticed by what the agent holds, unless the agent claims what nobody can have given it", () => {
    expect(isRewound(null, 0, NOON)).toBe(false);
    expect(isRewound(null, NOON - 1, NOON)).toBe(true);
    expect(isRewound({ ...empty, generation: 7 }, 7, NOON)).toBe(false);
    expect(isRewound({ ...empty, generation: 7 }, 8, NOON)).toBe(true);
    expect(isRewound(null, NOON + 2 * MINUTE, NOON)).toBe(false);
  });

  it("has the leases that the Board wants under the generations they were given, and no other", () => {
    const healed = asWanted(empty, [given, other], NOON + MINUTE);
    expect(healed.generation).toBe(NOON + MINUTE);
    const generations = healed.leases.map(({ maintenance: id, generation }) => [id, generation]);
    expect(Object.fromEntries(generations)).toEqual({ [given.id]: NOON, [other.id]: NOON + 5 });
    expect(asWanted(healed, [given, other], NOON + HOUR)).toBe(healed);
    expect(asWanted(healed, [other], NOON + HOUR)).toMatchObject({
      generation: NOON + HOUR,
      leases: [{ target: "shop/cart" }],
    });
  });

  it("gets nothing that the Board has yet to ask for, and one lease a target", () => {
    expect(asWanted(empty, [maintenance({ generation: null })], NOON)).toBe(empty);
    const newer = maintenance({ id: "maint0000002", createdAt: NOON + 9, generation: NOON + 9 });
    expect(asWanted(empty, [given, newer], NOON).leases).toMatchObject([{ maintenance: newer.id }]);
  });

  it("rises above what the agent holds", () => {
    expect(aboveObserved({ ...empty, generation: 7 }, NOON + 3, NOON)).toMatchObject({ generation: NOON + 4 });
    expect(aboveObserved({ ...empty, generation: 7 }, 9, NOON)).toMatchObject({ generation: NOON });
    const newer = { ...empty, generation: 10 };
    expect(aboveObserved(newer, 9, NOON)).toBe(newer);
  });

  it("releases a lease that it has forgotten, once", () => {
    const released = withoutLease(empty, maintenance({ generation: NOON + 9 }), NOON);
    expect(released).toMatchObject({ generation: NOON + 10, leases: [] });
    expect(withoutLease(released, maintenance({ generation: NOON + 9 }), NOON + 20)).toBe(released);
  });
});

describe("enrolment", () => {
  const key = { keyId: "k", fingerprint: "f", publicKey: "p" };
  const fresh = withCode(
    { cluster: "eu-1", createdAt: NOON, codes: [], keys: [] },
    { hash: "h", expiresAt: NOON + 1, pending: false },
    NOON,
  );

  it("spends a code once", () => {
    const added = withKey(fresh, "h", key, NOON);
    expect(added?.key.state).toBe("active");
    expect(added && withKey(added.identity, "h", { ...key, keyId: "other" }, NOON)).toBeNull();
    expect(added && withKey(added.identity, "h", key, NOON)?.key.keyId).toBe("k");
  });

  it.each([
    ["an unknown code", "x", NOON],
    ["an expired code", "h", NOON + 1],
  ])("refuses %s", (_name, hash, now) => expect(withKey(fresh, hash, key, now)).toBeNull());

  it("never lets a revoked key back in", () => {
    const added = withKey(fresh, "h", key, NOON)?.identity ?? fresh;
    const revoked = withKeyState(added, "k", "revoked");
    expect(withKeyState(revoked, "k", "active")).toBe(revoked);
    expect(
      withKey(withCode(revoked, { hash: "h2", expiresAt: NOON + 9, pending: false }, NOON), "h2", key, NOON),
    ).toBeNull();
  });
});

it("a session ends idle, and at last whatever happens", () => {
  const session = { hash: "h", by: "one-time link", createdAt: NOON, seenAt: NOON };
  expect(sessionAlive(session, NOON + SESSION_IDLE_MS)).toBe(true);
  expect(sessionAlive(session, NOON + SESSION_IDLE_MS + 6 * MINUTE)).toBe(false);
  expect(sessionAlive({ ...session, seenAt: NOON + SESSION_LIFETIME_MS }, NOON + SESSION_LIFETIME_MS)).toBe(false);
});

describe("a tell", () => {
  const told10 = tell(NOON, [told("operational")]);
  it.each([
    ["of the same, 10 s later", tell(NOON + 10_000, [told("operational")]), false],
    ["of the same, 30 s later", tell(NOON + 30_000, [told("operational")]), true],
    ["of the same, after a clock was set back an hour", tell(NOON - 3_600_000, [told("operational")]), true],
    ["of a changed verdict", tell(NOON + 1, [told("partial_outage")]), true],
    [
      "of a replica that is ready no more",
      tell(NOON + 1, [{ ...told("operational"), replicas: { ready: 2, desired: 3 } }]),
      true,
    ],
    ["of a newer agent", { ...tell(NOON + 1, [told("operational")]), agentVersion: "9.9.9" }, true],
    ["of a new service", tell(NOON + 1, [told("operational"), told("operational", "shop/cart")]), true],
    [
      "of a source that went down",
      {
        ...tell(NOON + 1, [told("operational")]),
        sources: { kubernetes: { state: "down", detail: null, okAt: null } },
      },
      true,
    ],
  ] as const)("%s is due: %s → %s", (_name, next, due) => {
    const before = newsOf(null, told10);
    // Compared with the tell before it, or known by its hash alone, as after a sleep.
    expect(isTellDue(toldOf(told10, before), newsOf(before, next), next.heardAt)).toBe(due);
    expect(isTellDue(toldOf(told10, before), newsOf(null, next), next.heardAt)).toBe(due);
  });
});
