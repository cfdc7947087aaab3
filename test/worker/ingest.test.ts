import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { PageSnapshot } from "../../protocol/page.ts";
import { MINUTE } from "../../protocol/time.ts";
import { FIRING_MAX } from "../../worker/core/alert.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import { database } from "./database.ts";
import { bindings, call, cli, onBoard } from "./agent.ts";

const board = boardOf(bindings);
const STARTED = Date.now() - 10 * MINUTE;

async function tokenOf(cluster: string): Promise<{ readonly id: string; readonly token: string }> {
  return (await cli("POST", "/cli/v1/ingest/tokens", { cluster })).json();
}

function alert(service: string, fields: object = {}): object {
  return {
    status: "firing",
    labels: { alertname: "Fails", service, severity: "critical" },
    annotations: { summary: `${service} fails` },
    startsAt: new Date(STARTED).toISOString(),
    endsAt: "0001-01-01T00:00:00Z",
    generatorURL: "http://prometheus/graph",
    fingerprint: service.length.toString(16).padStart(16, "0"),
    ...fields,
  };
}

/** A notification as Alertmanager 0.34 has it, with a field that no version knows yet. */
function notification(alerts: readonly object[], fields: object = {}): object {
  return {
    version: "4",
    groupKey: '{}:{service="checkout"}',
    truncatedAlerts: 0,
    status: "firing",
    receiver: "observatory",
    groupLabels: {},
    commonLabels: {},
    commonAnnotations: {},
    externalURL: "http://alertmanager",
    notification_reason: "first",
    alerts,
    ...fields,
  };
}

