import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Certificate, CertificateVerdict } from "../../worker/core/certificate.ts";
import { certificateSources, expiring, judgeCertificates } from "../../worker/core/certificate.ts";
import { NOON, tell } from "../support/facts.ts";

/** A certificate of this lifetime that ends so long after noon. */
function served(lifetimeMs: number, leftMs: number, facts: Partial<Certificate> = {}): Certificate {
  const notAfter = NOON + leftMs;
  return {
    cluster: "eu-1",
    location: "ledger.data:443",
    fingerprint: "f".repeat(64),
    subject: "CN=ledger",
    issuer: "CN=authority",
    notBefore: notAfter - lifetimeMs,
    notAfter,
    chainEndsAt: notAfter,
    chainEndsWith: "CN=ledger",
    seenAt: NOON - DAY,
    ...facts,
  };
}

const SEES = { cluster: "eu-1", state: "ok", detail: null, okAt: NOON } as const;

function verdictOf(certificate: Certificate, state: "ok" | "partly" | "blind" = "ok") {
  return judgeCertificates([certificate], [{ ...SEES, state }], NOON)[0];
}

describe("a certificate's verdict is relative to its lifetime", () => {
  // lifetime, warning below, critical below
  const rows: readonly (readonly [string, number, number, number])[] = [
    ["1 h", HOUR, 20 * MINUTE, 6 * MINUTE],
    ["24 h", DAY, 8 * HOUR, 2.4 * HOUR],
    ["7 d", 7 * DAY, (7 / 3) * DAY, 16.8 * HOUR],
    ["90 d", 90 * DAY, 7 * DAY, DAY],
    ["398 d", 398 * DAY, 7 * DAY, DAY],
    ["10 y", 3_650 * DAY, 7 * DAY, DAY],
  ];
  const cases = rows.flatMap(([name, lifetime, warning, critical]) => [
    [name, "at the warning's bound", lifetime, warning, "ok"] as const,
    [name, "a second below it", lifetime, warning - SECOND, "warning"] as const,
    [name, "at the critical bound", lifetime, critical, "warning"] as const,
    [name, "a second below that", lifetime, critical - SECOND, "critical"] as const,
    [name, "at its end", lifetime, 0, "critical"] as const,
  ]);
  it.each(cases)("of %s, %s", (_life, _when, lifetime, left, verdict) =>
    expect(verdictOf(served(lifetime, left))?.verdict).toBe(verdict),
  );

  it.each<[string, Partial<Certificate>, CertificateVerdict, RegExp]>([
    ["that is not valid yet is critical", { notBefore: NOON + 1 }, "critical", /not valid yet/],
    [
      "whose chain ends first is judged by that",
      { chainEndsAt: NOON + HOUR },
      "critical",
      /^1 h of 90 d left, limit 24 h/,
    ],
    ["whose dates cannot be read is unknown", { notAfter: null }, "unknown", /dates/],
    ["that ends before it begins is unknown", { notBefore: NOON + 365 * DAY }, "unknown", /dates/],
  ])("one %s", (_name, facts, verdict, reason) => {
    const judged = verdictOf(served(90 * DAY, 30 * DAY, facts));
    expect([judged?.verdict, judged?.reason]).toEqual([verdict, expect.stringMatching(reason)]);
  });

  it("says what it rests on", () => {
    expect(verdictOf(served(90 * DAY, 5 * DAY))?.reason).toBe("5 d of 90 d left, limit 7 d");
    expect(verdictOf(served(90 * DAY, -3 * HOUR))?.reason).toBe("it expired 3 h ago");
  });

  it("one that rotates at half of its day never warns, over thirty days", () => {
    for (let at = 0; at < 30 * DAY; at += 7 * MINUTE) {
      const left = DAY - (at % (12 * HOUR));
      expect(verdictOf(served(DAY, left))?.verdict).toBe("ok");
    }
  });
});

describe("a source that sees nothing", () => {
  const source = (state: "ok" | "stale" | "down") => ({
    certificates: { state, detail: "1 of 3 not seen", okAt: NOON },
  });
  const heard = { ...tell(NOON, []), sources: source("ok") };
  it.each([
    ["that sees all", heard, NOON, "ok"],
    ["that sees some", { ...heard, sources: source("stale") }, NOON, "partly"],
    ["that sees none", { ...heard, sources: source("down") }, NOON, "blind"],
    ["of an agent that fell silent", heard, heard.expiresAt, "blind"],
    ["of an agent that does not look any more", { ...heard, sources: {} }, NOON, "blind"],
    ["of a cluster that is gone", tell(NOON, [], "us-1"), NOON, "blind"],
  ] as const)("a source %s", (_name, told, now, state) =>
    expect(certificateSources([told], [served(DAY, HOUR)], now)).toMatchObject([{ cluster: "eu-1", state }]),
  );

  it("that looks, and of which nothing has arrived yet, is blind: that is not the same as none", () => {
    const sources = certificateSources([heard], [], NOON);
    expect(sources).toMatchObject([{ state: "blind", detail: expect.stringContaining("not arrived") }]);
  });

  it("no agent that looks and none that was seen: no source", () =>
    expect(certificateSources([tell(NOON, [])], [], NOON)).toEqual([]));

  it("makes what it saw unknown, expired or not, and never well", () => {
    for (const left of [60 * DAY, 5 * DAY, -HOUR])
      expect(verdictOf(served(90 * DAY, left), "blind")?.verdict).toBe("unknown");
    expect(verdictOf(served(90 * DAY, 60 * DAY), "partly")?.verdict).toBe("ok");
  });
});

describe("what expires within seven days", () => {
  const set = (...certificates: Certificate[]) => {
    const found = expiring(judgeCertificates(certificates, [SEES], NOON), 7 * DAY, NOON);
    return [found.certificates.length, found.shortLived.length, found.unknown.length];
  };
  it.each<[string, Certificate, readonly number[]]>([
    ["of a lifetime over 21 days counts", served(21 * DAY + SECOND, 5 * DAY), [1, 0, 0]],
    ["of 21 days does not: it always ends soon", served(21 * DAY, 5 * DAY), [0, 1, 0]],
    ["that ends in seven days to the second is not within them", served(90 * DAY, 7 * DAY), [0, 0, 0]],
    ["that ends a second earlier is", served(90 * DAY, 7 * DAY - SECOND), [1, 0, 0]],
    ["that has ended counts still", served(90 * DAY, -29 * DAY), [1, 0, 0]],
    ["that ended a month ago is nobody's any more", served(90 * DAY, -30 * DAY), [0, 0, 0]],
    ["of unreadable dates is unknown", served(90 * DAY, 5 * DAY, { notAfter: null }), [0, 0, 1]],
  ])("one %s", (_name, certificate, expected) => expect(set(certificate)).toEqual(expected));

  it("comes with the least life left first, whatever the days", () => {
    const found = judgeCertificates(
      [served(90 * DAY, 8 * DAY), served(3_650 * DAY, 8 * DAY), served(DAY, 8 * HOUR)],
      [SEES],
      NOON,
    );
    expect(found.map(({ lifetimeMs }) => (lifetimeMs ?? 0) / DAY)).toEqual([3_650, 90, 1]);
  });
});
