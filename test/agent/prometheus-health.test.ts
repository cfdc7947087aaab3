/** What is told of a Prometheus' own health: the rule on a time line, and the reader against a real one. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { is } from "valibot";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  EMPTY_HEALTH,
  healthReport,
  OPEN_MAX,
  stepHealth,
  type HealthBook,
  type HealthLook,
} from "../../agent/core/prometheus-health.ts";
import { EventDoor } from "../../agent/door.ts";
import { lookAtHealth, startPrometheusHealth } from "../../agent/source/prometheus-health.ts";
import { saveHealth } from "../../agent/source/prometheus-health-file.ts";
import { instant } from "../../agent/source/query.ts";
import { inTurn } from "../../agent/turn.ts";
import { HealthReportSchema } from "../../protocol/health.ts";
import { RecordSchema, type EventRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE } from "../../protocol/time.ts";
import { eventually, freePort, type RunningProgram } from "../support/process.ts";
import { startPrometheus } from "../support/prometheus.ts";

const WITHIN_MS = 30_000;
/** Series of the metric that grew. */
const COUNT = 3_000;
const START = Date.UTC(2026, 10, 23, 12);
const NOTHING: HealthLook = { targets: null, rules: null, series: null };

/** A look by what was seen of one target and one rule, and by the series of metrics. */
function target(health: "up" | "down" | "unknown"): HealthLook {
  return { ...NOTHING, targets: [{ name: "mesh a:1", health, error: health === "down" ? "refused" : "" }] };
}
function rule(health: "ok" | "err" | "unknown"): HealthLook {
  return { ...NOTHING, rules: [{ name: "slo burn", health, error: health === "err" ? "many-to-many" : "" }] };
}
function series(head: number | null, counts: Readonly<Record<string, number>> = {}): HealthLook {
  const top = Object.entries(counts).map(([metric, count]) => ({ metric, series: count }));
  return { ...NOTHING, series: { head, top } };
}
/** Ten names, of which `big` has as many as is said and the smallest 100. */
function ten(big: number | null): HealthLook {
  const others = Object.fromEntries(
    Array.from({ length: big === null ? 10 : 9 }, (_, i) => [`m${i}`, 1_000 - i * 100]),
  );
  return series(null, { ...(big === null ? {} : { big }), ...others });
}

type Look = readonly [minute: number, look: HealthLook];

/** Looks at these minutes; what was told, as "minute kind subject". */
function play(...looks: readonly Look[]): readonly string[] {
  let book: HealthBook = EMPTY_HEALTH;
  return looks.flatMap(([minute, look]) => {
    const step = stepHealth(book, look, START + minute * MINUTE);
    book = step.book;
    return step.told.map(({ kind, subject }) => `${minute} ${kind.replace("prometheus.", "")} ${subject}`);
  });
}

