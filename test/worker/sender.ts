/** An agent that numbers what it sends, as the real one does, and a clock that a test moves on. Runs in workerd. */
import { runInDurableObject } from "cloudflare:test";
import { expect, vi } from "vitest";
import { agentPath, PUSH_PATH } from "../../protocol/path.ts";
import type { Costs } from "../../worker/objects/meter.ts";
import { clusterOf } from "../../worker/objects/env.ts";
import { windowCount } from "../../worker/store/queries.ts";
import type { Agent, Receipt } from "./agent.ts";
import { ORIGIN, bindings, enrolledAgent, gzip, pushBody, windowOf } from "./agent.ts";
import { database } from "./database.ts";

type Enrolled = Agent & { readonly epoch: number };

/** The clock goes on; nothing waits for it. */
export function pass(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

export function eventOf(subject: string): object {
  const id = Array.from(subject.padEnd(16), (letter) => letter.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return { kind: "pod.oom_killed", id: id.slice(0, 32), at: Date.now(), subject, body: {} };
}

export class Sender {
  next = 1;
  persisted = 1;
  readonly agent: Enrolled;

  constructor(agent: Enrolled) {
    this.agent = agent;
  }

  static async start(cluster: string): Promise<Sender> {
    return new Sender(await enrolledAgent(cluster));
  }

  async push(items: readonly object[] = []): Promise<Receipt> {
    const records = { first: this.next, items };
    const answer = await this.agent.push({ epoch: this.agent.epoch, base: this.persisted, records });
    if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
    const receipt = await answer.json<Receipt>();
    this.next = receipt.received;
    this.persisted = receipt.persisted;
    return receipt;
  }

  /** A push that is signed and packed: the object alone has work with it. */
  async prepare(items: readonly object[]): Promise<() => Promise<unknown>> {
    const { cluster, epoch } = this.agent;
    const path = agentPath(PUSH_PATH, cluster);
    const facts = { epoch, base: this.persisted, records: { first: this.next, items } };
    const body = await gzip(JSON.stringify(pushBody(facts, {})));
    const headers = await this.agent.signedHeaders(path, body);
    const head = {
      method: "POST",
      targetUri: `${ORIGIN}${path}`,
      contentType: headers["content-type"] ?? "",
      contentDigest: headers["content-digest"] ?? null,
      signatureInput: headers["signature-input"] ?? null,
      signature: headers["signature"] ?? null,
    };
    return () => this.cluster.push(head, body);
  }

  /** Fifty services' windows of the minute before. */
  windows(): readonly object[] {
    return Array.from({ length: 50 }, (_, i) => windowOf(1, `shop/service-${i}`));
  }

  get cluster() {
    return clusterOf(bindings, this.agent.cluster);
  }

  /** What these acts cost, over as many lives of the object as they take, if none of them ends one. */
  async cost(act: () => Promise<unknown>): Promise<Costs> {
    const before = await this.cluster.costs();
    await act();
    const after = await this.cluster.costs();
    const minus = (name: "rowsWritten" | "rowsRead" | "alarmsSet" | "statements"): number => after[name] - before[name];
    return {
      ...after,
      rowsWritten: minus("rowsWritten"),
      rowsRead: minus("rowsRead"),
      alarmsSet: minus("alarmsSet"),
      statements: minus("statements"),
    };
  }

  /** Until what was sent with the last push has arrived. */
  async settled(): Promise<void> {
    await expect.poll(async () => (await this.push()).persisted, { timeout: 5_000 }).toBe(this.next);
  }

  stored(): Promise<number> {
    return windowCount(database(), this.agent.cluster).then((count) => (count.ok ? count.value : -1));
  }
}

export function alarmOf(cluster: string): Promise<number | null> {
  return runInDurableObject(clusterOf(bindings, cluster), (_, { storage }) => storage.getAlarm());
}
