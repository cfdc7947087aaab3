/** Doors, people and passkeys, as `reference/security.md` wants them (section 4; section 8, lines 23, 24, 31, 33). */
import { createExecutionContext, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Role } from "../../worker/core/access.ts";
import worker from "../../worker/index.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { RELAY_ADMIN, SESSION_HEADER } from "../../worker/objects/relay.ts";
import type { Person } from "../../worker/core/people.ts";
import { bindings, call, cli } from "./agent.ts";
import type { Lies } from "./authenticator.ts";
import { softAuthenticator } from "./authenticator.ts";

const ORIGIN = "https://status.test";
const COOKIE = "__Host-observatory";
const board = boardOf(bindings);

/** A browser: it keeps its cookies, as far as these tests need them. */
class Visitor {
  readonly cookies = new Map<string, string>();

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  async send(method: string, path: string, body?: object | URLSearchParams): Promise<Response> {
    const isForm = body instanceof URLSearchParams;
    const answer = await call(path, {
      method,
      headers: {
        cookie: this.cookie,
        origin: ORIGIN,
        ...(isForm ? { "content-type": "application/x-www-form-urlencoded", accept: "text/html" } : {}),
      },
      ...(body === undefined ? {} : { body: isForm ? body.toString() : JSON.stringify(body) }),
    });
    for (const set of answer.headers.getSetCookie()) {
      const [pair = ""] = set.split(";");
      this.cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    return answer;
  }

  form(path: string, fields: Record<string, string> = {}): Promise<Response> {
    return this.send("POST", path, new URLSearchParams(fields));
  }

  async isIn(): Promise<boolean> {
    const answer = await this.send("GET", "/admin/account");
    await answer.body?.cancel();
    return answer.status === 200;
  }
}

let count = 0;

/** Somebody new, signed in by their invitation. */
async function somebody(role: Role): Promise<{ readonly visitor: Visitor; readonly person: Person }> {
  const name = `Person ${++count}`;
  const done = await board.changePeople({ kind: "add", name, role, addressHash: null }, "test");
  if (!done.ok) throw new Error(done.failure);
  const visitor = new Visitor();
  await visitor.form("/admin/sign-in", { token: done.value.link?.token ?? "" });
  return { visitor, person: done.value.person };
}

interface Question {
  readonly ticket: string;
  readonly publicKey: { readonly challenge: string; readonly user?: { readonly id: string } };
}

async function asks(visitor: Visitor, path: string): Promise<Question> {
  const answer = await visitor.send("POST", path, {});
  expect(answer.status).toBe(200);
  return answer.json<Question>();
}

async function withPasskey(role: Role = "owner") {
  const { visitor, person } = await somebody(role);
  const key = await softAuthenticator();
  const { ticket, publicKey } = await asks(visitor, "/admin/account/passkeys/options");
  const answer = await key.create(publicKey);
  const made = await visitor.send("POST", "/admin/account/passkeys", { ticket, answer, name: "Mine" });
  expect(made.status).toBe(201);
  return { visitor, person, key };
}

/** As time would have it. */
async function anHourLater(): Promise<void> {
  await runInDurableObject(board, (_, { storage: { sql } }) => {
    const later = "json_set(body, '$.verifiedAt', json_extract(body, '$.verifiedAt') - 3600000)";
    sql.exec(`UPDATE work SET body = ${later} WHERE kind = 'login'`);
  });
  await evictDurableObject(board);
}

async function acts(): Promise<readonly string[]> {
  const { recent } = await board.audit();
  return recent.map(({ act, subject, by }) => `${act} ${subject} by ${by}`);
}

describe("an invitation", () => {
  it("signs in once, as whom it was made for, with their role", async () => {
    const done = await board.changePeople({ kind: "add", name: "Ines", role: "viewer", addressHash: null }, "Ana");
    const token = done.ok ? (done.value.link?.token ?? "") : "";
    const ines = new Visitor();
    expect((await ines.form("/admin/sign-in", { token })).headers.get("location")).toBe("/admin/account");
    const page = await (await ines.send("GET", "/admin/account")).text();
    expect(page).toContain("You are <b>Ines</b>, with the role <b>viewer</b>");
    expect((await new Visitor().form("/admin/sign-in", { token })).status).toBe(401);
    expect(await (await ines.send("GET", "/admin/people")).text()).not.toContain("/invite");
    expect((await ines.form("/admin/people", { name: "Me too", role: "owner" })).status).toBe(403);
  });

  it("is void once another is made, and once its person is gone", async () => {
    const done = await board.changePeople({ kind: "add", name: "Void", role: "viewer", addressHash: null }, "Ana");
    if (!done.ok) throw new Error(done.failure);
    const { person, link } = done.value;
    const again = await board.changePeople({ kind: "invite", id: person.id }, "Ana");
    expect((await new Visitor().form("/admin/sign-in", { token: link?.token ?? "" })).status).toBe(401);
    await board.changePeople({ kind: "remove", id: person.id }, "Ana");
    const token = again.ok ? (again.value.link?.token ?? "") : "";
    expect((await new Visitor().form("/admin/sign-in", { token })).status).toBe(401);
  });

  it("is made by an owner's form, which shows its link once and keeps no address", async () => {
    const { visitor } = await somebody("owner");
    const fields = { name: "Jo", role: "responder", address: "jo@acme.example" };
    const made = await visitor.form("/admin/people", fields);
    const page = await made.text();
    expect([made.status, page]).toEqual([201, expect.stringMatching(/admin\/sign-in\?token=[\w-]{43}</)]);
    expect(await (await visitor.send("GET", "/admin/people")).text()).not.toContain("token=");
    const kept = await runInDurableObject(board, (_, { storage: { sql } }) =>
      JSON.stringify([sql.exec("SELECT * FROM work").toArray(), sql.exec("SELECT * FROM outbox").toArray()]),
    );
    expect(kept).not.toContain("acme.example");
    const again = await visitor.form("/admin/people", { ...fields, name: "JO", address: "" });
    expect([again.status, await again.text()]).toEqual([409, expect.stringContaining("Somebody has this name")]);
  });

  it.each([
    ["no name", { name: " ", role: "viewer" }, "Give a name."],
    ["a door's name", { name: "Command Line", role: "viewer" }, "Give a name as others know them."],
    ["no role", { name: "Kim" }, "Choose a role."],
    ["a role that is none", { name: "Kim", role: "admin" }, "Choose a role."],
    ["no address", { name: "Kim", role: "viewer", address: "kim" }, "Give an e-mail address."],
  ])("with %s is refused with what to mend, and shown again", async (_name, fields, said) => {
    const { visitor } = await somebody("owner");
    const answer = await visitor.form("/admin/people", fields);
    expect([answer.status >= 400 && answer.status < 500, await answer.text()]).toEqual([
      true,
      expect.stringContaining(said),
    ]);
  });
});

describe("a change of what somebody may do", () => {
  /** Opens what an open page of the admin listens to; when it was cut off. */
  async function listening(visitor: Visitor): Promise<{ readonly closed: Promise<number> }> {
    const headers = { upgrade: "websocket", origin: ORIGIN, cookie: visitor.cookie };
    const { webSocket } = await call("/admin/live", { headers });
    if (webSocket === null) throw new Error("no socket");
    webSocket.accept();
    return { closed: new Promise((resolve) => webSocket.addEventListener("close", () => resolve(Date.now()))) };
  }

  it.each([
    ["their role is changed", (id: string) => board.changePeople({ kind: "change", id, role: "viewer" }, "Ana")],
    ["they are removed", (id: string) => board.changePeople({ kind: "remove", id }, "Ana")],
  ] as const)("ends their sessions and live sockets within a second when %s", async (_name, act) => {
    await somebody("owner");
    const { visitor, person } = await somebody("operator");
    const socket = await listening(visitor);
    const at = Date.now();
    await act(person.id);
    expect(await visitor.isIn()).toBe(false);
    expect((await socket.closed) - at).toBeLessThan(1_000);
  });

  it("ends all their sessions but the one that changed a passkey, which has another secret", async () => {
    const { visitor, person, key } = await withPasskey("operator");
    const other = new Visitor();
    const invited = await board.changePeople({ kind: "invite", id: person.id }, "Ana");
    await other.form("/admin/sign-in", { token: invited.ok ? (invited.value.link?.token ?? "") : "" });
    const socket = await listening(other);
    const before = visitor.cookies.get(COOKIE);
    const at = Date.now();
    expect((await visitor.form(`/admin/account/passkeys/${key.id}/remove`)).status).toBe(303);
    expect([await visitor.isIn(), await other.isIn()]).toEqual([true, false]);
    expect((await socket.closed) - at).toBeLessThan(1_000);
    expect(visitor.cookies.get(COOKIE)).not.toBe(before);
    const old = new Visitor();
    old.cookies.set(COOKIE, before ?? "");
    expect(await old.isIn()).toBe(false);
  });

  it("cuts off a socket that opens while its session ends", async () => {
    const { visitor } = await somebody("viewer");
    const hash = (await board.session(visitor.cookies.get(COOKIE) ?? ""))?.hash ?? "";
    await visitor.form("/admin/sign-out");
    // As the route does, which had looked before.
    const { webSocket } = await bindings.RELAY.getByName(RELAY_ADMIN).fetch("https://status.test/admin/live", {
      headers: { upgrade: "websocket", [SESSION_HEADER]: hash },
    });
    webSocket?.accept();
    const code = await new Promise((resolve) => webSocket?.addEventListener("close", (event) => resolve(event.code)));
    expect(code).toBe(4401);
  });

  it("leaves an owner: the last one is neither removed nor lowered", async () => {
    for (const { id, role } of await board.people())
      if (role === "owner") await board.changePeople({ kind: "change", id, role: "viewer" }, "test");
    const owners = (await board.people()).filter(({ role }) => role === "owner");
    const { visitor, person } =
      owners[0] === undefined ? await somebody("owner") : { visitor: null, person: owners[0] };
    expect(await board.changePeople({ kind: "remove", id: person.id }, "test")).toEqual({
      ok: false,
      failure: "last_owner",
    });
    expect(await board.changePeople({ kind: "change", id: person.id, role: "operator" }, "test")).toEqual({
      ok: false,
      failure: "last_owner",
    });
    expect((await visitor?.isIn()) ?? true).toBe(true);
  });

  it("of the address that Access knows them by ends their sessions too, and no two have one", async () => {
    const { visitor } = await somebody("owner");
    const [one, two] = [await somebody("viewer"), await somebody("viewer")];
    const give = (id: string, address: string) => visitor.form(`/admin/people/${id}/address`, { address });
    expect((await give(one.person.id, "one@acme.example")).status).toBe(303);
    expect([await one.visitor.isIn(), await visitor.isIn()]).toEqual([false, true]);
    const taken = await give(two.person.id, "ONE@acme.example ");
    expect([taken.status, await taken.text()]).toEqual([409, expect.stringContaining("Somebody else is known by")]);
    expect((await give(one.person.id, "")).status).toBe(303);
    expect((await give(two.person.id, "one@acme.example")).status).toBe(303);
    expect((await give(two.person.id, "no address")).status).toBe(400);
  });

  it("is in the audit, with what was before", async () => {
    const { person } = await somebody("viewer");
    await board.changePeople({ kind: "change", id: person.id, role: "operator" }, "Ana");
    const { recent } = await board.audit();
    const changes = recent.find(({ act, subject }) => act === "person.change" && subject === person.name)?.changes;
    expect(changes).toEqual([{ field: "role", before: "viewer", after: "operator" }]);
  });
});

describe("one's own account", () => {
  it("is made by whoever holds the operator's key, and the audit names them from then on", async () => {
    const { url } = await (await cli("POST", "/cli/v1/admin-links", {})).json<{ url: string }>();
    const visitor = new Visitor();
    await visitor.form("/admin/sign-in", { token: new URL(url).searchParams.get("token") ?? "" });
    expect((await visitor.form("/admin/account/claim", { name: "Founder" })).status).toBe(303);
    await visitor.form("/admin/limits", {});
    const page = await (await visitor.send("GET", "/admin/account")).text();
    expect(page).toContain("You are <b>Founder</b>, with the role <b>owner</b>");
    expect((await board.people()).find(({ name }) => name === "Founder")?.role).toBe("owner");
  });

  it("says what to set where passkeys do not work yet, and the door then speaks of none", async () => {
    const { visitor } = await somebody("owner");
    const unset = { ...bindings, ADMIN_HOSTS: "localhost" };
    const at = (path: string) =>
      worker.fetch(
        new Request(ORIGIN + path, { headers: { cookie: visitor.cookie } }),
        unset,
        createExecutionContext(),
      );
    const account = (await (await at("/admin/account")).text()).split("<script")[0] ?? "";
    expect(account).toContain("its name belongs into <code>ADMIN_HOSTS</code>");
    expect(account).not.toContain("Add a passkey");
    expect((await (await at("/admin/sign-in")).text()).split("<script")[0]).not.toContain("Sign in with a passkey");
  });

  it("ends one session, or all others", async () => {
    const { visitor, person } = await somebody("viewer");
    const others: Visitor[] = [];
    for (let i = 0; i < 3; i++) {
      const invited = await board.changePeople({ kind: "invite", id: person.id }, "Ana");
      const other = new Visitor();
      await other.form("/admin/sign-in", { token: invited.ok ? (invited.value.link?.token ?? "") : "" });
      others.push(other);
    }
    const page = await (await visitor.send("GET", "/admin/account")).text();
    const [, first = ""] = /sessions\/(\w{12})\/end/.exec(page) ?? [];
    expect((await visitor.form(`/admin/account/sessions/${first}/end`)).status).toBe(303);
    const left = await Promise.all(others.map((other) => other.isIn()));
    expect(left.filter(Boolean)).toHaveLength(2);
    await visitor.form("/admin/account/sessions/end-others");
    expect(await Promise.all([visitor, ...others].map((one) => one.isIn()))).toEqual([true, false, false, false]);
  });

  it("does not end the session of somebody else", async () => {
    const [mine, theirs] = [await somebody("owner"), await somebody("viewer")];
    const page = await (await theirs.visitor.send("GET", "/admin/account")).text();
    expect(page).toContain("(this one)");
    const [login] = (await board.accountView(theirs.visitor.cookies.get(COOKIE) ?? ""))?.logins ?? [];
    expect((await mine.visitor.form(`/admin/account/sessions/${login?.id}/end`)).status).toBe(404);
    expect(await theirs.visitor.isIn()).toBe(true);
  });
});

describe("a session", () => {
  it("that a browser had is over when it signs in anew", async () => {
    const { visitor, person } = await somebody("viewer");
    const before = new Visitor();
    before.cookies.set(COOKIE, visitor.cookies.get(COOKIE) ?? "");
    const invited = await board.changePeople({ kind: "invite", id: person.id }, "Ana");
    await visitor.form("/admin/sign-in", { token: invited.ok ? (invited.value.link?.token ?? "") : "" });
    expect([await visitor.isIn(), await before.isIn()]).toEqual([true, false]);
  });

  it.each([
    ["idle for longer than half an hour", "seenAt", 36 * 60_000],
    ["older than twelve hours, though in use", "createdAt", 12 * 3_600_000 + 1],
  ])("that is %s is over", async (_name, field, agoMs) => {
    const { visitor } = await somebody("viewer");
    await runInDurableObject(board, (_, { storage: { sql } }) => {
      const ago = `json_set(body, '$.${field}', json_extract(body, '$.${field}') - ${agoMs})`;
      sql.exec(`UPDATE work SET body = ${ago} WHERE kind = 'login'`);
    });
    await evictDurableObject(board);
    expect(await visitor.isIn()).toBe(false);
  });

  it("ends though its page is left open, which asks and listens by itself", async () => {
    const { visitor } = await somebody("viewer");
    const ago = async (ms: number): Promise<void> => {
      await runInDurableObject(board, (_, { storage: { sql } }) => {
        const before = `json_set(body, '$.seenAt', json_extract(body, '$.seenAt') - ${ms})`;
        sql.exec(`UPDATE work SET body = ${before} WHERE kind = 'login'`);
      });
      await evictDurableObject(board);
    };
    const ask = (dest: string) =>
      call("/admin", { headers: { cookie: visitor.cookie, "sec-fetch-dest": dest, "sec-fetch-site": "same-origin" } });
    await ago(20 * 60_000);
    expect((await ask("empty")).status).toBe(200);
    const { webSocket } = await call("/admin/live", {
      headers: { upgrade: "websocket", origin: ORIGIN, cookie: visitor.cookie, "sec-fetch-dest": "websocket" },
    });
    webSocket?.accept();
    const closed = new Promise((resolve) => webSocket?.addEventListener("close", ({ code }) => resolve(code)));
    await ago(16 * 60_000);
    await board.tick();
    expect([await closed, (await ask("empty")).status]).toEqual([4401, 303]);
  });

  it("does not end while somebody is there", async () => {
    const { visitor } = await somebody("viewer");
    for (let i = 0; i < 3; i++) {
      await runInDurableObject(board, (_, { storage: { sql } }) => {
        const before = "json_set(body, '$.seenAt', json_extract(body, '$.seenAt') - 1200000)";
        sql.exec(`UPDATE work SET body = ${before} WHERE kind = 'login'`);
      });
      await evictDurableObject(board);
      const headers = { cookie: visitor.cookie, "sec-fetch-dest": "document" };
      expect((await call("/admin", { headers })).status).toBe(200);
    }
  });

  it("is kept as a hash: nothing in the page's memory opens it", async () => {
    const { visitor } = await somebody("viewer");
    const secret = visitor.cookies.get(COOKIE) ?? "";
    const kept = await runInDurableObject(board, (_, { storage: { sql } }) =>
      JSON.stringify([sql.exec("SELECT * FROM work").toArray(), sql.exec("SELECT * FROM doc").toArray()]),
    );
    expect([secret.length, kept.includes(secret)]).toEqual([43, false]);
  });

  it.each([
    ["two of one name", (secret: string) => `${COOKIE}=${secret}; ${COOKIE}=${"x".repeat(43)}`],
    ["the name without its prefix", (secret: string) => `observatory=${secret}; observatory-dev=${secret}`],
    ["five kilobytes", (secret: string) => `${COOKIE}=${secret}${"x".repeat(5_000)}`],
    ["in quotes", (secret: string) => `${COOKIE}="${secret}"`],
  ])("with a cookie of %s is none", async (_name, cookieOf) => {
    const { visitor } = await somebody("viewer");
    const cookie = cookieOf(visitor.cookies.get(COOKIE) ?? "");
    expect((await call("/admin", { headers: { cookie } })).status).toBe(303);
  });
});

describe("signing in with a passkey", () => {
  async function signIn(visitor: Visitor, key: Awaited<ReturnType<typeof softAuthenticator>>, lies: Lies = {}) {
    const { ticket, publicKey } = await asks(visitor, "/admin/sign-in/options");
    const answer = await key.get(publicKey, lies);
    return {
      body: { ticket, answer },
      answer: await visitor.send("POST", "/admin/sign-in/passkey", { ticket, answer }),
    };
  }

  it("works, as whose it is", async () => {
    const { key, person } = await withPasskey("operator");
    const visitor = new Visitor();
    const { answer } = await signIn(visitor, key);
    expect([answer.status, await answer.json()]).toEqual([200, { next: "/admin" }]);
    expect(await (await visitor.send("GET", "/admin/account")).text()).toContain(`You are <b>${person.name}</b>`);
  });

  const lies: readonly (readonly [string, Lies])[] = [
    ["nobody was verified", { flags: 1 }],
    ["nobody was present", { flags: 4 }],
    ["it was asked by another origin", { origin: "https://evil.test" }],
    ["it was made for another site", { rpId: "evil.test" }],
    ["it answers another question", { challenge: "x".repeat(43) }],
    ["it was meant to make a passkey", { type: "webauthn.create" }],
    ["a byte of it is another", { spoil: (bytes) => void (bytes[36] = (bytes[36] ?? 0) ^ 1) }],
    ["its counter went back", { counter: 0 }],
    ["its counter stands still", { counter: 1 }],
    ["it says it is somebody else's", { userHandle: "c29tZWJvZHk" }],
    ["it does not say whose it is", { userHandle: null }],
  ];
  it.each(lies)("is refused if %s", async (_name, lie) => {
    const { key } = await withPasskey();
    const visitor = new Visitor();
    const { answer } = await signIn(visitor, key, lie);
    expect([answer.status, await visitor.isIn()]).toEqual([401, false]);
  });

  it("is refused with an answer that was used already", async () => {
    const { key } = await withPasskey();
    const visitor = new Visitor();
    const { body } = await signIn(visitor, key);
    visitor.cookies.delete(COOKIE);
    expect((await visitor.send("POST", "/admin/sign-in/passkey", body)).status).toBe(401);
    expect(await visitor.isIn()).toBe(false);
  });

  it("is refused where keys do not count, too, with an answer that was used already", async () => {
    const { visitor: owner } = await somebody("owner");
    const key = await softAuthenticator();
    const asked = await asks(owner, "/admin/account/passkeys/options");
    const made = await key.create(asked.publicKey, { counter: 0 });
    await owner.send("POST", "/admin/account/passkeys", { ticket: asked.ticket, answer: made, name: "Cloud" });
    const visitor = new Visitor();
    const { body, answer } = await signIn(visitor, key, { counter: 0 });
    expect(answer.status).toBe(200);
    expect((await visitor.send("POST", "/admin/sign-in/passkey", body)).status).toBe(401);
  });

  it("is refused in another browser than the one that asked", async () => {
    const { key } = await withPasskey();
    const [visitor, thief] = [new Visitor(), new Visitor()];
    const { ticket, publicKey } = await asks(visitor, "/admin/sign-in/options");
    await asks(thief, "/admin/sign-in/options");
    const answer = await key.get(publicKey);
    expect((await thief.send("POST", "/admin/sign-in/passkey", { ticket, answer })).status).toBe(401);
    expect((await visitor.send("POST", "/admin/sign-in/passkey", { ticket, answer })).status).toBe(200);
  });

  it.each([
    ["works", "four minutes and more", 299_000, 200],
    ["is refused", "more than five minutes", 301_000, 401],
  ])("%s with a question that is %s old", async (_word, _age, ageMs, status) => {
    const { key } = await withPasskey();
    const visitor = new Visitor();
    const { ticket, publicKey } = await asks(visitor, "/admin/sign-in/options");
    const answer = await key.get(publicKey);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ageMs });
    onTestFinished(() => void vi.useRealTimers());
    expect((await visitor.send("POST", "/admin/sign-in/passkey", { ticket, answer })).status).toBe(status);
  });

