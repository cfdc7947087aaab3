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
import { retrain } from "../../agent/baseline.ts";
import { loadConfig, type AgentConfig } from "../../agent/config.ts";
import { POINT_MS } from "../../agent/core/golden.ts";
import { aboutModel, rollBack } from "../../agent/model-file.ts";
import { parseLeftOut, previewThreshold, retrainBaseline, rollBackBaseline } from "../../agent/retrain.ts";
import { prometheusGolden } from "../../agent/source/golden.ts";
import { Wishes } from "../../agent/wishes.ts";
import { RecordSchema, type EventRecord } from "../../protocol/record.ts";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { is } from "valibot";
import { startHistory } from "../support/mesh-history.ts";
import { ROOT, type RunningProgram } from "../support/process.ts";

/** What Prometheus holds ends here, at a whole point; in its last half hour cart fails. */
const END = Math.floor((Date.now() - HOUR) / POINT_MS) * POINT_MS;
const FAILS_FROM = END - HOUR / 2;

const folder = mkdtempSync(join(tmpdir(), "baseline-"));
let prometheus: RunningProgram;
let config: { url: string; scrapeInterval: number; reporter: "destination" };

beforeAll(async () => {
  const started = await startHistory(join(folder, "prometheus"), END);
  prometheus = started.program;
  config = { url: started.url, scrapeInterval: 15 * SECOND, reporter: "destination" };
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
  const read = await prometheusGolden(config).query(END - HOUR, END, 10_000);
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
    expect(aboutModel(dataDir)?.leftOut).toHaveLength(1);
    const lines: string[] = [];
    const print = (line: string): void => void lines.push(line);
    expect(await retrainBaseline(loaded, [], Date.now(), print)).toBe(true);
    expect(lines.join("\n")).toMatch(
      /left out by hand\nbaseline 2: [^]*it would have raised \d+ anomalies, the one before it \d+\n/,
    );
    expect(rollBackBaseline(loaded, print)).toBe(true);
    expect(lines.at(-1)).toMatch(/^baseline 1, learnt until \S+, is in use again$/);
    expect([aboutModel(dataDir)?.version, rollBack(dataDir).ok]).toEqual([1, true]);
    expect(aboutModel(dataDir)?.version).toBe(2);
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
    const given = { golden: prometheusGolden(config), dataDir, leftOut: [], progress: () => {} };
    expect(await retrain({ ...given, now: END })).toMatchObject({ ok: true });
    expect(await retrain({ ...given, now: END - 2.5 * DAY })).toMatchObject({
      ok: false,
      failure: { code: "no_data", says: expect.stringContaining("less than a day of every service") },
    });
    const nowhere = { ...config, url: "http://127.0.0.1:59999" };
    expect(await retrain({ ...given, golden: prometheusGolden(nowhere), now: END })).toMatchObject({
      ok: false,
      failure: { code: "failed", says: expect.stringContaining("connection refused") },
    });
    expect([aboutModel(dataDir)?.version, rollBack(dataDir).ok]).toEqual([1, false]);
  });

  it("says what another threshold would have raised in the week, and changes nothing", async () => {
    const dataDir = fresh();
    const lines: string[] = [];
    const loaded = configured(dataDir).config;
    const preview = (threshold: number): Promise<boolean> =>
      previewThreshold(loaded, threshold, END, (line) => void lines.push(line));
    expect([await preview(0.9), lines]).toEqual([false, [expect.stringContaining("no baseline is in use yet")]]);
    await retrain({ golden: prometheusGolden(config), dataDir, now: END - 2 * HOUR, leftOut: [], progress: () => {} });
    expect([await preview(0.99), await preview(0.6)]).toEqual([true, true]);
    const counts = lines.flatMap(
      (line) => /would have raised (\d+) instead of (\d+)/.exec(line)?.slice(1).map(Number) ?? [],
    );
    const [strict = 0, now = 0, loose = 0, again = 0] = counts;
    // The hour in which half of cart's requests fail is raised by any of them.
    expect([strict >= 1, strict <= now, now <= loose, now === again]).toEqual([true, true, true, true]);
    expect(lines.at(-1)).toMatch(/^ {2}shop\/cart: \d+ instead of \d+$/);
    expect(aboutModel(dataDir)?.version).toBe(1);
  });

  it("whose file was changed is none", async () => {
    const dataDir = fresh();
    await retrain({ golden: prometheusGolden(config), dataDir, now: END, leftOut: [], progress: () => {} });
    const path = join(dataDir, "baseline.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"version":1,"from"', '"version":7,"from"'));
    expect(aboutModel(dataDir)).toBeNull();
  });
});

describe("the agent", () => {
  let asked: Omit<AnomaliesOptions, "dataDir" | "now" | "onEvent" | "log" | "wishes">;
  beforeAll(() => {
    const time = { intervalMs: 1, isConfirmed: () => true };
    asked = { golden: prometheusGolden(config), cluster: "demo", ...time, maintained: () => new Set() };
  });
  /** Of an edge that wishes nothing. */
  const unwished = (dataDir: string): Wishes => {
    const { anomalies: allowed } = configured(dataDir).config;
    const silent = { now: () => END, onChange: () => {}, log: () => {} };
    return new Wishes({ allowed, keys: new Map(), cluster: "demo", dataDir, ...silent });
  };

  /** Looks once a minute of pretended time from two hours before the end on; what it raised. */
  async function watch(dataDir: string, maintained: readonly string[]): Promise<readonly EventRecord[]> {
    const events: EventRecord[] = [];
    let now = END - 2 * HOUR;
    const made = (): Anomalies =>
      createAnomalies({
        ...asked,
        dataDir,
        wishes: unwished(dataDir),
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
    await retrain({ golden: prometheusGolden(config), dataDir, now: END - 2 * HOUR, leftOut: [], progress: () => {} });
    const events = await watch(dataDir, []);
    expect(events.map(({ kind, subject }) => `${kind} ${subject}`)).toEqual(["anomaly.raised shop/cart"]);
    expect(events[0]?.at).toBeLessThanOrEqual(FAILS_FROM + POINT_MS);
    expect(events[0]?.body).toMatchObject({ signal: "errors", score: 1, threshold: 0.85, baseline: 1 });
    expect(events.every((event) => is(RecordSchema, event))).toBe(true);
  });

  it("raises none in maintenance, and notes when that was", async () => {
    const dataDir = fresh();
    await retrain({ golden: prometheusGolden(config), dataDir, now: END - 2 * HOUR, leftOut: [], progress: () => {} });
    expect(await watch(dataDir, ["shop/cart"])).toEqual([]);
    expect(readNotes(dataDir).maintenance).toEqual([
      expect.objectContaining({ service: "shop/cart", to: END + POINT_MS }),
    ]);
  });

  it("goes on where the detector cannot write its notes, and says so", async () => {
    const dataDir = fresh();
    await retrain({ golden: prometheusGolden(config), dataDir, now: END, leftOut: [], progress: () => {} });
    mkdirSync(join(dataDir, "anomalies.json"));
    const messages: string[] = [];
    const anomalies = startAnomalies({
      ...asked,
      dataDir,
      wishes: unwished(dataDir),
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
      wishes: unwished(dataDir),
      now: () => END,
      onEvent: () => {},
      log: (_level, message) => void events.push(message),
    });
    await anomalies.look();
    while (aboutModel(dataDir) === null) await new Promise((resolve) => setTimeout(resolve, 50));
    await anomalies.stop();
    expect(events).toEqual(["baseline learnt"]);
  });
});
