/**
 * What holds for every route alike, read off the one table of routes: a route that is added joins by itself. And what
 * people may type, whoever they are. `reference/security.md`, sections 4, 6 and 8: hostile input is always 4xx, never 5xx.
 */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { DAY, HOUR } from "../../protocol/time.ts";
import type { Role } from "../../worker/core/access.ts";
import { ROUTES } from "../../worker/index.ts";
import { boardOf } from "../../worker/objects/env.ts";
import type { Route } from "../../worker/routes/table.ts";
import { bindings, call, cli } from "./agent.ts";

const ORIGIN = "https://status.test";
const COOKIE = "__Host-observatory";
const board = boardOf(bindings);

/** A session of somebody of this role, who has just proved who they are. */
async function signedInAs(role: Role): Promise<string> {
  const name = `Somebody ${crypto.randomUUID()}`;
  const done = await board.changePeople({ kind: "add", name, role, addressHash: null }, "test");
  const token = done.ok ? (done.value.link?.token ?? "") : "";
  return `${COOKIE}=${await board.redeemLink(token)}`;
}

/** A browser's form. */
async function post(cookie: string, path: string, fields: Record<string, string>): Promise<Response> {
  return call(path, {
    method: "POST",
    headers: { cookie, origin: ORIGIN, accept: "text/html", "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams(fields).toString(),
  });
}

const named = (routes: readonly Route[]) => routes.map((route) => [route.method, route.path, route] as const);
const PARAMETER = /:[a-z]+(\{[^}]*\})?/g;

describe("an address of hostile letters is refused, and never an error of ours", () => {
  const IDS = ["a%0d%0aset-cookie:%20x=y%00", "%c3%a9%e2%80%ae", "__proto__"];
  let cookie = "";
  beforeAll(async () => void (cookie = await signedInAs("owner")));

  it.each(named(ROUTES.filter(({ path }) => path.includes(":"))))("%s %s", async (method, path, route) => {
    const key = { authorization: `Bearer ${bindings.OPERATOR_KEY}` };
    for (const id of IDS) {
      const answer = await call(path.replaceAll(PARAMETER, id), {
        method,
        headers: { origin: ORIGIN, ...(route.policy === "cli" ? key : { cookie }) },
        ...(method === "GET" ? {} : { body: "a=b" }),
      });
      expect([id, answer.status, answer.headers.get("set-cookie")]).toEqual([id, expect.any(Number), null]);
      expect([id, answer.status], await answer.text()).not.toEqual([id, 500]);
    }
  });
});

/** A session of an owner whose proof is from another time. */
async function provedAt(shiftMs: number): Promise<string> {
  const cookie = await signedInAs("owner");
  const hash = (await board.session(cookie.slice(COOKIE.length + 1)))?.hash ?? "";
  await runInDurableObject(board, (_, { storage: { sql } }) => {
    const shifted = "json_set(body, '$.verifiedAt', json_extract(body, '$.verifiedAt') + CAST(? AS INTEGER))";
    sql.exec(`UPDATE work SET body = ${shifted} WHERE kind = 'login' AND key = ?`, String(shiftMs), hash);
  });
  await evictDurableObject(board);
  return cookie;
}