  it("is refused with a passkey that was removed, and with that of somebody who is gone", async () => {
    const { visitor: owner, key } = await withPasskey();
    await owner.form(`/admin/account/passkeys/${key.id}/remove`);
    expect((await signIn(new Visitor(), key)).answer.status).toBe(401);
    const gone = await withPasskey("viewer");
    await board.changePeople({ kind: "remove", id: gone.person.id }, "test");
    expect((await signIn(new Visitor(), gone.key)).answer.status).toBe(401);
  });

  it.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["an answer of another shape", JSON.stringify({ ticket: "1", answer: {} })],
    ["a huge answer", JSON.stringify({ ticket: "x".repeat(20_000) })],
  ])("of %s is a refusal, not an error", async (_name, body) => {
    const answer = await call("/admin/sign-in/passkey", { method: "POST", headers: { origin: ORIGIN }, body });
    expect([401, 413]).toContain(answer.status);
  });

  it("that was refused is in the audit, the first of an hour and then ever fewer", async () => {
    await new Visitor().form("/admin/sign-in", { token: "nothing" });
    expect((await acts()).filter((line) => line.startsWith("session.refuse")).length).toBeGreaterThanOrEqual(1);
    expect((await acts()).filter((line) => line.startsWith("session.refuse")).length).toBeLessThanOrEqual(3);
  });
});