describe("each thing is told once when it begins and once when it ends", () => {
  const day = 24 * 60;
  it.each<readonly [string, readonly Look[], readonly string[]]>([
    [
      "a target that was down once is not told",
      [
        [0, target("down")],
        [5, target("up")],
        [10, target("down")],
      ],
      [],
    ],
    [
      "a target that was down twice in a row is, until it is up",
      [
        [0, target("down")],
        [5, target("down")],
        [10, target("down")],
        [15, target("up")],
        [20, target("up")],
      ],
      ["5 target_down mesh a:1", "15 target_up mesh a:1"],
    ],
    [
      "a look that brought nothing neither ends nor begins it",
      [
        [0, target("down")],
        [5, NOTHING],
        [10, target("down")],
        [15, NOTHING],
        [20, target("down")],
        [25, target("unknown")],
      ],
      ["10 target_down mesh a:1"],
    ],
    [
      "a target that is gone is not down any more",
      [
        [0, target("down")],
        [5, target("down")],
        [10, { ...NOTHING, targets: [] }],
      ],
      ["5 target_down mesh a:1", "10 target_up mesh a:1"],
    ],
    [
      "a rule that fails, until it works",
      [
        [0, rule("unknown")],
        [5, rule("err")],
        [10, rule("err")],
        [15, rule("unknown")],
        [20, rule("ok")],
      ],
      ["5 rule_failing slo burn", "20 rule_healed slo burn"],
    ],
    [
      "a constant size is nothing, however large",
      [
        [0, series(9e6, { a: 8e6 })],
        [day, series(9e6, { a: 8e6 })],
      ],
      [],
    ],
    [
      "a metric with half as many more as a day ago",
      [
        [0, series(null, { a: 4_000 })],
        [day, series(null, { a: 5_999 })],
        [day + 5, series(null, { a: 6_000 })],
      ],
      [`${day + 5} series_growing a`],
    ],
    [
      "fewer than 1,000 more are not worth a word",
      [
        [0, series(null, { a: 100 })],
        [day, series(null, { a: 1_099 })],
      ],
      [],
    ],
    [
      "it has settled when less than half of such a growth is left",
      [
        [0, series(null, { a: 4_000 })],
        [day, series(null, { a: 6_000 })],
        [day + 5, series(null, { a: 5_001 })],
        [day + 10, series(null, { a: 4_999 })],
      ],
      [`${day} series_growing a`, `${day + 10} series_settled a`],
    ],
    [
      "a day later the new size is what is usual",
      [
        [0, series(null, { a: 4_000 })],
        [day, series(null, { a: 9_000 })],
        [2 * day, series(null, { a: 9_000 })],
      ],
      [`${day} series_growing a`, `${2 * day} series_settled a`],
    ],
    [
      "all series together may rise by less than four fifths",
      [
        [0, series(10_000)],
        [day, series(17_999)],
        [day + 5, series(18_000)],
      ],
      [`${day + 5} series_growing *`],
    ],
    [
      "a name that was not among ten had at most as many as the smallest",
      [
        [0, ten(null)],
        [day, ten(1_099)],
      ],
      [],
    ],
    [
      "and where that is surely less, it has grown",
      [
        [0, ten(null)],
        [day, ten(1_100)],
      ],
      [`${day} series_growing big`],
    ],
    [
      "nothing is known of growth before the first hour is old",
      [
        [0, series(null, { a: 10 })],
        [59, series(null, { a: 9_000 })],
      ],
      [],
    ],
    [
      "and an explosion need not wait for a day",
      [
        [0, series(null, { a: 10 })],
        [60, series(null, { a: 9_000 })],
      ],
      ["60 series_growing a"],
    ],
    [
      "what a clock counted that lay ahead is forgotten, and counts begin anew",
      [
        [9_000, series(null, { a: 10 })],
        [0, series(null, { a: 10 })],
        [90, series(null, { a: 9_000 })],
      ],
      ["90 series_growing a"],
    ],
  ])("%s", (_name, looks, told) => expect(play(...looks)).toEqual(told));

  it("a cluster of dead targets is told by the first few, and counted in full", () => {
    const targets = Array.from(
      { length: 3_000 },
      (_, i) => ({ name: `mesh a:${i}`, health: "down", error: "" }) as const,
    );
    const look = { ...NOTHING, targets };
    const first = stepHealth(EMPTY_HEALTH, look, START);
    const { book, told } = stepHealth(first.book, look, START + MINUTE);
    expect([told.length, stepHealth(book, look, START + 2 * MINUTE).told.length]).toEqual([OPEN_MAX, 0]);
    const report = healthReport(look, book, null, START);
    expect(report).toMatchObject({ targets: { up: 0, down: 3_000 }, rules: null, series: null });
    expect(is(HealthReportSchema, { prometheus: report, workloads: null })).toBe(true);
  });

  it("a book of months holds no more than a day", () => {
    let book = EMPTY_HEALTH;
    for (let at = START; at < START + 60 * DAY; at += 20 * MINUTE) book = stepHealth(book, ten(5), at).book;
    expect(book.samples.length).toBe(26);
  });
});

it("an edge of before is not told: its events wait until it knows them", () => {
  const taken: string[] = [];
  const door = new EventDoor(({ kind }) => taken.push(kind));
  const event: EventRecord = { kind: "prometheus.target_down", id: "a".repeat(32), at: START, subject: "a", body: {} };
  door.offer(event);
  door.hear(["certificates", "workloads"]);
  expect(taken).toEqual([]);
  door.hear(["health"]);
  expect(taken).toEqual([event.kind]);
});

