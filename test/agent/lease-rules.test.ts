import { createHash, generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { patchOf } from "../../agent/annotations.ts";
import type { Step } from "../../agent/core/lease-step.ts";
import { decideLease, LeasesConfigSchema, type LeaseFacts } from "../../agent/core/lease.ts";
import { edgeKeys, openDesired } from "../../agent/desired.ts";
import { canonicalJson, desiredStateMessage, type SignedDesired } from "../../protocol/lease.ts";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import {
  desired,
  EDGE_KEY,
  KEY_ID,
  lease,
  leasesConfig,
  resultOf,
  signText,
  startCluster,
  untilState,
  type TestCluster,
} from "./cluster.ts";

const NOW = Date.now();
const config = leasesConfig({
  budget: { perTargetPerHour: 3, maxShareOfTargets: 0.5 },
  targets: [
    { ref: "shop/checkout", modes: ["announce", "scale"], floor: 1, maxHours: 4 },
    { ref: "shop/reports", modes: ["announce"], floor: 0, maxHours: 24 },
    { ref: "shop/a", modes: ["scale"], floor: 0 },
    { ref: "shop/b", modes: ["scale"], floor: 0 },
  ],
});
const fine: LeaseFacts = {
  config,
  signature: "valid",
  lease: lease({ notBefore: NOW - MINUTE, expiresAt: NOW + HOUR, generation: 7 }),
  desiredGeneration: 7,
  seenGeneration: 6,
  priorReplicas: 3,
  changes: [],
  unchanged: false,
  rivals: { autoscalers: [], rollout: false, owners: [] },
};
const changed = (target: string, generation: number, agoMs: number) => ({ target, generation, at: NOW - agoMs });
const spent = [
  changed("shop/checkout", 1, 50 * MINUTE),
  changed("shop/checkout", 2, 30 * MINUTE),
  changed("shop/checkout", 3, MINUTE),
];
const busy = [changed("shop/a", 5, 9 * MINUTE), changed("shop/b", 6, MINUTE)];

describe("a lease that is fine but for one thing", () => {
  it("is allowed without it", () => expect(decideLease(fine, NOW)).toEqual({ allow: true, reason: "allowed" }));

  it.each<[string, Partial<LeaseFacts>, string, string, string]>([
    ["the kill switch", { config: { ...config, killSwitch: true } }, "kill_switch", "forbidden", "leases.killSwitch"],
    ["the signature", { signature: "invalid" }, "signature_invalid", "forbidden", "leases.edgeKeys"],
    [
      "a target that is not listed",
      { lease: { ...fine.lease, target: "shop/payments" } },
      "target_not_allowed",
      "forbidden",
      "leases.targets",
    ],
    ["no targets at all", { config: { ...config, targets: [] } }, "target_not_allowed", "forbidden", "leases.targets"],
    ["the mode", { lease: { ...fine.lease, target: "shop/reports" } }, "mode_not_allowed", "forbidden", "modes"],
    ["scale without a number", { lease: { ...fine.lease, replicas: null } }, "malformed", "forbidden", "number"],
    [
      "an announcement with a number",
      { lease: { ...fine.lease, mode: "announce" } },
      "malformed",
      "forbidden",
      "number",
    ],
    ["the floor, never clamped", { lease: { ...fine.lease, replicas: 0 } }, "below_floor", "forbidden", "floor"],
    ["a generation that was seen", { seenGeneration: 7 }, "replayed", "forbidden", "generation 7"],
    ["a generation ahead of its state", { desiredGeneration: 6 }, "malformed", "forbidden", "ahead"],
    [
      "an end before the beginning",
      { lease: { ...fine.lease, expiresAt: NOW - 2 * MINUTE } },
      "times_malformed",
      "forbidden",
      "before",
    ],
    [
      "more hours than the target allows",
      { lease: { ...fine.lease, expiresAt: NOW + 4 * HOUR } },
      "too_long",
      "forbidden",
      "maxHours",
    ],
    ["an end that has passed", { lease: { ...fine.lease, expiresAt: NOW } }, "expired", "expired", "over"],
    ["a beginning to come", { lease: { ...fine.lease, notBefore: NOW + 1 } }, "not_begun", "pending", "begun"],
    ["the target's budget", { changes: spent }, "target_budget", "pending", "leases.budget.perTargetPerHour"],
    ["the share of targets", { changes: busy }, "share_budget", "pending", "leases.budget.maxShareOfTargets"],
    [
      "an autoscaler",
      { rivals: { ...fine.rivals, autoscalers: ["checkout-hpa"] } },
      "autoscaled",
      "forbidden",
      "checkout-hpa",
    ],
    ["a Rollout", { rivals: { ...fine.rivals, rollout: true } }, "rollout", "forbidden", "Rollout"],
    [
      "more replicas than there are",
      { lease: { ...fine.lease, replicas: 4 } },
      "scales_up",
      "forbidden",
      "never scales up",
    ],
  ])("is refused for %s", (_name, over, refusal, state, reason) => {
    expect(decideLease({ ...fine, ...over }, NOW)).toMatchObject({
      allow: false,
      refusal,
      state,
      reason: expect.stringContaining(reason),
    });
  });

  it("is refused for the first of many reasons, in the order of the checks", () => {
    const wrong = {
      ...fine,
      config: { ...config, killSwitch: true },
      signature: "invalid" as const,
      seenGeneration: 9,
      changes: spent,
    };
    const order = [];
    let facts: LeaseFacts = {
      ...wrong,
      lease: { ...fine.lease, replicas: 0, expiresAt: NOW },
      rivals: { ...fine.rivals, rollout: true },
    };
    const mend: Partial<LeaseFacts>[] = [
      { config },
      { signature: "valid" },
      { lease: { ...fine.lease, expiresAt: NOW } },
      { seenGeneration: null },
      { lease: fine.lease },
      { changes: [] },
      { rivals: fine.rivals },
    ];
    for (const mended of mend) {
      const verdict = decideLease(facts, NOW);
      order.push(verdict.allow ? "allowed" : verdict.refusal);
      facts = { ...facts, ...mended };
    }
    expect(order).toEqual([
      "kill_switch",
      "signature_invalid",
      "below_floor",
      "replayed",
      "expired",
      "target_budget",
      "rollout",
    ]);
    expect(decideLease(facts, NOW).allow).toBe(true);
  });
});

describe("a patch", () => {
  const metadata = {
    name: "checkout",
    namespace: "shop",
    resourceVersion: "41",
    generation: 2,
    annotations: {},
    managedFields: [],
  };
  const deployment = {
    metadata,
    spec: { replicas: 3 },
    status: { observedGeneration: 2, replicas: 3, readyReplicas: 3 },
  };
  const end = { generation: 7, reason: "" } as const;
  it.each<Step>([
    { act: "apply", lease: fine.lease, replicas: 1, prior: 3, spends: true, note: null },
    { act: "reapply", ...end, replicas: 1 },
    { act: "restore", ...end, replicas: 3, state: "released" },
  ])("to $act fails where the deployment has moved since it was looked at", (step) =>
    expect(patchOf(step, deployment)).toMatchObject({ metadata: { resourceVersion: "41" } }),
  );
});

describe("budgets", () => {
  it.each([
    ["the oldest change leaves the hour", spent, NOW + 10 * MINUTE, true],
    ["a millisecond before it does", spent, NOW + 10 * MINUTE - 1, false],
    ["the first of the targets leaves the ten minutes", busy, NOW + MINUTE, true],
    ["a millisecond before it does", busy, NOW + MINUTE - 1, false],
  ])("when %s", (_name, changes, now, allow) => expect(decideLease({ ...fine, changes }, now).allow).toBe(allow));

  it("tell when they are free again", () => {
    expect(decideLease({ ...fine, changes: spent }, NOW)).toMatchObject({ retryAt: NOW + 10 * MINUTE });
    expect(decideLease({ ...fine, changes: busy }, NOW)).toMatchObject({ retryAt: NOW + MINUTE });
  });

  it("always let one target change, however small the share", () => {
    const tight = { ...config, budget: { perTargetPerHour: 3, maxShareOfTargets: 0.01 } };
    expect(decideLease({ ...fine, config: tight }, NOW).allow).toBe(true);
    expect(decideLease({ ...fine, config: tight, changes: [changed("shop/a", 5, MINUTE)] }, NOW).allow).toBe(false);
  });

  it("are not spent by prolonging what is in force", () =>
    expect(decideLease({ ...fine, changes: [...spent, ...busy], unchanged: true }, NOW).allow).toBe(true));

  it("leave 0 under an autoscaler alone, because it holds", () => {
    const zero = { ...config, targets: config.targets.map((target) => ({ ...target, floor: 0 })) };
    const rivals = { ...fine.rivals, autoscalers: ["hpa"] };
    expect(decideLease({ ...fine, config: zero, rivals, lease: { ...fine.lease, replicas: 0 } }, NOW).allow).toBe(true);
  });
});

describe("the configuration", () => {
  it.each([
    ["nothing at all means no targets", {}, true],
    [
      "a target listed twice",
      {
        targets: [
          { ref: "a/b", modes: ["scale"] },
          { ref: "a/b", modes: ["scale"] },
        ],
      },
      false,
    ],
    ["more than a day", { targets: [{ ref: "a/b", modes: ["scale"], maxHours: 25 }] }, false],
    ["a word that is not known", { killswitch: true }, false],
    ["a key of another length", { edgeKeys: ["AAAA"] }, false],
  ])("%s", (_name, input, valid) => expect(v.safeParse(LeasesConfigSchema, input).success).toBe(valid));
});

describe("a desired state at the door", () => {
  const keys = edgeKeys([EDGE_KEY]);
  const good = desired(3, [lease({ generation: 3 })]);
  const stranger = generateKeyPairSync("ed25519").privateKey;
  const digest = createHash("sha256").update(desiredStateMessage(good.payload)).digest();
  const plain = createHash("sha256").update(good.payload).digest();

  it("passes as the edge made it", () => expect(openDesired(good, keys, "eu-1")).toMatchObject({ ok: true }));

  it.each<[string, unknown, string]>([
    ["another key", { ...good, signature: sign(null, digest, stranger).toString("base64") }, "signature_invalid"],
    [
      "the signature of something else",
      { ...good, signature: sign(null, plain, stranger).toString("base64") },
      "signature_invalid",
    ],
    ["another key id", { ...good, keyId: "x".repeat(22) }, "key_unknown"],
    [
      "a changed payload",
      { ...good, payload: good.payload.replace('"replicas":1', '"replicas":0') },
      "signature_invalid",
    ],
    ["a second spelling of the signature", { ...good, signature: `${good.signature} ` }, "signature_invalid"],
    ["another cluster", desired(3, [], "us-2"), "other_cluster"],
    ["keys in another order", signText('{"v":1,"cluster":"eu-1","generation":3,"leases":[]}'), "not_canonical"],
    ["a key twice", signText('{"cluster":"us-2","cluster":"eu-1","generation":3,"leases":[],"v":1}'), "not_canonical"],
    [
      "a field that is not known",
      signText('{"cluster":"eu-1","extra":1,"generation":3,"leases":[],"v":1}'),
      "malformed",
    ],
    ["no JSON", signText("maintenance please"), "malformed"],
    ["a pit of brackets", signText("[".repeat(50_000)), "malformed"],
    ["a target twice", desired(3, [lease(), lease()]), "target_twice"],
    ["no envelope", null, "malformed"],
  ])("is refused for %s", (_name, signed, refusal) =>
    expect(openDesired(signed, keys, "eu-1")).toEqual({ ok: false, failure: refusal }),
  );

  it("of 100,000 that were changed on their way none passes", () => {
    // A small generator of our own: the same changes each time.
    let state = 20_261_123;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const fields = ["payload", "signature", "keyId", "keyId"] as const;
    const edits: readonly ((text: string, at: number) => string)[] = [
      (text, at) => text.slice(0, at) + String.fromCharCode(33 + random(94)) + text.slice(at + 1),
      (text, at) => text.slice(0, at) + text.slice(at + 1 + random(3)),
      (text, at) => text.slice(0, at) + String(random(10)) + text.slice(at),
      (text, at) => text.slice(at) + text.slice(0, at),
    ];
    let passed = 0;
    let changed = 0;
    while (changed < 100_000) {
      const field = fields[random(fields.length)] ?? "payload";
      const edit = edits[random(edits.length)];
      const text = edit?.(good[field], random(good[field].length)) ?? "";
      if (text === good[field]) continue;
      changed += 1;
      if (openDesired({ ...good, [field]: text }, keys, "eu-1").ok) passed += 1;
    }
    expect(passed).toBe(0);
  });

  it("a key of small order opens nothing", () => {
    const identity = Buffer.alloc(32);
    identity[0] = 1;
    expect(edgeKeys([identity.toString("base64")]).size).toBe(0);
  });
});

describe("of forged, mutated and replayed leases", () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());

  it("none is applied", async () => {
    const agent = cluster.agent();
    const old = desired(1, [lease()]);
    agent.offer(desired(2, []));
    const before = cluster.server.requests().length;
    const good = desired(9, [lease({ generation: 9 })]);
    const text = (field: string) =>
      fc.tuple(fc.constant(field), fc.integer({ min: 0, max: field.length - 1 }), fc.integer({ min: 33, max: 126 }));
    const mutate = ([value, at, code]: readonly [string, number, number]): string =>
      value.slice(0, at) + String.fromCharCode(code) + value.slice(at + 1);
    const mutation: fc.Arbitrary<SignedDesired> = fc.oneof(
      text(good.payload).map((change) => ({ ...good, payload: mutate(change) })),
      text(good.signature).map((change) => ({ ...good, signature: mutate(change) })),
      text(KEY_ID).map((change) => ({ ...good, keyId: mutate(change) })),
      fc.string({ maxLength: 200 }).map((payload) => ({ ...good, payload })),
      fc.nat(1_000).map((cut) => ({ ...good, payload: good.payload.slice(cut + 1) })),
      fc.nat(20).map((replicas) => ({
        ...good,
        payload: canonicalJson({
          cluster: "eu-1",
          generation: 10,
          leases: [{ ...lease({ replicas, generation: 10 }) }],
          v: 1,
        }),
      })),
      fc.constant(old),
    );
    fc.assert(
      fc.property(mutation, (signed) => {
        // A mutation that changed nothing is no mutation.
        fc.pre(canonicalJson({ ...signed }) !== canonicalJson({ ...good }));
        agent.offer(signed);
        return agent.report().observedGeneration === 2;
      }),
      { numRuns: 500 },
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(
      cluster.server
        .requests()
        .slice(before)
        .filter((request) => request.startsWith("PATCH")),
    ).toEqual([]);
    expect(cluster.shows()).toEqual({ replicas: 3, annotations: {} });
    agent.offer(good);
    expect(await untilState(agent, "applied")).toMatchObject({ generation: 9 });
  });

  it("a target that is not listed is refused without a question to the API server", async () => {
    const agent = cluster.agent(leasesConfig({ targets: [{ ref: "shop/reports", modes: ["announce"] }] }));
    agent.offer(desired(20, [lease({ target: "shop/payments", generation: 20 })]));
    expect(await untilState(agent, "forbidden", "shop/payments")).toMatchObject({
      reason: expect.stringContaining("leases.targets"),
    });
    expect(cluster.server.requests().filter((request) => request.includes("payments"))).toEqual([]);
    expect(resultOf(agent, "shop/payments")?.evidence).toBeNull();
  });
});
