import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FactRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { NumberedRecord, Watermarks } from "../../worker/core/cluster.ts";
import type { Kept, Laid, Late, Note, Outbox, Pace, Row } from "../../worker/core/outbox.ts";
import {
  AT_EASE,
  EMPTY,
  afterFailure,
  alarmAt,
  backlogOf,
  flushDue,
  isReusable,
  knownFlushed,
  lateOf,
  lay,
  layOwn,
  nextBatch,
  ownNumber,
  spareSlots,
  stored,
  wake,
  withEpoch,
  withPositions,
  withoutSlots,
} from "../../worker/core/outbox.ts";
import { reflushFrom, withAgain } from "../../worker/core/reflush.ts";
import { NOON, windowRecord } from "../support/facts.ts";

const BOUNDS = { recordsMax: 2_000, bytesMax: 4 * 1024 * 1024 };
const INTERVAL = 5 * MINUTE;
const OPENED: Watermarks = { spool: "a".repeat(32), epoch: 1_000, next: 1, persisted: 1 };

function eventRecord(minutes: number): FactRecord {
  const id = String(minutes).padStart(32, "0");
  return { kind: "pod.oom_killed", id, at: NOON + minutes * MINUTE, subject: "shop/checkout", body: {} };
}

/** An object's disk, and the object on it. */
class World {
  outbox: Outbox = withEpoch(EMPTY, OPENED);
  kept: Kept | null = { marks: OPENED, last: 0, flushed: 0 };
  readonly windows = new Map<number, Laid>();
  readonly events = new Map<number, Laid>();

  /** "WWE": two windows and an event, or only marks that moved. Returns what was written. */
  push(kinds: string, now: Millis = NOON): readonly Laid[] {
    const marks = this.outbox.marks ?? OPENED;
    const record = (kind: string) => (kind === "W" ? windowRecord(0) : eventRecord(0));
    const fresh = kinds.split("").map((kind, i): NumberedRecord => ({ seq: marks.next + i, record: record(kind) }));
    const moved = { ...marks, next: marks.next + Math.max(1, fresh.length) };
    const { outbox, laid } = lay(this.outbox, moved, fresh, now);
    for (const one of laid) (one.row.ring === "windows" ? this.windows : this.events).set(one.row.slot, one);
    this.outbox = outbox;
    return laid;
  }

  flush(bounds = BOUNDS): readonly Row[] {
    const batch = nextBatch(this.outbox, AT_EASE, bounds);
    this.outbox = stored(this.outbox, batch);
    return batch;
  }

  /** Forgets everything but the disk, and reads only what a wake may read. */
  sleep(note: Note | null): void {
    const windows = [...this.windows.values()].map(({ row }) => row);
    const events = [...this.events.values()].map(({ row }) => row);
    const upTo = events.findLast(({ position }) => position <= (note?.flushed ?? 0));
    const first = new Set([...windows, ...[upTo, events.at(-1)].filter((row) => row !== undefined)]);
    const flushed = knownFlushed([...first], this.kept, note);
    const rows = new Set([...first, ...events.filter(({ position }) => position > flushed)]);
    this.outbox = wake([...rows], this.kept, flushed);
  }

  /** What a flush notes that ended at this moment. */
  note(at: Millis = NOON): Note {
    return { ...AT_EASE, flushed: this.outbox.flushed, at };
  }

  held(): readonly Row[] {
    return [...this.windows.values(), ...this.events.values()].map(({ row }) => row);
  }

  numbersOf(batch: readonly Row[]): readonly number[] {
    return batch.flatMap(({ ring, slot }) =>
      ((ring === "windows" ? this.windows : this.events).get(slot)?.records ?? []).map(({ seq }) => seq),
    );
  }
}

describe("a push", () => {
  it.each([
    ["windows", "WW", ["windows 1"]],
    ["events", "EE", ["events 1"]],
    ["both", "EWW", ["events 1", "windows 1"]],
    ["neither, though its base moved the marks", "", ["windows 1"]],
  ])("with %s is laid into a row each", (_name, kinds, rows) =>
    expect(new World().push(kinds).map(({ row }) => `${row.ring} ${row.slot}`)).toEqual(rows),
  );

  it("carries the marks in every row, so that the newest row tells them", () => {
    const world = new World();
    const [events, windows] = world.push("EWW");
    expect([events?.row.next, windows?.row.next]).toEqual([4, 4]);
    expect([events?.row.first, windows?.row.first]).toEqual([1, 2]);
  });

  it("uses the slot of windows again once Postgres has them, and not before", () => {
    const world = new World();
    const slots = () => world.push("W").map(({ row }) => row.slot);
    expect([slots(), slots(), slots()]).toEqual([[1], [2], [3]]);
    world.flush({ ...BOUNDS, recordsMax: 1 });
    expect([slots(), slots()]).toEqual([[1], [4]]);
    expect(world.outbox.rows).toHaveLength(4);
  });
});

