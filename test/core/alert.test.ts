import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Alerts, Notification, ToldAlert } from "../../worker/core/alert.ts";
import { FIRING_MAX, NO_ALERTS, takeNotification } from "../../worker/core/alert.ts";
import { NOON } from "../support/facts.ts";

/** An Alertmanager's story: who tells what, and when, in minutes after noon. */
type Line = readonly [minute: number, told: readonly Partial<ToldAlert>[], group?: Partial<Notification>];

function told(fields: Partial<ToldAlert>): ToldAlert {
  return {
    isFiring: true,
    fingerprint: "00000000000000aa",
    startsAt: NOON,
    endsAt: null,
    name: "HighErrorRate",
    severity: "critical",
    summary: "checkout fails",
    labels: { alertname: "HighErrorRate" },
    ...fields,
  };
}

/** What history gets of it: `fired` and `resolved`, with the minute at which each was so. */
function play(lines: readonly Line[]): { readonly events: readonly string[]; readonly ids: readonly string[] } {
  let alerts: Alerts = NO_ALERTS;
  const events: string[] = [];
  const ids: string[] = [];
  for (const [minute, list, group = {}] of lines) {
    const notification = { group: "g", isComplete: true, refused: [], ...group, alerts: list.map(told) };
    const taken = takeNotification(alerts, notification, NOON + minute * MINUTE);
    alerts = taken.alerts;
    for (const { kind, at, id } of taken.events) {
      events.push(`${kind.slice("alert.".length)} ${(at - NOON) / MINUTE}`);
      ids.push(id);
    }
  }
  return { events, ids };
}

const FIRES = {};
const ENDS = { isFiring: false, endsAt: NOON + 4 * MINUTE };

describe("what an Alertmanager tells of one alert", () => {
  it.each<[string, readonly Line[], readonly string[]]>([
    [
      "fires and resolves",
      [
        [1, [FIRES]],
        [5, [ENDS]],
      ],
      ["fired 0", "resolved 4"],
    ],
    [
      "both of a pair tell it",
      [
        [1, [FIRES]],
        [1, [FIRES]],
        [5, [ENDS]],
        [5, [ENDS]],
      ],
      ["fired 0", "resolved 4"],
    ],
    [
      "its sender's clock is ten minutes ahead",
      [
        [1, [{ startsAt: NOON + 11 * MINUTE }]],
        [4, [{ isFiring: false, startsAt: NOON + 11 * MINUTE, endsAt: NOON + 14 * MINUTE }]],
      ],
      ["fired 1", "resolved 4"],
    ],
    [
      "it is repeated for hours",
      [
        [1, [FIRES]],
        [241, [FIRES]],
        [481, [FIRES]],
      ],
      ["fired 0"],
    ],
    [
      "both saw it begin, some seconds apart",
      [
        [1, [FIRES]],
        [1, [{ startsAt: NOON + 30 * SECOND }]],
      ],
      ["fired 0"],
    ],
    [
      "its end comes first, its beginning late",
      [
        [5, [ENDS]],
        [6, [FIRES]],
      ],
      ["fired 0", "resolved 4"],
    ],
    ["its end comes alone", [[5, [ENDS]]], ["fired 0", "resolved 4"]],
    [
      "an old delivery is retried after its end",
      [
        [1, [FIRES]],
        [5, [ENDS]],
        [9, [FIRES]],
      ],
      ["fired 0", "resolved 4"],
    ],
    [
      "it fires again",
      [
        [1, [FIRES]],
        [5, [ENDS]],
        [7, [{ startsAt: NOON + 6 * MINUTE }]],
      ],
      ["fired 0", "resolved 4", "fired 6"],
    ],
    [
      "it goes on that was taken for over",
      [
        [1, [FIRES]],
        [5, [ENDS]],
        [30, [FIRES]],
      ],
      ["fired 0", "resolved 4", "fired 0"],
    ],
    [
      "the end of the episode before comes late",
      [
        [1, [FIRES]],
        [5, [ENDS]],
        [7, [{ startsAt: NOON + 6 * MINUTE }]],
        [8, [ENDS]],
      ],
      ["fired 0", "resolved 4", "fired 6"],
    ],
    [
      "its end was lost, and it fires anew hours later",
      [
        [1, [FIRES]],
        [300, [{ startsAt: NOON + 299 * MINUTE }]],
      ],
      ["fired 0", "resolved 299", "fired 299"],
    ],
    [
      "an end that lies ahead is now",
      [
        [1, [FIRES]],
        [5, [{ ...ENDS, endsAt: NOON + DAY }]],
      ],
      ["fired 0", "resolved 5"],
    ],
  ])("%s", (_name, lines, events) => expect(play(lines).events).toEqual(events));

  it("has an id that says which episode and which end of it, whoever tells it", () => {
    const { ids } = play([
      [1, [FIRES]],
      [5, [ENDS]],
      [30, [FIRES]],
    ]);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
    // Another memory, as of an object that was set back, gives the same ones.
    expect(play([[5, [ENDS]]]).ids).toEqual(ids.slice(0, 2));
  });
});

