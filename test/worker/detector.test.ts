/** Wishes for a detector: from the operator's form to the agent's receipt, its answer back to the page, and no status made of any of it. */
import { evictDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { DetectorReport, DetectorWish } from "../../protocol/detector.ts";
import { detectorWishMessage } from "../../protocol/detector.ts";
import type { Live } from "../../protocol/push.ts";
import { fromBase64, importPublicKey, keyIdOf, sha256, verifyEd25519 } from "../../worker/objects/crypto.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { bindings, call, cli, enrolledAgent, liveService } from "./agent.ts";
import type { Receipt } from "./agent.ts";

const board = boardOf(bindings);
let cookie = "";
let edgeKey = "";

beforeAll(async () => {
  // A board that is new asks the archive for its components first.
  await vi.waitUntil(async () => (await board.leasesOf("nobody")) !== null, { timeout: 60_000 });
  const { token } = await board.createLink();
  cookie = `__Host-observatory=${await board.redeemLink(token)}`;
  const { edgeKeys } = await (
    await cli("POST", "/cli/v1/enrollments", { cluster: "key" })
  ).json<{ edgeKeys: string[] }>();
  edgeKey = edgeKeys[0] ?? "";
});

const NOW = Date.now();
const report = (facts: Partial<DetectorReport> = {}): DetectorReport => ({
  observedGeneration: 0,
  state: "watching",
  detail: null,
  threshold: 0.85,
  since: NOW,
  setBy: "agent",
  baseline: null,
  judgedTo: NOW,
  answer: null,
  ...facts,
});

type EnrolledAgent = Awaited<ReturnType<typeof enrolledAgent>>;
async function push(agent: EnrolledAgent, detector: DetectorReport | null, errorRatio = 0): Promise<Receipt> {
  const live: Partial<Live> = { services: [liveService(errorRatio)], ...(detector && { detector }) };
  return (await agent.push({ epoch: agent.epoch }, live)).json<Receipt>();
}

/** Pushes until the edge wishes something that is newer; what that is, once its signature is found to be the edge's. */
async function wished(agent: EnrolledAgent, detector: DetectorReport): Promise<DetectorWish> {
  const signed = await vi.waitUntil(async () => (await push(agent, detector)).detector, { timeout: 20_000 });
  const key = fromBase64(edgeKey) ?? new Uint8Array();
  expect(signed.keyId).toBe(await keyIdOf(key));
  const digest = await sha256(detectorWishMessage(signed.payload));
  expect(await verifyEd25519(await importPublicKey(key), signed.signature, digest)).toBe(true);
  return JSON.parse(signed.payload) as DetectorWish;
}

const pageOf = async (cluster: string): Promise<string> =>
  (await (await call(`/admin/clusters/${cluster}/anomalies`, { headers: { cookie } })).text()).replace(/<[^>]*>/g, "");
const post = (cluster: string, act: string, fields: Record<string, string> = {}, origin = "https://status.test") =>
  call(`/admin/clusters/${cluster}/anomalies${act}`, {
    method: "POST",
    headers: { origin, cookie, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
  });

it("a threshold is set by a form, comes signed with the next receipt, and is shown once the agent has it", async () => {
  const agent = await enrolledAgent("wish-1");
  expect((await push(agent, report())).detector).toBeUndefined();
  expect((await post("wish-1", "", { threshold: "0.9" })).status).toBe(303);
  expect(await pageOf("wish-1")).toContain("0.9 is on its way");
  const wish = await wished(agent, report());
  expect(wish).toMatchObject({ cluster: "wish-1", threshold: 0.9, command: null });
  const taken = report({ observedGeneration: wish.generation, threshold: 0.9, setBy: "edge" });
  expect((await push(agent, taken)).detector).toBeUndefined();
  await expect.poll(() => pageOf("wish-1")).toMatch(/Threshold in force0\.9, set here, since/);
  // Objects forget nothing of it, and no visitor reads of it.
  await evictDurableObject(board);
  expect(await pageOf("wish-1")).toContain("0.9, set here");
  expect(JSON.stringify(await board.snapshot())).not.toMatch(/wish-1|anomal/);
  expect((await post("wish-1", "/own")).status).toBe(303);
  expect(await wished(agent, taken)).toMatchObject({ threshold: null });
});

it("an agent of before hears of no wish, and nobody can ask it", async () => {
  const agent = await enrolledAgent("wish-2");
  await push(agent, null);
  expect((await post("wish-2", "", { threshold: "0.9" })).status).toBe(303);
  expect((await push(agent, null)).detector).toBeUndefined();
  const refused = await post("wish-2", "/preview", { threshold: "0.9" });
  expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining("nobody can be asked")]);
});

