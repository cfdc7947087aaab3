/** What is told of certificates as they come, age and go: no clock is waited for. */
import { describe, expect, it } from "vitest";
import { CertificateBook, CERTIFICATES_MAX, type Sighting } from "../../agent/core/certificate.ts";
import type { CertificateLife } from "../../protocol/certificate.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { NOON } from "../support/facts.ts";

const NONE: ReadonlySet<string> = new Set();
const ALL = (): boolean => true;

function sighting(facts: Partial<Omit<Sighting, "life">>, life: Partial<CertificateLife>): Sighting {
  return {
    source: "tls",
    location: "ledger:443",
    fingerprint: "a",
    anchor: null,
    names: [],
    facts: {},
    ...facts,
    life: { notBefore: null, notAfter: null, renewAt: null, role: "leaf", chain: null, ...life },
  };
}

/** Looks every minute for so long; `shown` says what there is. Answers what was told, with the minutes since the start. */
function play(
  forMs: number,
  shown: (at: number) => readonly Sighting[],
  book = new CertificateBook(),
  everyMs = MINUTE,
): { readonly told: readonly (readonly [number, string])[]; readonly book: CertificateBook } {
  const told: (readonly [number, string])[] = [];
  let current = book;
  for (let at = NOON; at <= NOON + forMs; at += everyMs) {
    const seen = current.see(shown(at)[0]?.source ?? "tls", shown(at), NONE, at);
    for (const { kind, body } of [...seen, ...current.judge(ALL, at)])
      told.push([(at - NOON) / MINUTE, body["verdict"] === undefined ? kind : `${kind} ${String(body["verdict"])}`]);
    // An agent that is started anew every day knows what it said.
    if ((at - NOON) % DAY === 0) current = new CertificateBook(JSON.parse(JSON.stringify(current.places)) as []);
  }
  return { told, book: current };
}

/** A workload's certificate of 24 h as the istio-agent tells it: the end alone, some seconds off. Renewed every 12 h. */
const meshEnd = (at: number, stuckAt = Number.POSITIVE_INFINITY): number => {
  const renewedAt = NOON + Math.floor((Math.min(at, stuckAt) - NOON) / (12 * HOUR)) * 12 * HOUR;
  return renewedAt + DAY + ((at / MINUTE) % 7) * 1_000;
};
const workload = (notAfter: number, notBefore: number | null = null): Sighting =>
  sighting(
    { source: "istio-agent", location: "shop/cart-1/default", fingerprint: null },
    { notAfter, notBefore, role: "workload" },
  );

describe("a workload's certificate of 24 hours", () => {
  it.each<[string, (end: number, at: number) => number | null]>([
    ["whose lifetime nobody told", () => null],
    ["whose lifetime was configured", (end, at) => Math.min(at, end - DAY)],
  ])("%s never warns while it rotates, in a month", (_name, begin) => {
    const { told } = play(30 * DAY, (at) => [workload(meshEnd(at), begin(meshEnd(at), at))]);
    expect(told.map(([, kind]) => kind)).toEqual([
      "mesh_certificate.seen",
      ...Array.from({ length: 60 }, () => "mesh_certificate.renewed"),
    ]);
  });

  it("that is stuck is overdue once, then ends soon, then very soon, then is over: each once, in this order", () => {
    const stuckAt = NOON + 24 * HOUR;
    const { told } = play(3 * DAY, (at) => [workload(meshEnd(at, stuckAt))]);
    const since = told.filter(([at]) => at > 24 * 60).map(([at, kind]) => [Math.floor((at - 24 * 60) / 6) / 10, kind]);
    expect(since).toEqual([
      [13.2, "certificate.overdue renewal_overdue"],
      [16, "certificate.expiring warning"],
      [21.6, "certificate.expiring critical"],
      [24, "certificate.expired critical"],
    ]);
  });

  it("of which nobody knows the lifetime says nothing before it is over", () => {
    const { told } = play(25 * HOUR, () => [workload(NOON + DAY)]);
    expect(told).toEqual([
      [0, "mesh_certificate.seen"],
      [24 * 60, "certificate.expired critical"],
    ]);
  });

  it("that is renewed after it was overdue is well again by that alone", () => {
    const end = (at: number): number => (at < NOON + 14 * HOUR ? NOON + DAY : NOON + 38 * HOUR);
    const { told } = play(16 * HOUR, (at) => [workload(end(at), end(at) - DAY)]);
    expect(told.map(([, kind]) => kind)).toEqual([
      "mesh_certificate.seen",
      "certificate.overdue renewal_overdue",
      "mesh_certificate.renewed",
    ]);
  });

  it("whose pod is gone is gone after three looks, if others are seen", () => {
    const other = sighting(
      { source: "istio-agent", location: "shop/cart-2" },
      { notAfter: NOON + DAY, role: "workload" },
    );
    const { told, book } = play(10 * MINUTE, (at) =>
      at < NOON + 5 * MINUTE ? [workload(NOON + DAY), other] : [other],
    );
    expect(told.slice(2)).toEqual([[7, "mesh_certificate.gone"]]);
    expect(book.places).toHaveLength(1);
  });
});

