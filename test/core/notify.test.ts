/** How what is told gets to a receiver: what an answer means, when it is tried again, and what goes first. */
import { describe, expect, it } from "vitest";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import type { Breaker, Delivery, Verdict } from "../../worker/core/notify-delivery.ts";
import {
  ATTEMPTS_MAX,
  begun,
  breakerAfter,
  CLOSED,
  nextTryAt,
  replayed,
  settled,
  toTry,
  verdictOf,
} from "../../worker/core/notify-delivery.ts";
import type { Incident } from "../../worker/core/incident.ts";
import type { Component } from "../../worker/core/component.ts";
import { incidentMessage, noticeMessage } from "../../worker/core/notify-message.ts";
import type { Notice } from "../../worker/core/notices.ts";
import { keysAt, wants, withNewKey } from "../../worker/core/notify-receiver.ts";
import { message } from "./notify-facts.ts";

const NOW = Date.UTC(2026, 10, 24, 3);
const FAILED: Verdict = { outcome: "retry", said: "500", waitMs: null };
const NOBODY = new Set<string>();

function delivery(key: string, facts: Partial<Delivery> = {}): Delivery {
  return {
    id: `r:${key}`,
    receiver: "r",
    message: message({ key }),
    number: 1,
    state: "waiting",
    attempts: 0,
    createdAt: NOW,
    nextAt: NOW,
    said: null,
    ...facts,
  };
}

describe("an answer", () => {
  it.each([
    [200, "delivered"],
    [202, "delivered"],
    [204, "delivered"],
    [301, "retry"],
    [302, "retry"],
    [304, "retry"],
    [400, "refused"],
    [401, "refused"],
    [404, "refused"],
    [408, "retry"],
    [410, "gone"],
    [413, "refused"],
    [425, "retry"],
    [429, "retry"],
    [500, "retry"],
    [503, "retry"],
    [599, "retry"],
  ] as const)("of %i: %s", (status, outcome) =>
    expect(verdictOf({ status, retryAfterMs: null, text: "" }).outcome).toBe(outcome),
  );

  it("may ask for patience, which a redirect may not", () => {
    expect(verdictOf({ status: 503, retryAfterMs: HOUR, text: "" })).toMatchObject({ waitMs: HOUR });
    expect(verdictOf({ status: 307, retryAfterMs: HOUR, text: "" })).toMatchObject({ waitMs: null });
  });
});

describe("a message that fails", () => {
  it("is tried ten times over three days, later and later, and is a dead letter then", () => {
    let one = delivery("a");
    const waits: number[] = [];
    for (let now = NOW; one.state === "waiting"; now = one.nextAt) {
      one = settled(begun(one), FAILED, now, 0.5);
      if (one.state === "waiting") waits.push(one.nextAt - now);
    }
    expect(one).toMatchObject({ state: "dead", attempts: ATTEMPTS_MAX, said: "500" });
    expect(waits).toEqual([5 * SECOND, 5 * MINUTE, 30 * MINUTE, ...[2, 5, 10, 14, 20, 24].map((h) => h * HOUR)]);
    const sum = waits.reduce((a, b) => a + b, 0);
    expect(sum).toBeGreaterThan(75 * HOUR);
    expect(sum).toBeLessThan(76 * HOUR);
  });

  it("does not come back together with those that failed with it", () => {
    const at = (dice: number): number => settled(begun(delivery("a")), FAILED, NOW, dice).nextAt - NOW;
    expect([at(0), at(1)]).toEqual([4_250, 5_750]);
  });

  it.each([
    ["an hour", HOUR, HOUR],
    ["less than it would wait anyway", SECOND, 5 * SECOND],
    ["a year: a day is what it gets", 365 * DAY, DAY],
  ])("waits as it is asked to: %s", (_name, waitMs, wait) =>
    expect(settled(begun(delivery("a")), { ...FAILED, waitMs }, NOW, 0.5).nextAt).toBe(NOW + wait),
  );

  it("is replayed from the beginning under its own id", () => {
    const dead = settled(begun(delivery("a")), { outcome: "refused", said: "400" }, NOW, 0.5);
    expect(replayed(dead, NOW + DAY)).toMatchObject({ id: "r:a", state: "waiting", attempts: 0, nextAt: NOW + DAY });
  });
});

