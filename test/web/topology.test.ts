import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DRAWN_MAX, drawnNodes } from "../../web/view/admin/graph.ts";
import { layoutOf } from "../../web/view/admin/layout.ts";
import type { GraphEdgeModel, GraphModel, GraphNodeModel } from "../../web/view/admin/model.ts";
import { renderTopology } from "../../web/view/admin/topology.ts";
import { NOW } from "./snapshots.ts";

const frame = { pageName: "Acme", timeZone: "Etc/UTC", now: NOW };

/** "a b" is a call. */
function links(...lines: readonly string[]): { from: string; to: string }[] {
  return lines.map((line) => ({ from: line.split(" ")[0] ?? "", to: line.split(" ")[1] ?? "" }));
}

describe("where services stand", () => {
  it.each<readonly [string, readonly string[], readonly string[]]>([
    ["callers are left of what they call", ["a b", "b c"], ["a", "b", "c"]],
    ["whoever is called from several columns is right of all of them", ["a b", "b c", "a c"], ["a", "b", "c"]],
    ["a circle begins with who calls into it", ["x b", "b c", "c b"], ["x", "b", "c"]],
    ["a circle that nobody calls into begins somewhere", ["a b", "b a"], ["a", "b"]],
    ["lines do not cross where they need not", ["a y", "b x"], ["a b", "y x"]],
    ["who has no calls stands in front", ["a b"], ["a lone", "b"]],
  ])("%s", (_name, lines, expected) => {
    const names = [
      ...new Set([...lines.flatMap((line) => line.split(" ")), ...expected.join(" ").split(" ")]),
    ].toSorted();
    const { columns } = layoutOf(names, links(...lines));
    expect(columns.map((column) => column.filter((name) => !name.includes(" ")).join(" "))).toEqual(expected);
  });

  it("a line over several columns has a place in each that it passes", () => {
    const { columns, routes } = layoutOf(["a", "b", "c", "d"], links("a b", "b c", "c d", "a d"));
    expect(routes.get("a d")).toEqual(["a d 0", "a d 1"]);
    expect(columns.map((column) => [...column].toSorted())).toEqual([["a"], ["a d 0", "b"], ["a d 1", "c"], ["d"]]);
  });

  it("everybody once, whatever calls whom, and calls lead right unless they lead back", () => {
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    const call = fc.record({ from: fc.constantFrom(...names), to: fc.constantFrom(...names) });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 20 }), (calls) => {
        const { columns: filled, routes } = layoutOf(names, calls);
        const columns = filled.map((column) => column.filter((name) => !name.includes(" ")));
        const passes = [...routes.values()].flat().toSorted();
        const kept = filled.flat().filter((name) => name.includes(" "));
        if (kept.toSorted().join() !== passes.join()) throw new Error("a line without its places");
        if (columns.flat().toSorted().join("") !== names.join("")) throw new Error("lost or doubled");
        const isTree =
          new Set(calls.map(({ to }) => to)).size === calls.length && calls.every(({ from, to }) => from < to);
        const column = (name: string): number => columns.findIndex((one) => one.includes(name));
        if (isTree && calls.some(({ from, to }) => column(from) >= column(to))) throw new Error("a call leads left");
      }),
    );
  });
});

const node = (name: string, facts: Partial<GraphNodeModel> = {}): GraphNodeModel => ({
  name: `shop/${name}`,
  status: "operational",
  reason: "within all limits",
  requestsPerSecond: 3,
  errorRatio: 0,
  p95: null,
  role: null,
  causes: [],
  ...facts,
});
const edge = (line: string, errorRatio: number | null = 0, requestsPerSecond = 3): GraphEdgeModel => {
  const [from = "", to = ""] = line.split(" ");
  return { from: `shop/${from}`, to: `shop/${to}`, requestsPerSecond, errorRatio };
};
const graph = (facts: Partial<GraphModel> = {}): GraphModel => ({
  cluster: "eu-1",
  heardAt: NOW - 20_000,
  spanMs: 60_000,
  fresh: true,
  left: 0,
  nodes: [
    node("gateway", { status: null, reason: null, requestsPerSecond: null, errorRatio: null }),
    node("orders", { status: "partial_outage", role: "symptom", causes: ["shop/ledger"], reason: "error ratio 30 %" }),
    node("ledger", { status: "partial_outage", role: "cause", reason: "error ratio 31 %" }),
  ],
  edges: [edge("gateway orders", 0.3), edge("orders ledger", 0.301), edge("orders quiet", null, 0)],
  findings: [{ causes: ["shop/ledger"], symptoms: ["shop/orders"], evidence: "shop/orders calls it." }],
  ...facts,
});