describe("a certificate of an endpoint", () => {
  const of = (fingerprint: string, from: number, to: number): Sighting =>
    sighting({ fingerprint }, { notBefore: NOON + from, notAfter: NOON + to });

  it("that is not valid yet is told, and that it is valid then", () => {
    const { told } = play(3 * HOUR, () => [of("a", HOUR, 90 * DAY)], undefined, HOUR);
    expect(told).toEqual([
      [0, "certificate.seen"],
      [0, "certificate.not_yet_valid critical"],
      [60, "certificate.healed ok"],
    ]);
  });

  it("of 90 days that nobody renews warns at seven days, a day, and its end; a clock that jumps repeats nothing", () => {
    const book = new CertificateBook();
    const told: string[] = [];
    const days = [82, 83, 83.1, 82, 83.1, 89, 89.1, 90, 82, 90, 91];
    for (const day of days) {
      const now = NOON + day * DAY;
      const all = [...book.see("tls", [of("a", 0, 90 * DAY)], NONE, now), ...book.judge(ALL, now)];
      told.push(...all.map(({ kind, body }) => `${day} ${kind} ${String(body["says"] ?? "")}`.trim()));
    }
    expect(told).toEqual([
      "82 certificate.seen",
      "83.1 certificate.expiring ledger:443: 6 d of 90 d left, limit 7 d",
      "82 certificate.healed ledger:443: 8 d of 90 d left",
      "89.1 certificate.expiring ledger:443: 21.6 h of 90 d left, limit 24 h",
      "90 certificate.expired ledger:443: it expired 0 min ago",
      "82 certificate.healed ledger:443: 8 d of 90 d left",
    ]);
  });

  it("that was renewed twice at the same share of its life is expected there a third time", () => {
    const book = new CertificateBook();
    const look = (day: number, begin: number) => {
      book.see("tls", [of(String(begin), begin * DAY, (begin + 90) * DAY)], NONE, NOON + day * DAY);
      return book.places[0]?.sighting.life.renewAt;
    };
    expect([look(0, 0), look(60, 60), look(120, 120)]).toEqual([null, null, NOON + 180 * DAY]);
  });

  it("and one that people renew when they think of it is not", () => {
    const book = new CertificateBook();
    for (const [day, begin] of [
      [0, 0],
      [20, 20],
      [100, 100],
    ] as const)
      book.see("tls", [of(String(begin), begin * DAY, (begin + 90) * DAY)], NONE, NOON + day * DAY);
    expect(book.places[0]?.sighting.life.renewAt).toBeNull();
  });

  it("whose source sees nothing is not judged", () => {
    const book = new CertificateBook();
    book.see("tls", [of("a", 0, DAY)], NONE, NOON);
    expect(book.judge(() => false, NOON + 2 * DAY)).toEqual([]);
  });

  it("that could not be looked at is not gone", () => {
    const book = new CertificateBook();
    book.see("tls", [of("a", 0, DAY)], NONE, NOON);
    for (let look = 1; look < 9; look++) expect(book.see("tls", [], new Set(["ledger:443"]), NOON + look)).toEqual([]);
    expect(book.keepOnly(new Set(["secret"])).map(({ kind }) => kind)).toEqual(["certificate.gone"]);
  });
});

describe("a certificate that was renewed, and the pod still serves the old one", () => {
  const names = ["ledger.shop"];
  const served = sighting({ names, fingerprint: "old" }, { notBefore: NOON - 60 * DAY, notAfter: NOON + 30 * DAY });
  const stored = (facts: Partial<Sighting> = {}, begin = NOON): Sighting =>
    sighting(
      { source: "secret", location: "shop/ledger-tls", names, fingerprint: "new", ...facts },
      { notBefore: begin, notAfter: begin + 90 * DAY },
    );
  /** Seen now, and again 15 minutes later. */
  const told = (...held: readonly Sighting[]): readonly string[] => {
    const book = new CertificateBook();
    return [NOON, NOON + 15 * MINUTE - 1, NOON + 15 * MINUTE, NOON + HOUR].flatMap((now) => {
      for (const source of new Set(held.map((one) => one.source)))
        book.see(
          source,
          held.filter((one) => one.source === source),
          NONE,
          now,
        );
      book.see("tls", [served], NONE, now);
      return book.judge(ALL, now).map(({ kind, body }) => `${(now - NOON) / MINUTE} ${kind} ${String(body["says"])}`);
    });
  };

  it.each<[string, readonly Sighting[], readonly RegExp[]]>([
    [
      "is told after 15 minutes, once",
      [stored()],
      [/^15 certificate.not_served ledger:443: a newer .* shop\/ledger-tls/],
    ],
    [
      "is told by cert-manager's word as well",
      [stored({ source: "cert-manager", fingerprint: null })],
      [/^15 certificate.not_served/],
    ],
    [
      "is told where both of them know of one Secret",
      [stored(), stored({ source: "cert-manager", fingerprint: null })],
      [/^15 certificate.not_served/],
    ],
    ["is not guessed where two Secrets have those names", [stored(), stored({ location: "data/ledger-tls" })], []],
    ["is not said of other names", [stored({ names: ["orders.shop"] })], []],
    ["is not said of no names at all", [stored({ names: [] })], []],
    ["is not said of an older one that is stored", [stored({}, NOON - 61 * DAY)], []],
  ])("%s", (_name, held, expected) =>
    expect(told(...held)).toEqual(expected.map((pattern) => expect.stringMatching(pattern) as string)),
  );
});

