/** A Prometheus that holds three days of a small mesh, as if it had scraped them. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DAY, HOUR, MINUTE, SECOND } from "../../protocol/time.ts";
import { Dice } from "../simulator/dice.ts";
import { freePort, RunningProgram } from "./process.ts";
import { program } from "./programs.ts";

const SCRAPE_MS = 2 * MINUTE;
/** Three days of the seven, because more take long to be written. */
const STEPS = (3 * DAY) / SCRAPE_MS;

/** shop/cart, which fails in the last half hour, and shop/young, which is 20 hours old; 10 requests a second, of which few fail, in 20 ms. */
function history(end: number): string {
  const dice = new Dice(1);
  const lines = new Map<string, string[]>();
  const counters = new Map<string, number>();
  const add = (name: string, labels: string, at: number, by: number): void => {
    const series = `${name}{reporter="destination",destination_service_namespace="shop",${labels}}`;
    counters.set(series, (counters.get(series) ?? 0) + by);
    const of = lines.get(name) ?? [];
    lines.set(name, of);
    of.push(`${series} ${counters.get(series)} ${at / SECOND}`);
  };
  for (let i = 0; i <= STEPS; i++) {
    const at = end - (STEPS - i) * SCRAPE_MS;
    for (const name of ["cart", "young"]) {
      if (name === "young" && at < end - 20 * HOUR) continue;
      const requests = 1_100 + dice.below(200);
      const failed = at > end - HOUR / 2 && name === "cart" ? 600 : dice.below(10);
      const service = `destination_service_name="${name}"`;
      add("istio_requests_total", `${service},response_code="200"`, at, requests - failed);
      add("istio_requests_total", `${service},response_code="503"`, at, failed / 2);
      add("istio_requests_total", `${service},response_code="200",grpc_response_status="14"`, at, failed / 2);
      const le = [["10", 0.2 * requests] as const, ["25", requests] as const, ["+Inf", requests] as const];
      for (const [bound, count] of le)
        add("istio_request_duration_milliseconds_bucket", `${service},le="${bound}"`, at, count);
    }
  }
  return `${[...lines.values()].flat().join("\n")}\n# EOF\n`;
}

/** @param end of what it holds, a whole point */
export async function startHistory(
  home: string,
  end: number,
): Promise<{ readonly program: RunningProgram; readonly url: string }> {
  mkdirSync(home);
  writeFileSync(join(home, "days.om"), history(end));
  writeFileSync(join(home, "prometheus.yml"), "{}");
  const blocks = ["tsdb", "create-blocks-from", "openmetrics", join(home, "days.om"), join(home, "data")];
  const made = spawnSync("promtool", blocks);
  if (made.status !== 0) throw new Error(made.stderr.toString());
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const running = new RunningProgram({
    command: [
      program("prometheus"),
      `--config.file=${home}/prometheus.yml`,
      `--storage.tsdb.path=${home}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    logFile: join(home, "prometheus.log"),
    isReady: async () => (await fetch(`${url}/-/ready`)).ok,
  });
  await running.start();
  return { program: running, url };
}
