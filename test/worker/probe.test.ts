/** Public addresses that are asked from outside: which may be, how, and what comes of it. */
import { createScheduledController, evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { PageComponent } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import { MINUTE } from "../../protocol/time.ts";
import worker from "../../worker/index.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { publicAddress, safeFetch } from "../../worker/objects/safe-fetch.ts";
import { tell, told } from "../support/facts.ts";
import { bindings, call, cli } from "./agent.ts";
import { pass } from "./sender.ts";

const SITE = (env as unknown as { readonly OUTSIDE_URL: string }).OUTSIDE_URL;
const STRICT = { loopback: false, own: "status.example.com" };

describe("an address that operators may name", () => {
  it.each([
    ["a public site", "https://shop.example.com", "https://shop.example.com/"],
    ["a path and a question", "https://shop.example.com/health?deep=1", "https://shop.example.com/health?deep=1"],
    ["the scheme's own port", "https://shop.example.com:443/", "https://shop.example.com/"],
    ["a fragment, which is never sent", "https://shop.example.com/#top", "https://shop.example.com/"],
    ["a name in another script", "https://münchen.example.com/", "https://xn--mnchen-3ya.example.com/"],
    ["a name that only looks like an inner one", "https://local.example.com/", "https://local.example.com/"],
    ["a name that only ends like a wildcard", "https://notnip.io/", "https://notnip.io/"],
  ])("%s: %s", (_name, text, href) => {
    const address = publicAddress(text, STRICT);
    expect(address.ok && address.value.href).toBe(href);
  });

  it.each([
    ["http", "http://shop.example.com/", "https://"],
    ["a file", "file:///etc/passwd", "https://"],
    ["a script", "javascript:alert(1)", "https://"],
    ["no address at all", "shop.example.com", "an address such as"],
    ["nothing", "", "an address such as"],
    ["one that is too long", `https://shop.example.com/${"x".repeat(480)}`, "at most 500"],
    ["another port", "https://shop.example.com:8443/", "port"],
    ["the port of http", "https://shop.example.com:80/", "port"],
    ["a user", "https://admin@shop.example.com/", "password"],
    ["a user and a password", "https://admin:secret@shop.example.com/", "password"],
    ["a password that hides a host", "https://shop.example.com:443@169.254.169.254/", "password"],
    ["loopback", "https://127.0.0.1/", "IP address"],
    ["loopback in short", "https://127.1/", "IP address"],
    ["loopback in hexadecimal", "https://0x7f000001/", "IP address"],
    ["loopback as a number", "https://2130706433/", "IP address"],
    ["loopback in octal", "https://0177.0.0.1/", "IP address"],
    ["loopback in circled digits", "https://①②⑦.⓪.⓪.①/", "IP address"],
    ["loopback in IPv6", "https://[::1]/", "IP address"],
    ["IPv4 in IPv6", "https://[::127.0.0.1]/", "IP address"],
    ["IPv4 mapped into IPv6", "https://[::ffff:10.0.0.1]/", "IP address"],
    ["cloud metadata", "https://169.254.169.254/latest/meta-data", "IP address"],
    ["Azure's wire server", "https://168.63.129.16/", "IP address"],
    ["a public address", "https://192.0.2.1/", "IP address"],
    ["localhost", "https://localhost/", "public"],
    ["localhost with a dot", "https://localhost./", "public"],
    ["a public name with a dot at its end", "https://shop.example.com./", "public"],
    ["a name under localhost", "https://a.localhost/", "public"],
    ["a bare name", "https://intranet/", "public"],
    ["metadata by name", "https://metadata.google.internal/", "public"],
    ["Kubernetes", "https://checkout.shop.svc.cluster.local/", "public"],
    ["a name in capitals", "https://PRINTER.LOCAL/", "public"],
    ["Kubernetes in short", "https://kubernetes.default.svc/", "public"],
    ["a home network", "https://router.home.arpa/", "public"],
    ["a hidden service", "https://abcdefghij.onion/", "public"],
    ["a wildcard name", "https://127.0.0.1.nip.io/", "public"],
    ["another one", "https://10-0-0-1.sslip.io/", "public"],
    ["a name that leads here", "https://localtest.me/", "public"],
    ["this page", "https://status.example.com/health", "own"],
    ["this page in capitals", "https://STATUS.example.com/", "own"],
    ["this Worker", "https://observatory-edge.acme.workers.dev/", "own"],
  ])("but not %s: %s", (_name, text, message) => {
    const address = publicAddress(text, STRICT);
    expect(address.ok ? address.value.href : address.failure).toContain(message);
    expect(address.ok).toBe(false);
  });

  it("this machine, on a laptop only", () => {
    const laptop = { ...STRICT, loopback: true };
    for (const text of ["http://127.0.0.1:8080/health", "http://localhost:8080/", "http://[::1]:8080/"])
      expect(publicAddress(text, laptop).ok).toBe(true);
    for (const text of ["http://10.0.0.1/", "http://127.0.0.2/", "http://shop.example.com/", "ftp://127.0.0.1/"])
      expect(publicAddress(text, laptop).ok).toBe(false);
  });
});

describe("asking", () => {
  const ask = async (path: string, timeoutMs = 5_000) => {
    const bounds = { timeoutMs, bytesMax: 65_536, headers: { "user-agent": "test" } };
    const answered = await safeFetch(new URL(path, SITE), bounds);
    return answered.ok ? { ok: true, value: answered.value.status } : answered;
  };
  const hits = async (path: string): Promise<number> => Number(await (await fetch(`${SITE}/hits${path}`)).text());

  it.each([
    ["a good answer", "/status/200", { ok: true, value: 200 }],
    ["an answer without a body", "/status/204", { ok: true, value: 204 }],
    ["a bad answer", "/status/503", { ok: true, value: 503 }],
    ["an answer without an end: its beginning is enough", "/endless", { ok: true, value: 200 }],
    ["a connection that breaks", "/reset", { ok: false, failure: "unreachable" }],
  ])("%s", async (_name, path, result) => expect(await ask(path)).toEqual(result));

  it.each(["/hang", "/stall"])("%s: the time is up", async (path) => {
    const since = Date.now();
    expect(await ask(path, 400)).toEqual({ ok: false, failure: "timeout" });
    expect(Date.now() - since).toBeLessThan(3_000);
  });

  it("a redirect is an answer, and nobody goes where it leads", async () => {
    expect(await ask("/redirect")).toEqual({ ok: true, value: 302 });
    expect(await hits("/status/200/redirected")).toBe(0);
    expect(await hits("/redirect")).toBe(1);
  });

  it("where nobody listens there is no answer", async () =>
    expect(await safeFetch(new URL("http://127.0.0.1:9/"), { timeoutMs: 5_000, bytesMax: 1, headers: {} })).toEqual({
      ok: false,
      failure: "unreachable",
    }));
});

const board = boardOf(bindings);

async function publish(name: string, cluster: string, path: string | null | undefined): Promise<Response> {
  const url = path === undefined ? {} : { url: path === null ? null : `${SITE}${path}` };
  const components = [{ name, group: "Probed", services: [`${cluster}/shop/checkout`], ...url }];
  return cli("PUT", "/cli/v1/components", { components });
}

/** The mesh says that all is well, and goes on saying so. */
async function isWell(cluster: string): Promise<void> {
  const now = Date.now();
  await board.hear({ ...tell(now, [told("operational")], cluster), expiresAt: now + 60 * MINUTE });
}

/** A minute of the cron. */
async function round(): Promise<void> {
  pass(MINUTE);
  const controller = createScheduledController({ scheduledTime: Date.now() });
  await worker.scheduled(controller, bindings);
}

async function shown(name: string): Promise<PageComponent> {
  const found = (await board.snapshot()).components.find((one) => one.name === name);
  if (found === undefined) throw new Error(`${name} is not shown`);
  return found;
}

const answerWith = (name: string, status: number) =>
  fetch(`${SITE}/set/${name}`, { method: "PUT", body: String(status) }).then((answer) => answer.arrayBuffer());
const hitsOf = async (path: string): Promise<number> => Number(await (await fetch(`${SITE}/hits${path}`)).text());

describe("each minute", () => {
  afterEach(() => void vi.useRealTimers());

  it("the outside is shown beside the inside, and each address is asked once, whoever shares it", async () => {
    await publish("First", "o-1", "/status/200/shared");
    await publish("Second", "o-1", "/status/200/shared");
    await publish("Third", "o-1", undefined);
    await publish("Fourth", "o-1", "/status/200/alone");
    await isWell("o-1");
    const before = await board.costs();
    await round();
    expect(await hitsOf("/status/200/shared")).toBe(1);
    expect(await hitsOf("/status/200/alone")).toBe(1);
    const { calls } = await board.costs();
    expect((calls["probed"] ?? 0) - (before.calls["probed"] ?? 0)).toBe(1);
    expect((await shown("First")).outside).toEqual((await shown("Second")).outside);
    expect((await shown("First")).outside?.words).toMatch(/^\d+ ms$/);
    expect(await shown("Third")).not.toHaveProperty("outside");
    // What is asked is not shown.
    expect(JSON.stringify(await board.snapshot())).not.toContain("127.0.0.1");
  });

  it("two of three failures are said, though the mesh is healthy, and three good answers take it back", async () => {
    await publish("Door", "o-2", "/named/door");
    await isWell("o-2");
    const statuses: string[] = [];
    for (const status of [200, 503, 503, 200, 200, 200]) {
      await answerWith("door", status);
      await round();
      statuses.push(outlookAt(await shown("Door"), Date.now()).status);
    }
    expect(statuses).toEqual([
      "operational",
      "operational",
      "partial_outage",
      "partial_outage",
      "partial_outage",
      "operational",
    ]);
  });

  it("says which side failed, to visitors and to operators", async () => {
    const answer = await publish("Gate", "o-3", "/status/503/gate");
    const id = (await answer.json<{ components: { id: string }[] }>()).components[0]?.id;
    await isWell("o-3");
    await round();
    await round();
    const said = outlookAt(await shown("Gate"), Date.now());
    expect(said.why).toBe("It is well inside, but it cannot be reached from outside.");
    const { token } = await board.createLink();
    const cookie = `__Host-observatory=${(await board.redeemLink(token)) ?? ""}`;
    const page = await (await call(`/admin/components/${id}`, { headers: { cookie } })).text();
    expect(page).toContain("the mesh is healthy, the outside world cannot reach it");
    expect(page).toMatch(/503 in \d+ ms, in 2 of the last 2 probes/);
    const reader = await board.createToken("read");
    const api = await call(`/api/v1/components/${id}`, { headers: { authorization: `Bearer ${reader}` } });
    expect(await api.json()).toMatchObject({
      status: "partial_outage",
      reason: expect.stringMatching(
        /^the mesh is healthy, the outside world cannot reach it; inside: .*; outside: 503 in/,
      ),
      outside: { url: `${SITE}/status/503/gate`, state: "failing", probes: [{}, {}] },
    });
  });

  it("what this Worker may not ask any more in a run is asked first in the next, and is no outage", async () => {
    for (const name of ["one", "two", "three"]) await publish(name, "o-8", `/status/200/bound-${name}`);
    const real = globalThis.fetch;
    let left = 0;
    const bounded = vi.spyOn(globalThis, "fetch").mockImplementation(async (...request) => {
      if (--left < 0) throw new Error("Too many subrequests by single Worker invocation.");
      return real(...request);
    });
    for (let minute = 0; minute < 3; minute++) {
      left = 1;
      await round();
    }
    bounded.mockRestore();
    const seen = ((await board.operatorView([])).outside ?? []).filter(({ url }) => url.includes("/bound-"));
    expect(seen.map(({ probes }) => probes.map(({ answer }) => answer))).toEqual([[200], [200], [200]]);
  });

  it("an object that lost its memory knows what was seen, for three minutes and no longer", async () => {
    await publish("Kept", "o-4", "/status/500/kept");
    await isWell("o-4");
    await round();
    await round();
    const seenAt = Date.now();
    await evictDurableObject(board);
    expect(outlookAt(await shown("Kept"), seenAt).status).toBe("partial_outage");
    const turns = (await shown("Kept")).outlook.map(({ status }) => status);
    expect(turns.slice(0, 2)).toEqual(["partial_outage", "unknown"]);
    pass(3 * MINUTE);
    expect(outlookAt(await shown("Kept"), Date.now()).status).toBe("unknown");
    expect((await shown("Kept")).outside?.until).toBeLessThanOrEqual(Date.now());
  });

  it("costs one row, and nothing where no component has an address", async () => {
    const rowsOf = async (act: () => Promise<unknown>): Promise<number> => {
      const before = (await board.costs()).rowsWritten;
      await act();
      return (await board.costs()).rowsWritten - before;
    };
    await round();
    const probed = await rowsOf(() => board.probed([]));
    expect(probed).toBe(1);
    const { components } = await board.operatorView([]);
    for (const { id } of components) await board.removeComponent(id, "test");
    expect(await board.addressesToProbe()).toEqual([]);
    const calls = (await board.costs()).calls["probed"];
    await round();
    expect((await board.costs()).calls["probed"]).toBe(calls);
  });
});

describe("an operator", () => {
  it("names an address, keeps it by not naming it, and takes it away by null", async () => {
    const urlOf = async () => (await board.operatorView([])).components.find(({ name }) => name === "Named")?.url;
    await publish("Named", "o-5", "/status/200/op");
    expect(await urlOf()).toBe(`${SITE}/status/200/op`);
    await publish("Named", "o-5", undefined);
    expect(await urlOf()).toBe(`${SITE}/status/200/op`);
    await publish("Named", "o-5", null);
    expect(await urlOf()).toBeUndefined();
  });

  it("is told what is wrong with one that may not be asked", async () => {
    const components = [{ name: "Bad", services: ["o-6/shop/checkout"], url: "https://169.254.169.254/" }];
    const answer = await cli("PUT", "/cli/v1/components", { components });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("must have a name, not an IP address");
    expect((await board.operatorView([])).components.some(({ name }) => name === "Bad")).toBe(false);
  });

  it("reads it beside the form's field, too", async () => {
    const answer = await publish("Formed", "o-7", "/status/200/form");
    const { components } = await answer.json<{ components: { id: string }[] }>();
    const { token } = await board.createLink();
    const cookie = `__Host-observatory=${(await board.redeemLink(token)) ?? ""}`;
    const post = (url: string) =>
      call(`/admin/components/${components[0]?.id}`, {
        method: "POST",
        headers: { origin: "https://status.test", cookie, "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ name: "Formed", group: "Probed", services: "o-7/shop/checkout", rule: "all", url }),
      });
    const refused = await post("https://status.test/");
    expect(refused.status).toBe(400);
    expect(await refused.text()).toMatch(/id="fault-url">.*must have a name that is public/);
    expect((await post("")).status).toBe(303);
    expect((await board.operatorView([])).components.find(({ name }) => name === "Formed")).not.toHaveProperty("url");
  });
});
