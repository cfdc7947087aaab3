/** A real Prometheus that scrapes the mesh, and what else a test has. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, RunningProgram } from "./process.ts";
import { program } from "./programs.ts";

/**
 * Starts it with its files in `directory`, scraping `target`; resolves once it answers. It takes native histograms.
 *
 * @param jobs further entries of its `scrape_configs`
 * @param rules of one group, evaluated at each scrape
 */
export async function startPrometheus(
  directory: string,
  target: string,
  scrapeInterval = "5s",
  jobs: readonly object[] = [],
  rules: readonly object[] = [],
): Promise<{ readonly program: RunningProgram; readonly url: string }> {
  const port = await freePort();
  const home = join(directory, "prometheus");
  mkdirSync(home, { recursive: true });
  const { host, pathname } = new URL(target);
  writeFileSync(join(home, "rules.yml"), JSON.stringify({ groups: [{ name: "test", rules }] }));
  writeFileSync(
    join(home, "prometheus.yml"),
    JSON.stringify({
      global: {
        scrape_interval: scrapeInterval,
        scrape_timeout: scrapeInterval,
        evaluation_interval: scrapeInterval,
      },
      rule_files: ["rules.yml"],
      scrape_configs: [{ job_name: "mesh", metrics_path: pathname, static_configs: [{ targets: [host] }] }, ...jobs],
    }),
  );
  const url = `http://127.0.0.1:${port}`;
  const running = new RunningProgram({
    command: [
      program("prometheus"),
      `--config.file=${home}/prometheus.yml`,
      `--storage.tsdb.path=${home}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--enable-feature=native-histograms",
    ],
    logFile: join(home, "prometheus.log"),
    isReady: async () => (await fetch(`${url}/-/ready`)).ok,
  });
  await running.start();
  return { program: running, url };
}
