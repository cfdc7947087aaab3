/** Learning from a real Prometheus, and the detector at work on what comes after it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createAnomalies,
  readNotes,
  startAnomalies,
  type Anomalies,
  type AnomaliesOptions,
} from "../../agent/anomalies.ts";
import { readModel, retrain, rollBack } from "../../agent/baseline.ts";
import { loadConfig, type AgentConfig } from "../../agent/config.ts";
import { POINT_MS } from "../../agent/core/golden.ts";
import { parseLeftOut, previewThreshold, retrainBaseline, rollBackBaseline } from "../../agent/retrain.ts";
import { queryGolden } from "../../agent/source/golden.ts";
import { RecordSchema, type EventRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { is } from "valibot";
import { Dice } from "../simulator/dice.ts";
import { freePort, ROOT, RunningProgram } from "../support/process.ts";
import { program } from "../support/programs.ts";

/** What Prometheus holds ends here, at a whole point; in its last half hour cart fails. */
const END = Math.floor((Date.now() - HOUR) / POINT_MS) * POINT_MS;
const FAILS_FROM = END - HOUR / 2;
const SCRAPE_MS = 2 * MINUTE;
/** Three days of the seven, because more take long to be written. */
const STEPS = (3 * DAY) / SCRAPE_MS;

const folder = mkdtempSync(join(tmpdir(), "baseline-"));
let prometheus: RunningProgram;
let config: { url: string; scrapeInterval: number; reporter: "destination" };

/** Two services of which one is a day old only; 10 requests a second, of which few fail, in 20 ms. */
function history(): string {
  const dice = new Dice(1);
  const lines = new Map<string, string[]>();
  const counters = new Map<string, number>();
  const add = (name: string, labels: string, at: number, by: number): void => {
    const series = `${name}{reporter="destination",destination_service_namespace="shop",${labels}}`;
    counters.set(series, (counters.get(series) ?? 0) + by);
    const of = lines.get(name) ?? [];
    lines.set(name, of);
    of.push(`${series} ${counters.get(series)} ${at / SECOND}`);
  };
  for (let i = 0; i <= STEPS; i++) {
    const at = END - (STEPS - i) * SCRAPE_MS;
    for (const name of ["cart", "young"]) {
      if (name === "young" && at < END - 20 * HOUR) continue;
      const requests = 1_100 + dice.below(200);
      const failed = at > FAILS_FROM && name === "cart" ? 600 : dice.below(10);
      const service = `destination_service_name="${name}"`;
      add("istio_requests_total", `${service},response_code="200"`, at, requests - failed);
      add("istio_requests_total", `${service},response_code="503"`, at, failed / 2);
      add("istio_requests_total", `${service},response_code="200",grpc_response_status="14"`, at, failed / 2);
      const le = [["10", 0.2 * requests] as const, ["25", requests] as const, ["+Inf", requests] as const];
      for (const [bound, count] of le)
        add("istio_request_duration_milliseconds_bucket", `${service},le="${bound}"`, at, count);
    }
  }
  return `${[...lines.values()].flat().join("\n")}\n# EOF\n`;
}

