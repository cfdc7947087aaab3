import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { BaseSequencer } from "vitest/node";
import type { TestSpecification } from "vitest/node";

const MINUTES = 60_000;

/** A port that is free now, for what the Worker's tests speak to: bindings must name it before it starts. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

const databasePort = Number((process.env["WORKER_TEST_DATABASE_PORT"] ??= String(await freePort())));
const outsidePort = Number((process.env["WORKER_TEST_OUTSIDE_PORT"] ??= String(await freePort())));
const signingKey = generateKeyPairSync("ed25519")
  .privateKey.export({ type: "pkcs8", format: "der" })
  .toString("base64");

const sealingKey = randomBytes(32).toString("base64");

/** What waits for a minute and more, longest first. */
const LONGEST = ["flow/outage", "flow/kill", "flow/prometheus", "flow/native", "flow/topology", "flow/silence"];
/** What takes half a minute and more, and calculates too. */
const LONG = ["web/stale", "agent/disk", "worker/archive", "worker/faults", "store/overlap", "web/golden"];

/**
 * Whatever waits begins first, and together: begun last it would be all that is left to wait for, and its limits of real
 * time are not to be kept beside those that calculate, which fill the processors at the end.
 */
class PatientFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ project, moduleId }: TestSpecification): number => {
      const isOf = (file: string): boolean => moduleId.endsWith(`/test/${file}.test.ts`);
      if (LONGEST.some(isOf)) return LONGEST.findIndex(isOf);
      if (project.name === "flow" || project.name === "edge") return LONGEST.length;
      return LONGEST.length + (LONG.some(isOf) ? 1 : 2);
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

/** A condition is waited for as long as a busy machine may need, not for a second. */
const expectations = { poll: { timeout: 15_000 } };

/** Slow projects start real programs; each file brings its own on ports of its own. */
export default defineConfig({
  test: {
    // Most wait for real programs: two processors are a quarter busy with two files at a time.
    maxWorkers: 4,
    sequence: { sequencer: PatientFirst },
    projects: [
      {
        test: {
          name: "rules",
          expect: expectations,
          include: ["test/{core,protocol,web,walls}/**/*.test.ts"],
          testTimeout: 3 * MINUTES,
          hookTimeout: 3 * MINUTES,
        },
      },
      { test: { name: "simulator", include: ["test/simulator/**/*.test.ts"], testTimeout: 5 * MINUTES } },
      {
        test: {
          name: "agent",
          expect: expectations,
          include: ["test/agent/**/*.test.ts"],
          testTimeout: 2 * MINUTES,
          hookTimeout: MINUTES,
        },
      },
      {
        test: {
          name: "store",
          expect: expectations,
          include: ["test/store/**/*.test.ts"],
          testTimeout: 3 * MINUTES,
          hookTimeout: 2 * MINUTES,
        },
      },
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              bindings: {
                OPERATOR_KEY: "the-operators-key-of-the-tests",
                EDGE_SIGNING_KEY: signingKey,
                DATABASE_URL: `postgres://postgres:postgres@127.0.0.1:${databasePort}/postgres`,
                NEON_FETCH_ENDPOINT: `http://127.0.0.1:${databasePort}/sql`,
                // What probes ask: a site on this machine.
                PROBE_LOOPBACK: "1",
                // What tells people, which the tests have fail in every way: no busy machine is that slow.
                NOTICE_TIMEOUT_MS: "4000",
                SEALING_KEY: sealingKey,
                ADMIN_HOSTS: "status.test",
                ACCESS_TEAM: "acme.cloudflareaccess.com",
                ACCESS_AUD: "audience-of-the-tests",
                OUTSIDE_URL: `http://127.0.0.1:${outsidePort}`,
                // As in production: no test lasts that long, so flushes and alarms come only when a test wants them.
                FLUSH_INTERVAL_MS: String(5 * MINUTES),
              },
            },
          }),
        ],
        test: {
          name: "worker",
          expect: expectations,
          // They share one Postgres, and each file begins with an empty one: one at a time, after all the others.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          include: ["test/worker/**/*.test.ts"],
          globalSetup: ["test/support/worker-database.ts", "test/support/outside.ts"],
          setupFiles: ["test/worker/setup.ts"],
          testTimeout: 2 * MINUTES,
          hookTimeout: 2 * MINUTES,
          deps: { optimizer: { ssr: { enabled: true, include: ["itty-durable", "rrule"] } } },
        },
      },
      {
        test: {
          name: "edge",
          expect: expectations,
          include: ["test/edge/**/*.test.ts"],
          testTimeout: 4 * MINUTES,
          hookTimeout: 2 * MINUTES,
        },
      },
      {
        test: {
          name: "flow",
          expect: expectations,
          include: ["test/flow/**/*.test.ts"],
          testTimeout: 20 * MINUTES,
          hookTimeout: 3 * MINUTES,
        },
      },
    ],
  },
});
