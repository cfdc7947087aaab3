/** What was learnt, on the disk: found service by service, never held as a whole, and replaced in one step. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { MemberFinder } from "../../agent/core/members.ts";
import type { SignalModels } from "../../agent/core/model.ts";
import { ModelDraft, nextVersion, openModel, rollBack } from "../../agent/model-file.ts";

const folder = mkdtempSync(join(tmpdir(), "model-"));
afterAll(() => rmSync(folder, { recursive: true }));
const fresh = (): string => mkdtempSync(join(folder, "data-"));

/** Of the heap of a process that learns 800 services: 10 do, and neither model fits beside them, nor the next one's text. */
const ROOM_MIB = 12;
const LEARNING_TIMEOUT_MS = 90_000;

/** Names as nobody would choose them. */
const NAMES = ["shop/cart", 'shop/"}{\\"', "shop/größe-größer", "shop/[,]", "services"];

/** Tells its service and its version. */
function signals(i: number, version: number): SignalModels {
  const level = { median: i + 0.125, spread: version };
  const baseline = { all: level, hours: Array.from({ length: 24 }, (_, hour) => (hour === 3 ? null : level)) };
  const detector = { tails: { hour: [0, i], extreme: [255, 0.5], shift: [] }, recent: [i, version] };
  return { rate: { baseline, detector }, latency: { baseline, detector } };
}

function keep(dataDir: string): number {
  const version = nextVersion(dataDir);
  const leftOut = [{ from: 1, to: 2, service: 'shop/"}', why: "a {test" }];
  const draft = new ModelDraft(dataDir, { version, from: 10, to: 20, leftOut });
  for (const [i, name] of NAMES.entries()) draft.add(name, signals(i, version));
  expect(draft.keep(77)).toEqual({ version, from: 10, to: 20, leftOut, points: 77 });
  draft.close();
  return version;
}

/** The model in use, as a whole. */
function inUse(dataDir: string): object | null {
  const model = openModel(dataDir);
  if (model === null) return null;
  const { version, from, to, leftOut, points } = model;
  const services = [...model.services];
  expect(NAMES.map((name) => model.read(name))).toEqual(services.map(([, read]) => read));
  expect(model.read("shop/stock")).toBeNull();
  model.close();
  return { version, from, to, leftOut, points, services };
}

const whole = (version: number): object => ({
  version,
  points: 77,
  leftOut: [{ from: 1, to: 2, service: 'shop/"}', why: "a {test" }],
  services: NAMES.map((name, i) => [name, signals(i, version)]),
});

it("members are found whatever their names hold and wherever the text is cut", () => {
  const text = Buffer.from(
    `{"a":1,"b":[{"c":"}"}],"d":{${NAMES.map((name) => `${JSON.stringify(name)}:{"e":[{}]}`).join()}},"f":[]}`,
  );
  for (const bytes of [1, 2, 3, 7, text.length]) {
    const finder = new MemberFinder();
    for (let at = 0; at < text.length; at += bytes) finder.take(text.subarray(at, at + bytes));
    const found = finder.members.map(({ from, nameTo, to }) => [
      JSON.parse(text.toString("utf8", from, nameTo)),
      text.toString("utf8", nameTo, to),
    ]);
    expect(found).toEqual(NAMES.map((name) => [name, ':{"e":[{}]}']));
  }
});

describe("a model", () => {
  it("gives back what was learnt of each service, and nothing is left beside it", () => {
    const dataDir = fresh();
    expect([keep(dataDir), inUse(dataDir)]).toEqual([1, expect.objectContaining(whole(1))]);
    expect(readdirSync(dataDir)).toEqual(["baseline.json"]);
  });

  it("is put back by a roll-back, and the next one has a number of its own", () => {
    const dataDir = fresh();
    expect([keep(dataDir), keep(dataDir)]).toEqual([1, 2]);
    expect(rollBack(dataDir)).toMatchObject({ ok: true, value: { version: 1 } });
    expect(inUse(dataDir)).toMatchObject(whole(1));
    expect(keep(dataDir)).toBe(3);
    expect(rollBack(dataDir)).toMatchObject({ ok: true, value: { version: 1 } });
    expect(rollBack(dataDir)).toMatchObject({ ok: true, value: { version: 3 } });
  });

  it("that is not kept changes nothing", () => {
    const dataDir = fresh();
    keep(dataDir);
    const draft = new ModelDraft(dataDir, { version: 2, from: 0, to: 1, leftOut: [] });
    draft.add("shop/cart", signals(0, 2));
    draft.close();
    expect(inUse(dataDir)).toMatchObject(whole(1));
    expect(readdirSync(dataDir)).toEqual(["baseline.json"]);
  });

  it("that an earlier version wrote is read, with its points before its services", () => {
    const dataDir = fresh();
    const { services, ...about } = whole(4) as { readonly services: readonly [string, SignalModels][] };
    const body = JSON.stringify({ ...about, from: 10, to: 20, services: Object.fromEntries(services) });
    const head = { form: 1, version: 4, points: 77, checksum: createHash("sha256").update(body).digest("hex") };
    writeFileSync(join(dataDir, "baseline.json"), `${JSON.stringify(head)}\n${body}`);
    expect(inUse(dataDir)).toMatchObject({ ...whole(4), from: 10, to: 20 });
  });

  it("that an earlier version reads is one object of JSON after its first line", () => {
    const dataDir = fresh();
    keep(dataDir);
    const [, body = ""] = readFileSync(join(dataDir, "baseline.json"), "utf8").split("\n");
    const services = Object.fromEntries(NAMES.map((name, i) => [name, signals(i, 1)]));
    expect(JSON.parse(body)).toMatchObject({ ...whole(1), services });
  });

  it.each([
    ["changed", (text: string) => text.replace('"median":0.125', '"median":0.625')],
    ["cut short", (text: string) => text.slice(0, -1)],
    ["of another form", (text: string) => text.replace('"form":1', '"form":2')],
    ["without a first line", (text: string) => text.split("\n")[1] ?? ""],
    ["empty", () => ""],
  ])("whose file is %s is none", (_name, change) => {
    const dataDir = fresh();
    keep(dataDir);
    const path = join(dataDir, "baseline.json");
    writeFileSync(path, change(readFileSync(path, "utf8")));
    expect(openModel(dataDir)).toBeNull();
  });

  it("is read when it is asked for: opened, it takes no room for its services", () => {
    const dataDir = fresh();
    keep(dataDir);
    const model = openModel(dataDir);
    truncateSync(join(dataDir, "baseline.json"), 200);
    expect(() => model?.read("shop/cart")).toThrow("the baseline is cut short");
    expect(() => [...(model?.services ?? [])]).toThrow("the baseline is cut short");
    model?.close();
  });

  it("is learnt and compared with the former one without room for either", { timeout: LEARNING_TIMEOUT_MS }, () => {
    const room = [`--max-old-space-size=${ROOM_MIB}`, "--max-semi-space-size=1"];
    const program = join(import.meta.dirname, "learning-process.ts");
    const run = spawnSync(process.execPath, [...room, program, fresh()], { encoding: "utf8" });
    expect([run.stderr, run.stdout]).toEqual(["", "1 800 true\n2 800 false\n"]);
  });
});