describe("persisted", () => {
  it.each([
    ["windows first", "EWW"],
    ["an event between windows", "WEW"],
  ])("is the first number that waits in either ring: %s", (_name, kinds) => {
    const world = new World();
    world.push(kinds);
    expect(world.outbox.marks?.persisted).toBe(1);
    world.flush({ ...BOUNDS, recordsMax: 1 });
    const waiting = world.numbersOf(nextBatch(world.outbox, AT_EASE, BOUNDS));
    expect(world.outbox.marks?.persisted).toBe(Math.min(...waiting));
    world.flush();
    expect(world.outbox.marks?.persisted).toBe(4);
  });

  it("never goes below what an agent has freed, though rows from before a rewind still wait", () => {
    const world = new World();
    world.push("W");
    const { laid, outbox } = lay(world.outbox, { ...OPENED, next: 9, persisted: 9 }, [], NOON);
    expect([laid.length, outbox.marks?.persisted, backlogOf(outbox).waiting]).toEqual([1, 9, 1]);
  });

  it("counts only its own epoch, and what an older one left behind still goes to Postgres", () => {
    const world = new World();
    world.push("W");
    world.outbox = withEpoch(world.outbox, { ...OPENED, epoch: 2_000 });
    world.push("W");
    expect(world.outbox.marks).toMatchObject({ epoch: 2_000, persisted: 1 });
    expect(world.flush().map(({ epoch }) => epoch)).toEqual([1_000, 2_000]);
    expect(world.outbox.marks?.persisted).toBe(2);
  });

  it("passes rows that came while the batch was on its way only when they are stored too", () => {
    const world = new World();
    world.push("W");
    const batch = nextBatch(world.outbox, AT_EASE, BOUNDS);
    world.push("EW");
    world.outbox = stored(world.outbox, batch);
    expect(world.outbox.marks).toMatchObject({ next: 4, persisted: 2 });
  });
});

describe("an object that wakes", () => {
  it("knows with its note what it knew, and reads no event that Postgres has", () => {
    const world = new World();
    for (let i = 0; i < 9; i++) world.push("EW");
    world.flush();
    world.push("E");
    const before = world.outbox;
    world.sleep(world.note());
    expect(world.outbox).toEqual(before);
    expect(world.outbox.rows.filter(({ ring }) => ring === "events")).toHaveLength(1);
  });

  it("without a note sends again what it flushed after its newest row was written, and no more", () => {
    const world = new World();
    world.push("W");
    world.flush();
    world.push("W");
    world.push("E");
    world.flush();
    world.sleep(null);
    expect(nextBatch(world.outbox, AT_EASE, BOUNDS).map(({ position }) => position)).toEqual([2, 3]);
    // What the agent was told may have been more; it never hears less than before the rows were written.
    expect(world.outbox.marks?.persisted).toBe(2);
  });

  it("does not believe a note from beyond its rows", () => {
    const world = new World();
    world.push("W");
    world.sleep({ ...AT_EASE, flushed: 7, at: NOON });
    expect(backlogOf(world.outbox).waiting).toBe(1);
  });

  it.each(["W", "E", "EW"])("does not believe a note that is older than rows it speaks of: %s", (kinds) => {
    const world = new World();
    for (let i = 0; i < 9; i++) world.push(kinds);
    world.flush();
    const note = world.note(NOON + MINUTE);
    // The object's storage went back to its beginning, and its agent went on.
    const rewound = new World();
    for (let i = 0; i < 10; i++) rewound.push(kinds, NOON + 2 * MINUTE);
    const before = rewound.outbox;
    rewound.sleep(note);
    expect([backlogOf(rewound.outbox), rewound.outbox.marks]).toEqual([backlogOf(before), before.marks]);
  });

  it("never loses a record and never says persisted of one that waits, whatever happens in which order", () => {
    const act = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom("W", "E", "EW", "WEW", "") },
      fc.constantFrom("flush", "small", "sleep", "noted", "epoch"),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const world = new World();
        const postgres = new Set<string>();
        const sent = new Set<string>();
        const flush = (recordsMax: number): void => {
          const batch = nextBatch(world.outbox, AT_EASE, { ...BOUNDS, recordsMax });
          for (const row of batch) for (const seq of world.numbersOf([row])) postgres.add(`${row.epoch}:${seq}`);
          world.outbox = stored(world.outbox, batch);
        };
        const check = (): boolean => {
          const { epoch, persisted } = world.outbox.marks ?? OPENED;
          return [...sent].every((name) => {
            const [ofEpoch = 0, seq = 0] = name.split(":").map(Number);
            return ofEpoch !== epoch || seq >= persisted || postgres.has(name);
          });
        };
        for (const one of acts) {
          if (one === "flush" || one === "small") flush(one === "flush" ? 2_000 : 2);
          else if (one === "sleep" || one === "noted") world.sleep(one === "noted" ? world.note() : null);
          else if (one === "epoch") {
            const marks = { ...OPENED, epoch: (world.outbox.marks?.epoch ?? 0) + 1 };
            world.outbox = withEpoch(world.outbox, marks);
            world.kept = { marks, last: world.outbox.last, flushed: world.outbox.flushed };
          } else {
            for (const { row, records } of world.push(one))
              for (const { seq } of records) sent.add(`${row.epoch}:${seq}`);
          }
          if (!check()) return false;
        }
        while (nextBatch(world.outbox, AT_EASE, BOUNDS).length > 0) flush(2_000);
        return [...sent].every((name) => postgres.has(name));
      }),
      { numRuns: 500 },
    );
  });
});

