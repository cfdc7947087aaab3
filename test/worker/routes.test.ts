import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { sql as select } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { Role } from "../../worker/core/access.ts";
import { ROUTES } from "../../worker/index.ts";
import { secretHash } from "../../worker/objects/crypto.ts";
import { boardOf } from "../../worker/objects/env.ts";
import type { Route } from "../../worker/routes/table.ts";
import { ADMIN_PAGES, NO_PAGES } from "../support/admin-pages.ts";
import { bindings, call, cli } from "./agent.ts";
import { database } from "./database.ts";

const COOKIE = "__Host-observatory";
const ORIGIN = "https://status.test";

/** A path of a route with its parameters filled in. */
function pathOf({ path }: Route): string {
  return path.replace(":cluster", "nowhere").replace(":id", "nothing00000");
}

async function signedIn(): Promise<string> {
  const { token } = await boardOf(bindings).createLink();
  const secret = await boardOf(bindings).redeemLink(token);
  return `${COOKIE}=${secret}`;
}

/** A session of somebody of this role, by the way that people come: an invitation. */
async function signedInAs(role: Role): Promise<string> {
  const board = boardOf(bindings);
  const name = `Somebody ${crypto.randomUUID()}`;
  const done = await board.changePeople({ kind: "add", name, role, addressHash: null }, "test");
  const token = done.ok ? (done.value.link?.token ?? "") : "";
  return `${COOKIE}=${await board.redeemLink(token)}`;
}

/** Changes what the page keeps, as time or an earlier version would have. */
async function keep(statement: string, ...bound: string[]): Promise<void> {
  const board = boardOf(bindings);
  await runInDurableObject(board, (_, { storage: { sql } }) => {
    sql.exec(statement, ...bound);
  });
  await evictDurableObject(board);
}

it("every page of the admin is on the list of those that axe looks at", () => {
  const pages = ROUTES.filter(({ method, policy }) => method === "GET" && policy === "admin").map(({ path }) => path);
  expect(pages.toSorted()).toEqual([...Object.keys(ADMIN_PAGES), ...NO_PAGES].toSorted());
});

describe("every route without a credential", () => {
  const guarded = ROUTES.filter(({ policy }) => policy !== "public" && policy !== "anyone");
  it.each(guarded.map((route) => [route.method, route.path, route] as const))(
    "%s %s lets nobody in",
    async (method, _path, route) => {
      const headers = { origin: ORIGIN, "sec-fetch-site": "same-origin" };
      const answer = await call(pathOf(route), { method, headers, ...(method === "GET" ? {} : { body: "{}" }) });
      const page = route.policy === "admin" && method === "GET";
      // What comes to an agent's door is read before it is judged: an empty push is unreadable first.
      const expected = page ? [303] : route.policy === "agent" ? [400, 401] : [401];
      expect(expected).toContain(answer.status);
      if (answer.status === 303) expect(answer.headers.get("location")).toBe("/admin/sign-in");
      await answer.body?.cancel();
    },
  );

  it("public are these and no others", () =>
    expect(ROUTES.filter(({ policy }) => policy === "public").map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /",
      "GET /readout.js",
      "GET /words/de.js",
      "GET /words/fr.js",
      "GET /words/es.js",
      "GET /words/ja.js",
      "GET /words/ar.js",
      "GET /live",
      "GET /health",
      "GET /api/v2/summary.json",
      "GET /api/v2/status.json",
      "GET /api/v2/components.json",
      "GET /api/v2/incidents.json",
      "GET /api/v2/incidents/unresolved.json",
      "GET /api/v2/scheduled-maintenances.json",
      "GET /api/v2/scheduled-maintenances/upcoming.json",
      "GET /api/v2/scheduled-maintenances/active.json",
      "GET /history.rss",
      "GET /history.atom",
      "GET /maintenance.ics",
      "GET /components/:id/history.rss",
      "GET /components/:id/history.atom",
      "GET /components/:id/maintenance.ics",
      "GET /badge.svg",
      "GET /badge/:file{[a-z0-9]+\\.svg}",
      "GET /incidents/:id",
      "GET /maintenance/:id",
      "GET /maintenance/:id/event.ics",
      "GET /history",
      "GET /history/:month",
      "GET /view",
      "GET /view/:ids",
      "GET /view/:ids/choose",
      "GET /view/:ids/history.rss",
      "GET /view/:ids/history.atom",
      "GET /view/:ids/maintenance.ics",
      "GET /view/:ids/badge.svg",
      "GET /embed.js",
      "GET /embed/script.js",
      "GET /embed/frame",
      "GET /favicon.svg",
      "GET /favicon.ico",
      "GET /card/:file",
      "GET /llms.txt",
      "GET /sitemap.xml",
      "GET /robots.txt",
      "GET /components/:id",
      "GET /components/:id/week",
      "GET /components/:id/month",
      "GET /components/:id/quarter",
      "GET /metrics-display/:id/day.json",
      "GET /metrics-display/:id/week.json",
      "GET /metrics-display/:id/month.json",
      "GET /admin/sign-in",
      "POST /admin/sign-in",
      "POST /admin/sign-in/options",
      "POST /admin/sign-in/passkey",
      "POST /admin/sign-in/access",
      "GET /openapi.json",
    ]));

  it("for programs of every site are these and no others", () =>
    expect(ROUTES.filter(({ policy }) => policy === "anyone").map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /api/v2/subscribers.json",
      "DELETE /api/v2/subscribers.json",
    ]));

  it.each([
    ["the wrong key", { authorization: "Bearer not-the-operators-key-at-all" }],
    ["a cookie of somebody's making", { cookie: `${COOKIE}=${"x".repeat(43)}` }],
    ["the cookie's name without its prefix", { cookie: `observatory-dev=${"x".repeat(43)}` }],
    ["a huge cookie", { cookie: `${COOKIE}=${"x".repeat(5_000)}` }],
  ] as const)("with %s neither", async (_name, headers) => {
    for (const path of ["/cli/v1/clusters", "/api/v1/services"])
      expect((await call(path, { headers })).status).toBe(401);
    expect((await call("/admin", { headers })).status).toBe(303);
  });
});

