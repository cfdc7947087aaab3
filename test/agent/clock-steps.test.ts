/** Ten minutes of an agent whose wall clock is set wrong for ten seconds: nothing is lost, closed twice or ended early. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createClock, type Clock } from "../../agent/clock.ts";
import { nextStep, NO_MEMORY, type TargetView } from "../../agent/core/lease-step.ts";
import { remember, type ReadingHistory } from "../../agent/core/readings.ts";
import { createPrometheusSource } from "../../agent/source/prometheus.ts";
import { createScrapeSource, nextScrapeAt } from "../../agent/source/scrape.ts";
import { Spool } from "../../agent/spool.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { leasesConfig } from "./cluster.ts";

const NOW = 1_795_392_000_000;
const STORY_S = 600;
/** The clock is wrong from here, over a whole minute, ... */
const WRONG_FROM_S = 295;
/** ... to here. */
const WRONG_UNTIL_S = 305;
/** When the lease in force ends. */
const EXPIRES_S = 420;
const LABELS = {
  reporter: "destination",
  destination_service_namespace: "shop",
  destination_service_name: "cart",
  response_code: "200",
};

let folder = "";
let servers: Server[] = [];
let second = 0;
let aheadMs = 0;
const truth = (): number => NOW + second * SECOND;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "steps-"));
  [servers, second, aheadMs] = [[], 0, 0];
});
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true, force: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** One request a second, as a proxy counts them. */
const proxy: RequestListener = (_request, response) => {
  const labels = Object.entries(LABELS).map(([name, value]) => `${name}="${value}"`);
  response.end(`istio_requests_total{${labels.join()}} ${second}\n`);
};

/** The same, as Prometheus tells it: of what has not been yet it knows nothing. */
const prometheus: RequestListener = (request, response) => {
  const at = Number(new URL(request.url ?? "", "http://p").searchParams.get("time")) * SECOND;
  const result = at <= truth() ? [{ metric: { ...LABELS, le: "+Inf" }, value: [at / SECOND, "60"] }] : [];
  response.end(JSON.stringify({ status: "success", data: { resultType: "vector", result } }));
};

const view: TargetView = {
  replicas: 1,
  statusReplicas: 1,
  readyReplicas: 1,
  observed: true,
  maintenance: "true",
  mark: { generation: 5, expiresAt: NOW + EXPIRES_S * SECOND, priorReplicas: 3, appliedReplicas: 1 },
  seenGeneration: 5,
  replicasBy: null,
};

function endsLease(clock: Clock): boolean {
  const rivals = { autoscalers: [], rollout: false, owners: [] };
  const facts = {
    config: leasesConfig(),
    ref: "shop/checkout",
    wish: null,
    view,
    memory: NO_MEMORY,
    changes: [],
    rivals,
  };
  return nextStep({ ...facts, isTimeKnown: clock.isConfirmed(20 * SECOND) }, clock.now()).act === "restore";
}

interface Told {
  /** Ends of the minutes that Prometheus' reader closed, s. */
  readonly minutes: number[];
  /** [start, span, requests] of each window that the scraper closed, s. */
  readonly windows: (readonly [number, number, number])[];
  /** Records that the spool gave up. */
  readonly gaps: number;
  /** The longest time without a reading that was new, s. */
  readonly longestSilence: number;
  /** When the lease was ended, s. */
  readonly ended: number | null;
}