describe("a receiver that fails", () => {
  const after = (count: number): Breaker => {
    let breaker = CLOSED;
    for (let i = 0; i < count; i++) breaker = breakerAfter(breaker, FAILED, NOW);
    return breaker;
  };

  it.each([
    [4, 0],
    [5, MINUTE],
    [6, 2 * MINUTE],
    [9, 16 * MINUTE],
    [11, HOUR],
    [500, HOUR],
  ])("%i times is left alone for %i ms", (count, wait) => expect(after(count).openUntil - NOW).toBe(wait));

  it("and asks for patience is left alone at once, but not for ever", () => {
    expect(breakerAfter(CLOSED, { ...FAILED, waitMs: 2 * MINUTE }, NOW).openUntil).toBe(NOW + 2 * MINUTE);
    expect(breakerAfter(CLOSED, { ...FAILED, waitMs: 90 * DAY }, NOW).openUntil).toBe(NOW + DAY);
  });

  it("and answers is as good as new, whatever it answers", () => {
    for (const outcome of ["delivered", "refused"] as const)
      expect(breakerAfter(after(9), { outcome, said: "" }, NOW)).toEqual(CLOSED);
  });
});

describe("what goes first", () => {
  const on = new Map([["r", CLOSED]]);
  const step = (key: string, subject: string, number: number, facts: Partial<Delivery> = {}): Delivery =>
    delivery(key, { number, message: message({ key, subject }), ...facts });
  const keys = (chosen: readonly Delivery[]): readonly string[] => chosen.map(({ id }) => id);

  it("is each thing's oldest step: an end that is not to be overtaken waits for its beginning", () => {
    const waiting = [step("a1", "a", 1, { nextAt: NOW + HOUR }), step("a2", "a", 2), step("b1", "b", 3)];
    expect(keys(toTry(waiting, on, NOBODY, NOW))).toEqual(["r:b1"]);
    expect(nextTryAt(waiting, on, new Set(["r:b1"]))).toBe(NOW + HOUR);
  });

  it("is two to one receiver and five in all, so that one that hangs leaves room", () => {
    const many = ["r", "s", "t"].flatMap((receiver) =>
      [1, 2, 3].map((n) => step(`${receiver}${n}`, `${receiver}${n}`, n, { id: `${receiver}${n}`, receiver })),
    );
    const three = new Map(["r", "s", "t"].map((id) => [id, CLOSED]));
    expect(keys(toTry(many, three, NOBODY, NOW))).toEqual(["r1", "r2", "s1", "s2", "t1"]);
    expect(keys(toTry(many, three, new Set(["r1", "r2", "s1"]), NOW))).toEqual(["s2", "t1"]);
  });

  it("is one alone where the last failed, and none where a receiver is left alone or is none any more", () => {
    const waiting = [step("a", "a", 1), step("b", "b", 2)];
    expect(keys(toTry(waiting, new Map([["r", { failures: 1, openUntil: 0 }]]), NOBODY, NOW))).toEqual(["r:a"]);
    const open = new Map([["r", { failures: 5, openUntil: NOW + MINUTE }]]);
    expect(toTry(waiting, open, NOBODY, NOW)).toEqual([]);
    expect(nextTryAt(waiting, open, NOBODY)).toBe(NOW + MINUTE);
    expect(toTry(waiting, new Map(), NOBODY, NOW)).toEqual([]);
    expect(nextTryAt(waiting, new Map(), NOBODY)).toBe(Infinity);
  });
});

describe("who is told", () => {
  it("is whoever asked; a maintenance wakes nobody at PagerDuty", () => {
    const topics = ["incident", "maintenance"] as const;
    const maintenance = message({ topic: "maintenance" });
    expect(wants({ kind: "slack", topics }, maintenance)).toBe(true);
    expect(wants({ kind: "pagerduty", topics }, maintenance)).toBe(false);
    expect(wants({ kind: "slack", topics: ["incident"] }, maintenance)).toBe(false);
    expect(wants({ kind: "pagerduty", topics: [] }, message({ topic: "test" }))).toBe(true);
  });

  it("checks with two secrets for a day, and never with three", () => {
    const first = { url: "", keys: [{ secret: "one", until: null }] };
    const third = withNewKey(withNewKey(first, "two", NOW), "three", NOW);
    expect(keysAt(third, NOW)).toEqual(["three", "two"]);
    expect(keysAt(third, NOW + DAY)).toEqual(["three"]);
  });
});