describe("a role", () => {
  const guarded = ROUTES.flatMap((route) => (route.policy === "admin" ? [route] : []));
  const roles: readonly Role[] = ["viewer", "responder", "operator", "owner"];

  it.each(roles)("of %s opens what asks for it or for less, and is told what the rest asks for", async (held) => {
    const cookie = await signedInAs(held);
    for (const route of guarded.filter(({ path }) => path !== "/admin/sign-out")) {
      const answer = await call(pathOf(route), {
        method: route.method,
        headers: { origin: ORIGIN, cookie, "content-type": "application/x-www-form-urlencoded" },
        ...(route.method === "GET" ? {} : { body: "a=b" }),
      });
      const text = await answer.text();
      const opens = roles.indexOf(held) >= roles.indexOf(route.role);
      expect([route.path, answer.status === 403]).toEqual([route.path, !opens]);
      if (!opens) expect(text).toContain(`This needs the role ${route.role}, and yours is ${held}.`);
    }
  });

  const reflush = (cookie: string) =>
    call("/admin/archive/reflush", { method: "POST", headers: { origin: ORIGIN, cookie }, body: "a=b" });

  it("of a session that the release before made is owner", async () => {
    const secret = "o".repeat(43);
    const now = Date.now();
    const old = { hash: await secretHash(secret), by: "one-time link", createdAt: now, seenAt: now };
    await keep("INSERT INTO doc (kind, key, body) VALUES ('session', ?, ?)", old.hash, JSON.stringify(old));
    expect((await reflush(`${COOKIE}=${secret}`)).status).toBe(400);
  });

  it("of a new session is nothing that the release before takes for an owner's", async () => {
    await signedInAs("viewer");
    const kinds = await runInDurableObject(boardOf(bindings), (_, { storage: { sql } }) =>
      sql.exec<{ kind: string }>("SELECT DISTINCT kind FROM doc").toArray(),
    );
    expect(kinds.map(({ kind }) => kind)).not.toContain("link");
    expect(kinds.map(({ kind }) => kind)).not.toContain("login");
  });

  it("does not make up for a proof that is older than five minutes, where that is asked for", async () => {
    const cookie = await signedInAs("owner");
    const ago = "UPDATE work SET body = json_set(body, '$.verifiedAt', json_extract(body, '$.verifiedAt') - ?)";
    await keep(`${ago} WHERE kind = 'login'`, String(5 * 60_000 + 1));
    const answer = await reflush(cookie);
    expect([answer.status, (await answer.json<{ error: { code: string } }>()).error.code]).toEqual([
      403,
      "step_up_required",
    ]);
    expect((await call("/admin", { headers: { cookie } })).status).toBe(200);
  });
});