describe("making a passkey", () => {
  it.each([
    ["nobody was verified", { flags: 1 }],
    ["it was asked by another origin", { origin: "https://evil.test" }],
    ["it was made for another site", { rpId: "evil.test" }],
    ["it answers another question", { challenge: "x".repeat(43) }],
  ] as const)("is refused if %s", async (_name, lies) => {
    const { visitor } = await somebody("owner");
    const key = await softAuthenticator();
    const { ticket, publicKey } = await asks(visitor, "/admin/account/passkeys/options");
    const answer = await key.create(publicKey, lies);
    expect((await visitor.send("POST", "/admin/account/passkeys", { ticket, answer })).status).toBe(400);
  });

  it("is refused with the question of another session, and twice with one", async () => {
    const [one, two] = [await somebody("owner"), await somebody("owner")];
    const key = await softAuthenticator();
    const { ticket, publicKey } = await asks(one.visitor, "/admin/account/passkeys/options");
    const answer = await key.create(publicKey);
    expect((await two.visitor.send("POST", "/admin/account/passkeys", { ticket, answer })).status).toBe(400);
    expect((await one.visitor.send("POST", "/admin/account/passkeys", { ticket, answer })).status).toBe(201);
    expect((await one.visitor.send("POST", "/admin/account/passkeys", { ticket, answer })).status).not.toBe(201);
  });

  it("wants a fresh proof of who is there", async () => {
    const { visitor } = await somebody("owner");
    await anHourLater();
    const answer = await visitor.send("POST", "/admin/account/passkeys/options", {});
    expect([answer.status, (await answer.json<{ error: { code: string } }>()).error.code]).toEqual([
      403,
      "step_up_required",
    ]);
  });
});