describe("with a real Prometheus", () => {
  let folder = "";
  let mesh: Server;
  let prometheus: { readonly program: RunningProgram; readonly url: string };
  let deadPort = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "prometheus-health-"));
    mesh = createServer((request, response): unknown => {
      if (request.url?.startsWith("/empty/")) return response.end('{"status":"success","data":{"activeTargets":[]}}');
      if (request.url !== "/metrics") return response.writeHead(404).end("404 page not found");
      return response.end(Array.from({ length: COUNT }, (_, i) => `shop_carts{id="${i}"} 1\n`).join(""));
    });
    await new Promise<void>((resolve) => mesh.listen(0, "127.0.0.1", resolve));
    deadPort = await freePort();
    const dead = {
      job_name: "dead",
      params: { token: ["secret"] },
      static_configs: [{ targets: [`127.0.0.1:${deadPort}`] }],
    };
    const rules = [
      { record: "carts", expr: "sum(shop_carts)" },
      { record: "broken", expr: "shop_carts * on() shop_carts" },
    ];
    prometheus = await startPrometheus(folder, `${meshUrl()}/metrics`, "1s", [dead], rules);
    // It counts names at most twice a minute: not before they are there.
    const isScraped = async (): Promise<boolean> => {
      const answer = await instant(prometheus.url, "count(shop_carts)", Date.now(), 1_000);
      return answer.ok && answer.value.rows[0]?.value === COUNT;
    };
    await eventually(isScraped, WITHIN_MS, "a first scrape");
  }, 2 * WITHIN_MS);

  afterAll(async () => {
    await prometheus?.program.stop();
    mesh?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function meshUrl(): string {
    return `http://127.0.0.1:${(mesh.address() as AddressInfo).port}`;
  }

  function start(events: EventRecord[]): ReturnType<typeof startPrometheusHealth> {
    const facts = { url: prometheus.url, cluster: "eu-1", dataDir: folder, inTurn: inTurn(), paceMs: 200 };
    return startPrometheusHealth({
      ...facts,
      now: Date.now,
      isConfirmed: () => true,
      onEvent: (event) => events.push(event),
    });
  }

  it(
    "a dead target, a broken rule and a metric that grew are told once, also over a restart",
    { timeout: 60_000 },
    async () => {
      const top = [{ metric: "shop_carts", series: 10 }];
      saveHealth(folder, { ...EMPTY_HEALTH, samples: [{ at: Date.now() - 23 * HOUR, head: 500, top }] });
      const events: EventRecord[] = [];
      const told = (): readonly string[] => events.map(({ kind, subject }) => `${kind} ${subject}`).toSorted();
      const troubles = [
        "prometheus.rule_failing test broken",
        "prometheus.series_growing *",
        "prometheus.series_growing shop_carts",
        `prometheus.target_down dead 127.0.0.1:${deadPort}`,
      ];
      const before = start(events);
      await eventually(() => events.length >= 4, WITHIN_MS, "four troubles");
      expect(told()).toEqual(troubles);
      const report = before.report();
      expect(report).toMatchObject({
        targets: { up: 1, down: 1, unknown: 0, named: [`dead 127.0.0.1:${deadPort}`] },
        rules: { ok: 1, failing: 1, named: ["test broken"] },
        series: { headBefore: 500, growing: ["*", "shop_carts"] },
        detail: null,
      });
      expect(report?.series?.top[0]).toEqual({ metric: "shop_carts", series: COUNT, before: 10 });
      expect(is(HealthReportSchema, { prometheus: report, workloads: null })).toBe(true);
      expect(events.every((event) => is(RecordSchema, event))).toBe(true);
      expect(JSON.stringify(events)).toContain("connection refused");
      expect(JSON.stringify(events)).not.toContain("secret");
      await before.stop();

      const revived = createServer((_request, response) => void response.end("up_again 1\n"));
      await new Promise<void>((resolve) => revived.listen(deadPort, "127.0.0.1", resolve));
      const after = start(events);
      await eventually(() => events.length >= 5, WITHIN_MS, "the target again").finally(() => revived.close());
      expect(told()).toEqual([...troubles, `prometheus.target_up dead 127.0.0.1:${deadPort}`].toSorted());
      await after.stop();
    },
  );

  it("what a managed one does not tell is unknown, and said to be", async () => {
    const bare = await lookAtHealth({ url: meshUrl(), inTurn: inTurn() });
    expect(bare.look).toEqual(NOTHING);
    expect(bare.faults).toEqual(["targets: HTTP 404", "rules: HTTP 404", "series: HTTP 404"]);
    const other = await lookAtHealth({ url: `${meshUrl()}/empty`, inTurn: inTurn() });
    expect(other.look.targets).toBeNull();
    expect(other.faults[0]).toBe("targets: it scrapes none itself");
  });
});