describe("what is told", () => {
  const page = {
    id: "p",
    name: "Acme",
    timeZone: "Etc/UTC",
    createdAt: 0,
    brand: { origin: "https://status.acme.com" },
  };
  const component = (id: string, isHidden: boolean): Component => ({
    id,
    name: id,
    group: "",
    description: "",
    services: [],
    rule: "any",
    position: 1,
    createdAt: 0,
    updatedAt: 0,
    ...(isHidden && { hidden: true }),
  });
  const components = [component("checkout", false), component("ledger", true)];
  const facts = { page, components };

  function incident(named: readonly string[], over: Partial<Incident> = {}): Incident {
    const affected = named.map((id) => ({ component: id, name: id, from: null, to: "major_outage" as const }));
    const said = { id: "u", body: "  We look at it. ", createdAt: NOW, updatedAt: NOW, displayAt: NOW, by: "ada" };
    const update = { ...said, status: "investigating" as const, affected };
    const times = { createdAt: NOW, updatedAt: NOW, startedAt: NOW, writtenAt: NOW };
    return { id: "i", name: "Slow", impact: null, ...times, updates: [update as never], ...over };
  }

  it("is what visitors read, and where they read on", () =>
    expect(incidentMessage(incident(["checkout"]), facts)).toMatchObject({
      key: "incident:i:u",
      subject: "incident:i",
      step: "investigating",
      isFirst: true,
      isOver: false,
      impact: "critical",
      text: "We look at it.",
      components: ["checkout"],
      url: "https://status.acme.com/incidents/i",
    }));

  it("names nothing that is hidden, and is nothing where all of it is", () => {
    expect(JSON.stringify(incidentMessage(incident(["checkout", "ledger"]), facts))).not.toContain("ledger");
    expect(incidentMessage(incident(["ledger"]), facts)).toBeNull();
  });

  it("is no news where it was over long before it was written down", () => {
    const { updates } = incident(["checkout"]);
    const over = updates.map((one) => ({ ...one, status: "resolved" as const, displayAt: NOW - 2 * HOUR }));
    expect(incidentMessage(incident([], { updates: over }), facts)).toBeNull();
    // It was open a while ago: whoever was told then is told now.
    expect(incidentMessage(incident([], { updates: over, createdAt: NOW - 3 * HOUR }), facts)).toMatchObject({
      isOver: true,
    });
  });

  it("is short: the page has the rest", () => {
    const { updates } = incident([]);
    const long = updates.map((one) => ({ ...one, body: "x".repeat(25_000) }));
    expect(incidentMessage(incident([], { updates: long }), facts)?.text?.length).toBeLessThanOrEqual(2_801);
  });

  it("is of a maintenance what its notice says, and never why it is overdue", () => {
    const notice: Notice = {
      key: "m:1:overdue",
      number: 1,
      maintenance: "m",
      phase: "overdue",
      dueAt: NOW,
      at: NOW,
      outcome: "out",
      name: "Upgrade",
      startsAt: NOW,
      endsAt: NOW + HOUR,
      emergency: false,
      detail: "ledger does not answer",
    };
    const of = {
      id: "m",
      name: "Upgrade",
      by: "ada",
      createdAt: 0,
      updatedAt: 0,
      startsAt: NOW,
      endsAt: NOW,
      endedAt: null,
    };
    const told = noticeMessage(notice, { ...of, components: ["checkout", "ledger"] }, facts);
    expect(told).toMatchObject({ subject: "maintenance:m", step: "overdue", text: null, components: ["checkout"] });
    expect(noticeMessage({ ...notice, outcome: "skipped" }, of, facts)).toBeNull();
    expect(noticeMessage(notice, { ...of, components: ["ledger"] }, facts)).toBeNull();
    expect(noticeMessage({ ...notice, phase: "completed" }, of, facts)).toMatchObject({ isOver: true });
  });
});
