import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeFaults, loadConfig, parseConfig } from "../../agent/config.ts";

const BASE = "edge: http://127.0.0.1:8787\ncluster: demo\n";
const SOURCES = "sources: { prometheus: { url: http://127.0.0.1:9090 } }\n";
const SMALLEST = BASE + SOURCES;

/** What is wrong with the smallest configuration plus these lines: "line path: message". */
function faults(yaml: string, base = BASE): string[] {
  const parsed = parseConfig(base + yaml + (yaml.includes("sources:") ? "" : SOURCES), "/etc/observatory");
  return parsed.ok ? [] : parsed.failure.map(({ path, line, message }) => `${line} ${path}: ${message}`);
}

describe("the configuration", () => {
  it("is small, with defaults for the rest", () => {
    const parsed = parseConfig(SMALLEST, "/etc/observatory");
    expect(parsed.ok && parsed.value).toMatchObject({
      edge: "http://127.0.0.1:8787",
      dataDir: "/etc/observatory/agent-data",
      interval: 10_000,
      audit: false,
      sources: { prometheus: { scrapeInterval: 15_000, reporter: "destination" } },
      leases: { killSwitch: false, targets: [] },
    });
  });

  it("reads lengths, and paths relative to its folder", () => {
    const parsed = parseConfig(
      `${BASE}interval: 1m
dataDir: data
enroll: { codeFile: secret/code }
sources:
  prometheus: { url: "http://127.0.0.1:9090/", scrapeInterval: 500s, reporter: source }
`.replace("500s", "30s"),
      "/etc/observatory",
    );
    expect(parsed.ok && parsed.value).toMatchObject({
      interval: 60_000,
      dataDir: "/etc/observatory/data",
      enroll: { codeFile: "/etc/observatory/secret/code" },
      sources: { prometheus: { url: "http://127.0.0.1:9090", scrapeInterval: 30_000, reporter: "source" } },
    });
  });

  it.each([
    ["a misspelt setting", "intervall: 10s\n", ["3 intervall: is not a setting; check its spelling, or remove it"]],
    ["a length without a unit", "interval: 10\n", ["3 interval: write a length with its unit, such as 10s, 1m or 1h"]],
    ["too short an interval", "interval: 100ms\n", ["3 interval: must be at least 1s"]],
    ["too long an interval", "interval: 1h\n", ["3 interval: must be at most 600s"]],
    [
      "both a code and a file",
      `enroll: { code: ${"A".repeat(32)}, codeFile: x }\n`,
      ["3 enroll: give either code or codeFile"],
    ],
    [
      "a code of another form",
      "enroll: { code: abc }\n",
      ["3 enroll.code: must be the 32 characters that the edge printed (A-Z, 2-7)"],
    ],
    [
      "an unknown reporter",
      "sources:\n  prometheus:\n    url: http://127.0.0.1:9090\n    reporter: both\n",
      ["6 sources.prometheus.reporter: must be one of destination, source, waypoint"],
    ],
    ["a source without its address", "sources:\n  prometheus: {}\n", ["4 sources.prometheus.url: is missing; add it"]],
    ["no source", "# sources:\n", ["null sources: add at least one of prometheus, scrape, kubernetes, certificates"]],
    [
      "an empty list of sources",
      "sources: {}\n",
      ["3 sources: add at least one of prometheus, scrape, kubernetes, certificates"],
    ],
    [
      "certificates of a mesh without a Prometheus",
      "sources:\n  certificates: { mesh: {} }\n",
      ["4 sources.certificates: mesh needs sources.prometheus: it is asked for the mesh's certificates"],
    ],
    [
      "certificates of a cluster without one",
      "sources:\n  certificates: { secrets: { namespaces: [shop] } }\n",
      ["4 sources.certificates: secrets and certManager need sources.kubernetes: they are objects of that API server"],
    ],
    ["no targets", "sources:\n  scrape: { targets: [] }\n", ["4 sources.scrape.targets: list at least one URL"]],
    [
      "a target that is no URL",
      "sources:\n  scrape:\n    targets:\n      - http://127.0.0.1:1/metrics\n      - pod:15020\n",
      ["7 sources.scrape.targets[1]: must be an http:// or https:// URL"],
    ],
    [
      "two readers of the same mesh",
      "sources:\n  scrape: { targets: [http://127.0.0.1:1] }\n  prometheus: { url: http://127.0.0.1:2 }\n",
      ["4 sources: prometheus and scrape would both close the same windows: remove one of the two"],
    ],
    ["audit that is not true or false", "audit: perhaps\n", ["3 audit: must be true or false"]],
  ])("with %s says where and what to do", (_name, yaml, expected) => expect(faults(yaml)).toEqual(expected));

  it("reports every fault at once", () => {
    const all = faults(
      "interval: soon\nleases: { targets: [{ ref: cart, modes: [] }] }\n",
      "edge: ftp://x\ncluster: Demo\n",
    );
    expect(all.map((fault) => fault.split(":")[0])).toEqual([
      "1 edge",
      "2 cluster",
      "3 interval",
      "4 leases.targets[0].ref",
      "4 leases.targets[0].modes",
    ]);
  });

  it.each([
    ["nothing", ""],
    ["a list", "- a\n"],
    ["a word", "hello\n"],
  ])("that is %s misses everything", (_name, yaml) => {
    const parsed = parseConfig(yaml, "/");
    expect(parsed.ok).toBe(false);
  });

  it("that is not YAML says so with its line", () => {
    expect(faults("sources: [\n")[0]).toMatch(/^[34] : not YAML: /);
    expect(faults("cluster: again\n")[0]).toMatch(/^3 : not YAML: .*unique/);
  });

  it("cannot unfold into gigabytes", () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x,x]",
      ...["b", "c", "d", "e", "f", "g"].map(
        (name, i) => `${name}: &${name} [${Array.from({ length: 10 }, () => `*${"abcdefg"[i]}`).join()}]`,
      ),
    ].join("\n");
    expect(faults(`${bomb}\n`).length).toBeGreaterThan(0);
  });

  it("that is missing is a fault, not a crash", () => {
    const folder = mkdtempSync(join(tmpdir(), "config-"));
    const loaded = loadConfig(join(folder, "agent.yaml"));
    expect(!loaded.ok && describeFaults("agent.yaml", loaded.failure)).toContain("there is no such file");
    rmSync(folder, { recursive: true });
  });
});
