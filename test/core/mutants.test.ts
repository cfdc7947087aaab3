/** Each rule of what is green and what is not, broken once: a test must notice, or it is none. */
import { beforeAll, describe, expect, it } from "vitest";
import type { Mutant } from "../support/mutants.ts";
import { failuresOf } from "../support/mutants.ts";

/** Who should notice a mistake in each of them. */
const TESTS: Readonly<Record<string, readonly string[]>> = {
  service: ["service"],
  level: ["service"],
  thresholds: ["service"],
  component: ["component", "matrix", "policies"],
  rule: ["rule"],
  usual: ["usual"],
  tell: ["policies"],
};

const rows: readonly (readonly [name: string, file: string, from: string, to: string])[] = [
  // thresholds, each at its edge
  [
    "exactly 50 % is a major outage",
    "service",
    "ratio > thresholds.errorRatioMajor",
    "ratio >= thresholds.errorRatioMajor",
  ],
  [
    "exactly 5 % is a partial outage",
    "service",
    "if (ratio > thresholds.errorRatioPartial)",
    "if (ratio >= thresholds.errorRatioPartial)",
  ],
  [
    "exactly 1 % is degraded",
    "service",
    "if (ratio > thresholds.errorRatioDegraded ||",
    "if (ratio >= thresholds.errorRatioDegraded ||",
  ],
  ["the runbook's p95 is another", "thresholds", "p95Ms: 500", "p95Ms: 499"],
  [
    "a p95 that cannot be told counts as slow",
    "service",
    'return p95Verdict(reading, thresholds) === "breached";',
    'return p95Verdict(reading, thresholds) !== "met";',
  ],
  [
    "a p95 that cannot be told is within its limit",
    "service",
    "if (doubtful === undefined || p95 === null) return WITHIN_LIMITS;",
    "return WITHIN_LIMITS;",
  ],
  ["a slow service is well", "service", "|| isSlow(reading, thresholds)) return 1", ") return 1"],
  ["too few requests count", "service", "requests >= requestsMin ||", "requests > 0 ||"],
  ["five requests are too few", "service", "requests >= requestsMin ||", "requests > requestsMin ||"],
  ["one slow request is slow", "service", 'verdict === "breached" && requests < requestsMin', "false"],
  ["no requests at all are evidence of health", "service", "(requests > 0 && errors === 0)", "errors === 0"],
  // steadiness
  ["one bad reading raises", "level", "const RAISE_READINGS = 2", "const RAISE_READINGS = 1"],
  ["three bad readings are needed", "level", "const RAISE_READINGS = 2", "const RAISE_READINGS = 3"],
  ["one good reading clears", "level", "levels.length >= READINGS_MAX && worst < before", "worst < before"],
  [
    "one bad reading of what was never seen well is green",
    "service",
    '(previous === "operational" && levels.includes(0))',
    "(previous !== null && levels.includes(0))",
  ],
  [
    "one bad reading of what was well once is green",
    "service",
    '(previous === "operational" && levels.includes(0))',
    'previous === "operational"',
  ],
  // silence
  ["old readings are evidence", "service", "at > liveAt - SILENT_INTERVALS * intervalMs", "at > 0"],
  ["readings from a future are evidence", "service", "&& at <= liveAt + FUTURE_MS", ""],
  ["ready replicas refute a failure", "service", "if (!isUnfailed(previous))", "if (previous === null)"],
  [
    "ready replicas outweigh requests that all fail",
    "service",
    "fresh.every(({ requests }) => requests > 0)",
    "fresh.length === 0",
  ],
  [
    "a service without a ready replica is well",
    "service",
    "replicas.desired > 0 && replicas.ready === 0",
    "replicas.ready < 0",
  ],
  ["what replicas showed stays a failure", "service", "readings: byReadings?.status ?? previous,", ""],
  [
    "evidence is good for a moment too long",
    "component",
    "tell === undefined || at >= tell.expiresAt",
    "tell === undefined || at > tell.expiresAt",
  ],
  ["what expired is still good", "component", "tell === undefined || at >= tell.expiresAt", "tell === undefined"],
  [
    "a service that is missing is well",
    "component",
    'status: "unknown", why: null, reason: silence(',
    'status: "operational", why: null, reason: silence(',
  ],
  // several clusters
  [
    "a cluster is as good as the best of its services",
    "component",
    "const status = worst(said.map((one) => one.status));",
    'const status = said[0]?.status ?? "unknown";',
  ],
  [
    "silence breaks a quorum that could be met",
    "rule",
    "parts.toSorted((a, b)",
    'parts.filter(({ status }) => status !== "unknown").toSorted((a, b)',
  ],
  ["any asks for all", "rule", 'rule === "any" ? 1', 'rule === "any" ? parts.length'],
  ["a quorum is met by one less", "rule", "[n - 1] ?? null", "[Math.max(0, n - 2)] ?? null"],
  [
    "a silent cluster counts as served",
    "rule",
    'status !== "unknown" && status !== "under_maintenance"',
    'status !== "under_maintenance"',
  ],
  [
    "traffic that nobody knows counts as none",
    "rule",
    "if (usualPerSecond === null) return null;",
    "if (usualPerSecond === null) continue;",
  ],
  [
    "half of the traffic is a small part",
    "rule",
    "total * (1 - THRESHOLDS.errorRatioMajor)",
    "total * THRESHOLDS.errorRatioPartial",
  ],
  ["an outage becomes usual", "usual", 'traffic === null || status !== "operational"', "traffic === null"],
  [
    "what failed from the first usually gets that",
    "usual",
    'traffic === null || status !== "operational"',
    'traffic === null || (known !== undefined && status !== "operational")',
  ],
  // limits of components
  ["a component's limits are nobody's", "component", "(told.own?.[id] ?? told)", "told"],
  ["limits that were taken away go on", "component", "thresholds === undefined ? told : ", ""],
  ["what steadies by one limit steadies by all", "tell", "return `${service}@${component}`;", "return service;"],
];

const mutants = rows.map(([name, file, from, to]): Mutant => ({
  name,
  file: `worker/core/${file}.ts`,
  from,
  to,
  tests: (TESTS[file] ?? []).map((test) => `test/core/${test}.test.ts`),
}));

let failures: readonly (readonly string[])[] = [];
beforeAll(async () => {
  failures = await failuresOf(mutants);
}, 300_000);

describe("a mistake that would make this true is caught:", () => {
  it.each(mutants.map(({ name }, i) => [name, i] as const))("%s", (_name, i) => expect(failures[i]).not.toEqual([]));

  it("and the rules as they are break no test", () => expect(failures.at(-1)).toEqual([]));
});