describe("step-up", () => {
  const fields = { name: 'Typed <b> & "kept"', role: "viewer", address: "" };

  it("shows what was typed again, does it after a passkey, and gives the session another secret", async () => {
    const { visitor, key } = await withPasskey();
    await anHourLater();
    const asked = await visitor.form("/admin/people", fields);
    const page = await asked.text();
    expect(asked.status).toBe(403);
    expect(page).toContain('<form id="asked" method="post" action="/admin/people">');
    expect(page).toContain('name="name" value="Typed &#60;b&#62; &#38; &#34;kept&#34;"');
    expect((await board.people()).some(({ name }) => name === fields.name)).toBe(false);
    const { ticket, publicKey } = await asks(visitor, "/admin/step-up/options");
    const before = visitor.cookies.get(COOKIE);
    const done = await visitor.send("POST", "/admin/step-up/passkey", { ticket, answer: await key.get(publicKey) });
    expect([done.status, visitor.cookies.get(COOKIE) === before]).toEqual([200, false]);
    expect((await visitor.form("/admin/people", fields)).status).toBe(201);
  });

  it("works by a fresh link of the same person without script, and goes on with what was typed", async () => {
    const { visitor, person } = await somebody("owner");
    await anHourLater();
    const { url } = await (await cli("POST", "/cli/v1/admin-links", { as: person.name })).json<{ url: string }>();
    const sent = Object.entries({ ...fields, name: "By link" });
    const form = { link: ` ${url}\n`, method: "POST", action: "/admin/people", fields: JSON.stringify(sent) };
    const confirmed = await visitor.form("/admin/step-up/link", form);
    const page = await confirmed.text();
    expect([confirmed.status, page]).toEqual([200, expect.stringContaining('name="name" value="By link"')]);
    expect((await visitor.form("/admin/people", Object.fromEntries(sent))).status).toBe(201);
  });

  it("names the person for a shell, whatever their name does there", async () => {
    const name = "O'Neil $(reboot)";
    const done = await board.changePeople({ kind: "add", name, role: "owner", addressHash: null }, "test");
    const visitor = new Visitor();
    await visitor.form("/admin/sign-in", { token: done.ok ? (done.value.link?.token ?? "") : "" });
    await anHourLater();
    const page = await (await visitor.form("/admin/people", fields)).text();
    expect(page).toContain(String.raw`--as &#39;O&#39;\&#39;&#39;Neil $(reboot)&#39;`);
  });

  it.each([
    [
      "somebody else's link",
      async () => (await (await cli("POST", "/cli/v1/admin-links", {})).json<{ url: string }>()).url,
    ],
    ["a link that is none", () => Promise.resolve("nothing")],
  ])("is refused by %s, and nothing that was typed is lost", async (_name, linkOf) => {
    const { visitor } = await somebody("owner");
    await anHourLater();
    const form = { link: await linkOf(), method: "POST", action: "/admin/people", fields: '[["name","Still here"]]' };
    const refused = await visitor.form("/admin/step-up/link", form);
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining("Still here")]);
    expect((await visitor.form("/admin/people", fields)).status).toBe(403);
  });

  it.each([
    ["another site", { action: "https://evil.test/" }],
    ["a path beside the admin", { action: "/admin/../cli/v1/tokens" }],
    ["the same, spelt otherwise", { action: "/admin/%2e%2e/cli/v1/tokens" }],
    ["fields that are none", { fields: '{"a":1}' }],
    ["another method", { method: "DELETE" }],
  ])("does not go on to %s", async (_name, wrong) => {
    const { visitor } = await somebody("owner");
    const form = { link: "x", method: "POST", action: "/admin/people", fields: "[]", ...wrong };
    expect((await visitor.form("/admin/step-up/link", form)).status).toBe(400);
  });

  it("by a passkey of somebody else, or by an answer that was meant to sign in, is refused", async () => {
    const [mine, theirs] = [await withPasskey(), await withPasskey()];
    const { ticket, publicKey } = await asks(mine.visitor, "/admin/step-up/options");
    const answer = await theirs.key.get(publicKey);
    expect((await mine.visitor.send("POST", "/admin/step-up/passkey", { ticket, answer })).status).toBe(401);
    const door = await asks(mine.visitor, "/admin/sign-in/options");
    const meant = { ticket: door.ticket, answer: await mine.key.get(door.publicKey) };
    expect((await mine.visitor.send("POST", "/admin/step-up/passkey", meant)).status).toBe(401);
  });
});

