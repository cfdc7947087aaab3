import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const MINUTES = 60_000;

/** Slow projects start real programs; each file brings its own on ports of its own. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: "rules", include: ["test/{core,protocol,web,walls}/**/*.test.ts"], testTimeout: 60_000 } },
      { test: { name: "agent", include: ["test/agent/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 } },
      { test: { name: "store", include: ["test/store/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 2 * MINUTES } },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
        test: {
          name: "worker",
          include: ["test/worker/**/*.test.ts"],
          testTimeout: 30_000,
          deps: { optimizer: { ssr: { enabled: true, include: ["itty-durable"] } } },
        },
      },
      {
        test: {
          name: "flow",
          include: ["test/flow/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 10 * MINUTES,
          hookTimeout: 3 * MINUTES,
        },
      },
    ],
  },
});
