/** Two who write at once, and what was said of an incident and is not so. */
import { describe, expect, it } from "vitest";
import { HOUR, MINUTE } from "../../protocol/time.ts";
import type { AnnounceFacts } from "../../worker/core/announce.ts";
import { openIncident, withIncidentUpdate } from "../../worker/core/announce.ts";
import {
  correctedUpdate,
  deletable,
  mergedIncident,
  withoutUpdate,
  withPostmortemDraft,
} from "../../worker/core/correct.ts";
import type { Incident } from "../../worker/core/incident.ts";
import { incidentStatus } from "../../worker/core/incident.ts";
import { duesOf, nextReminderAt, promises, remindersToTell } from "../../worker/core/reminder.ts";
import type { Reminder } from "../../worker/core/reminder.ts";
import { restored } from "../../worker/core/restore.ts";
import { NOON, component, incident, incidentUpdate } from "../support/facts.ts";

const FACTS: AnnounceFacts = {
  components: [component()],
  evidence: { tells: new Map(), maintenances: [], outside: new Map() },
};
const BY = { id: "update-made00", by: "ops" };
const two = incident({
  updates: [
    incidentUpdate({ body: "It began." }),
    incidentUpdate({ at: NOON + 5 * MINUTE, status: "identified", body: "A bad deploy." }),
  ],
});
const first = two.updates[0]?.id ?? "";
const second = two.updates[1]?.id ?? "";
const LATER = NOON + 9 * MINUTE;

describe("two who write at once", () => {
  const say = (one: Incident, revision: number | undefined, now = LATER) =>
    withIncidentUpdate(one, { body: "More.", components: [], revision }, FACTS, BY, now);

  it("are told apart by the revision that each has seen", () => {
    const mine = say(two, two.writtenAt);
    if (!mine.ok) throw new Error("refused");
    const theirs = say(mine.value, two.writtenAt);
    expect(theirs).toMatchObject({ ok: false, failure: { code: "stale", current: { id: two.id } } });
    expect(say(mine.value, mine.value.writtenAt).ok).toBe(true);
    expect(say(mine.value, undefined).ok).toBe(true);
  });

  it("are told apart within one millisecond, and by a clock that goes back", () => {
    for (const now of [two.writtenAt, two.writtenAt - HOUR]) {
      const mine = say(two, two.writtenAt, now);
      expect(mine.ok && mine.value.writtenAt > two.writtenAt).toBe(true);
    }
  });

  it.each<[string, (one: Incident, revision: number) => { readonly ok: boolean }]>([
    ["a correction", (one, revision) => correctedUpdate(one, first, { body: "x", revision }, LATER)],
    ["a deleted update", (one, revision) => withoutUpdate(one, first, { revision }, LATER)],
    ["a deletion", (one, revision) => deletable(one, { revision }, LATER)],
    ["a draft", (one, revision) => withPostmortemDraft(one, { body: "x", by: "ops", revision }, LATER)],
    ["a merge", (one, revision) => mergedIncident(incident({ id: "survivor0000" }), one, { revision }, LATER)],
  ])("%s asks for the revision too", (_name, act) => {
    expect(act(two, two.writtenAt).ok).toBe(true);
    expect(act(two, two.writtenAt - 1).ok).toBe(false);
  });
});

describe("a correction", () => {
  it("mends the text, says when, and keeps the moment", () => {
    const done = correctedUpdate(two, first, { body: "It began at noon." }, LATER);
    expect(done.ok && done.value.updates[0]).toMatchObject({
      body: "It began at noon.",
      updatedAt: LATER,
      createdAt: NOON,
      displayAt: NOON,
    });
  });

  it("of the moment moves the update, and the beginning that came from it", () => {
    const earlier = correctedUpdate(two, first, { at: NOON - HOUR }, LATER);
    expect(earlier.ok && earlier.value.startedAt).toBe(NOON - HOUR);
    const back = earlier.ok ? correctedUpdate(earlier.value, first, { at: NOON + 7 * MINUTE }, LATER) : earlier;
    expect(back.ok && [back.value.startedAt, back.value.updates.map(({ id }) => id)]).toEqual([
      NOON + 5 * MINUTE,
      [second, first],
    ]);
  });

  it("that changes nothing is none, and the future is refused", () => {
    const same = correctedUpdate(two, first, { body: "It began.", at: NOON }, LATER);
    expect(same.ok && same.value).toBe(two);
    expect(correctedUpdate(two, first, { at: LATER + HOUR }, LATER)).toMatchObject({ failure: { code: "in_future" } });
  });

  it("takes an update back, but never the last one", () => {
    const one = withoutUpdate(two, second, {}, LATER);
    expect(one.ok && incidentStatus(one.value)).toBe("investigating");
    expect(one.ok && withoutUpdate(one.value, first, {}, LATER)).toMatchObject({ failure: { code: "last_update" } });
  });

  it("deletes a whole incident for an hour, and not after that", () => {
    expect(deletable(two, {}, NOON + HOUR - 1).ok).toBe(true);
    expect(deletable(two, {}, NOON + HOUR)).toMatchObject({ failure: { code: "too_old" } });
  });
});