describe("rows of the version before", () => {
  const row = (facts: Partial<Row>): Row => ({
    ...OPENED,
    ring: "windows",
    slot: 1,
    position: 0,
    first: 1,
    at: NOON,
    records: 1,
    bytes: 9,
    flushed: 0,
    total: 0,
    ...facts,
  });

  it("go on waiting, oldest first, behind what has a place; what Postgres has is free", () => {
    const rows = [
      row({ slot: 1, first: 4, next: 5, persisted: 3 }),
      row({ slot: 2, first: 1, next: 3, persisted: 1 }),
      row({ slot: 3, epoch: 900, first: 8, next: 9 }),
      row({ slot: 4, first: 3, next: 4, persisted: 3 }),
    ];
    const outbox = wake(withPositions(rows, null), null, 0);
    expect(nextBatch(outbox, AT_EASE, BOUNDS).map(({ slot }) => slot)).toEqual([3, 4, 1]);
    expect(outbox.marks).toMatchObject({ next: 5, persisted: 3 });
    expect(lay(outbox, { ...OPENED, next: 6 }, [{ seq: 5, record: windowRecord(0) }], NOON).laid[0]?.row).toMatchObject(
      {
        slot: 2,
        position: 4,
      },
    );
  });
});

describe("a flush", () => {
  const aged = (kinds: string, age: number): World => {
    const world = new World();
    world.push(kinds, NOON - age);
    return world;
  };
  const downSince = (failures: number): Pace => ({ failures, retryAt: NOON + 1 });

  it.each([
    ["nothing waits", aged("", DAY), AT_EASE, "nothing"],
    ["what waits is young", aged("EW", INTERVAL - 1), AT_EASE, "young"],
    ["the oldest has waited for the interval", aged("EW", INTERVAL), AT_EASE, "age"],
    ["a full batch waits", aged("W".repeat(2_000), 0), AT_EASE, "size"],
    ["Postgres failed a moment ago", aged("W".repeat(2_000), DAY), downSince(1), "backing_off"],
  ])("when %s: %s", (_name, world, pace, reason) =>
    expect(flushDue(world.outbox, pace, BOUNDS, INTERVAL, NOON).reason).toBe(reason),
  );

  it("takes an hour of fifty services in two statements", () => {
    const world = new World();
    for (let minute = 0; minute < 60; minute++) world.push("W".repeat(50));
    expect([world.flush(), world.flush(), world.flush()].map((batch) => world.numbersOf(batch).length)).toEqual([
      2_000, 1_000, 0,
    ]);
  });

  it("stays within the bytes of a request, but always takes one row", () => {
    const world = new World();
    for (let i = 0; i < 4; i++) world.push("WW");
    const bytes = world.outbox.rows[0]?.bytes ?? 0;
    expect(nextBatch(world.outbox, AT_EASE, { ...BOUNDS, bytesMax: 2 * bytes })).toHaveLength(2);
    expect(nextBatch(world.outbox, AT_EASE, { ...BOUNDS, bytesMax: 1 })).toHaveLength(1);
  });

  it("sends a single row to a Postgres that failed five times, to see whether it is back", () => {
    const world = new World();
    for (let i = 0; i < 4; i++) world.push("W");
    expect(nextBatch(world.outbox, downSince(4), BOUNDS)).toHaveLength(4);
    expect(nextBatch(world.outbox, downSince(5), BOUNDS)).toHaveLength(1);
  });

  it("that failed waits ever longer, never above a minute and a half second", () => {
    let pace = AT_EASE;
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      pace = afterFailure(pace, NOON, 1);
      waits.push(pace.retryAt - NOON);
    }
    expect(waits.slice(0, 4)).toEqual([2_500, 4_500, 8_500, 16_500]);
    expect(Math.max(...waits)).toBe(60_500);
  });
});