describe("a lost passkey", () => {
  it("is recovered from by the command line: a link for the person, their passkeys forgotten, all of it audited", async () => {
    const { visitor, person, key } = await withPasskey();
    const answer = await cli("POST", "/cli/v1/admin-links", { as: person.name.toUpperCase(), forgetPasskeys: true });
    const { url, name } = await answer.json<{ url: string; name: string }>();
    expect([answer.status, name, await visitor.isIn()]).toEqual([201, person.name, false]);
    const thief = new Visitor();
    const { ticket, publicKey } = await asks(thief, "/admin/sign-in/options");
    const stolen = await thief.send("POST", "/admin/sign-in/passkey", { ticket, answer: await key.get(publicKey) });
    expect(stolen.status).toBe(401);
    const back = new Visitor();
    await back.form("/admin/sign-in", { token: new URL(url).searchParams.get("token") ?? "" });
    expect(await (await back.send("GET", "/admin/account")).text()).toContain(`You are <b>${person.name}</b>`);
    expect(await acts()).toContain(`passkey.remove all 1 of ${person.name} by command line`);
    expect((await acts()).some((line) => /^link\.create .+ for /.test(line) && line.endsWith("by command line"))).toBe(
      true,
    );
  });

  it("of somebody whom nobody knows needs a role, and then makes them", async () => {
    expect((await cli("POST", "/cli/v1/admin-links", { as: "Newcomer" })).status).toBe(404);
    const made = await cli("POST", "/cli/v1/admin-links", { as: "Newcomer", role: "responder" });
    expect([made.status, await made.json()]).toEqual([201, expect.objectContaining({ role: "responder" })]);
  });
});