describe("a fresh proof of who is there", () => {
  const guarded = ROUTES.flatMap((route) => (route.policy === "admin" ? [route] : []));
  let stale = "";
  beforeAll(async () => void (stale = await provedAt(-HOUR)));

  it("is asked for by whatever concerns people, keys, leases and exports", () => {
    const wanted = guarded.filter(
      ({ method, path, role }) =>
        (method !== "GET" && (role === "owner" || /\/leases$|\/passkeys(\/options|\/:id\/remove)?$/.test(path))) ||
        (method === "POST" && path === "/admin/maintenance") ||
        path.endsWith("/export"),
    );
    expect(wanted.length).toBeGreaterThan(15);
    expect(wanted.filter(({ stepUp }) => stepUp !== true).map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  });

  it.each(guarded.map((route) => [route.method, route.path, route] as const))("%s %s", async (method, path, route) => {
    if (path === "/admin/sign-out") return;
    const answer = await call(path.replaceAll(PARAMETER, "nothing00000"), {
      method,
      headers: { cookie: stale, origin: ORIGIN },
      ...(method === "GET" ? {} : { body: "a=b" }),
    });
    expect([answer.status === 403, (await answer.text()).startsWith('{"error":{"code":"step_up_required"')]).toEqual(
      route.stepUp === true ? [true, true] : [false, false],
    );
  });

  it("is not prolonged by a clock that was set back", async () => {
    const cookie = await provedAt(HOUR);
    expect((await call("/admin/audit/export", { headers: { cookie } })).status).toBe(403);
  });
});

describe("what is the operators' is kept by no cache, and is only what it says", () => {
  const theirs = ROUTES.filter(
    ({ policy, path }) => ["admin", "cli", "read"].includes(policy) || path.startsWith("/admin"),
  );
  let cookie = "";
  beforeAll(async () => void (cookie = await signedInAs("owner")));

  it.each(named(theirs))("%s %s", async (method, path, route) => {
    if (path === "/admin/sign-out") return;
    const key = { authorization: `Bearer ${bindings.OPERATOR_KEY}` };
    const isSignIn = path.startsWith("/admin/sign-in");
    const { status, headers, body } = await call(path.replaceAll(PARAMETER, "nothing00000"), {
      method,
      headers: { origin: ORIGIN, accept: "text/html", ...(route.policy === "cli" ? key : isSignIn ? {} : { cookie }) },
      ...(method === "GET" ? {} : { body: "a=b" }),
    });
    await body?.cancel();
    expect([status, headers.get("cache-control"), headers.get("x-content-type-options")]).toEqual([
      expect.any(Number),
      expect.stringContaining("no-store"),
      "nosniff",
    ]);
    expect(headers.get("access-control-allow-origin")).toBeNull();
    if (headers.get("content-type")?.startsWith("text/html") !== true || path.endsWith("/preview")) return;
    const policy = headers.get("content-security-policy") ?? "";
    for (const word of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for"])
      expect(policy).toContain(word);
    expect(policy).not.toContain("unsafe");
    expect(headers.get("strict-transport-security")).toContain("max-age");
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
  });
});

describe("a live socket of the admin", () => {
  const open = (cookie: string, headers: Record<string, string> = { origin: ORIGIN }) =>
    call("/admin/live", { headers: { upgrade: "websocket", cookie, ...headers } });

  it.each([
    ["of another site", { origin: "https://evil.test" }],
    ["of a sandboxed page", { origin: "null" }],
    ["of a neighbour", { origin: "https://other.status.test" }],
    ["over another protocol", { origin: "http://status.test" }],
    ["of a program", {}],
  ])("%s is refused, session or not", async (_name, headers) => {
    for (const cookie of [await signedInAs("owner"), ""]) expect((await open(cookie, headers)).status).toBe(403);
  });

  it("needs a session", async () => expect((await open("")).status).toBe(401));

  it("is one of so many that nobody takes them all, and others have theirs", async () => {
    const [greedy, other] = [await signedInAs("viewer"), await signedInAs("viewer")];
    const answers = await Promise.all(Array.from({ length: 60 }, () => open(greedy)));
    const spared = await open(other);
    expect(answers.filter(({ status }) => status === 101)).toHaveLength(50);
    expect([answers.filter(({ status }) => status === 503).length, spared.status]).toEqual([10, 101]);
    for (const { webSocket } of [...answers, spared]) {
      webSocket?.accept();
      webSocket?.close(1000);
    }
  });
});

describe("what only proxies say", () => {
  const HEADERS = {
    "x-forwarded-host": "evil.test",
    "x-forwarded-proto": "http",
    forwarded: "host=evil.test",
    "x-original-url": "/admin",
    "x-rewrite-url": "/admin",
    "x-http-method-override": "DELETE",
  };

  it.each(["/", "/api/v2/summary.json", "/history.atom", "/sitemap.xml", "/admin/sign-in"])(
    "is nothing to %s",
    async (path) => {
      const { status, ...answer } = await call(path, { headers: HEADERS }).then(async (got) => ({
        status: got.status,
        text: await got.text(),
      }));
      expect([status, answer.text.includes("evil.test")]).toEqual([200, false]);
    },
  );

  it("makes no link lead elsewhere, no cookie less safe and no other site ours", async () => {
    const authorization = `Bearer ${bindings.OPERATOR_KEY}`;
    const made = await call("/cli/v1/admin-links", { method: "POST", headers: { ...HEADERS, authorization } });
    const { url } = await made.json<{ url: string }>();
    expect(new URL(url).origin).toBe(ORIGIN);
    const body = new URLSearchParams({ token: new URL(url).searchParams.get("token") ?? "" }).toString();
    const form = { ...HEADERS, "content-type": "application/x-www-form-urlencoded" };
    const elsewhere = { method: "POST", headers: { ...form, origin: "https://evil.test" }, body };
    expect((await call("/admin/sign-in", elsewhere)).status).toBe(403);
    const signedIn = await call("/admin/sign-in", { method: "POST", headers: { ...form, origin: ORIGIN }, body });
    expect([signedIn.status, signedIn.headers.get("set-cookie")]).toEqual([
      303,
      expect.stringMatching(
        /^__Host-observatory=[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
      ),
    ]);
  });
});

it("a passkey of somebody else is neither named nor taken away", async () => {
  const cookie = await signedInAs("owner");
  const passkey = { id: "c29tZWJvZHk", publicKey: "x", counter: 0, name: "Theirs", transports: [] };
  const theirs = await board.account((await signedInAs("viewer")).slice(COOKIE.length + 1), {
    kind: "addPasskey",
    passkey,
    challenge: crypto.randomUUID(),
  });
  expect(theirs.ok).toBe(true);
  for (const act of ["name", "remove"])
    expect((await post(cookie, `/admin/account/passkeys/${passkey.id}/${act}`, { name: "Mine" })).status).toBe(404);
  expect((await board.credential(passkey.id))?.passkeys.map(({ name }) => name)).toEqual(["Theirs"]);
});

describe("what was typed into a form", () => {
  const forms = ROUTES.filter(({ method, policy }) => method === "POST" && policy === "admin");
  const TEXT = 'It <b>began</b> & "went" on,\r\nline by line.';
  /** As it stands in a field that is sent again, and in one that is read. */
  const SHOWN = "It &#60;b&#62;began&#60;/b&#62; &#38; &#34;went&#34; on,\r\nline by line.";
  let nobody = "";
  let viewer = "";
  beforeAll(async () => {
    nobody = await signedInAs("owner");
    await board.endSession(nobody.slice(COOKIE.length + 1));
    viewer = await signedInAs("viewer");
  });

  it.each(named(forms))(
    "is shown again where the session is over or the role too low: %s %s",
    async (_m, path, route) => {
      const address = path.replaceAll(PARAMETER, "nothing00000");
      const fields = { body: TEXT, revision: "7" };
      const over = await post(nobody, address, fields);
      const page = await over.text();
      expect([over.status, page.split(SHOWN).length]).toEqual([401, 3]);
      expect(page).toContain(`<form id="asked" method="post" action="${address}">`);
      expect(page).toContain('name="revision" value="7"');
      if (route.policy !== "admin" || route.role === "viewer") return;
      const low = await post(viewer, address, fields);
      expect([low.status, await low.text()]).toEqual([403, expect.stringContaining(SHOWN)]);
    },
  );

  it("is not shown to another site, which may have made it up", async () => {
    for (const origin of ["https://evil.test", "null"]) {
      const answer = await call("/admin/incidents", {
        method: "POST",
        headers: { cookie: nobody, origin, accept: "text/html", "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({ body: "from elsewhere" }).toString(),
      });
      expect([answer.status, (await answer.text()).includes("from elsewhere")]).toEqual([403, false]);
    }
  });

  it.each([
    ["an update", ""],
    ["a correction", "/:update"],
    ["a postmortem", "postmortem"],
  ])("is shown again where somebody else deleted the incident meanwhile: %s", async (_name, where) => {
    const responder = await signedInAs("responder");
    const opened = await board.announce(
      { kind: "incident.open", request: { name: "Gone", body: "x", components: [] } },
      "a",
    );
    const incident = opened.ok && "impact" in opened.value ? opened.value : null;
    await board.announce({ kind: "incident.delete", id: incident?.id ?? "", request: {} }, "b");
    const update = `/updates${where === "/:update" ? `/${incident?.updates[0]?.id}` : ""}`;
    const path = `/admin/incidents/${incident?.id}${where === "postmortem" ? "/postmortem" : update}`;
    const answer = await post(responder, path, { body: TEXT, revision: String(incident?.writtenAt) });
    expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining(SHOWN)]);
  });

  it("is posted once if it is sent twice, and again if somebody went back and wrote on", async () => {
    const responder = await signedInAs("responder");
    const form = { name: "Went back", body: "First.", status: "investigating", key: "number-of-the-form" };
    const where = async (fields: Record<string, string>, path = "/admin/incidents") =>
      (await post(responder, path, fields)).headers.get("location") ?? "";
    const first = await where(form);
    expect(await where(form)).toBe(first);
    const other = await where({ ...form, body: "First, and what I forgot." });
    expect(other).toMatch(/^\/admin\/incidents\/[a-z0-9]{12}$/);
    expect(other).not.toBe(first);
    const update = { body: "Second.", status: "identified", key: "number-of-update", impact: "" };
    await where(update, `${first}/updates`);
    await where(update, `${first}/updates`);
    await where({ ...update, body: "Second, and more." }, `${first}/updates`);
    const said = (await board.operatorView([])).incidents?.find(({ id }) => first.endsWith(id))?.updates;
    expect(said?.map(({ body }) => body)).toEqual(["First.", "Second.", "Second, and more."]);
  });
});

describe("what is planned by a form", () => {
  const plan = {
    name: "Upgrade",
    body: "One\r\ntwo",
    reason: "v2",
    start: "2027-12-01T03:00",
    zone: "Etc/UTC",
    hours: "2",
    repeat: "once",
    closing: "person",
  };

  it.each([
    ["its name", { name: "a\u202eb" }],
    ["its name, of two lines", { name: "a\r\nb" }],
    ["its name, which is too long", { name: "x".repeat(256) }],
    ["its words", { body: "a\0b" }],
    ["its words, which are too long", { body: "x".repeat(5_001) }],
    ["its reason", { reason: "a\u0007b" }],
    ["its reason, which is too long", { reason: "x".repeat(501) }],
    ["a target", { "target:shop/checkout": "announce" }],
    ["a target of everything", { "target:*": "announce" }],
  ])("is refused where JSON would be, and shown again: %s", async (_name, wrong) => {
    const cookie = await signedInAs("operator");
    const answer = await post(cookie, "/admin/maintenance/plan/leases", { ...plan, ...wrong });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('value="2027-12-01T03:00"')]);
  });

  it("is kept as it was typed", async () => {
    const cookie = await signedInAs("operator");
    const put = await cli("PUT", "/cli/v1/components", { components: [{ name: "Planned", services: ["a/b/c"] }] });
    const [component] = (await put.json<{ components: { id: string }[] }>()).components;
    const answer = await post(cookie, "/admin/maintenance/plan", { ...plan, component: component?.id ?? "" });
    const id = answer.headers.get("location")?.split("/").at(-1);
    const kept = (await board.operatorView([])).announcements?.find((one) => one.id === id);
    expect(kept?.updates?.[0]?.body).toBe("One\ntwo");
  });
});