describe("every route with the credential of another door", () => {
  it.each(
    ROUTES.filter(({ policy }) => policy !== "public" && policy !== "anyone").map(
      (route) => [route.method, route.path, route] as const,
    ),
  )("%s %s stays shut", async (method, _path, route) => {
    const token = await boardOf(bindings).createToken("metrics");
    const session = { cookie: await signedInAs("owner"), origin: ORIGIN };
    const key = { authorization: `Bearer ${bindings.OPERATOR_KEY}`, origin: ORIGIN };
    const read = { authorization: `Bearer ${token}`, origin: ORIGIN };
    const others: Record<string, readonly Record<string, string>[]> = {
      admin: [key, read],
      cli: [session, read],
      agent: [session, key, read],
      ingest: [session, key, read],
      read: [key, ...(route.policy === "read" && route.scope !== "metrics" ? [read] : [])],
    };
    for (const headers of others[route.policy] ?? []) {
      const answer = await call(pathOf(route), { method, headers, ...(method === "GET" ? {} : { body: "{}" }) });
      // What comes to an agent's door is read before it is judged: an empty push is unreadable first.
      expect([303, 401, 403, ...(route.policy === "agent" ? [400] : [])]).toContain(answer.status);
      await answer.body?.cancel();
    }
  });
});

describe("looking", () => {
  /** A line for each row that the Board remembers, and the archive. */
  async function everything(): Promise<readonly string[]> {
    const held = await runInDurableObject(boardOf(bindings), (_, { storage: { sql } }) => {
      const tables = sql.exec<{ name: string }>(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf_*'",
      );
      return tables.toArray().flatMap(({ name }) =>
        sql
          .exec(`SELECT * FROM "${name}"`)
          .toArray()
          .map((row) => `${name} ${JSON.stringify(row)}`),
      );
    });
    const stored = await database().run((db) => db.execute(select`SELECT * FROM board_fact ORDER BY kind, key`));
    return [...held, ...(stored.ok ? stored.value.rows.map((row) => JSON.stringify(row)) : [stored.message])];
  }

  it("changes nothing, at any address and by any door", async () => {
    const gets = ROUTES.filter(({ method }) => method === "GET");
    const cookie = await signedInAs("owner");
    const key = `Bearer ${bindings.OPERATOR_KEY}`;
    // Whatever is made once, by the first who looks, is there.
    await (await call("/")).body?.cancel();
    // What was done before leaves first.
    await expect
      .poll(async () => {
        await runDurableObjectAlarm(boardOf(bindings));
        return (await boardOf(bindings).operatorView([])).backlog.waiting;
      })
      .toBe(0);
    const before = new Set(await everything());
    for (const route of gets) {
      const headers = { cookie, accept: "text/html", ...(route.policy === "cli" ? { authorization: key } : {}) };
      const answer = await call(pathOf(route), { headers });
      expect([route.path, answer.status]).not.toEqual([route.path, 500]);
      await answer.body?.cancel();
    }
    const after = await everything();
    expect(after.filter((row) => !before.has(row))).toEqual([]);
    expect(after).toHaveLength(before.size);
  });
});

describe("an unsafe request", () => {
  const unsafe = ROUTES.filter(({ method, policy }) => method !== "GET" && (policy === "admin" || policy === "public"));
  const origins: readonly (readonly [string, Record<string, string>])[] = [
    ["from an evil page", { origin: "https://evil.test" }],
    ["from a sandboxed page", { origin: "null" }],
    ["without an origin", {}],
    ["whose browser says cross-site", { origin: ORIGIN, "sec-fetch-site": "cross-site" }],
    ["from a neighbour's subdomain", { origin: ORIGIN, "sec-fetch-site": "same-site" }],
  ];
  const types = ["application/json", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded"];
  const cases = unsafe.flatMap((route) =>
    origins.map(([name, headers]) => [route.path, name, headers, route] as const),
  );

  it.each(cases)("%s %s is refused whatever its type, session or not", async (_path, _name, headers, route) => {
    const cookie = await signedIn();
    for (const type of types) {
      const answer = await call(pathOf(route), {
        method: route.method,
        headers: { ...headers, cookie, "content-type": type },
        body: "a=b",
      });
      expect([answer.status, (await answer.json<{ error: { code: string } }>()).error.code]).toEqual([
        403,
        "cross_site",
      ]);
    }
  });

  it("larger than its route allows is refused unread", async () => {
    const answer = await call("/admin/maintenance", {
      method: "POST",
      headers: { origin: ORIGIN, cookie: await signedIn() },
      body: "a".repeat(20_000),
    });
    expect(answer.status).toBe(413);
  });
});

describe("signing in", () => {
  const post = (token: string) =>
    call("/admin/sign-in", {
      method: "POST",
      headers: { origin: ORIGIN, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ token }).toString(),
    });

  it("opening the link spends nothing, the button does, once", async () => {
    const { url } = await (await cli("POST", "/cli/v1/admin-links", {})).json<{ url: string }>();
    const token = new URL(url).searchParams.get("token") ?? "";
    expect((await call(`/admin/sign-in?token=${token}`)).status).toBe(200);
    const first = await post(token);
    expect([first.status, first.headers.get("location")]).toEqual([303, "/admin"]);
    const cookie = first.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^__Host-observatory=[\w-]{43}; Max-Age=\d+; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
    expect((await post(token)).status).toBe(401);
    expect((await call("/admin", { headers: { cookie: cookie.split(";")[0] ?? "" } })).status).toBe(200);
  });

  it("out ends the session", async () => {
    const cookie = await signedIn();
    expect((await call("/admin", { headers: { cookie } })).status).toBe(200);
    expect((await call("/admin/sign-out", { method: "POST", headers: { origin: ORIGIN, cookie } })).status).toBe(303);
    expect((await call("/admin", { headers: { cookie } })).status).toBe(303);
  });

  it("a read token reads, and opens nothing else", async () => {
    const { token } = await (await cli("POST", "/cli/v1/tokens", { scope: "read" })).json<{ token: string }>();
    const headers = { authorization: `Bearer ${token}` };
    expect((await call("/api/v1/services", { headers })).status).toBe(200);
    expect((await call("/cli/v1/clusters", { headers })).status).toBe(401);
    expect((await call("/admin", { headers })).status).toBe(303);
  });
});