describe("an alert that is missing in its group", () => {
  const other = { fingerprint: "00000000000000bb" };
  it.each<[string, readonly Line[], readonly string[]]>([
    [
      "is over, if nobody told of it for long",
      [
        [1, [FIRES, other]],
        [30, [other]],
      ],
      ["fired 0", "fired 0", "resolved 30"],
    ],
    [
      "is not, if the other of a pair told of it just now",
      [
        [1, [FIRES, other]],
        [3, [other]],
      ],
      ["fired 0", "fired 0"],
    ],
    [
      "is not, if the list was cut short",
      [
        [1, [FIRES, other]],
        [30, [other], { isComplete: false }],
      ],
      ["fired 0", "fired 0"],
    ],
    [
      "is not, if another group tells",
      [
        [1, [FIRES]],
        [30, [other], { group: "h" }],
      ],
      ["fired 0", "fired 0"],
    ],
    [
      "fires on, if it is told again: it was silenced",
      [
        [1, [FIRES, other]],
        [30, [other]],
        [32, [FIRES, other]],
      ],
      ["fired 0", "fired 0", "resolved 30", "fired 0"],
    ],
  ])("%s", (_name, lines, events) => expect(play(lines).events).toEqual(events));
});

it("a cluster has room for so many alerts that fire, and tells of those that find none", () => {
  const many = Array.from({ length: FIRING_MAX + 3 }, (_, i) =>
    told({ fingerprint: i.toString(16).padStart(16, "0") }),
  );
  const all = { group: "g", isComplete: true, refused: [], alerts: many };
  const taken = takeNotification(NO_ALERTS, all, NOON);
  expect(taken).toMatchObject({ accepted: FIRING_MAX, surplus: 3 });
  expect(taken.events).toHaveLength(FIRING_MAX);
  const ended = many.slice(0, 10).map((one) => ({ ...one, isFiring: false, endsAt: NOON }));
  const after = takeNotification(taken.alerts, { ...all, alerts: [...ended, ...many.slice(-3)] }, NOON + MINUTE);
  expect(after).toMatchObject({ accepted: 13, surplus: 0 });
});

it("what says nothing new is written down once in a while, and what ended is forgotten after a day", () => {
  const one = { group: "g", isComplete: true, refused: [], alerts: [told({})] };
  const first = takeNotification(NO_ALERTS, one, NOON);
  const again = takeNotification(first.alerts, one, NOON + MINUTE);
  expect(again).toMatchObject({ changed: false, known: 1 });
  expect(takeNotification(again.alerts, one, NOON + 6 * MINUTE)).toMatchObject({ changed: true, events: [] });
  const over = { ...one, alerts: [told({ isFiring: false, endsAt: NOON })] };
  const ended = takeNotification(first.alerts, over, NOON + HOUR);
  const other = { ...one, group: "h", alerts: [told({ fingerprint: "00000000000000bb" })] };
  expect(takeNotification(ended.alerts, other, NOON + HOUR).alerts.held).toHaveLength(2);
  expect(takeNotification(ended.alerts, other, NOON + 3 * DAY).alerts.held).toHaveLength(1);
});