describe("two incidents of one cause", () => {
  const other = incident({
    id: "other0000000",
    startedAt: NOON - HOUR,
    updates: [
      incidentUpdate({ id: "other-before", at: NOON - HOUR, status: "investigating" }),
      incidentUpdate({ id: "other-after0", at: NOON + 6 * MINUTE, status: "investigating" }),
    ],
  });

  it("become one, whose time line has both and whose state is the survivor's", () => {
    const merged = mergedIncident(two, other, {}, LATER);
    if (!merged.ok) throw new Error("refused");
    expect(merged.value.updates.map(({ id }) => id)).toEqual(["other-before", first, second, "other-after0"]);
    expect([incidentStatus(merged.value), merged.value.startedAt]).toEqual(["identified", NOON - HOUR]);
  });

  it("do not end one that goes on by merging it into one that is over", () => {
    const over = incident({ id: "over00000000", updates: [incidentUpdate({ status: "resolved" })] });
    expect(mergedIncident(over, two, {}, LATER)).toMatchObject({ failure: { code: "order" } });
    expect(mergedIncident(two, two, {}, LATER)).toMatchObject({ failure: { code: "order" } });
  });

  it("and what was deleted stay so when a Board asks the archive for all back", () => {
    const body = (gone: object) => ({ kind: "incident", body: { ...two, ...gone } as Record<string, unknown> });
    const documents = [body({ id: "a" }), body({ id: "b", mergedInto: "a" }), body({ id: "c", removedAt: NOON })];
    const held = {
      page: { id: "", name: "", timeZone: "Etc/UTC", createdAt: 0 },
      components: [],
      maintenances: new Map(),
      announcements: new Map(),
      incidents: new Map(),
      clusters: new Map(),
    };
    const back = restored(documents, held as unknown as Parameters<typeof restored>[1], NOON);
    expect(back.incidents.map(({ id }) => id)).toEqual(["a"]);
    expect(back.merged).toEqual([{ id: "b", into: "a", at: NOON }]);
  });
});

describe("an incident that is over already", () => {
  const ids = { id: "past00000000", update: "u1", end: "u2", by: "ops" };
  const past = { name: "Past", body: "It was.", components: [], at: NOON - HOUR };

  it("is written down with its end at once", () => {
    const end = { at: NOON - 10 * MINUTE, body: "It is over." };
    const made = openIncident({ ...past, end }, FACTS, ids, NOON);
    expect(made.ok && [incidentStatus(made.value), made.value.startedAt, made.value.updates.length]).toEqual([
      "resolved",
      NOON - HOUR,
      2,
    ]);
  });

  it("does not end before it begins", () => {
    const end = { at: NOON - 2 * HOUR, body: "It is over." };
    expect(openIncident({ ...past, end }, FACTS, ids, NOON)).toMatchObject({ failure: { code: "order" } });
  });
});

describe("a reminder", () => {
  const one = (at: number, facts: Partial<Reminder> = {}): Reminder => ({
    incident: two.id,
    at,
    isPublic: true,
    by: "ops",
    setAt: NOON,
    toldAt: null,
    ...facts,
  });
  const names = new Map([[two.id, two]]);

  it.each([
    ["waits", NOON - 1, []],
    ["is due", NOON, ["due"]],
    ["is overdue ten minutes later", NOON + 10 * MINUTE, ["overdue"]],
  ])("%s", (_name, now, states) => expect(duesOf([one(NOON)], names, now).map(({ state }) => state)).toEqual(states));

  it("wakes the Board once, and of an incident that is gone never shows", () => {
    expect(nextReminderAt([one(NOON + 5), one(NOON + 3)])).toBe(NOON + 3);
    expect(nextReminderAt([one(NOON, { toldAt: NOON })])).toBeNull();
    expect(remindersToTell([one(NOON), one(NOON + 1), one(NOON, { toldAt: NOON })], NOON)).toHaveLength(1);
    expect(duesOf([one(NOON)], new Map(), NOON)).toEqual([]);
  });

  it("is a promise to visitors only if somebody said so, and only until then", () => {
    expect([...promises([one(NOON)], NOON - 1)]).toEqual([[two.id, NOON]]);
    expect([...promises([one(NOON)], NOON)]).toEqual([]);
    expect([...promises([one(NOON, { isPublic: false })], NOON - 1)]).toEqual([]);
  });
});
