import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import type { PageChange } from "../../protocol/page.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { SESSION_HEADER } from "../../worker/objects/relay.ts";
import { tell, told } from "../support/facts.ts";
import { bindings } from "./agent.ts";

interface Reader {
  readonly messages: (Partial<PageChange> & { readonly spreadMs?: number })[];
  readonly socket: WebSocket;
}

/** A page that opens at a shard, from an address. */
async function reader(shard: string, address: string, more: Record<string, string> = {}): Promise<Reader | number> {
  const headers = { upgrade: "websocket", "cf-connecting-ip": address, ...more };
  const answer = await bindings.RELAY.getByName(shard).fetch("https://status.test/live", { headers });
  if (answer.webSocket === null) return answer.status;
  const messages: Reader["messages"] = [];
  answer.webSocket.addEventListener("message", ({ data }) => messages.push(JSON.parse(String(data))));
  answer.webSocket.accept();
  return { messages, socket: answer.webSocket };
}

async function readers(shard: string, count: number, addressOf: (i: number) => string): Promise<readonly Reader[]> {
  const opened = await Promise.all(Array.from({ length: count }, (_, i) => reader(shard, addressOf(i))));
  return opened.filter((one) => typeof one === "object");
}

function close(opened: readonly Reader[]): void {
  for (const { socket } of opened) socket.close();
}

it("greets each page with what is so now, and with how to come back after a cut", async () => {
  const [one] = await readers("greeting", 1, () => "192.0.2.1");
  await expect.poll(() => one?.messages.length).toBe(2);
  expect(one?.messages[0]?.generatedAt).toBeGreaterThan(Date.now() - 5_000);
  expect(one?.messages[1]).toEqual({ spreadMs: 1_000 });
  close(one === undefined ? [] : [one]);
});

it("asks the Board once for 200 pages that come back together", async () => {
  const board = boardOf(bindings);
  const asked = async (): Promise<number> => (await board.costs()).calls["liveFrame"] ?? 0;
  const before = await asked();
  const opened = await readers("crowd", 200, (i) => `192.0.2.${i}`);
  await expect.poll(() => opened.filter(({ messages }) => messages.length >= 2).length).toBe(200);
  expect((await asked()) - before).toBe(1);
  close(opened);
});

it("tells the pages that stay when they have become so many that a second is too short", async () => {
  const [first] = await readers("growing", 1, () => "192.0.2.1");
  const rest = await readers("growing", 100, (i) => `198.51.100.${i}`);
  await bindings.RELAY.getByName("growing").publish("{}");
  // 101 of this shard's are taken for 404 in all, and 250 a second may return.
  await expect.poll(() => first?.messages.at(-1)).toEqual({ spreadMs: 2_000 });
  await evictDurableObject(bindings.RELAY.getByName("growing"), { webSockets: "hibernate" });
  const count = first?.messages.length ?? 0;
  await bindings.RELAY.getByName("growing").publish("{}");
  await expect.poll(() => first?.messages.slice(count)).toEqual([{}, { spreadMs: 2_000 }]);
  close([...rest, ...(first === undefined ? [] : [first])]);
});

it("tells those who came early, also if others were told the same before them", async () => {
  const crowd = (): Promise<readonly Reader[]> => readers("again", 101, (i) => `198.51.100.${i}`);
  const shard = bindings.RELAY.getByName("again");
  const gone = await crowd();
  await shard.publish("{}");
  await expect.poll(() => gone[0]?.messages.at(-1)).toEqual({ spreadMs: 2_000 });
  close(gone);
  // Not by a frame: that would tell the shard that they are few.
  const left = (): Promise<number> => runInDurableObject(shard, (_, state) => state.getWebSockets().length);
  await expect.poll(left).toBe(0);
  const [early] = await readers("again", 1, () => "192.0.2.1");
  await expect.poll(() => early?.messages.at(-1)).toEqual({ spreadMs: 1_000 });
  const rest = await crowd();
  await shard.publish("{}");
  await expect.poll(() => early?.messages.at(-1)).toEqual({ spreadMs: 2_000 });
  close([...rest, ...(early === undefined ? [] : [early])]);
});

it("lets no single address take a shard from everybody else", async () => {
  await boardOf(bindings).hear(tell(Date.now(), [told("operational")], "relay-1"));
  // Nor does a machine with all the addresses of its network.
  const greedy = await readers("greedy", 501, (i) => `2001:db8:1:2::${i}`);
  expect(greedy.length).toBe(500);
  expect(await reader("greedy", "2001:db8:1:2::9")).toBe(503);
  // Nor does what only the operators' route may say.
  expect(await reader("greedy", "2001:db8:1:2::9", { [SESSION_HEADER]: "mine" })).toBe(503);
  const [other] = await readers("greedy", 1, () => "192.0.2.10");
  expect(other).toBeDefined();
  close([...greedy, ...(other === undefined ? [] : [other])]);
});
