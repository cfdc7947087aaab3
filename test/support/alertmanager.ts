/** A real Alertmanager, alone or one of a high-availability pair, with intervals of a second. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, RunningProgram } from "./process.ts";
import { program } from "./programs.ts";

const MINUTE = 60_000;

export class Alertmanager {
  readonly program: RunningProgram;
  readonly #url: string;

  private constructor(running: RunningProgram, url: string) {
    this.program = running;
    this.#url = url;
  }

  /** Two that know each other. They notify `webhook` with `token`. */
  static async pair(directory: string, webhook: string, token: string): Promise<[Alertmanager, Alertmanager]> {
    const gossip = [await freePort(), await freePort()] as const;
    const made = [
      await Alertmanager.#make(join(directory, "a"), webhook, token, gossip[0], gossip[1]),
      await Alertmanager.#make(join(directory, "b"), webhook, token, gossip[1], gossip[0]),
    ] as const;
    await Promise.all(made.map((one) => one.program.start()));
    return [...made];
  }

  static async #make(home: string, webhook: string, token: string, own: number, peer: number): Promise<Alertmanager> {
    mkdirSync(home, { recursive: true });
    const config = {
      route: {
        receiver: "observatory",
        group_by: ["service"],
        group_wait: "1s",
        group_interval: "1s",
        repeat_interval: "1m",
      },
      receivers: [
        {
          name: "observatory",
          webhook_configs: [
            {
              url: webhook,
              send_resolved: true,
              http_config: { authorization: { type: "Bearer", credentials: token } },
            },
          ],
        },
      ],
    };
    writeFileSync(join(home, "alertmanager.yml"), JSON.stringify(config));
    const url = `http://127.0.0.1:${await freePort()}`;
    const running = new RunningProgram({
      command: [
        program("alertmanager"),
        `--config.file=${home}/alertmanager.yml`,
        `--storage.path=${home}/data`,
        `--web.listen-address=${new URL(url).host}`,
        `--cluster.listen-address=127.0.0.1:${own}`,
        `--cluster.peer=127.0.0.1:${peer}`,
        // The second one waits this long for the first one's word that it has notified: hardly, so that both do.
        "--cluster.peer-timeout=1ms",
        "--cluster.gossip-interval=50ms",
        "--cluster.pushpull-interval=1s",
        "--cluster.settle-timeout=1s",
      ],
      logFile: join(home, "alertmanager.log"),
      isReady: async () => (await fetch(`${url}/-/ready`)).ok,
    });
    return new Alertmanager(running, url);
  }

  /** How many of its cluster it sees, itself included. */
  async peers(): Promise<number> {
    const status = (await (await fetch(`${this.#url}/api/v2/status`)).json()) as { cluster: { peers: object[] } };
    return status.cluster.peers.length;
  }

  /** Notifications that it has sent since it started, whatever became of them. */
  async notified(): Promise<number> {
    const metrics = await (await fetch(`${this.#url}/metrics`)).text();
    return Number(/^alertmanager_notifications_total\{integration="webhook"\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
  }

  /** As Prometheus says it: an alert fires from `startsAt` on, until `endsAt` if that is told. */
  async tell(alert: { name: string; service: string; startsAt: number; endsAt?: number }): Promise<void> {
    const { name, service, startsAt, endsAt = Date.now() + 10 * MINUTE } = alert;
    const answer = await fetch(`${this.#url}/api/v2/alerts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify([
        {
          labels: { alertname: name, service, severity: "critical" },
          annotations: { summary: `${service} fails` },
          startsAt: new Date(startsAt).toISOString(),
          endsAt: new Date(endsAt).toISOString(),
        },
      ]),
    });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  }
}