/** Plays the story. `isHeard`: whether the edge answers while the clock is wrong. */
async function play(stepMs: number, isHeard: boolean): Promise<Told> {
  const clock = createClock(() => truth() + aheadMs, { monotonic: () => second * SECOND, dataDir: folder });
  const spool = new Spool({
    dataDir: folder,
    fail(message) {
      throw new Error(message);
    },
  });
  const surely = (): number | null => (clock.isConfirmed() ? clock.now() : null);
  const shared = { intervalMs: 10 * SECOND, now: () => clock.now(), isConfirmed: () => clock.isConfirmed() };
  const minutes: number[] = [];
  const mesh = createPrometheusSource({
    ...shared,
    config: { url: await serve(prometheus), scrapeInterval: 15 * SECOND, reporter: "destination" },
    sink: {
      closedUntil: () => (minutes.length === 0 ? null : NOW + (minutes.at(-1) ?? 0) * SECOND),
      close(windows, until) {
        if (windows.length > 0) minutes.push((until - NOW) / SECOND);
        return true;
      },
    },
  });
  const scraper = createScrapeSource({
    ...shared,
    config: { interval: 5 * SECOND, targets: [await serve(proxy)], reporter: "destination" },
    dataDir: folder,
    sink: {
      closedUntil: () => spool.closedUntil,
      close: (windows, until) => spool.append(windows, surely(), until),
    },
  });
  let history: ReadingHistory = new Map();
  let [seen, seenAt, longestSilence] = [0, 20, 0];
  let ended: number | null = null;
  let planned = { at: clock.now(), second: 0 };
  for (second = 0; second <= STORY_S; second++) {
    const isWrong = second >= WRONG_FROM_S && second < WRONG_UNTIL_S;
    aheadMs = isWrong ? stepMs : 0;
    if (second % 10 === 8 && (isHeard || !isWrong)) clock.learn(clock.raw(), clock.raw(), truth());
    if (second === planned.second) {
      await scraper.scrape(planned.at);
      const at = nextScrapeAt(clock.now(), 5 * SECOND);
      planned = { at, second: second + (at - clock.now()) / SECOND };
    }
    if (second % 2 === 0) await mesh.closeDue();
    if (second % 10 === 7) {
      // One reading as the scraper has it, and one stamped with whatever the clock says.
      const stamped = { at: clock.now(), spanMs: 20 * SECOND, requests: 20, errors: 0, p95: null };
      const latest = new Map([...(await scraper.collect()), ["shop/stamped", { reading: stamped, latency: null }]]);
      history = remember(history, latest, clock.now(), 10 * SECOND);
      spool.append([], surely());
      const newestOf = (service: string): number => history.get(service)?.readings.at(-1)?.at ?? 0;
      const newest = Math.min(newestOf("shop/cart"), newestOf("shop/stamped"));
      if (newest > seen && Math.max(newestOf("shop/cart"), newestOf("shop/stamped")) <= truth())
        [seen, seenAt] = [newest, second];
      longestSilence = Math.max(longestSilence, second - seenAt);
    }
    if (ended === null && endsLease(clock)) ended = second;
  }
  const windows = spool
    .heldWindows()
    .map(({ at, spanMs, requests }) => [(at - NOW) / SECOND, spanMs / SECOND, requests] as const)
    .toSorted(([a], [b]) => a - b);
  const gaps = spool.batch(spool.next, 500, 1e9).items.filter(({ kind }) => kind === "gap").length;
  spool.close();
  return { minutes, windows, gaps, longestSilence, ended };
}

describe.each([
  ["an hour ahead", HOUR],
  ["an hour behind", -HOUR],
  ["eight days ahead", 8 * DAY],
])("a clock that is %s for ten seconds", (_name, stepMs) => {
  it.each([
    ["answers meanwhile", true],
    ["does not answer meanwhile", false],
  ])("costs nothing where the edge %s", async (_answer, isHeard) => {
    const { minutes, windows, gaps, longestSilence, ended } = await play(stepMs, isHeard);
    const first = minutes[0] ?? 0;
    expect(minutes).toEqual(minutes.map((_, i) => first + 60 * i));
    expect(minutes.at(-1)).toBe(STORY_S - 60);

    // The scraper's windows lie end to end, and each holds one request a second.
    expect(windows.map(([at]) => at)).toEqual([
      windows[0]?.[0],
      ...windows.slice(0, -1).map(([at, span]) => at + span),
    ]);
    expect(windows.map(([, span, requests]) => requests - span)).toEqual(windows.map(() => 0));
    expect([windows[0]?.[0], windows.at(-1)?.[0]]).toEqual([60, STORY_S - MINUTE / SECOND]);

    expect(gaps).toBe(0);
    // Two looks fall into the doubt: one after the step, one after the step back. Then readings go on.
    expect(longestSilence).toBeLessThanOrEqual(30);
    expect(ended).toBeGreaterThanOrEqual(EXPIRES_S);
    expect(ended).toBeLessThanOrEqual(EXPIRES_S + 30);
  });
});
