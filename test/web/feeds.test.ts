/** Feeds and calendars as independent readers understand them: an XML validator, rss-parser and ical.js. */
import { XMLValidator } from "fast-xml-parser";
import ICAL from "ical.js";
import Parser from "rss-parser";
import { describe, expect, it } from "vitest";
import type { PageIncident, PageMaintenance } from "../../protocol/page.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { maintenanceCalendar } from "../../web/view/feed/calendar.ts";
import { historyAtom, historyRss } from "../../web/view/feed/history.ts";
import type { FeedView } from "../../web/view/feed/scope.ts";
import { componentScope, WHOLE_PAGE } from "../../web/view/feed/scope.ts";
import { announced, HOSTILE_BODY, HOSTILE_NAME, incident, resolved, update } from "./announcements.ts";
import { NOW, snapshot } from "./snapshots.ts";

const NAMES = new Map([
  ["component000", "Checkout"],
  ["component008", "Orders"],
]);

function view(
  incidents: readonly PageIncident[],
  maintenances: readonly PageMaintenance[] = [],
  fields: Partial<FeedView> = {},
): FeedView {
  return {
    page: snapshot([]).page,
    log: { incidents, maintenances },
    origin: "https://status.example.com",
    scope: WHOLE_PAGE,
    ...fields,
  };
}

const HOSTILE = view(
  [incident({ name: HOSTILE_NAME, updates: [update("update000009", "monitoring", HOSTILE_BODY, NOW)] })],
  [announced({ name: HOSTILE_NAME, updates: [update("update000008", "scheduled", HOSTILE_BODY, NOW)] })],
);

describe.each([
  ["Atom", historyAtom],
  ["RSS", historyRss],
])("the history as %s", (kind, write) => {
  const read = (feed: FeedView) => new Parser().parseString(write(feed));

  it("has an entry for each incident and maintenance, newest first", async () => {
    const feed = await read(view([incident(), resolved(3)], [announced()]));
    expect(feed.title).toBe("Acme status - Incident History");
    expect(feed.items.map(({ title, link }) => [title, link])).toEqual([
      ["Some payments fail", "https://status.example.com/incidents/incident0001"],
      ["Database upgrade", "https://status.example.com/maintenance/announced001"],
      ["Search was slow", "https://status.example.com/incidents/resolved0003"],
    ]);
    expect(feed.items[0]?.content).toContain("<p><small>Nov <var data-var='date'>23</var>, <var data-var='time'>13:58");
    expect(feed.items[0]?.content).toContain("<strong>Identified</strong> - About <strong>3 of 10</strong> payments");
    expect(feed.items[0]?.content).toMatch(/Identified[^]+Investigating/);
    expect(feed.items[1]?.content).toContain("THIS IS A SCHEDULED EVENT Nov <var data-var='date'>28</var>");
  });

  it("revises an entry in place", async () => {
    const before = incident();
    const later = NOW + HOUR;
    const updates = [update("update000003", "resolved" as const, "All cards work.", later), ...before.updates];
    const after = incident({ status: "resolved", resolvedAt: later, updatedAt: later, updates });
    const [first] = (await read(view([before]))).items;
    const [second] = (await read(view([after]))).items;
    expect(second?.guid ?? second?.["id"]).toBe(first?.guid ?? first?.["id"]);
    expect(second?.guid ?? second?.["id"]).toMatch(/incident0001$/);
    expect(second?.content).toContain("All cards work.");
    expect(write(view([after]))).toContain(kind === "RSS" ? "Mon, 23 Nov 2026 15:02:39 GMT" : "2026-11-23T15:02:39");
  });

  it("of a component has what touches it, under an address of its own", async () => {
    const scope = componentScope([{ id: "component008", name: "Orders" }], "component008") ?? WHOLE_PAGE;
    const feed = await read(view([incident(), resolved(3)], [announced()], { scope }));
    expect(feed.title).toBe("Acme status - Orders - Incident History");
    expect(feed.items.map(({ title }) => title)).toEqual(["Database upgrade"]);
    expect(write(view([], [], { scope }))).toContain("https://status.example.com/components/component008/history.");
  });

  it("has the 50 newest and no more", async () => {
    const many = Array.from({ length: 60 }, (_, i) => resolved(i + 1));
    const feed = await read(view(many));
    expect(feed.items).toHaveLength(50);
    expect(feed.items[49]?.link).toContain("resolved0050");
  });

  it("says in the page's zone when it was said", async () => {
    const page = { ...snapshot([]).page, timeZone: "America/New_York" };
    const feed = await read(view([incident()], [], { page }));
    expect(feed.items[0]?.content).toContain("<var data-var='time'>08:58</var> EST");
  });

  it("is XML whatever was typed, and carries no tag that somebody typed", async () => {
    expect(XMLValidator.validate(write(HOSTILE))).toBe(true);
    const feed = await read(HOSTILE);
    expect(feed.items).toHaveLength(2);
    for (const { title, content } of feed.items) {
      expect(title).not.toMatch(/[<>]/);
      expect(content).not.toMatch(/<(?:script|img|svg|iframe|div|base|form|input|style)|href="(?!https:|")/);
    }
  });

  it("is a feed without entries too", async () => {
    const empty = write(view([]));
    expect(XMLValidator.validate(empty)).toBe(true);
    expect((await read(view([]))).items).toEqual([]);
  });
});