describe("addresses", () => {
  it.each([
    ["an unknown page", "GET", "/nothing", 404],
    ["an unknown document", "GET", "/api/v2/nothing.json", 404],
    ["a snapshot of the cache", "GET", "/.snapshot", 404],
    ["a wrong method", "POST", "/api/v2/summary.json", 405],
    ["a method of its own", "PROPFIND", "/", 405],
    ["the page", "HEAD", "/", 200],
    ["the summary", "HEAD", "/api/v2/summary.json", 200],
    ["a socket without an upgrade", "GET", "/live", 400],
  ])("%s: %s %s is %d", async (_name, method, path, status) => {
    const answer = await call(path, { method });
    expect(answer.status).toBe(status);
    if (status === 405) expect(answer.headers.get("allow")).toContain("GET");
    await answer.body?.cancel();
  });

  it("a browser that is lost gets a page, a program JSON", async () => {
    const page = await call("/nothing", { headers: { accept: "text/html" } });
    expect(page.headers.get("content-type")).toContain("text/html");
    expect((await call("/nothing")).headers.get("content-type")).toContain("application/json");
    await page.body?.cancel();
  });

  it("a query adds nothing to the cache, and an unchanged page costs no body", async () => {
    const first = await call("/");
    const etag = first.headers.get("etag") ?? "";
    await first.arrayBuffer();
    const again = await call("/?x=1", { headers: { "if-none-match": etag } });
    expect([again.status, again.headers.get("etag")]).toEqual([304, etag]);
  });

  it("the page is strict about what it runs, and the summary is open to everybody", async () => {
    const page = await call("/");
    const policy = page.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    await page.arrayBuffer();
    expect((await call("/api/v2/summary.json")).headers.get("access-control-allow-origin")).toBe("*");
  });

  it("a socket of another site is refused", async () => {
    for (const origin of ["https://evil.test", "null", null]) {
      const headers = { upgrade: "websocket", ...(origin === null ? {} : { origin }) };
      expect((await call("/live", { headers })).status).toBe(403);
    }
  });
});

describe("input of the command line", () => {
  it.each([
    ["a cluster that is no label", "POST", "/cli/v1/enrollments", { cluster: "Not_A_Label" }],
    ["a key that is not known", "POST", "/cli/v1/enrollments", { cluster: "a", sudo: true }],
    [
      "a service without its namespace",
      "PUT",
      "/cli/v1/components",
      { components: [{ name: "A", services: ["checkout"] }] },
    ],
    ["an empty name", "PUT", "/cli/v1/components", { components: [{ name: " ", services: ["a/b/c"] }] }],
    [
      "a name with an override",
      "PUT",
      "/cli/v1/components",
      { components: [{ name: "a\u202eb", services: ["a/b/c"] }] },
    ],
  ])("%s is refused with what to mend", async (_name, method, path, body) => {
    const answer = await cli(method, path, body);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      error: { code: "request_malformed", message: expect.stringMatching(/\w+: .+/) },
    });
  });
});
