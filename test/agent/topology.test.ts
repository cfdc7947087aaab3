import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { parseExposition } from "../../agent/core/exposition.ts";
import type { Reporter } from "../../agent/core/mesh.ts";
import { edgeGrowth, TOPOLOGY_BYTES_MAX, topologyOf, type EdgeRow } from "../../agent/core/topology.ts";
import { EDGES_MAX, TopologySchema, type Topology } from "../../protocol/topology.ts";
import { MINUTE } from "../../protocol/time.ts";

const NOW = 1_795_392_000_000;

/** "source orders-v1 ledger-v1/ledger 200 30": who counted, the caller's workload, the callee's and its service, code, growth. */
function rows(...lines: readonly string[]): EdgeRow[] {
  return lines.map((line) => {
    const [reporter = "", from = "", to = "", code = "", value = ""] = line.split(" ");
    const [workload = "", service = ""] = to.split("/");
    const labels = {
      reporter,
      source_workload: from,
      source_workload_namespace: from === "unknown" ? "unknown" : "shop",
      destination_workload: workload,
      destination_workload_namespace: workload === "unknown" ? "unknown" : "shop",
      destination_service_name: service,
      destination_service_namespace: service === "unknown" ? "unknown" : "shop",
      response_code: code,
    };
    return { labels, value: Number(value) };
  });
}

/** "orders ledger 30 1" for each edge. */
function said({ workloads, edges }: Topology): string[] {
  const name = (place: number): string => (workloads[place] ?? "?").replace("shop/", "");
  return edges.map(([from, to, requests, errors]) => `${name(from)} ${name(to)} ${requests} ${errors}`);
}

describe("the graph of a mesh", () => {
  it.each<readonly [string, readonly string[], readonly string[]]>([
    [
      "counts the requests of an edge, and those that failed",
      ["source a b/b 200 30", "source a b/b 503 3"],
      ["a b 33 3"],
    ],
    [
      "takes the caller's word: who has no pod counts nothing",
      ["source a b/b 503 30", "destination a b/b 200 7"],
      ["a b 30 30"],
    ],
    [
      "takes the callee's where the caller has none",
      ["destination a b/b 200 7", "source c b/b 200 9"],
      ["c b 9 0", "a b 7 0"],
    ],
    ["takes a waypoint's", ["waypoint a b/b 200 7"], ["a b 7 0"]],
    [
      "names callers as the services that they stand behind",
      [
        "source gate reviews-v1/reviews 200 5",
        "source gate reviews-v2/reviews 200 5",
        "source reviews-v2 ratings-v1/ratings 200 4",
      ],
      ["gate reviews 10 0", "reviews ratings 4 0"],
    ],
    [
      "of a workload behind two services takes the busier",
      ["source g w/main 200 5", "source g w/admin 200 1", "source w db/db 200 2"],
      ["g main 5 0", "main db 2 0", "g admin 1 0"],
    ],
    [
      "knows a workload by requests whose sender nobody can name",
      ["destination unknown web-v1/web 200 5", "source web-v1 b/b 200 5"],
      ["web b 5 0"],
    ],
    ["leaves out what nobody can name", ["source unknown b/b 200 5", "source a unknown/unknown 200 5"], []],
    ["leaves out who calls itself", ["source a a/a 200 5"], []],
    ["keeps an edge that is quiet", ["source a b/b 200 0"], ["a b 0 0"]],
    ["leaves out an edge whose codes were taken away: 0 errors would acquit", ["source a b/b xx 5"], []],
    [
      "puts failing edges first, then busy ones",
      ["source a b/b 200 9", "source c d/d 503 1", "source e f/f 200 99"],
      ["c d 1 1", "e f 99 0", "a b 9 0"],
    ],
    ["cuts digits that say nothing", ["source a b/b 200 33.3333333"], ["a b 33.3 0"]],
  ])("%s", (_name, lines, expected) => expect(said(topologyOf(NOW, MINUTE, rows(...lines)))).toEqual(expected));

  it("keeps within its bounds, and says how many edges it left out", () => {
    const name = (i: number): string => `a-service-with-a-long-name-${String(i).padStart(4, "0")}`;
    const many = Array.from({ length: 3_000 }, (_, i) => `source ${name(i)} w/${name(i % 50)} 200 ${i}`);
    const topology = topologyOf(NOW, MINUTE, rows(...many));
    expect(JSON.stringify(topology).length).toBeLessThanOrEqual(TOPOLOGY_BYTES_MAX);
    expect(topology.edges.length).toBeLessThanOrEqual(EDGES_MAX);
    expect(topology.edges.length).toBeGreaterThan(1_000);
    expect(topology.left + topology.edges.length).toBe(3_000 - 50);
    expect(v.is(TopologySchema, topology)).toBe(true);
    // The busiest are kept.
    expect(topology.edges[0]?.[2]).toBe(2_999);
  });

  it.each([
    ["an edge of no workload", { edges: [[0, 2, 1, 0]] }],
    ["more errors than requests", { edges: [[0, 1, 1, 2]] }],
    ["a name that is none", { workloads: ["shop/a", "b"] }],
    ["a field that is not known", { more: 1 }],
  ])("is refused by the edge with %s", (_name, facts) => {
    const good = { at: NOW, spanMs: MINUTE, workloads: ["shop/a", "shop/b"], edges: [[0, 1, 1, 1]], left: 0 };
    expect(v.is(TopologySchema, good)).toBe(true);
    expect(v.is(TopologySchema, { ...good, ...facts })).toBe(false);
  });
});

describe("the growth of scraped edges", () => {
  const samples = (reporter: string, value: number, code = 200) =>
    parseExposition(
      `istio_requests_total{reporter="${reporter}",source_workload="a",source_workload_namespace="shop",destination_service_name="b",destination_service_namespace="shop",response_code="${code}"} ${value}\n`,
      () => true,
    ).samples;
  /** What two looks make of it. */
  const grown = (
    first: ReturnType<typeof samples>,
    second: ReturnType<typeof samples>,
    reporter: Reporter = "destination",
  ) => edgeGrowth(edgeGrowth(null, first, reporter).values, second, reporter).rows.map(({ value }) => value);

  it("tells nothing before there are two looks", () =>
    expect(edgeGrowth(null, samples("source", 5), "destination").rows).toEqual([]));
  it.each([
    ["is the difference of two looks", samples("source", 5), samples("source", 12), [7]],
    ["is what a counter that began again has come to", samples("source", 5), samples("source", 2), [2]],
    ["is all of a series that appeared", samples("source", 5), samples("source", 3, 503), [3]],
    ["is of the chosen reporter too", samples("destination", 5), samples("destination", 6), [1]],
    ["is of nobody else", samples("waypoint", 5), samples("waypoint", 6), []],
  ])("%s", (_name, first, second, expected) => expect(grown(first, second)).toEqual(expected));
});