/** What is read, tags and entities aside. */
function text(page: string): string {
  return page
    .replace(/<style>.*?<\/style>|<script.*?<\/script>|<title>.*?<\/title>/gs, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");
}

const page = (facts: Partial<GraphModel> = {}, clusters = ["eu-1"]) =>
  renderTopology({ clusters, graph: graph(facts) }, frame);

describe("the page", () => {
  it("says in words what the picture shows", () => {
    const words = text(page());
    expect(words).toContain("shop/ledger is the likely cause. shop/orders calls it.");
    expect(words).toContain("In trouble by it: shop/orders");
    expect(words).toContain("Likely because of shop/ledger: error ratio 30 %");
    expect(words).toMatch(/shop\/orders → shop\/ledger 30\.1 % 3 req\/s shop\/gateway → shop\/orders 30 % 3 req\/s/);
    expect(words).toMatch(/shop\/orders → shop\/quiet – quiet/);
    expect(words).toContain("not reported");
  });

  it("draws each edge and each service once, and failing calls with their share", () => {
    const svg = /<svg width.*?<\/svg><\/div>/s.exec(page({ nodes: [...graph().nodes, node("quiet")] }))?.[0] ?? "";
    expect(svg.match(/class="call/g)).toHaveLength(3);
    expect(svg.match(/<rect/g)).toHaveLength(4);
    expect(svg.match(/class="share"[^>]*>[^<]*/g)?.map((label) => label.split(">")[1])).toEqual(["30 %", "30 %"]);
    expect(svg).toContain("likely cause");
    expect(svg).toContain("because of ledger");
    expect(svg).not.toMatch(/NaN|undefined|null/);
  });

  it.each<readonly [string, Partial<GraphModel>, string]>([
    ["of a mesh without trouble", { findings: [], nodes: [node("cart")] }, "No service is in trouble."],
    [
      "of services that nothing is known of",
      { findings: [], nodes: [node("cart", { status: "unknown", reason: "no numbers" }), node("orders")] },
      "Not known: shop/cart.",
    ],
    [
      "of one in trouble by itself",
      { findings: [{ causes: ["shop/ledger"], symptoms: [], evidence: "" }] },
      "is in trouble by itself",
    ],
    ["without a graph", { heardAt: null, spanMs: null, edges: [], findings: [] }, "has not told who calls whom"],
    ["of a silent cluster", { fresh: false }, "nobody knows how its services are"],
    ["with edges left out", { left: 12 }, "12 of the quietest edges are left out"],
  ])("%s says so", (_name, facts, words) => expect(text(page(facts))).toContain(words));

  it("is not green while nothing is known of a service", () => {
    const nodes = ["a", "b", "c", "d", "e"].map((name) => node(name, { status: "unknown", reason: "no numbers" }));
    const words = text(page({ findings: [], nodes }));
    expect(words).not.toContain("No service is in trouble");
    expect(words).toContain("Not known: shop/a, shop/b, shop/c, shop/d and 1 more.");
  });

  it("of a silent cluster names no cause, and never says that nobody is in trouble", () =>
    expect(text(page({ fresh: false, findings: [] }))).not.toContain("Where trouble comes from"));

  it("offers other clusters only where there are some", () => {
    expect(page()).not.toContain("<select");
    expect(page({}, ["eu-1", "us-1"])).toContain("<option selected>eu-1</option><option>us-1</option>");
  });

  it("of nobody says what is missing", () =>
    expect(text(renderTopology({ clusters: [], graph: null }, frame))).toContain("No cluster has told anything yet"));

  it("of a large mesh draws what is in trouble, what is beside it, and the busiest", () => {
    const many = Array.from({ length: 200 }, (_, i) => node(`s${i}`, { requestsPerSecond: i }));
    const bad = node("bad", { status: "major_outage", requestsPerSecond: 0 });
    const large = {
      nodes: [...many, bad],
      edges: [...many.slice(1).map((_, i) => edge(`s${i} s${i + 1}`)), edge("s3 bad")],
    };
    const drawn = drawnNodes(large).map(({ name }) => name);
    expect(drawn).toHaveLength(DRAWN_MAX);
    for (const name of ["bad", "s3", "s199"]) expect(drawn).toContain(`shop/${name}`);
    expect(drawn).not.toContain("shop/s50");
    expect(text(page(large))).toContain("Drawn are 40 of 201 services");
  });
});
