import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Certificate, CertificateMore, CertificateVerdict } from "../../worker/core/certificate.ts";
import { certificateSources, expiring, judgeCertificates, trustAnchors } from "../../worker/core/certificate.ts";
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

const SEES = { cluster: "eu-1", state: "ok", detail: null, okAt: NOON, unseen: [] } as const;
const MORE: CertificateMore = { source: "secret", role: "leaf", renewAt: null, chainBeganAt: null, anchor: null };

function verdictOf(certificate: Certificate, state: "ok" | "partly" | "blind" = "ok", unseen: readonly string[] = []) {
  return judgeCertificates([certificate], [{ ...SEES, state, unseen }], NOON)[0];
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
      /^CN=ledger: 1 h of 90 d left, limit 24 h$/,
    ],
    [
      "whose intermediate ends first is judged by that one's own lifetime too",
      {
        chainEndsAt: NOON + 20 * DAY,
        chainEndsWith: "CN=between",
        more: { ...MORE, chainBeganAt: NOON + 1 },
      },
      "critical",
      /^CN=between: it is not valid yet$/,
    ],
    [
      "whose intermediate lives for a day and has half of it left is well",
      { chainEndsAt: NOON + DAY / 2, more: { ...MORE, chainBeganAt: NOON - DAY / 2 } },
      "ok",
      /^30 d of 90 d left/,
    ],
    [
      "that should have been renewed is overdue 5 % of its lifetime later",
      { more: { ...MORE, renewAt: NOON - 4.5 * DAY - 1 } },
      "renewal_overdue",
      /^30 d of 90 d left, its renewal is 4 d overdue$/,
    ],
    ["and not before that", { more: { ...MORE, renewAt: NOON - 4.5 * DAY } }, "ok", /^30 d of 90 d left$/],
    [
      "of a lifetime that nobody tells is judged by a day alone",
      { notBefore: null, notAfter: NOON + DAY - 1, chainEndsAt: null },
      "critical",
      /not known yet, limit 24 h/,
    ],
    ["and is well before that", { notBefore: null, notAfter: NOON + DAY, chainEndsAt: null }, "ok", /not known yet/],
    [
      "of a workload that nobody tells the lifetime of always ends soon",
      { notBefore: null, notAfter: NOON + 1, chainEndsAt: null, more: { ...MORE, role: "workload" } },
      "ok",
      /not known yet/,
    ],
    [
      "and has expired when it has",
      { notBefore: null, notAfter: NOON, chainEndsAt: null, more: { ...MORE, role: "workload" } },
      "critical",
      /expired/,
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

  it.each<[string, readonly string[], CertificateVerdict]>([
    ["its source is", ["tls", "secret"], "unknown"],
    ["its place is", ["secret shop/a", "secret shop/b"], "unknown"],
    ["another source is", ["tls", "istio-agent"], "ok"],
    ["another place is", ["secret shop/b", "tls shop/a"], "ok"],
  ])("of an agent that sees the rest makes unknown what it is blind to: %s", (_name, unseen, verdict) => {
    const one = served(90 * DAY, 60 * DAY, { location: "shop/a", more: MORE });
    expect(verdictOf(one, "partly", unseen)?.verdict).toBe(verdict);
  });

  it("says so with its state", () => {
    const blind = ["secret"];
    const sources = { certificates: { state: "stale", detail: "secret: 403", okAt: NOON, blind } } as const;
    expect(certificateSources([{ ...heard, sources }], [served(DAY, HOUR)], NOON)).toMatchObject([
      { state: "partly", unseen: blind },
    ]);
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
    ["of a lifetime that nobody knows does not count", served(90 * DAY, 5 * DAY, { notBefore: null }), [0, 0, 1]],
    [
      "of a workload is short-lived, whoever knows for how long it lives",
      served(DAY, HOUR, { notBefore: null, more: { ...MORE, role: "workload" } }),
      [0, 1, 0],
    ],
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

describe("trust anchors", () => {
  const root = { subject: "CN=root", notAfter: NOON + 90 * DAY };
  const of = (...certificates: Certificate[]) =>
    trustAnchors(judgeCertificates(certificates, [SEES], NOON), NOON).map(({ subject, location, endsAt, isNear }) => [
      subject,
      location,
      (endsAt - NOON) / DAY,
      isNear,
    ]);
  const showing = (location: string, anchor: CertificateMore["anchor"]): Certificate =>
    served(90 * DAY, 60 * DAY, { location, more: { ...MORE, anchor } });

  it("are told once, however many chains end with them, and are near below 90 days", () =>
    expect(of(showing("a", root), showing("b", root), showing("c", { ...root, notAfter: root.notAfter - 1 }))).toEqual([
      ["CN=root", "c", 90 - 1 / DAY, true],
      ["CN=root", "a", 90, false],
    ]));

  it("are authorities themselves, and none without one", () => {
    const authority = served(3_650 * DAY, 300 * DAY, { subject: "CN=mesh", more: { ...MORE, role: "authority" } });
    expect(of(authority, showing("a", null))).toEqual([["CN=mesh", "ledger.data:443", 300, false]]);
  });
});
