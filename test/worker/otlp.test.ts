import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { MINUTE, SECOND, minuteOf } from "../../protocol/time.ts";
import { COLLECTED_SERVICES_MAX } from "../../worker/core/collected.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import { database } from "./database.ts";
import { bindings, call, cli, enrolledAgent, gzip } from "./agent.ts";

const board = boardOf(bindings);
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

async function tokenOf(cluster: string): Promise<string> {
  const made = await cli("POST", "/cli/v1/ingest/tokens", { cluster });
  return (await made.json<{ token: string }>()).token;
}

const nanos = (at: number): string => `${at}000000`;
const text = (key: string, stringValue: string): object => ({ key, value: { stringValue } });

interface Sent {
  readonly at: number;
  readonly status: number;
  readonly count: number;
  readonly fields?: object;
}

/** A data point as the Java and Go SDKs write it: all values between 50 and 75 ms. */
function dataPoint({ at, status, count, fields = {} }: Sent): object {
  return {
    attributes: [
      text("http.request.method", "GET"),
      { key: "http.response.status_code", value: { intValue: String(status) } },
    ],
    startTimeUnixNano: nanos(Date.now() - 60 * MINUTE - (Date.now() % MINUTE)),
    timeUnixNano: nanos(at),
    count: String(count),
    sum: count * 0.06,
    bucketCounts: [...BOUNDS, 0].map((bound) => (bound === 0.075 ? String(count) : "0")),
    explicitBounds: BOUNDS,
    ...fields,
  };
}

/** An export of one service. */
function exportOf(points: readonly object[], metric: object = {}, service = "checkout"): object {
  const histogram = { aggregationTemporality: 2, dataPoints: points };
  return {
    resourceMetrics: [
      {
        resource: { attributes: [text("service.name", service), text("k8s.namespace.name", "shop")] },
        scopeMetrics: [
          {
            scope: { name: "io.opentelemetry.http" },
            metrics: [{ name: "http.server.request.duration", unit: "s", histogram, ...metric }],
          },
        ],
      },
    ],
  };
}

/** The process began an hour ago, whenever this is asked. */
const STARTED = nanos(minuteOf(Date.now()) - 60 * MINUTE);
const held = (sent: Sent): object => dataPoint({ ...sent, fields: { startTimeUnixNano: STARTED, ...sent.fields } });

async function send(
  token: string,
  body: object | Uint8Array | string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const isRaw = body instanceof Uint8Array || typeof body === "string";
  return call("/ingest/otlp/v1/metrics", {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      ...(isRaw ? {} : { "content-encoding": "gzip" }),
      ...headers,
    },
    body: isRaw ? body : await gzip(JSON.stringify(body)),
  });
}

interface Answer {
  readonly partialSuccess?: { readonly rejectedDataPoints: string; readonly errorMessage: string };
  readonly code?: number;
  readonly message?: string;
}

describe("the door of a collector", () => {
  it("answers an empty object where all was taken, and a partialSuccess where some was not", async () => {
    const token = await tokenOf("otlp-1");
    const at = Date.now();
    const whole = await send(token, exportOf([held({ at, status: 200, count: 10 })]));
    expect([whole.status, await whole.json()]).toEqual([200, {}]);
    expect([(await send(token, {})).status, (await send(token, "{}")).status]).toEqual([200, 200]);
    const some = exportOf([
      held({ at, status: 200, count: 10 }),
      held({ at: at + 60 * MINUTE, status: 500, count: 1 }),
      { timeUnixNano: "soon" },
    ]);
    const { partialSuccess } = await (await send(token, some)).json<Answer>();
    expect(partialSuccess?.rejectedDataPoints).toBe("2");
    expect(partialSuccess?.errorMessage).toMatch(/malformed.*lies ahead/);
    const gauge = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "up", gauge: { dataPoints: [{}] } }] }] }] };
    expect((await (await send(token, gauge)).json<Answer>()).partialSuccess).toMatchObject({
      rejectedDataPoints: "0",
      errorMessage: expect.stringContaining("not read here") as string,
    });
  });

  it.each<[number, string, object | string | Uint8Array, Readonly<Record<string, string>>, string]>([
    [415, "protobuf", "\n\0", { "content-type": "application/x-protobuf" }, "encoding: json"],
    [415, "zstd", "x", { "content-encoding": "zstd" }, "compression: gzip"],
    [400, "what is no JSON", "{", {}, "ExportMetricsServiceRequest"],
    [400, "what is no gzip", "{}", { "content-encoding": "gzip" }, "ExportMetricsServiceRequest"],
    [400, "what is no export", '{"resourceMetrics":1}', {}, "ExportMetricsServiceRequest"],
    [400, "what is nested for its own sake", "[".repeat(5_000), {}, "ExportMetricsServiceRequest"],
  ])("answers %d to %s, with a Status that says what to do", async (status, _name, body, headers, words) => {
    const answer = await send(await tokenOf("otlp-2"), body, headers);
    expect(answer.status).toBe(status);
    expect(await answer.json<Answer>()).toMatchObject({ message: expect.stringContaining(words) as string });
    expect(answer.headers.get("retry-after")).toBeNull();
  });

  it("unpacks no bomb", async () => {
    const bomb = await gzip(" ".repeat(20 * 1_048_576));
    const answer = await send(await tokenOf("otlp-3"), bomb, { "content-encoding": "gzip" });
    expect(answer.status).toBe(413);
  });

  it("is shut where an agent reports, and for who has no token", async () => {
    const token = await tokenOf("otlp-4");
    await enrolledAgent("otlp-4");
    const answer = await send(token, exportOf([]));
    expect([answer.status, (await answer.json<Answer>()).message]).toEqual([403, expect.stringContaining("An agent")]);
    expect((await send(`otlp-1${token.slice(token.indexOf("."))}`, exportOf([]))).status).toBe(401);
  });
});

