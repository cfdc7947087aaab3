/** Facts for a spool, and sums over what it gives back. */
import { is } from "valibot";
import { expect } from "vitest";
import type { Spool } from "../../agent/spool.ts";
import { RecordSchema, type EventRecord, type FactRecord, type WindowRecord } from "../../protocol/record.ts";
import { MINUTE } from "../../protocol/time.ts";

/** A whole hour. */
export const NOON = 1_795_392_000_000;

/** A window as Prometheus' `increase` makes it: seven counts of 17 digits. Counts differ by minute, whole in the sum. */
export function window(minute: number, service = 0): WindowRecord {
  const scale = 60 / (45 + (minute % 7) / 1_000);
  const counts = [0, 0, 0, 0, 59, 331, 975, 1_853, 804, 250, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0].map((n) => n * scale);
  return {
    kind: "window",
    service: `shop-production/checkout-${service}`,
    at: NOON + minute * MINUTE,
    spanMs: MINUTE,
    requests: 4_308,
    errors: 9 * scale,
    latency: { scheme: "explicit", bounds: "istio", counts, sum: 878_552.789 * scale },
  };
}

export function event(n: number): EventRecord {
  return { kind: "pod.oom_killed", id: n.toString(16).padStart(32, "0"), at: NOON + n, subject: "shop/cart", body: {} };
}

/** Closes minutes [from, until) of some services, ten minutes a transaction. */
export function close(spool: Spool, from: number, until: number, services: number): void {
  for (let minute = from; minute < until; minute += 10) {
    const end = Math.min(minute + 10, until);
    const windows = Array.from({ length: (end - minute) * services }, (_, i) =>
      window(minute + Math.floor(i / services), i % services),
    );
    spool.append(windows, NOON + end * MINUTE, NOON + end * MINUTE);
  }
}

/** Everything that the spool holds, as it leaves. */
export function drain(spool: Spool): FactRecord[] {
  const records: FactRecord[] = [];
  for (let from = spool.base; ;) {
    const { first, items } = spool.batch(from, 500, 1e9);
    if (items.length === 0) return records;
    records.push(...items);
    from = first + items.length;
  }
}

export function windowsOf(records: readonly FactRecord[]): WindowRecord[] {
  return records.flatMap((record) => (record.kind === "window" ? [record] : []));
}

interface Sums {
  readonly minutes: number;
  readonly requests: number;
  readonly lost: number;
}

/** How many minutes of services are there, which must be no more than once each, and how many are declared lost. */
export function sums(records: readonly FactRecord[]): Sums {
  const seen = new Set<string>();
  let [requests, lost] = [0, 0];
  for (const record of records) {
    expect(is(RecordSchema, record), JSON.stringify(record)).toBe(true);
    if (record.kind === "gap") lost += record.count;
    if (record.kind !== "window") continue;
    requests += record.requests;
    for (let at = record.at; at < record.at + record.spanMs; at += MINUTE) {
      const key = `${record.service} ${at}`;
      expect(seen.has(key), `${key} is there twice`).toBe(false);
      seen.add(key);
    }
  }
  return { minutes: seen.size, requests, lost };
}

/** How many windows there are of each length in minutes. */
export function lengths(records: readonly FactRecord[]): Record<string, number> {
  const counted: Record<string, number> = {};
  for (const { spanMs } of windowsOf(records)) counted[spanMs / MINUTE] = (counted[spanMs / MINUTE] ?? 0) + 1;
  return counted;
}