describe("the alarm", () => {
  const waiting = new World();
  waiting.push("W");
  const down = (failures: number): Pace => ({ failures, retryAt: NOON + 40_000 });

  it.each([
    ["is not set while nothing waits", new World().outbox, AT_EASE, NOON, null],
    ["is far out while somebody pushes", waiting.outbox, AT_EASE, NOON, 3 * INTERVAL],
    ["is far out even if Postgres is down: pushes try again", waiting.outbox, down(9), NOON - 10_000, 3 * INTERVAL],
    ["is far out after a wake that knows of no failure", waiting.outbox, AT_EASE, null, 3 * INTERVAL],
    ["tries again soon if nobody pushes", waiting.outbox, down(2), NOON - INTERVAL, 40_000],
    ["and less eagerly if Postgres stays away", waiting.outbox, down(5), null, INTERVAL],
  ])("%s", (_name, outbox, pace, pushedAt, delay) =>
    expect(alarmAt(outbox, pace, pushedAt, INTERVAL, NOON)).toBe(delay === null ? null : NOON + delay),
  );
});

describe("an event in Postgres", () => {
  const world = new World();
  world.push("E", NOON);
  world.flush();
  world.push("E", NOON);
  const [oldest, waiting] = world.held();
  const late: Late = { position: 1, at: NOON + DAY };
  const again = withAgain(world.outbox, world.held(), 0);

  it.each([
    ["gives its place away after its 48 hours", oldest, world.outbox, null, 2 * DAY + HOUR + 1, true],
    ["not before", oldest, world.outbox, null, 2 * DAY, false],
    ["not while it waits", waiting, world.outbox, null, 9 * DAY, false],
    ["not before 48 hours after a flush that came late", oldest, world.outbox, late, 3 * DAY - 1, false],
    ["but after them", oldest, world.outbox, late, 3 * DAY + 1, true],
    ["not while it is sent again", oldest, again, null, 9 * DAY, false],
    ["at once if the ring is too large", oldest, { ...world.outbox, eventBytes: 1e9 }, null, 0, true],
  ])("%s", (_name, row, outbox, noted, age, reusable) =>
    expect(row === undefined ? null : isReusable(row, outbox, noted, NOON + age)).toBe(reusable),
  );

  it("is written down as late only if it waited for more than an hour", () => {
    const row = oldest === undefined ? [] : [oldest];
    expect(lateOf(row, NOON + HOUR)).toBeNull();
    expect(lateOf(row, NOON + HOUR + 1)).toEqual({ position: 1, at: NOON + HOUR + 1 });
  });
});