describe("the book", () => {
  it("holds 1,000 certificates, those that end first, and says how many it left out", () => {
    const book = new CertificateBook();
    const many = Array.from({ length: 1_200 }, (_, i) =>
      sighting(
        { location: `a${i}:443`, fingerprint: String(i) },
        { notBefore: NOON - DAY, notAfter: NOON + (2_000 - i) * DAY },
      ),
    );
    expect(book.see("tls", many, NONE, NOON)).toHaveLength(CERTIFICATES_MAX);
    expect([book.places.length, book.leftOut]).toEqual([1_000, 200]);
    expect(book.places.every(({ sighting: { life } }) => (life.notAfter ?? 0) <= NOON + 1_800 * DAY)).toBe(true);
    expect(book.see("tls", many, NONE, NOON + MINUTE)).toEqual([]);
  });

  it("leaves room for others beside workloads, and lets one in that is stuck for one that was just renewed", () => {
    const book = new CertificateBook();
    const pods = (renewed: number): readonly Sighting[] =>
      Array.from({ length: 800 }, (_, i) =>
        sighting(
          { source: "istio-agent", location: `shop/cart-${i}`, fingerprint: null },
          { notAfter: NOON + (i < renewed ? 36 : 24) * HOUR, role: "workload" },
        ),
      );
    const kinds = (...all: readonly { kind: string; subject: string }[]): readonly string[] =>
      all.map(({ kind, subject }) => `${kind.replace("mesh_certificate.", "")} ${subject}`);
    expect(book.see("istio-agent", pods(0), NONE, NOON)).toHaveLength(700);
    expect(kinds(...book.see("istio-agent", pods(2), NONE, NOON + 12 * HOUR))).toEqual([
      "renewed shop/cart-0",
      "renewed shop/cart-1",
    ]);
    const stuck = pods(800).map((one, i) =>
      i === 799 ? { ...one, life: { ...one.life, notAfter: NOON + 23 * HOUR } } : one,
    );
    const swapped = kinds(...book.see("istio-agent", stuck, NONE, NOON + 14 * HOUR));
    expect(swapped.filter((text) => !text.startsWith("renewed"))).toEqual([
      "seen shop/cart-799",
      expect.stringMatching(/^gone /),
    ]);
    expect([book.places.length, book.leftOut]).toEqual([700, 100]);
    expect(book.see("tls", [sighting({}, { notAfter: NOON + 90 * DAY })], NONE, NOON)).toHaveLength(1);
    expect(book.leftOut).toBe(100);
  });

  it("tells what an edge takes: at most 24 facts, and no name that a certificate is for", () => {
    const book = new CertificateBook();
    const life = {
      notBefore: NOON - DAY,
      notAfter: NOON + 1,
      renewAt: NOON,
      chain: { notBefore: NOON, notAfter: NOON + DAY, subject: "CN=between" },
    };
    const facts = Object.fromEntries(
      ["serial", "subject", "issuer", "keyType", "selfSigned", "chainLength"].map((key) => [key, 1]),
    );
    const full = { facts: { ...facts, authorizationError: null }, anchor: { subject: "CN=root", notAfter: NOON } };
    const seen = (fingerprint: string) => sighting({ ...full, fingerprint, names: ["canary.internal"] }, life);
    const told = [
      ...book.see("tls", [seen("a")], NONE, NOON),
      ...book.see("tls", [seen("b")], NONE, NOON),
      ...book.judge(ALL, NOON),
    ];
    expect(told).toHaveLength(3);
    for (const { body, moments } of told) expect(Object.keys({ ...body, ...moments }).length).toBeLessThanOrEqual(24);
    expect(JSON.stringify(told)).not.toContain("canary");
  });
});