describe("the maintenance calendar", () => {
  const events = (feed: FeedView): ICAL.Event[] =>
    new ICAL.Component(ICAL.parse(maintenanceCalendar(feed, NAMES)))
      .getAllSubcomponents("vevent")
      .map((event) => new ICAL.Event(event));
  const one = (maintenance: PageMaintenance): ICAL.Event => {
    const [event] = events(view([], [maintenance]));
    if (event === undefined) throw new Error("the calendar has no event");
    return event;
  };

  it("says what happens when, and to what", () => {
    const event = one(announced());
    expect(event.summary).toBe("Database upgrade");
    expect(event.description).toBe(
      "Affects: Orders, Checkout\n\nOrders can be read but not changed for up to 20 minutes.",
    );
    expect([event.startDate.toString(), event.endDate.toString()]).toEqual([
      "2026-11-28T02:00:00Z",
      "2026-11-28T04:00:00Z",
    ]);
    expect(event.component.getFirstPropertyValue("url")).toBe("https://status.example.com/maintenance/announced001");
  });

  it("keeps an event's identity over its changes, counts them, and keeps what was called off", () => {
    const before = one(announced());
    const moved = one(announced({ name: "Bigger", startsAt: NOW + DAY, endsAt: NOW + 2 * DAY, sequence: 1 }));
    const off = one(announced({ cancelledAt: NOW, sequence: 2 }));
    expect(before.uid).toBe("announced001@page00000001.observatory-edge");
    expect([moved.uid, off.uid]).toEqual([before.uid, before.uid]);
    expect([before.sequence, moved.sequence, off.sequence]).toEqual([0, 1, 2]);
    const statuses = [before, moved, off].map((event) => event.component.getFirstPropertyValue("status"));
    expect(statuses).toEqual(["CONFIRMED", "CONFIRMED", "CANCELLED"]);
  });

  it("gives the same bytes for the same facts, whatever address it is asked by", () => {
    expect(one(announced()).uid).toBe(events(view([], [announced()], { origin: "https://b.example" }))[0]?.uid);
    const text = maintenanceCalendar(view([], [announced()]), NAMES);
    expect(text).toContain("DTSTAMP:20261121T140239Z");
  });

  // As calendars ship them: the rules of the zones, from which the wall clock follows.
  const BERLIN = zone("Europe/Berlin", [
    ["DAYLIGHT", "19810329T020000", "+0100", "+0200", "BYMONTH=3;BYDAY=-1SU"],
    ["STANDARD", "19961027T030000", "+0200", "+0100", "BYMONTH=10;BYDAY=-1SU"],
  ]);
  const NEW_YORK = zone("America/New_York", [
    ["DAYLIGHT", "20070311T020000", "-0500", "-0400", "BYMONTH=3;BYDAY=2SU"],
    ["STANDARD", "20071104T020000", "-0400", "-0500", "BYMONTH=11;BYDAY=1SU"],
  ]);

  // ical.js takes UTC for local time near a change: these windows reach over it with hours to spare.
  it.each([
    ["Berlin, into winter", BERLIN, "2026-10-24T20:00Z", "2026-10-25T05:00Z", "22:00", "06:00"],
    ["Berlin, into summer", BERLIN, "2027-03-27T20:00Z", "2027-03-28T05:00Z", "21:00", "07:00"],
    ["New York, into winter", NEW_YORK, "2026-10-31T22:00Z", "2026-11-01T14:00Z", "18:00", "09:00"],
    ["New York, into summer", NEW_YORK, "2027-03-13T22:00Z", "2027-03-14T14:00Z", "17:00", "10:00"],
  ])("shows the right wall clock over a change in %s", (_name, local, from, until, start, end) => {
    const { startDate, endDate } = one(announced({ startsAt: Date.parse(from), endsAt: Date.parse(until) }));
    const clock = (time: ICAL.Time): string => time.convertToZone(local).toString().slice(11, 16);
    expect([clock(startDate), clock(endDate)]).toEqual([start, end]);
  });

  it.each([
    ["Europe/Berlin", "2026-10-25T00:30Z", "2026-10-25T01:30Z", "02:30", "02:30"],
    ["Europe/Berlin", "2027-03-28T00:30Z", "2027-03-28T01:30Z", "01:30", "03:30"],
    ["America/New_York", "2026-11-01T05:30Z", "2026-11-01T06:30Z", "01:30", "01:30"],
    ["America/New_York", "2027-03-14T06:30Z", "2027-03-14T07:30Z", "01:30", "03:30"],
  ])("is right to the hour of the change in %s at %s", (timeZone, from, until, start, end) => {
    const event = one(announced({ startsAt: Date.parse(from), endsAt: Date.parse(until) }));
    const clock = (time: ICAL.Time): string =>
      time.toJSDate().toLocaleTimeString("en-GB", { timeZone, timeStyle: "short" });
    expect([clock(event.startDate), clock(event.endDate)]).toEqual([start, end]);
  });

  it("is folded into lines of 75 octets that end in CRLF", () => {
    const name = "Umzug der Rechenzentren, größer; mit \\ und 日本語 🚧 ".repeat(4).trim();
    const feed = view([], [announced({ name })]);
    const text = maintenanceCalendar(feed, NAMES);
    expect(text.endsWith("END:VCALENDAR\r\n")).toBe(true);
    expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    for (const line of text.split("\r\n")) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75);
    expect(events(feed)[0]?.summary).toBe(name);
  });

  it("takes what was typed for text: no event, no line and no tag comes of it", () => {
    expect(events(HOSTILE)).toHaveLength(1);
    const event = events(HOSTILE)[0];
    expect(`${event?.summary}${event?.description}`).not.toMatch(/[<>]/);
    expect(event?.description).toContain("BEGIN:VEVENT\nEND:VCALENDAR");
    expect(event?.component.getFirstProperty("attach")).toBeNull();
  });

  it("has a window of minutes as well as one of days", () => {
    const event = one(announced({ startsAt: NOW, endsAt: NOW + 5 * MINUTE }));
    expect(event.duration.toSeconds()).toBe(300);
  });
});

type Turn = readonly [kind: string, from: string, before: string, after: string, rule: string];

function zone(tzid: string, turns: readonly Turn[]): ICAL.Timezone {
  const lines = turns.flatMap(([kind, from, before, after, rule]) => [
    `BEGIN:${kind}`,
    `DTSTART:${from}`,
    `TZOFFSETFROM:${before}`,
    `TZOFFSETTO:${after}`,
    `RRULE:FREQ=YEARLY;${rule}`,
    `END:${kind}`,
  ]);
  const text = ["BEGIN:VTIMEZONE", `TZID:${tzid}`, ...lines, "END:VTIMEZONE"].join("\r\n");
  return new ICAL.Timezone({ tzid, component: new ICAL.Component(ICAL.parse(text)) });
}
