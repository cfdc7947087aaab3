/** Every `curl` of the runbook that speaks to the Observatory, against a running edge. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunningDatabase } from "../../dev/database/database.ts";
import { startDatabase } from "../../dev/database/database.ts";
import { runbookCommands } from "../../dev/runbook/commands.ts";
import { EXPECTED, piped } from "../../dev/runbook/expected.ts";
import { runCommand } from "../support/command.ts";
import { Edge } from "../support/miniflare.ts";
import { ROOT } from "../support/process.ts";
import { EdgeAgent } from "./agent.ts";

const RUNBOOK = readFileSync(join(ROOT, "docs/runbook.md"), "utf8");

describe("the runbook's commands", () => {
  it("are found wherever they stand: in lists, behind kubectl, before a pipe", () =>
    expect(runbookCommands(RUNBOOK).map(({ path, pipe }) => [path, pipe.kind])).toEqual([
      ["/health", "none"],
      ["/api/v1/certificates/expiring?days=7", "none"],
      ["/api/v1/anomalies?limit=50", "none"],
      ["/health", "none"],
      ["/api/v1/metrics/overview", "none"],
      ["/api/v1/metrics/overview", "none"],
      ["/metrics", "grep"],
      ["/api/v1/anomalies", "json"],
    ]));

  it("none is missed: each curl of the text is one of them or speaks to somebody else", () => {
    const curls = RUNBOOK.split("\n").filter((line) => /\bcurl\b/.test(line));
    const others = curls.filter((line) => /localhost:(9090|15000)|prometheus\.monitoring/.test(line));
    expect(curls.length - others.length).toBe(runbookCommands(RUNBOOK).length);
  });

  it("are held against what the runbook itself says", () => {
    const plain = RUNBOOK.replaceAll("*", "");
    for (const { says } of Object.values(EXPECTED)) for (const line of says) expect(plain).toContain(line);
  });

  it("a pipe that is not known stops the run rather than being left out", () =>
    expect(() => runbookCommands("```\ncurl http://localhost:8000/metrics | sort\n```")).toThrow(/not known/));

  it.each([
    ["a grep that finds nothing", "curl http://localhost:8000/metrics | grep observatory_", "up 1\n"],
    ["a jq of no JSON", "curl http://localhost:8000/metrics | jq '.'", "<html>"],
  ])("%s is a failure", (_name, text, body) => {
    const [one] = runbookCommands(`\`\`\`bash\n${text}\n\`\`\``);
    expect(one === undefined || piped(body, one).ok).toBe(false);
  });
});

describe("npm run runbook", () => {
  let database: RunningDatabase;
  let edge: Edge;
  let agent: EdgeAgent;

  beforeAll(async () => {
    database = await startDatabase({});
    edge = await Edge.start({ databaseEndpoint: database.endpoint, flushMs: 200 });
    agent = await EdgeAgent.start(edge, "eu-1");
  });
  afterAll(async () => {
    await agent?.remove();
    await edge?.remove();
    await database?.stop();
  });

  const run = () => runCommand("runbook", [], edge);

  it("runs all eight, and prints what the runbook expects beside each answer", async () => {
    const { code, out, problem } = await run();
    expect([code, problem]).toEqual([0, ""]);
    expect(out.match(/^ok {6}docs\/runbook\.md:\d+ {2}curl /gm)).toHaveLength(8);
    expect(out).toContain("All 8 commands of the runbook work.");
    expect(out).toMatch(/runbook\s+Threshold: 0 \(alert if >0\)\n\s+answer\s+No agent looks at certificates/);
    expect(out).toContain("observatory_mtls_certificates_expiring_7d NaN");
  });

  it("fails if one of them does", async () => {
    database.inject("refuse");
    const { code, out, problem } = await run();
    database.heal();
    expect(code).toBe(1);
    expect(problem).toMatch(/^[1-7] of 8 commands failed$/m);
    expect(out).toMatch(/^FAILED {2}docs\/runbook\.md:\d+ {2}curl -s http:\/\/localhost:8000\/api\/v1\/anomalies/m);
    // The overview is asked in an outage: it answers.
    expect(out).toMatch(
      /^ok {6}docs\/runbook\.md:\d+ {2}curl -f https:\/\/observatory\.example\.com\/api\/v1\/metrics\/overview/m,
    );
  });
});