function notify(token: string, body: object | string): Promise<Response> {
  return call("/ingest/alertmanager", {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

async function errorOf(answer: Response): Promise<{ readonly code: string; readonly message: string }> {
  return (await answer.json<{ error: { code: string; message: string } }>()).error;
}

interface DraftLine {
  readonly id: string;
  readonly state: string;
  readonly cluster: string;
  readonly cause: string;
  readonly startedAt: string;
}

async function draftsOf(cluster: string): Promise<readonly DraftLine[]> {
  const { drafts } = await (await cli("GET", "/cli/v1/drafts")).json<{ drafts: readonly DraftLine[] }>();
  return drafts.filter((draft) => draft.cluster === cluster);
}

/** Publishes a component and has alerts of a service of its name make drafts. */
async function ruleFor(name: string, cluster: string): Promise<void> {
  const services = [`${cluster}/shop/${name.toLowerCase()}`];
  await cli("PUT", "/cli/v1/components", { components: [{ name, group: "Ingest", services }] });
  const held = await (await cli("GET", "/cli/v1/draft-rules")).json<{ rules: readonly { name: string }[] }>();
  const rule = {
    name,
    cluster,
    match: { service: name.toLowerCase() },
    components: [{ component: `Ingest / ${name}`, status: "partial_outage" }],
  };
  expect((await cli("PUT", "/cli/v1/draft-rules", { rules: [...held.rules, rule] })).status).toBe(200);
}

describe("the door of an Alertmanager", () => {
  it("opens for a token of its cluster, until that is revoked", async () => {
    const { id, token } = await tokenOf("ingest-1");
    expect(token).toMatch(/^ingest-1\.[\w-]{43}$/);
    expect((await notify(token, notification([alert("checkout")]))).status).toBe(200);
    expect((await cli("POST", "/cli/v1/ingest/revoke", { cluster: "ingest-1", id })).status).toBe(200);
    const refused = await notify(token, notification([alert("checkout")]));
    expect(refused.status).toBe(401);
    expect((await errorOf(refused)).message).toContain("npm run -s ingest -- token");
    const { tokens } = await (await cli("GET", "/cli/v1/ingest/ingest-1/tokens")).json<{ tokens: object[] }>();
    expect(tokens).toMatchObject([{ id }]);
    // The hash is nobody's business either.
    expect(Object.keys(tokens[0] ?? {}).toSorted()).toEqual(["createdAt", "id", "revokedAt"]);
  });

  it("stays shut for another cluster's token, and for what is none", async () => {
    const { token } = await tokenOf("ingest-2");
    const secret = token.slice(token.indexOf("."));
    for (const wrong of [`ingest-1${secret}`, `nowhere${secret}`, `${token}x`, bindings.OPERATOR_KEY])
      expect((await notify(wrong, notification([alert("checkout")]))).status).toBe(401);
  });

  it.each([
    [400, "what is no JSON", "{", "request_malformed"],
    [400, "what is no notification", { version: "4", alerts: 1 }, "request_malformed"],
    [415, "another version", { ...notification([]), version: "5" }, "version_unsupported"],
    [400, "nothing but alerts that nobody understands", notification([{ status: "odd" }]), "request_malformed"],
    [400, "what is nested for its own sake", "[".repeat(10_000), "request_malformed"],
    [413, "what is too large", `"${"x".repeat(1_100_000)}"`, "request_too_large"],
  ])("answers %d to %s", async (status, _name, body, code) => {
    const { token } = await tokenOf("ingest-3");
    const answer = await notify(token, body);
    expect([answer.status, (await errorOf(answer)).code]).toEqual([status, code]);
  });

  it("takes good alerts beside bad ones, and says which were bad", async () => {
    const { token } = await tokenOf("ingest-4");
    const bad = [
      alert("x", { fingerprint: "not hex" }),
      7,
      alert("y", { startsAt: "2026-13-45T00:00:00Z" }),
    ] as object[];
    const answer = await notify(token, notification([...bad, alert("checkout"), alert("longer-name")]));
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      accepted: 2,
      known: 0,
      refused: [{ index: 0, reason: expect.stringContaining("fingerprint") as string }, { index: 1 }, { index: 2 }],
    });
    const again = await notify(token, notification([alert("checkout"), alert("longer-name")]));
    expect(await again.json()).toMatchObject({ accepted: 2, known: 2, refused: [] });
  });

  it("takes as many alerts as may fire, whatever their labels are made of, and knows them again", async () => {
    const { token } = await tokenOf("ingest-20");
    const tiny = Array.from({ length: 400 }, (_, i) => [String.fromCharCode(0x4e00 + i), "\u932f"]);
    const labels = { ...Object.fromEntries(tiny), alertname: "Fails" } as object;
    for (const part of [0, 1, 2, 3, 4]) {
      const alerts = Array.from({ length: FIRING_MAX / 5 }, (_, i) =>
        alert("checkout", { labels, fingerprint: (part * 1_000 + i).toString(16) }),
      );
      const answer = await notify(token, notification(alerts, { groupKey: `${part}` }));
      expect([answer.status, await answer.json()]).toMatchObject([200, { accepted: FIRING_MAX / 5, known: 0 }]);
    }
    await evictDurableObject(clusterOf(bindings, "ingest-20"));
    const again = await notify(
      token,
      notification([alert("checkout", { labels, fingerprint: "0" })], { groupKey: "0" }),
    );
    expect(await again.json()).toMatchObject({ accepted: 1, known: 1 });
    const rowBytes = await runInDurableObject(clusterOf(bindings, "ingest-20"), (_, { storage }) =>
      storage.sql.exec<{ bytes: number }>("SELECT max(length(CAST(value AS BLOB))) AS bytes FROM meta").one(),
    );
    // What SQLite in an object takes.
    expect(rowBytes.bytes).toBeLessThan(2_000_000);
  });

  it("writes into the audit who made a token and who took it away", async () => {
    const { id } = await tokenOf("ingest-5");
    await cli("POST", "/cli/v1/ingest/revoke", { cluster: "ingest-5", id });
    expect((await cli("POST", "/cli/v1/ingest/revoke", { cluster: "ingest-5", id: "nothing00000" })).status).toBe(404);
    await runDurableObjectAlarm(board);
    const audit = sql`SELECT body FROM board_fact WHERE kind = 'audit' AND body->>'subject' = ${`ingest-5/${id}`} ORDER BY at`;
    const stored = await database().run((db) => db.execute<{ body: object }>(audit));
    expect(stored.ok && stored.value.rows.map(({ body }) => body)).toMatchObject([
      { act: "ingest.create", by: "command line" },
      { act: "ingest.revoke", by: "command line" },
    ]);
  });
});

describe("a draft", () => {
  it("is made by a rule, shown to operators alone, and over when its alert is", async () => {
    await ruleFor("Payments", "ingest-6");
    const { token } = await tokenOf("ingest-6");
    await notify(token, notification([alert("payments")]));
    await expect
      .poll(() => draftsOf("ingest-6"))
      .toMatchObject([{ state: "open", cause: expect.stringContaining("payments fails") as string }]);
    const [draft] = await draftsOf("ingest-6");
    expect(Date.parse(draft?.startedAt ?? "")).toBe(Math.floor(STARTED / MINUTE) * MINUTE);
    for (const path of ["/", "/api/v2/summary.json", "/history", "/llms.txt"])
      expect(await (await call(path)).text()).not.toMatch(/payments fails|ingest-6/);
    expect((await board.snapshot()).incidents).toEqual([]);
    await notify(token, notification([alert("payments", { status: "resolved", endsAt: new Date().toISOString() })]));
    await expect.poll(async () => (await draftsOf("ingest-6")).map(({ state }) => state)).toEqual(["over"]);
  });

  it("becomes an incident when it is published, once", async () => {
    await ruleFor("Search", "ingest-7");
    const { token } = await tokenOf("ingest-7");
    await notify(token, notification([alert("search")]));
    await expect.poll(() => draftsOf("ingest-7")).toHaveLength(1);
    const [{ id }] = (await draftsOf("ingest-7")) as [DraftLine];
    const published = await cli("POST", `/cli/v1/drafts/${id}/publish`, {});
    expect(published.status).toBe(201);
    const { incident } = await published.json<{ incident: { id: string; name: string } }>();
    expect(incident.name).toBe("Search: partial outage");
    const again = await cli("POST", `/cli/v1/drafts/${id}/publish`, {});
    expect([again.status, (await errorOf(again)).message]).toEqual([409, expect.stringContaining(incident.id)]);
    const snapshot: PageSnapshot = await board.snapshot();
    const shown = snapshot.incidents?.find((one) => one.id === incident.id);
    expect(shown).toMatchObject({ impact: "major", status: "investigating" });
    expect(JSON.stringify(snapshot)).not.toMatch(/search fails|ingest-7/);
    await cli("POST", `/cli/v1/incidents/${incident.id}/updates`, { status: "resolved", body: "Over." });
  });

  it("that cannot be published stays as it was, and one that is dismissed is not made anew", async () => {
    await ruleFor("Basket", "ingest-8");
    const { token } = await tokenOf("ingest-8");
    await notify(token, notification([alert("basket")]));
    await expect.poll(() => draftsOf("ingest-8")).toHaveLength(1);
    const [{ id }] = (await draftsOf("ingest-8")) as [DraftLine];
    const unknown = { components: [{ component: "Nothing", status: "major_outage" }] };
    expect((await cli("POST", `/cli/v1/drafts/${id}/publish`, unknown)).status).toBe(400);
    expect((await draftsOf("ingest-8")).map(({ state }) => state)).toEqual(["open"]);
    expect((await cli("POST", `/cli/v1/drafts/${id}/dismiss`, {})).status).toBe(200);
    expect((await cli("POST", `/cli/v1/drafts/${id}/dismiss`, {})).status).toBe(409);
    await notify(
      token,
      notification([alert("basket"), alert("basket", { fingerprint: "ff", labels: { service: "x" } })]),
    );
    await evictDurableObject(board);
    expect((await draftsOf("ingest-8")).map(({ state }) => state)).toEqual(["dismissed"]);
  });

  it("is made though the Board was away, and though the Cluster left memory meanwhile", async () => {
    await ruleFor("Orders", "ingest-9");
    const { token } = await tokenOf("ingest-9");
    const end = await onBoard("hearAlerts", async () => {
      throw new Error("away");
    });
    expect((await notify(token, notification([alert("orders")]))).status).toBe(200);
    await evictDurableObject(clusterOf(bindings, "ingest-9"));
    end();
    expect(await draftsOf("ingest-9")).toEqual([]);
    await runDurableObjectAlarm(clusterOf(bindings, "ingest-9"));
    expect((await draftsOf("ingest-9")).map(({ state }) => state)).toEqual(["open"]);
  });

  it("of alerts that fired before there was a rule is made with the rule", async () => {
    const { token } = await tokenOf("ingest-10");
    await notify(token, notification([alert("mail")]));
    await ruleFor("Mail", "ingest-10");
    await expect.poll(() => draftsOf("ingest-10")).toHaveLength(1);
  });

  it.each([
    ["of no label", { match: {} }, "would match"],
    ["of a component that is not there", { components: [{ component: "Nothing", status: "major_outage" }] }, "Nothing"],
    ["of no component", { components: [] }, "component"],
  ])("has no rule %s", async (_name, fields, message) => {
    const rule = { name: "r", match: { a: "b" }, components: [{ component: "x", status: "major_outage" }], ...fields };
    const answer = await cli("PUT", "/cli/v1/draft-rules", { rules: [rule] });
    expect([answer.status, (await errorOf(answer)).message]).toEqual([400, expect.stringContaining(message)]);
  });
});
