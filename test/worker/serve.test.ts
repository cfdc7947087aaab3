/** How visitors are answered: what costs the Board a question, what costs a rendering, and what costs nothing. */
import { createExecutionContext } from "cloudflare:test";
import { beforeEach, afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { PageSnapshot } from "../../protocol/page.ts";
import { SECOND } from "../../protocol/time.ts";
import { tell, told } from "../support/facts.ts";
import worker from "../../worker/index.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { Board } from "../../worker/objects/board.ts";
import type { Views } from "../../worker/objects/board-metrics.ts";
import { ENTRY_BYTES, matchKept, putKept, remembered } from "../../worker/routes/kept.ts";
import { bindings, call, cli } from "./agent.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() }));
afterEach(() => vi.useRealTimers());

/** A name of its own for each test, so that nothing of another's is kept. */
function site(): string {
  return `https://${crypto.randomUUID()}.test`;
}

/** What a visitor gets; the body is read, as browsers do. */
async function get(url: string, init?: RequestInit) {
  const answer = await call(url, init);
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

type Answer = ReturnType<Board["snapshot"]>;

/** Has the Board answer in another way until the test ends; returns what each of its questions told it. */
function onSnapshot(act: (own: () => Answer) => Answer): (Views | undefined)[] {
  const own = Reflect.get(Board.prototype, "snapshot") as (this: Board, ...given: unknown[]) => Answer;
  onTestFinished(() => void (Board.prototype.snapshot = own));
  const asked: (Views | undefined)[] = [];
  Board.prototype.snapshot = function (this: Board, ...given) {
    asked.push(given[0]);
    return act(() => own.apply(this, given));
  };
  return asked;
}

describe("visitors who come at the same moment", () => {
  it("with 10,000 different queries cause one question and one rendering", async () => {
    const asked = onSnapshot((own) => own());
    const origin = site();
    const tags = new Set<string | null>();
    // The Worker itself, as `call` would reach it: ten thousand calls of that take as many trips.
    const ask = async (query: number): Promise<void> => {
      const request = new Request(`${origin}/?x=${query}`) as Parameters<typeof worker.fetch>[0];
      const { headers, body } = await worker.fetch(request, bindings, createExecutionContext());
      tags.add(headers.get("etag"));
      await body?.cancel();
    };
    for (let i = 0; i < 10_000; i += 500) await Promise.all(Array.from({ length: 500 }, (_, j) => ask(i + j)));
    vi.setSystemTime(Date.now() + 6 * SECOND);
    await get(`${origin}/`);
    // All that was answered is told with the next question, which is this page's second and last.
    expect([tags.size, asked.length, asked.at(-1)]).toEqual([1, 2, { cached: 9_999, made: 1 }]);
  });

  it("for different documents cause one question", async () => {
    const asked = onSnapshot((own) => own());
    const origin = site();
    const paths = ["/", "/api/v2/summary.json", "/api/v2/status.json"];
    const answers = await Promise.all(paths.map((path) => get(origin + path)));
    expect([answers.map(({ status }) => status), asked.length]).toEqual([[200, 200, 200], 1]);
  });
});

it("a document has one address: what is written with escapes leads there, or nowhere", async () => {
  const origin = site();
  const ways = ["/%68istory?x", "/%64e/history", "/view/aaaaaaaaaaaa%2Cbbbbbbbbbbbb/badge.svg", "/incidents/%5C..%5C"];
  const answers = await Promise.all(ways.map((path) => get(origin + path)));
  expect(answers.map(({ status, headers }) => [status, headers.get("location")])).toEqual([
    [301, "/history"],
    [301, "/de/history"],
    [301, "/view/aaaaaaaaaaaa,bbbbbbbbbbbb/badge.svg"],
    [404, null],
  ]);
});

describe("a visitor's language", () => {
  const langOf = ({ text }: { text: string }): string | undefined => /<html lang="(..)"/.exec(text)?.[1];

  it("is what the path names, else what the browser asks for, else English", async () => {
    const origin = site();
    const asking = (path: string, language: string) => get(origin + path, { headers: { "accept-language": language } });
    const answers = [await asking("/", "de-AT, en;q=0.5"), await asking("/", "nl"), await asking("/ja", "de")];
    expect(answers.map(langOf)).toEqual(["de", "en", "ja"]);
    expect(answers.map(({ headers }) => [headers.get("content-language"), headers.get("vary")])).toEqual([
      ["de", "accept-language"],
      ["en", "accept-language"],
      ["ja", null],
    ]);
    const tags = answers.map(({ headers }) => headers.get("etag") ?? "");
    expect(new Set(tags).size).toBe(3);
    // One language's ETag is no answer in another.
    const headers = { "accept-language": "fr", "if-none-match": tags[0] ?? "" };
    expect((await get(`${origin}/`, { headers })).status).toBe(200);
    expect((await get(`${origin}/`, { headers: { ...headers, "accept-language": "de" } })).status).toBe(304);
  });

  it("costs one rendering each, and no question more", async () => {
    const asked = onSnapshot((own) => own());
    const origin = site();
    for (const language of ["de", "en", "de-CH", "fr;q=0.1", "xx", "de, en;q=0.9"])
      await get(`${origin}/`, { headers: { "accept-language": language } });
    vi.setSystemTime(Date.now() + 6 * SECOND);
    await get(`${origin}/`);
    expect([asked.length, asked.at(-1)]).toEqual([2, { cached: 3, made: 3 }]);
  });

  it("changes nothing for programs, and is named by no path that does not exist", async () => {
    const origin = site();
    const program = await get(`${origin}/api/v2/status.json`, { headers: { "accept-language": "de" } });
    expect([program.headers.get("vary"), program.headers.get("content-language")]).toEqual([null, null]);
    expect(program.text).not.toContain("Betrieb");
    const paths = ["/de/api/v2/status.json", "/xx", "/.de/", "/de/de"];
    expect((await Promise.all(paths.map((path) => get(origin + path)))).map(({ status }) => status)).toEqual([
      404, 404, 404, 404,
    ]);
  });
});

it("what people announced is asked for once while nothing happens, and is no older than what it is shown with", async () => {
  const origin = site();
  const own = Reflect.get(Board.prototype, "log") as (this: Board) => ReturnType<Board["log"]>;
  onTestFinished(() => void (Board.prototype.log = own));
  let asked = 0;
  Board.prototype.log = function (this: Board) {
    asked += 1;
    return own.call(this);
  };
  const ask = async (path: string) => {
    expect((await get(origin + path)).status).toBe(200);
    return asked;
  };
  expect(await ask("/")).toBe(0);
  vi.setSystemTime(Date.now() + 4 * SECOND);
  expect(await ask("/api/v2/incidents.json")).toBe(1);
  expect(await ask("/api/v2/scheduled-maintenances.json")).toBe(1);
  // It stands for 3 s more; a snapshot that comes meanwhile may tell of an incident that it does not have yet.
  vi.setSystemTime(Date.now() + 2 * SECOND);
  await cli("PUT", "/cli/v1/components", { components: [{ name: "News", services: ["news-1/shop/a"] }] });
  expect(await ask("/api/v2/incidents.json")).toBe(2);
});

it("what another isolate made is sent as it was made, for as long as it is fresh", async () => {
  const now = Date.now();
  const key = `${site()}/`;
  const headers = { etag: '"7.a"', "content-security-policy": "default-src 'none'" };
  const kept = { body: new TextEncoder().encode("grün"), headers, freshUntil: now + 5 * SECOND, holdsUntil: Infinity };
  await putKept(key, kept, now);
  expect(await matchKept(key)).toEqual(kept);
  vi.setSystemTime(now + 5 * SECOND);
  expect(await matchKept(key)).toBeNull();
});

it("what is remembered of a document is its bytes, and not all that people ever wrote", async () => {
  const incident = { name: "Remembered", body: "What happened. ".repeat(1_000) };
  expect((await cli("POST", "/cli/v1/incidents", incident)).status).toBe(201);
  const origin = site();
  await get(`${origin}/en/history`);
  const { body, ...rest } = remembered(`${origin}/en/history`) ?? { body: null };
  expect([body === null, JSON.stringify(rest).length < ENTRY_BYTES]).toEqual([false, true]);
});

it("what was made is fresh for 5 s, and what others are made of meanwhile is no older", async () => {
  const asked = onSnapshot((own) => own());
  const origin = site();
  await get(`${origin}/`);
  vi.setSystemTime(Date.now() + 4 * SECOND);
  const status = await get(`${origin}/api/v2/status.json`);
  expect([asked.length, status.headers.get("cache-control")]).toEqual([1, "public, max-age=1"]);
  vi.setSystemTime(Date.now() + SECOND);
  await get(`${origin}/api/v2/status.json`);
  await get(`${origin}/`);
  expect(asked.length).toBe(2);
});

it("browsers may show an old page while they ask for the next, but no longer than it holds", async () => {
  const now = Date.now();
  await cli("PUT", "/cli/v1/components", { components: [{ name: "Aging", services: ["aging-1/shop/checkout"] }] });
  await boardOf(bindings).hear({ ...tell(now, [told("operational")], "aging-1"), expiresAt: now + 30_500 });
  const page = await get(`${site()}/`);
  expect(page.headers.get("cache-control")).toBe("public, max-age=5, stale-while-revalidate=25, stale-if-error=86400");
  expect((await get(`${site()}/api/v2/status.json`)).headers.get("cache-control")).toBe("public, max-age=5");
});

it("a badge counts down anew, and a browser that has an old one is sent it", async () => {
  const [now, origin] = [Date.now(), site()];
  await cli("PUT", "/cli/v1/components", {
    components: [{ name: "Counting", services: ["counting-1/shop/checkout"] }],
  });
  await boardOf(bindings).hear({ ...tell(now, [told("operational")], "counting-1"), expiresAt: now + 60_500 });
  const summary = JSON.parse((await get(`${origin}/api/v2/summary.json`)).text) as {
    components: { name: string; id: string }[];
  };
  const badge = `${origin}/badge/${summary.components.find(({ name }) => name === "Counting")?.id}.svg`;
  const countdown = (svg: string): number => Number(/animation:b 0s (\d+)s/.exec(svg)?.[1]);
  await get(badge);
  // By then it says that it waits for its archive, which is a change of its own.
  vi.setSystemTime(now + 10 * SECOND);
  const first = await get(badge);
  expect(countdown(first.text)).toBe(50);
  vi.setSystemTime(now + 20 * SECOND);
  const headers = { "if-none-match": first.headers.get("etag") ?? "" };
  const later = await get(badge, { headers });
  expect([later.status, countdown(later.text)]).toEqual([200, 40]);
});

it("a chart that moved on and a day that was corrected are sent to who has the page of before", async () => {
  const origin = site();
  const chart = { id: "m", name: "", kind: "p95", component: null, from: 0, stepMs: 900_000, values: [1, 2] } as const;
  let more: Partial<PageSnapshot> = { metrics: [chart], frozen: { day: "2026-11-22", hash: "a" } };
  // Nothing else of it changes: neither do components grow old, nor does the archive fall behind.
  const still = { version: 7, components: [], archive: { delayedSince: null, isRestoring: false } };
  onSnapshot(async (own) => ({ ...(await own()), ...still, generatedAt: Date.now(), ...more }));
  let tag = "";
  const again = async () => {
    vi.setSystemTime(Date.now() + 6 * SECOND);
    const { status, headers } = await get(`${origin}/`, { headers: { "if-none-match": tag } });
    tag = headers.get("etag") ?? "";
    return status;
  };
  expect([await again(), await again()]).toEqual([200, 304]);
  more = { ...more, metrics: [{ ...chart, from: chart.stepMs }] };
  expect([await again(), await again()]).toEqual([200, 304]);
  more = { ...more, frozen: { day: "2026-11-22", hash: "b" } };
  expect([await again(), await again()]).toEqual([200, 304]);
});

describe("a client that has what it would be sent", () => {
  it.each(["/", "/api/v2/status.json"])(
    "of %s gets no body, by GET and by HEAD, in a list and weakly",
    async (path) => {
      const origin = site();
      const { headers } = await get(origin + path);
      const etag = headers.get("etag") ?? "";
      for (const [method, tags] of [
        ["GET", etag],
        ["GET", `"other", W/${etag}`],
        ["HEAD", `W/${etag}`],
        ["GET", "*"],
      ] as const) {
        const again = await get(origin + path, { method, headers: { "if-none-match": tags } });
        expect([again.status, again.headers.get("etag"), again.text]).toEqual([304, etag, ""]);
        expect(again.headers.get("cache-control")).toContain("max-age=");
      }
      expect((await get(origin + path, { headers: { "if-none-match": '"other"' } })).status).toBe(200);
    },
  );
});

describe("a Board that cannot answer", () => {
  it("is asked once a second, however many ask, and its last word is shown with its age", async () => {
    await cli("PUT", "/cli/v1/components", { components: [{ name: "Kept", services: ["kept-1/shop/a"] }] });
    const origin = site();
    await get(`${origin}/`);
    const asked = onSnapshot(() => Promise.reject(new Error("the machine is gone")));
    vi.setSystemTime(Date.now() + 6 * SECOND);
    const answers = await Promise.all(["/", "/?a", "/api/v2/summary.json"].map((path) => get(origin + path)));
    expect(answers.map(({ status, headers }) => [status, headers.get("cache-control"), headers.get("etag")])).toEqual(
      answers.map(() => [200, "no-store", null]),
    );
    expect(answers[0]?.text).toContain('<p id="copy">Live data cannot be reached');
    vi.setSystemTime(Date.now() + 900);
    expect((await get(`${origin}/api/v2/status.json`)).status).toBe(200);
    expect(asked.length).toBe(1);
    vi.setSystemTime(Date.now() + 100);
    await get(`${origin}/`);
    expect(asked.length).toBe(2);
  });

  it("has told of an incident after its history was last asked for: it is there all the same", async () => {
    const origin = site();
    expect((await get(`${origin}/history`)).status).toBe(200);
    const opened = await cli("POST", "/cli/v1/incidents", { name: "Opened after", body: "We look." });
    const { incident } = (await opened.json()) as { incident: { id: string } };
    vi.setSystemTime(Date.now() + 6 * SECOND);
    expect((await get(`${origin}/`)).text).toContain(incident.id);
    onSnapshot(() => Promise.reject(new Error("the machine is gone")));
    const own = Reflect.get(Board.prototype, "log") as Board["log"];
    onTestFinished(() => void (Board.prototype.log = own));
    Board.prototype.log = () => Promise.reject(new Error("the machine is gone"));
    vi.setSystemTime(Date.now() + 6 * SECOND);
    for (const path of [`/incidents/${incident.id}`, "/history", "/history.atom"]) {
      const { status, text } = await get(origin + path);
      expect([path, status, text.includes("Opened after")]).toEqual([path, 200, true]);
    }
    // What a copy does not know of may be there all the same.
    const unknown = ["/incidents/unknown00000", "/components/unknown00000", "/api/v2/nothing.json"];
    const answers = await Promise.all(unknown.map((path) => get(origin + path)));
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 404]);
  });

  it("and hangs is waited for no longer than 2 s", async () => {
    const origin = site();
    await get(`${origin}/`);
    const hung = Promise.withResolvers<never>();
    onSnapshot(() => hung.promise);
    onTestFinished(() => hung.reject(new Error("the test is over")));
    vi.setSystemTime(Date.now() + 6 * SECOND);
    const since = performance.now();
    const { status, text } = await get(`${origin}/`);
    expect([status, performance.now() - since < 4_000]).toEqual([200, true]);
    expect(text).toContain('<p id="copy">Live data cannot be reached');
  });

  it("and never has is no page at all, which is said and not kept", async () => {
    onSnapshot(() => Promise.reject(new Error("the machine is gone")));
    const { status, headers } = await get(`${site()}/`, { headers: { accept: "text/html" } });
    expect([status, headers.get("cache-control"), headers.get("retry-after")]).toEqual([503, "no-store", "10"]);
  });
});