describe("sending again", () => {
  /** An event an hour, each flushed only with the next one's row. */
  function day(): World {
    const world = new World();
    for (let hour = 0; hour < 24; hour++) {
      world.push("E", NOON + hour * HOUR);
      if (hour % 2 === 1) world.flush();
    }
    return world;
  }

  it("begins with what was not surely in Postgres then, though it was received before", () => {
    const world = day();
    // At hour 10.5 rows 1 to 10 were in Postgres; row 11 was received at hour 10 and flushed at 11.
    expect(reflushFrom(world.held(), NOON + 10.5 * HOUR)).toBe(10);
    world.outbox = withAgain(world.outbox, world.held(), 10);
    expect(backlogOf(world.outbox)).toMatchObject({ waiting: 14, since: null });
    expect(flushDue(world.outbox, AT_EASE, BOUNDS, INTERVAL, NOON).reason).toBe("again");
  });

  it("does not take back what the agent was told, and ends", () => {
    const world = day();
    world.outbox = withAgain(world.outbox, world.held(), 0);
    expect(world.outbox.marks?.persisted).toBe(25);
    world.push("W");
    world.outbox = withAgain(world.outbox, world.held(), 0);
    expect(world.numbersOf(world.flush())).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
    expect(world.flush()).toEqual([]);
    expect(world.outbox.marks?.persisted).toBe(26);
  });

  it("asked for twice sends each row once, from the earlier moment", () => {
    const world = day();
    world.outbox = withAgain(withAgain(world.outbox, world.held(), 3), world.held(), 20);
    expect(world.flush()).toHaveLength(21);
  });

  it("keeps a window's slot until it has been sent", () => {
    const world = new World();
    world.push("W");
    world.flush();
    world.outbox = withAgain(world.outbox, world.held(), 0);
    expect(world.push("W").map(({ row }) => row.slot)).toEqual([2]);
  });
});

describe("after an outage", () => {
  it("slots beyond what quiet times need are dropped, once nothing waits in them", () => {
    const world = new World();
    for (let i = 0; i < 70; i++) world.push("W");
    expect(spareSlots(world.outbox)).toEqual([]);
    world.flush();
    const spare = spareSlots(world.outbox);
    expect(spare).toHaveLength(54);
    world.outbox = withoutSlots(world.outbox, spare);
    expect(world.outbox.rows).toHaveLength(16);
    expect(world.outbox.marks).toMatchObject({ next: 71, persisted: 71 });
  });

  it("a short queue is left as it is", () => {
    const world = new World();
    for (let i = 0; i < 64; i++) world.push("W");
    world.flush();
    expect(spareSlots(world.outbox)).toEqual([]);
  });
});

describe("what the edge itself makes into records", () => {
  const own = (n: number): readonly NumberedRecord[] => [{ seq: n, record: eventRecord(n) }];

  it("waits and leaves like any other, and the agent's watermarks stay where they are", () => {
    const world = new World();
    world.push("WWE");
    const before = world.outbox.marks;
    const { outbox, laid } = layOwn(world.outbox, own(7), NOON);
    expect(outbox.marks).toEqual(before);
    expect(laid.map(({ row }) => row.ring)).toEqual(["events"]);
    const sent = stored(outbox, nextBatch(outbox, AT_EASE, BOUNDS));
    expect(backlogOf(sent).waiting).toBe(0);
    expect(sent.marks).toMatchObject({ persisted: before?.next });
  });

  it("does not hold up what the agent may free", () => {
    const world = new World();
    world.outbox = layOwn(world.outbox, own(7), NOON).outbox;
    world.push("W");
    const [first] = nextBatch(world.outbox, AT_EASE, { recordsMax: 1, bytesMax: 1 });
    expect(first?.epoch).toBe(1);
    expect(stored(world.outbox, [...waitingOf(world.outbox)].slice(1)).marks?.persisted).toBe(world.outbox.marks?.next);
  });

  it("is found again by an object that woke, and gives way to the first agent", () => {
    const laid = layOwn(EMPTY, own(7), NOON);
    const awake = wake(
      laid.laid.map(({ row }) => row),
      null,
      0,
    );
    expect(awake).toEqual(laid.outbox);
    expect(backlogOf(awake).waiting).toBe(1);
    expect(awake.marks?.epoch).toBeLessThan(OPENED.epoch);
  });

  it("gets numbers that no earlier life of the object gave", () => {
    expect(ownNumber(0, NOON)).toBeGreaterThan(ownNumber(0, NOON - 1) + 900);
    expect(ownNumber(ownNumber(0, NOON), NOON)).toBe(ownNumber(0, NOON) + 1);
    expect(Number.isSafeInteger(ownNumber(0, NOON + 100 * 365 * DAY))).toBe(true);
  });
});

function waitingOf({ rows, flushed }: Outbox): readonly Row[] {
  return rows.filter(({ position, records }) => position > flushed && records > 0);
}