describe("a question", () => {
  it("is asked once, answered by the agent, and its answer stays on the page", async () => {
    const agent = await enrolledAgent("wish-3");
    await push(agent, report());
    expect((await post("wish-3", "/preview", { threshold: "0.95" })).status).toBe(303);
    expect((await post("wish-3", "/retrain")).status).toBe(409);
    const { generation, command } = await wished(agent, report());
    expect(command).toMatchObject({ kind: "preview", threshold: 0.95, by: expect.any(String) });
    const answer = { id: command?.id ?? "", kind: "preview", at: NOW, says: "day 2 of 7 is read" } as const;
    await push(agent, report({ observedGeneration: generation, answer: { ...answer, state: "running" } }));
    await expect.poll(() => pageOf("wish-3")).toContain("the agent is at it: day 2 of 7 is read");
    const preview = { threshold: 0.95, against: 0.85, would: 2, did: 9, subjects: [] };
    const done = report({ observedGeneration: generation, answer: { ...answer, state: "done", preview } });
    expect(await wished(agent, done)).toMatchObject({ command: null });
    expect(await pageOf("wish-3")).toContain("0.95 would have raised 2 instead of 9");
    expect((await post("wish-3", "/retrain")).status).toBe(303);
  });

  it.each([
    ["0.5", "Give a score from 0.6 to 1."],
    ["high", "Give a score from 0.6 to 1."],
    ["", "Give a score from 0.6 to 1."],
  ])("or a threshold of %j is refused beside its field", async (threshold, message) => {
    await enrolledAgent("wish-4");
    for (const act of ["", "/preview"]) {
      const refused = await post("wish-4", act, { threshold });
      expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining(message)]);
    }
  });

  it("of another site's page is none", async () => {
    expect((await post("wish-3", "/retrain", {}, "https://evil.test")).status).toBe(403);
  });
});

it("what people announced of components is told as not usual, of their services there", async () => {
  const agent = await enrolledAgent("wish-5");
  const services = ["wish-5/shop/checkout"];
  await cli("PUT", "/cli/v1/components", { components: [{ name: "Pay", group: "Wishes", services }] });
  await push(agent, report());
  const id = (await board.operatorView()).components.find(({ name }) => name === "Pay")?.id ?? "";
  const incident = {
    name: "Pay fails",
    status: "investigating",
    body: "It is looked at.",
    components: [{ component: id, status: "major_outage" }],
  };
  expect((await cli("POST", "/cli/v1/incidents", incident)).status).toBe(201);
  // A change of limits tells clusters at once; the next tell would.
  await cli("PUT", "/cli/v1/limits", { thresholds: { p95Ms: 400 } });
  const { unusual } = await wished(agent, report());
  expect(unusual).toMatchObject([{ service: "shop/checkout", kind: "incident", name: "Pay fails", to: null }]);
});

it("an anomaly is evidence and no status: its service stays what its readings say", async () => {
  const agent = await enrolledAgent("wish-6");
  const services = ["wish-6/shop/checkout"];
  await cli("PUT", "/cli/v1/components", { components: [{ name: "Cart", group: "Wishes", services }] });
  const body = { score: 1, threshold: 0.85, says: "Error ratio of shop/checkout is 30 %." };
  const event = { kind: "anomaly.raised", id: "e".repeat(32), at: Date.now(), subject: "shop/checkout", body };
  const pushed = await agent.push(
    { epoch: agent.epoch, records: { first: 1, items: [event] } },
    { services: [liveService(0)], detector: report() },
  );
  expect([pushed.status, await pushed.text()]).toEqual([200, expect.stringContaining('"rejected":[]')]);
  const outlook = async () => {
    const { components, incidents } = await board.snapshot();
    return [components.find(({ name }) => name === "Cart")?.outlook[0]?.status, incidents?.length];
  };
  const before = (await board.snapshot()).incidents?.length;
  await expect.poll(outlook).toEqual(["operational", before]);
});

it("the list of anomalies says that it is looked at, at which threshold and since when", async () => {
  const agent = await enrolledAgent("wish-7");
  await push(agent, report());
  const { token } = await (await cli("POST", "/cli/v1/tokens", { scope: "read" })).json<{ token: string }>();
  const headers = { authorization: `Bearer ${token}` };
  const found = async () => {
    const { detectors } = await (
      await call("/api/v1/anomalies", { headers })
    ).json<{ detectors: { cluster: string }[] }>();
    return detectors.find(({ cluster }) => cluster === "wish-7");
  };
  await expect.poll(found).toMatchObject({
    state: "watching",
    threshold: 0.85,
    thresholdSince: new Date(NOW).toISOString(),
    thresholdSetBy: "agent",
  });
});

it("a threshold stays what it was when another cluster's is set, and when the page changes otherwise", async () => {
  for (const cluster of ["wish-6", "wish-7"]) await enrolledAgent(cluster);
  const thresholds = async () =>
    Promise.all(["wish-6", "wish-7"].map(async (one) => (await board.detectorPage(one))?.wished?.threshold));
  await post("wish-6", "", { threshold: "0.9" });
  await post("wish-7", "", { threshold: "0.7" });
  expect(await thresholds()).toEqual([0.9, 0.7]);
  expect((await cli("PUT", "/cli/v1/draft-rules", { rules: [] })).status).toBe(200);
  expect(await thresholds()).toEqual([0.9, 0.7]);
  await post("wish-7", "/own");
  expect(await thresholds()).toEqual([0.9, undefined]);
});
