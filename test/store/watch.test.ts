/** What operators watch besides the readings, as a real Postgres answers it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import type { EventRecord, WindowRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { anomalyCounts, raisedAnomalies } from "../../worker/store/anomalies.ts";
import { usualRates } from "../../worker/store/baseline.ts";
import { servedCertificates } from "../../worker/store/certificates.ts";
import { openDatabase } from "../../worker/store/database.ts";
import type { Database, StoreResult } from "../../worker/store/database.ts";
import { flushRecords } from "../../worker/store/flush.ts";
import { DATABASES } from "../support/databases.ts";

const NOON = Math.floor((Date.now() - 10 * DAY) / DAY) * DAY + 12 * HOUR;

function valueOf<T>(result: StoreResult<T>): T {
  if (!result.ok) throw new Error(result.message);
  return result.value;
}

function certificate(renewed: boolean, id: string, at: number, location: string, fingerprint: string): EventRecord {
  const body = {
    fingerprint,
    subject: `CN=${location}`,
    issuer: "CN=authority",
    notBefore: new Date(at).toISOString(),
    notAfter: fingerprint === "broken" ? null : new Date(at + 90 * DAY).toISOString(),
    chainEarliestNotAfter: new Date(at + 30 * DAY).toISOString(),
    chainEarliestSubject: "CN=intermediate",
  };
  return { kind: renewed ? "certificate.renewed" : "certificate.seen", id, at, subject: location, body };
}

function anomaly(
  kind: "anomaly.raised" | "anomaly.closed",
  id: string,
  at: number,
  subject: string,
  body: object = {},
) {
  return { kind, id, at, subject, body: body as EventRecord["body"] } satisfies EventRecord;
}

function windowOf(service: string, at: number, requests: number): WindowRecord {
  return { kind: "window", service, at, spanMs: MINUTE, requests, errors: 0, latency: null };
}

describe.each(DATABASES)("%s", (_name, start) => {
  let server: RunningDatabase;
  let db: Database;

  async function store(
    cluster: string,
    records: readonly (EventRecord | WindowRecord)[],
    epoch: number,
  ): Promise<void> {
    valueOf(
      await flushRecords(
        db,
        cluster,
        records.map((record, i) => ({ epoch, seq: i + 1, record })),
      ),
    );
  }

  beforeAll(async () => {
    server = await start();
    db = openDatabase({ url: server.url, fetchEndpoint: server.endpoint });
  });
  afterAll(() => server.stop());

  it("knows of nothing before anything happened", async () => {
    expect(valueOf(await servedCertificates(db))).toEqual([]);
    expect(valueOf(await anomalyCounts(db))).toEqual([]);
    expect(valueOf(await raisedAnomalies(db, 50))).toEqual([]);
    expect(valueOf(await usualRates(db, NOON))).toEqual([]);
  });

  it("a certificate is the newest of its endpoint, whichever kind of event told of it", async () => {
    await store(
      "blue",
      [
        certificate(false, "1", NOON, "a:443", "old"),
        certificate(true, "2", NOON + HOUR, "a:443", "new"),
        certificate(true, "3", NOON, "b:443", "old"),
        // An agent that was restarted sees what it renewed while it was away.
        certificate(false, "4", NOON + 2 * HOUR, "b:443", "new"),
        certificate(false, "5", NOON, "c:443", "broken"),
      ],
      1,
    );
    await store("green", [certificate(false, "1", NOON - HOUR, "a:443", "another")], 1);
    const found = valueOf(await servedCertificates(db));
    expect(found.map(({ cluster, location, fingerprint }) => [cluster, location, fingerprint])).toEqual([
      ["green", "a:443", "another"],
      ["blue", "a:443", "new"],
      ["blue", "b:443", "new"],
      ["blue", "c:443", "broken"],
    ]);
    expect(found[1]).toMatchObject({
      notBefore: NOON + HOUR,
      notAfter: NOON + HOUR + 90 * DAY,
      chainEndsAt: NOON + HOUR + 30 * DAY,
      chainEndsWith: "CN=intermediate",
      seenAt: NOON + HOUR,
    });
    expect(found[3]?.notAfter).toBeNull();
  });

  it("what is gone is no certificate any more, and workloads' do not crowd the others out", async () => {
    const mesh = (id: string, at: number, kind: EventRecord["kind"], location: string): EventRecord => ({
      ...certificate(false, id, at, location, id),
      kind,
      body: { source: "istio-agent", role: "workload", notAfter: new Date(at + DAY).toISOString(), notBefore: null },
    });
    const authority = {
      source: "istiod",
      role: "authority",
      renewAt: new Date(NOON).toISOString(),
      chainEarliestNotBefore: null,
      anchorSubject: "CN=root",
      anchorNotAfter: new Date(NOON + 900 * DAY).toISOString(),
    };
    const seen = certificate(false, "g1", NOON, "istiod", "root");
    await store(
      "red",
      [
        { ...seen, body: { ...seen.body, ...authority } },
        certificate(false, "g2", NOON, "shop/deleted", "leaf"),
        { ...certificate(false, "g3", NOON + 1, "shop/deleted", "leaf"), kind: "certificate.gone" },
        mesh("m1", NOON, "mesh_certificate.seen", "shop/cart-1"),
        mesh("m2", NOON + HOUR, "mesh_certificate.renewed", "shop/cart-1"),
        mesh("m3", NOON, "mesh_certificate.seen", "shop/cart-2"),
        mesh("m4", NOON + HOUR, "mesh_certificate.gone", "shop/cart-2"),
      ],
      1,
    );
    const found = valueOf(await servedCertificates(db)).filter(({ cluster }) => cluster === "red");
    expect(found.map(({ location, notAfter, more }) => [location, notAfter, more?.source, more?.role])).toEqual([
      ["istiod", NOON + 90 * DAY, "istiod", "authority"],
      ["shop/cart-1", NOON + HOUR + DAY, "istio-agent", "workload"],
    ]);
    expect(found[0]?.more).toMatchObject({
      renewAt: NOON,
      anchor: { subject: "CN=root", notAfter: NOON + 900 * DAY },
    });
  });

  it("anomalies come newest first, open until one of their own cluster closes them, and are counted by service", async () => {
    await store(
      "blue",
      [
        anomaly("anomaly.raised", "a1", NOON, "shop/cart", { score: 0.9 }),
        anomaly("anomaly.raised", "a2", NOON + 1, "shop/cart"),
        anomaly("anomaly.raised", "a3", NOON + 2, "shop/checkout"),
        anomaly("anomaly.closed", "c1", NOON + 3, "shop/cart", { raised: "a1" }),
        anomaly("anomaly.closed", "c2", NOON + 9, "shop/cart", { raised: "a1" }),
      ],
      2,
    );
    await store("green", [anomaly("anomaly.closed", "c3", NOON + 4, "shop/cart", { raised: "a2" })], 2);
    const found = valueOf(await raisedAnomalies(db, 50));
    expect(found.map(({ id, closedAt }) => [id, closedAt])).toEqual([
      ["a3", null],
      ["a2", null],
      ["a1", NOON + 3],
    ]);
    expect(found[2]).toMatchObject({ cluster: "blue", subject: "shop/cart", at: NOON, body: { score: 0.9 } });
    expect(valueOf(await raisedAnomalies(db, 1))).toHaveLength(1);
    expect(valueOf(await anomalyCounts(db))).toEqual([
      { cluster: "blue", service: "shop/cart", raised: 2, newestAt: NOON + 1 },
      { cluster: "blue", service: "shop/checkout", raised: 1, newestAt: NOON + 2 },
    ]);
  });

  it("usual traffic is that of the same hour, each service by the time that was seen of it", async () => {
    const hours = [1, 2, 3].map((days) => NOON - days * DAY);
    const records = hours.flatMap((at, i) => [
      // Half an hour of 600 a minute is 10/s, whatever the other half was.
      ...Array.from({ length: 30 }, (_, minute) => windowOf("shop/cart", at + minute * MINUTE, 600)),
      windowOf("shop/checkout", at + 59 * MINUTE, 60 * (i + 1)),
      windowOf("shop/cart", at + HOUR, 60_000),
      windowOf("shop/cart", at - MINUTE, 60_000),
    ]);
    await store("blue", records, 3);
    expect(valueOf(await usualRates(db, NOON + 20 * MINUTE))).toEqual([11, 12, 13]);
    expect(valueOf(await usualRates(db, NOON + 12 * HOUR))).toEqual([]);
  });
});
