import { describe, expect, it } from "vitest";
import { HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Component, Tell } from "../../worker/core/component.ts";
import { componentsByCluster } from "../../worker/core/component.ts";
import type { Shelf } from "../../worker/core/pack.ts";
import { ROW_BYTES_MAX, shelve, withWritten } from "../../worker/core/pack.ts";
import { component, tell, told } from "../support/facts.ts";
import type { FleetOptions } from "../support/fleet.ts";
import { fleetCalls } from "../support/fleet.ts";

const CALM = { services: 1, spreadMs: 10 * SECOND, changes: 0, breaks: 0 };
/** 50 services with their histograms: what the workerd test measures. */
const TELL_BYTES = 25_000;
const EMPTY: Shelf = { slots: [], waiting: new Map(), writtenAt: 0 };

/** Plays a fleet against the shelf, and an eviction at every silence of 10 s. */
function shelfOf(options: FleetOptions) {
  let shelf = EMPTY;
  const tells = new Map<string, Tell>();
  const played = { rows: 0, slots: 0, lost: 0, oldestMs: 0, newsLost: 0, rowBytes: 0 };
  let last = 0;
  for (const { at, cluster, tell: heard, isChange } of fleetCalls(options)) {
    if (last > 0 && at - last > 10 * SECOND) played.lost += shelf.waiting.size;
    last = at;
    tells.set(cluster, heard);
    const shelved = shelve(shelf, { tell: heard, bytes: TELL_BYTES, isNews: isChange }, tells.values(), at);
    shelf = shelved.shelf;
    played.rows += shelved.written.length;
    played.slots = Math.max(played.slots, shelf.slots.length);
    if (isChange && shelf.waiting.has(cluster)) played.newsLost++;
    for (const waiting of shelf.waiting.keys())
      played.oldestMs = Math.max(played.oldestMs, at - (tells.get(waiting)?.heardAt ?? 0));
    for (const { live } of shelved.written) played.rowBytes = Math.max(played.rowBytes, live.size * TELL_BYTES);
  }
  return { ...played, rowsPerMinute: (played.rows * MINUTE) / options.forMs };
}

describe("rows that tells cost the Board in an hour", () => {
  it.each([
    ["one cluster, a row each tell", 1, 10 * SECOND, 2],
    ["five clusters", 5, 10 * SECOND, 9],
    ["twenty clusters", 20, 10 * SECOND, 8],
    ["twenty that all reconnected within a second", 20, SECOND, 15],
    ["a thousand clusters: as many as their bytes fill", 1_000, 10 * SECOND, 62],
    ["a thousand that all reconnected within a second", 1_000, SECOND, 175],
  ])("%s", (_name, clusters, spreadMs, rowsPerMinute) => {
    const played = shelfOf({ ...CALM, clusters, spreadMs, forMs: HOUR });
    expect(played.rowsPerMinute).toBeLessThanOrEqual(rowsPerMinute);
    expect(played.rowBytes).toBeLessThanOrEqual(ROW_BYTES_MAX);
    // What an eviction takes: nothing if the Board fell idle, else what was heard in the last 15 s.
    expect(played.lost).toBe(0);
    expect(played.oldestMs).toBeLessThanOrEqual(15 * SECOND);
  });

  it("news is never only in memory, and slots do not pile up", () => {
    const played = shelfOf({ ...CALM, clusters: 200, forMs: 10 * MINUTE, changes: 0.02, breaks: 0.005 });
    expect(played.newsLost).toBe(0);
    expect(played.slots).toBeLessThanOrEqual(20);
  });
});

describe("a shelf", () => {
  const heard = (cluster: string, at: number): Tell => tell(at, [told("operational")], cluster);

  it("of clusters that fell silent one after the other stays small", () => {
    let shelf = EMPTY;
    const tells = new Map<string, Tell>();
    for (let minute = 1; minute <= 500; minute++) {
      for (const cluster of ["alive", `gone-${minute}`]) {
        const now = minute * MINUTE;
        tells.set(cluster, heard(cluster, now));
        shelf = shelve(shelf, { tell: heard(cluster, now), bytes: 1_000, isNews: false }, tells.values(), now).shelf;
      }
    }
    expect(shelf.slots.length).toBeLessThanOrEqual(3);
    expect(shelf.slots.flatMap(({ live }) => [...live.keys()]).length).toBe(501);
  });

  it("holds the newest tell of every cluster in one row only", () => {
    const first = [
      {
        slot: 1,
        live: new Map([
          ["a", 1],
          ["b", 1],
        ]),
      },
    ];
    expect(withWritten(first, [{ slot: 2, live: new Map([["a", 1]]) }])).toEqual([
      { slot: 1, live: new Map([["b", 1]]) },
      { slot: 2, live: new Map([["a", 1]]) },
    ]);
  });
});

describe("calls that a thousand clusters make in ten minutes", () => {
  const forMs = 10 * MINUTE;
  it.each([
    ["while all is well", 0, 0],
    ["while pods come and go and sessions break", 0.02, 0.01],
  ])("are one each 30 s a cluster and one a change, %s", (_name, changes, breaks) => {
    const calls = new Map<string, { due: number; changes: number }>();
    for (const { cluster, isChange } of fleetCalls({ ...CALM, clusters: 1_000, forMs, changes, breaks })) {
      const counted = calls.get(cluster) ?? { due: 0, changes: 0 };
      calls.set(
        cluster,
        isChange ? { ...counted, changes: counted.changes + 1 } : { ...counted, due: counted.due + 1 },
      );
    }
    expect(calls.size).toBe(1_000);
    for (const { due } of calls.values()) expect(due).toBeLessThanOrEqual(forMs / (30 * SECOND));
    const all = [...calls.values()].reduce((sum, { changes: one }) => sum + one, 0);
    // The first tell of each, a reconnect's goodbye and return, a change of replicas.
    expect(all).toBeLessThanOrEqual(1_000 + 60_000 * (changes + 2 * breaks) * 1.1);
  });
});

it("a tell touches the components of its own cluster, however many there are", () => {
  const components = Array.from({ length: 1_000 }, (_, i): Component => {
    const both = i % 100 === 0 ? [`c-${i}/shop/a`, `c-${i + 1}/shop/a`, `c-${i}/shop/b`] : [`c-${i}/shop/a`];
    return component({ id: `component-${i}`, services: both });
  });
  const found = componentsByCluster(components);
  expect(found.get("c-5")?.map(({ id }) => id)).toEqual(["component-5"]);
  expect(found.get("c-101")?.map(({ id }) => id)).toEqual(["component-100", "component-101"]);
  expect(Math.max(...[...found.values()].map(({ length }) => length))).toBe(2);
});