beforeAll(async () => {
  const home = join(folder, "prometheus");
  mkdirSync(home);
  writeFileSync(join(home, "week.om"), history());
  writeFileSync(join(home, "prometheus.yml"), "{}");
  const made = spawnSync("promtool", [
    "tsdb",
    "create-blocks-from",
    "openmetrics",
    join(home, "week.om"),
    join(home, "data"),
  ]);
  if (made.status !== 0) throw new Error(made.stderr.toString());
  const port = await freePort();
  config = { url: `http://127.0.0.1:${port}`, scrapeInterval: 15 * SECOND, reporter: "destination" };
  prometheus = new RunningProgram({
    command: [
      program("prometheus"),
      `--config.file=${home}/prometheus.yml`,
      `--storage.tsdb.path=${home}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    logFile: join(home, "prometheus.log"),
    isReady: async () => (await fetch(`${config.url}/-/ready`)).ok,
  });
  await prometheus.start();
});

afterAll(async () => {
  await prometheus.stop();
  rmSync(folder, { recursive: true, force: true });
});

function fresh(): string {
  return mkdtempSync(join(folder, "data-"));
}

/** A file of the agent's that names the data folder and this Prometheus. */
function configured(dataDir: string): { readonly file: string; readonly config: AgentConfig } {
  const file = join(dataDir, "agent.yaml");
  const source = `{ prometheus: { url: "${config.url}" } }`;
  writeFileSync(file, `edge: http://127.0.0.1:9\ncluster: demo\ndataDir: ${dataDir}\nsources: ${source}\n`);
  const loaded = loadConfig(file);
  if (!loaded.ok) throw new Error("the configuration is wrong");
  return { file, config: loaded.value };
}

it("three queries tell of every service the rate, the failures of both kinds, and the p95", async () => {
  const read = await queryGolden(config, END - HOUR, END, 10_000);
  if (!read.ok) throw new Error(read.failure);
  const cart = read.value.services.get("shop/cart");
  expect([...read.value.services.keys()]).toEqual(["shop/cart", "shop/young"]);
  expect([cart?.rate.length, cart?.rate[6], cart?.p95Ms[6]]).toEqual([
    13,
    expect.closeTo(10, 0),
    expect.closeTo(24, 0),
  ]);
  expect((cart?.errors.at(-1) ?? 0) / (cart?.rate.at(-1) ?? 1)).toBeCloseTo(0.5, 1);
});

describe("a baseline", () => {
  it("is learnt by the agent's command, kept with what was left out, and put back", async () => {
    const dataDir = fresh();
    const { file, config: loaded } = configured(dataDir);
    const incident = [END - 2 * DAY, END - 2 * DAY + HOUR].map((at) => new Date(at).toISOString().slice(0, 19) + "Z");
    const without = `${incident.join("/")}=shop/cart`;
    const args = ["agent/main.ts", "retrain-baseline", "--config", file, "--without", without];
    const first = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
    expect([first.status, first.stderr]).toEqual([0, ""]);
    expect(first.stdout).toMatch(
      /^read day 1 of 7\n[^]*read day 7 of 7\nleft out \S+ to \S+ of shop\/cart: left out by hand\nbaseline 1: 1 services, \d+ points, /,
    );
    expect(readModel(dataDir)?.leftOut).toHaveLength(1);
    const lines: string[] = [];
    const print = (line: string): void => void lines.push(line);
    expect(await retrainBaseline(loaded, [], Date.now(), print)).toBe(true);
    expect(lines.join("\n")).toMatch(
      /left out by hand\nbaseline 2: [^]*it would have raised \d+ anomalies, the one before it \d+\n/,
    );
    expect(rollBackBaseline(loaded, print)).toBe(true);
    expect(lines.at(-1)).toMatch(/^baseline 1, learnt until \S+, is in use again$/);
    expect([readModel(dataDir)?.version, rollBack(dataDir).ok]).toEqual([1, true]);
    expect(readModel(dataDir)?.version).toBe(2);
  });

  it.each([
    ["2026-11-23T10:00:00Z/2026-11-23T12:00:00Z", { service: null, to: Date.UTC(2026, 10, 23, 12) }],
    ["2026-11-23T10:00:00Z/2026-11-23T12:00:00Z=shop/cart", { service: "shop/cart" }],
    ["2026-11-23T12:00:00Z/2026-11-23T10:00:00Z", null],
    ["2026-11-23T12:00:00Z", null],
    ["yesterday/today", null],
  ])("a time to leave out, %s, is read", (text, expected) => {
    const read = parseLeftOut(text);
    expect(read.ok ? read.value : null).toEqual(expected && expect.objectContaining(expected));
  });

  it("that cannot be learnt changes nothing and says why", async () => {
    const dataDir = fresh();
    const given = { prometheus: config, dataDir, leftOut: [], progress: () => {} };
    expect(await retrain({ ...given, now: END })).toMatchObject({ ok: true });
    expect(await retrain({ ...given, now: END - 2.5 * DAY })).toMatchObject({
      ok: false,
      failure: expect.stringContaining("less than a day of every service"),
    });
    const nowhere = { ...config, url: "http://127.0.0.1:59999" };
    expect(await retrain({ ...given, prometheus: nowhere, now: END })).toMatchObject({
      ok: false,
      failure: expect.stringContaining("connection refused"),
    });
    expect([readModel(dataDir)?.version, rollBack(dataDir).ok]).toEqual([1, false]);
  });

  it("says what another threshold would have raised in the week, and changes nothing", async () => {
    const dataDir = fresh();
    const lines: string[] = [];
    const loaded = configured(dataDir).config;
    const preview = (threshold: number): Promise<boolean> =>
      previewThreshold(loaded, threshold, END, (line) => void lines.push(line));
    expect([await preview(0.9), lines]).toEqual([false, [expect.stringContaining("no baseline is in use yet")]]);
    await retrain({ prometheus: config, dataDir, now: END - 2 * HOUR, leftOut: [], progress: () => {} });
    expect([await preview(0.99), await preview(0.6)]).toEqual([true, true]);
    const counts = lines.flatMap(
      (line) => /would have raised (\d+) instead of (\d+)/.exec(line)?.slice(1).map(Number) ?? [],
    );
    const [strict = 0, now = 0, loose = 0, again = 0] = counts;
    // The hour in which half of cart's requests fail is raised by any of them.
    expect([strict >= 1, strict <= now, now <= loose, now === again]).toEqual([true, true, true, true]);
    expect(lines.at(-1)).toMatch(/^ {2}shop\/cart: \d+ instead of \d+$/);
    expect(readModel(dataDir)?.version).toBe(1);
  });

  it("whose file was changed is none", async () => {
    const dataDir = fresh();
    await retrain({ prometheus: config, dataDir, now: END, leftOut: [], progress: () => {} });
    const path = join(dataDir, "baseline.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"version":1,"from"', '"version":7,"from"'));
    expect(readModel(dataDir)).toBeNull();
  });
});

describe("the agent", () => {
  let asked: Omit<AnomaliesOptions, "dataDir" | "now" | "onEvent" | "log">;
  beforeAll(() => {
    const time = { intervalMs: 1, isConfirmed: () => true };
    asked = { prometheus: config, threshold: 0.85, cluster: "demo", ...time, maintained: () => new Set() };
  });

  /** Looks once a minute of pretended time from two hours before the end on; what it raised. */
  async function watch(dataDir: string, maintained: readonly string[]): Promise<readonly EventRecord[]> {
    const events: EventRecord[] = [];
    let now = END - 2 * HOUR;
    const made = (): Anomalies =>
      createAnomalies({
        ...asked,
        dataDir,
        now: () => now,
        maintained: () => new Set(maintained),
        onEvent: (event) => void events.push(event),
        log: () => {},
      });
    let anomalies = made();
    for (; now <= END + 10 * MINUTE; now += MINUTE) {
      await anomalies.look();
      // In the middle of it all it is started anew.
      if (now === FAILS_FROM + 16 * MINUTE) {
        await anomalies.stop();
        anomalies = made();
      }
    }
    await anomalies.stop();
    return events;
  }

  it("raises one anomaly of the service that fails, also when it is started anew meanwhile", async () => {
    const dataDir = fresh();
    await retrain({ prometheus: config, dataDir, now: END - 2 * HOUR, leftOut: [], progress: () => {} });
    const events = await watch(dataDir, []);
    expect(events.map(({ kind, subject }) => `${kind} ${subject}`)).toEqual(["anomaly.raised shop/cart"]);
    expect(events[0]?.at).toBeLessThanOrEqual(FAILS_FROM + POINT_MS);
    expect(events[0]?.body).toMatchObject({ signal: "errors", score: 1, threshold: 0.85, baseline: 1 });
    expect(events.every((event) => is(RecordSchema, event))).toBe(true);
  });

  it("raises none in maintenance, and notes when that was", async () => {
    const dataDir = fresh();
    await retrain({ prometheus: config, dataDir, now: END - 2 * HOUR, leftOut: [], progress: () => {} });
    expect(await watch(dataDir, ["shop/cart"])).toEqual([]);
    expect(readNotes(dataDir).maintenance).toEqual([
      expect.objectContaining({ service: "shop/cart", to: END + POINT_MS }),
    ]);
  });

  it("goes on where the detector cannot write its notes, and says so", async () => {
    const dataDir = fresh();
    await retrain({ prometheus: config, dataDir, now: END, leftOut: [], progress: () => {} });
    mkdirSync(join(dataDir, "anomalies.json"));
    const messages: string[] = [];
    const anomalies = startAnomalies({
      ...asked,
      dataDir,
      now: () => END + 10 * MINUTE,
      onEvent: () => {},
      log: (level, message) => void messages.push(`${level} ${message}`),
    });
    while (!messages.some((message) => message.startsWith("error"))) await new Promise((done) => setTimeout(done, 20));
    await anomalies.stop();
    expect(messages.at(-1)).toMatch(/^error anomalies are not looked for: E/);
  });

  it("learns by itself where nothing was learnt", async () => {
    const dataDir = fresh();
    const events: string[] = [];
    const anomalies = createAnomalies({
      ...asked,
      dataDir,
      now: () => END,
      onEvent: () => {},
      log: (_level, message) => void events.push(message),
    });
    await anomalies.look();
    while (readModel(dataDir) === null) await new Promise((resolve) => setTimeout(resolve, 50));
    await anomalies.stop();
    expect(events).toEqual(["baseline learnt"]);
  });
});
