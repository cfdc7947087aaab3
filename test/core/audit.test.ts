import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { AuditEntry } from "../../protocol/audit.ts";
import { AUDIT_GENESIS, auditText, followAudit } from "../../protocol/audit.ts";
import { recorded } from "../../worker/core/audit.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function chainOf(...acts: readonly string[]): AuditEntry[] {
  let previous = AUDIT_GENESIS.hash;
  return acts.map((act, i) => {
    const change = { before: { b: 1, a: "x" }, after: null };
    const entry = { n: i + 1, previous, at: 1_000 + i, act, subject: "s", by: "Ana", change };
    previous = sha256(auditText(entry));
    return { ...entry, hash: previous };
  });
}

describe("the chain of the audit", () => {
  const chain = chainOf("a", "b", "c");
  const [one, two, three] = chain as [AuditEntry, AuditEntry, AuditEntry];

  it("is followed from its beginning, and from any of its entries", () => {
    expect(followAudit(AUDIT_GENESIS, chain, sha256)).toEqual({ head: { n: 3, hash: three.hash }, fault: null });
    expect(followAudit({ n: 1, hash: one.hash }, [two, three], sha256).fault).toBeNull();
  });

  it("does not depend on the order in which a store gives fields back", () => {
    const turned = { ...two, change: { after: null, before: { a: "x", b: 1 } } };
    expect(followAudit(AUDIT_GENESIS, [one, turned, three], sha256).fault).toBeNull();
  });

  it.each([
    ["an entry was taken out", [one, three], { n: 2, fault: "missing" }],
    ["who did it was changed", [one, { ...two, by: "Bo" }, three], { n: 2, fault: "changed" }],
    ["when it was done was changed", [one, { ...two, at: 9 }, three], { n: 2, fault: "changed" }],
    ["what it changed was changed", [one, { ...two, change: null }, three], { n: 2, fault: "changed" }],
    [
      "it was written anew, with a hash that fits",
      [one, rehashed({ ...two, by: "Bo" }), three],
      { n: 3, fault: "unlinked" },
    ],
    ["the first was put in", [rehashed({ ...two, n: 1 })], { n: 1, fault: "unlinked" }],
  ])("shows that %s", (_name, entries, fault) =>
    expect(followAudit(AUDIT_GENESIS, entries, sha256).fault).toEqual(fault),
  );

  function rehashed(entry: AuditEntry): AuditEntry {
    return { ...entry, hash: sha256(auditText(entry)) };
  }
});

describe("what is kept of a change", () => {
  it.each([
    ["only the fields that differ", { a: 1, b: 2 }, { a: 1, b: 3 }, { before: { b: 2 }, after: { b: 3 } }],
    ["a field that came", { a: 1 }, { a: 1, b: 3 }, { before: {}, after: { b: 3 } }],
    ["all of what is new", null, { a: 1 }, { before: null, after: { a: 1 } }],
    ["all of what is gone", { a: 1 }, null, { before: { a: 1 }, after: null }],
    ["nothing, if nothing differs", { a: [1], b: undefined }, { a: [1] }, null],
    [
      "no secret, however deep",
      null,
      { door: { apiToken: "t0p" } },
      { before: null, after: { door: { apiToken: "(not kept)" } } },
    ],
    [
      "that a secret changed",
      { hash: "one" },
      { hash: "two" },
      { before: { hash: "(not kept)" }, after: { hash: "(not kept)" } },
    ],
    ["text as Postgres takes it", null, { a: "x\0y\ud800" }, { before: null, after: { a: "xy\ufffd" } }],
    ["a few levels", null, { a: { b: { c: { d: 1 } } } }, { before: null, after: { a: { b: { c: { d: 1 } } } } }],
    [
      "no more than four levels",
      null,
      { a: { b: { c: { d: { e: 1 } } } } },
      { before: null, after: { a: { b: { c: { d: "…" } } } } },
    ],
  ])("is %s", (_name, before, after, change) => expect(recorded({ before, after })).toEqual(change));

  it("is a row's worth, whatever was done", () => {
    const wide = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`f${i}`, "y".repeat(10_000)]));
    const list = Array.from({ length: 300 }, () => "z".repeat(10_000));
    expect(JSON.stringify(recorded({ before: null, after: { ...wide } })).length).toBeLessThan(30_000);
    expect(JSON.stringify(recorded({ before: null, after: { list } })).length).toBeLessThan(30_000);
  });
});