it("a text that Postgres cannot keep holds up nothing that was written after it", async () => {
  const startsAt = Date.now() + 30 * DAY;
  const request = { name: "a\0b", body: "c\ud800d", startsAt, endsAt: startsAt + HOUR, components: [] };
  const plan = { ...request, emergency: false, reason: "\0", targets: [], closing: "person" } as const;
  expect((await board.steer({ kind: "maintenance.plan", request: plan }, "test")).ok).toBe(true);
  await expect
    .poll(async () => {
      await runDurableObjectAlarm(board);
      return (await board.operatorView([])).backlog.waiting;
    })
    .toBe(0);
});

describe("hostile words in every field", () => {
  const HOSTILE = `"'><img src=x onerror=alert(1)><script>alert(1)</script><svg onload=alert(1)> {{7*7}} [a](javascript:alert(1)) ![b](https://evil.test/x)`;

  /** What a browser would make of it that nobody of us wrote. */
  async function foreign(html: string): Promise<readonly string[]> {
    const found: string[] = [];
    const look = (element: Element): void => {
      const { tagName } = element;
      const attributes = [...element.attributes];
      if (tagName === "img" && element.getAttribute("src")?.startsWith("data:image/") !== true) found.push("img");
      for (const [name = "", value = ""] of attributes) {
        if (name.startsWith("on") || name === "style") found.push(`${tagName} ${name}`);
        if (/^(href|src|action|formaction)$/.test(name) && /^\s*(javascript|vbscript):/i.test(value))
          found.push(`${tagName} ${name}=${value}`);
      }
    };
    const looked = new HTMLRewriter().on("*", { element: look }).on("script, style", {
      text({ text }) {
        if (text.includes("alert(1)")) found.push(text);
      },
    });
    await looked.transform(new Response(html)).text();
    return found;
  }

  async function furnish(cookie: string): Promise<readonly string[]> {
    const put = await cli("PUT", "/cli/v1/components", {
      components: [{ name: HOSTILE, group: `${HOSTILE} / b`, description: HOSTILE, services: ["a/b/c"] }],
    });
    const component = (await put.json<{ components: { id: string }[] }>()).components[0]?.id ?? "";
    await cli("PUT", "/cli/v1/page", {
      name: HOSTILE.slice(0, 60),
      links: [{ name: HOSTILE.slice(0, 40), url: "https://a.example" }],
    });
    await cli("PUT", "/cli/v1/charts", { charts: [{ kind: "p95", component: null, name: HOSTILE.slice(0, 60) }] });
    await cli("PUT", "/cli/v1/draft-rules", {
      rules: [
        {
          name: HOSTILE,
          title: HOSTILE,
          match: { severity: HOSTILE },
          components: [{ component, status: "major_outage" }],
        },
      ],
    });
    await board.changePeople(
      { kind: "add", name: "<script>alert(1)</script> onload=x", role: "viewer", addressHash: null },
      HOSTILE,
    );
    const incident = await post(cookie, "/admin/incidents", {
      name: HOSTILE,
      body: HOSTILE,
      status: "investigating",
      impact: "critical",
      impactReason: HOSTILE,
      [`c.${component}`]: "major_outage",
    });
    const plan = {
      name: HOSTILE,
      body: HOSTILE,
      reason: HOSTILE,
      start: "2027-12-01T03:00",
      zone: "Etc/UTC",
      hours: "2",
      closing: "person",
      component,
    };
    const once = await post(cookie, "/admin/maintenance/plan", { ...plan, repeat: "once" });
    expect([put.status, incident.status, once.status]).toEqual([200, 303, 303]);
    await post(cookie, "/admin/maintenance/plan", { ...plan, repeat: "weekly" });
    await board.note(HOSTILE, HOSTILE, HOSTILE, { before: { [HOSTILE]: HOSTILE }, after: { [HOSTILE]: "x" } });
    const idIn = (answer: Response): string => answer.headers.get("location")?.split("/").at(-1) ?? "";
    const update =
      (await board.operatorView([])).incidents?.find(({ id }) => id === idIn(incident))?.updates[0]?.id ?? "";
    const series = (await board.operatorView([])).series?.[0]?.id ?? "";
    return [component, idIn(incident), idIn(once), series, update];
  }

  it("are words on every page, to operators and to visitors, and in every question", async () => {
    const cookie = await signedInAs("owner");
    const ids = await furnish(cookie);
    const names = [
      "q",
      "group",
      "target",
      "schedule",
      "template",
      "draft",
      "moved",
      "by",
      "before",
      "page",
      "token",
      "name",
      "kind",
      "cluster",
    ];
    const query = new URLSearchParams(names.map((name) => [name, HOSTILE])).toString();
    let seen = 0;
    for (const { path, policy } of ROUTES.filter(({ method }) => method === "GET")) {
      if (policy === "cli" || path === "/admin/live") continue;
      const [component, incident, once, series, update] = ids;
      const id = /series/.test(path)
        ? series
        : /maintenance/.test(path)
          ? once
          : /incidents/.test(path)
            ? incident
            : component;
      const one = path.replace(":update", update ?? "").replaceAll(PARAMETER, id ?? "");
      const filled = path.includes(":") ? [one] : [path, `${path}?${query}`];
      for (const address of filled) {
        const answer = await call(address, { headers: { cookie, accept: "text/html" } });
        const isPage = answer.headers.get("content-type")?.startsWith("text/html") === true;
        const html = isPage ? await answer.text() : "";
        if (!isPage) await answer.body?.cancel();
        if (html.includes("{{7*7}}")) seen++;
        expect([address.slice(0, 80), answer.status, await foreign(html)]).toEqual([
          address.slice(0, 80),
          expect.any(Number),
          [],
        ]);
      }
    }
    // They were there to be seen.
    expect(seen).toBeGreaterThan(15);
    expect(await foreign("<p>a<img src=x onerror=alert(1)>")).toEqual(["img", "img onerror"]);
  });
});