/** The windows of a cluster as Postgres has them. */
async function windowsOf(cluster: string): Promise<readonly { requests: number; errors: number }[]> {
  const found = await database().run((db) =>
    db.execute<{ requests: number; errors: number }>(
      sql`SELECT requests, errors FROM minute_window WHERE cluster_id = ${cluster} ORDER BY minute`,
    ),
  );
  if (!found.ok) throw new Error(found.message);
  return found.value.rows;
}

describe("what a collector exports", () => {
  it("makes a component's status, as an agent's push does", async () => {
    const token = await tokenOf("otlp-5");
    const services = ["otlp-5/shop/checkout"];
    await cli("PUT", "/cli/v1/components", { components: [{ name: "Collected", group: "OTLP", services }] });
    const begun = Date.now() - 20 * SECOND;
    let [good, bad] = [1_000, 0];
    const step = async (i: number, failing: number): Promise<void> => {
      const at = begun + i * 5 * SECOND;
      [good, bad] = [good + 100 - failing, bad + failing];
      const points = [held({ at, status: 200, count: good }), held({ at, status: 503, count: bad })];
      expect(await (await send(token, exportOf(points))).json()).toEqual({});
    };
    const status = async () =>
      (await board.snapshot()).components.find(({ name }) => name === "Collected")?.outlook[0]?.status;
    await step(0, 0);
    await step(1, 0);
    await expect.poll(status).toBe("operational");
    // Nothing that it knows is in memory only.
    await evictDurableObject(clusterOf(bindings, "otlp-5"));
    await step(2, 20);
    await step(3, 20);
    await step(4, 20);
    await expect.poll(status).toBe("partial_outage");
  });

  it("comes to Postgres as windows, each request once, however often it is exported", async () => {
    const token = await tokenOf("otlp-6");
    const minute = minuteOf(Date.now()) - 2 * MINUTE;
    const at = (seconds: number): number => minute + seconds * SECOND;
    const points = (seconds: number, count: number, failed: number): object =>
      exportOf([held({ at: at(seconds), status: 200, count }), held({ at: at(seconds), status: 500, count: failed })]);
    await send(token, points(0, 100, 0));
    await send(token, points(40, 160, 3));
    expect((await send(token, points(40, 160, 3))).status).toBe(200);
    // Neither is what is known lost with its memory.
    await evictDurableObject(clusterOf(bindings, "otlp-6"));
    expect((await send(token, points(40, 160, 3))).status).toBe(200);
    await expect
      .poll(async () => {
        await runDurableObjectAlarm(clusterOf(bindings, "otlp-6"));
        return windowsOf("otlp-6");
      })
      .toEqual([{ requests: 63, errors: 3 }]);
  });

  it("is taken where a collector comes back after 40 minutes, and each of many services has that many windows", async () => {
    const token = await tokenOf("otlp-8");
    const many = (at: number, count: number): object => ({
      resourceMetrics: Array.from({ length: COLLECTED_SERVICES_MAX }, (_, i) => {
        const { resourceMetrics } = exportOf([held({ at, status: 200, count })], {}, `service-${i}`) as {
          resourceMetrics: readonly object[];
        };
        return resourceMetrics[0];
      }),
    });
    const now = minuteOf(Date.now()) - MINUTE;
    expect((await send(token, many(now - 40 * MINUTE, 1_000_000))).status).toBe(200);
    const back = await send(token, many(now, 1_400_000));
    expect([back.status, await back.json()]).toEqual([200, {}]);
    const inPostgres = async (): Promise<number> => {
      await runDurableObjectAlarm(clusterOf(bindings, "otlp-8"));
      const windows = await windowsOf("otlp-8");
      return Math.round(windows.reduce((sum, { requests }) => sum + requests, 0));
    };
    await expect.poll(inPostgres, { timeout: 30_000 }).toBe(COLLECTED_SERVICES_MAX * 400_000);
  }, 60_000);

  it("may be Istio's own metrics, counted at the destination alone", async () => {
    const token = await tokenOf("otlp-7");
    const of = (reporter: string, count: number, at: number): object => ({
      ...held({ at, status: 200, count }),
      attributes: [
        text("reporter", reporter),
        text("destination_service_namespace", "shop"),
        text("destination_service_name", "cart"),
        text("response_code", "200"),
      ],
    });
    const istio = { name: "istio_request_duration_milliseconds", unit: "ms" };
    const begun = Date.now() - 20 * SECOND;
    for (const [i, count] of [50, 80].entries()) {
      const at = begun + i * 10 * SECOND;
      const answer = await send(token, exportOf([of("source", count, at), of("destination", count, at)], istio));
      expect(await answer.json()).toEqual({});
    }
    const view = await board.operatorView(["otlp-7"]);
    const [told] = view.tells.find(({ cluster }) => cluster === "otlp-7")?.services ?? [];
    expect(told).toMatchObject({ service: "shop/cart", traffic: { requests: 30, errors: 0 } });
  });
});
