/** How Statuspage's API is served: to whom, by which methods, and what it costs somebody who has it already. */
import { describe, expect, it } from "vitest";
import { ROUTES } from "../../worker/index.ts";
import { call, cli } from "./agent.ts";

const DOCUMENTS = ROUTES.filter(({ path, method }) => path.startsWith("/api/v2/") && method === "GET").map(
  ({ path }) => path,
);
const ELSEWHERE = { origin: "https://dashboard.example" };

it("the documents are all eight", () => expect(DOCUMENTS).toHaveLength(8));

describe.each(DOCUMENTS)("%s", (path) => {
  it("is JSON for pages of every site, whatever is asked beside it", async () => {
    const answer = await call(`${path}?page=2&_=123`, { headers: ELSEWHERE });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("cache-control")).toMatch(/^public, max-age=[0-5]$/);
    expect(Object.keys(await answer.json<object>())[0]).toBe("page");
  });

  it("answers HEAD with the same headers and no body", async () => {
    const head = await call(path, { method: "HEAD", headers: ELSEWHERE });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(head.headers.get("etag")).toMatch(/^"[^"]+"$/);
    expect(head.headers.get("access-control-allow-origin")).toBe("*");
  });

  it("is not sent again to whoever has it, also by a proxy's weak copy among others", async () => {
    const first = await call(path);
    await first.arrayBuffer();
    const etag = first.headers.get("etag") ?? "";
    const again = await call(path, { headers: { ...ELSEWHERE, "if-none-match": `"other", W/${etag}` } });
    expect([again.status, again.headers.get("etag"), await again.text()]).toEqual([304, etag, ""]);
    expect(again.headers.get("access-control-allow-origin")).toBe("*");
  });

  it("lets a browser ask first, as it must before it sends a condition", async () => {
    const asked = { "access-control-request-method": "GET", "access-control-request-headers": "if-none-match" };
    const answer = await call(path, { method: "OPTIONS", headers: { ...ELSEWHERE, ...asked } });
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("access-control-allow-methods")).toBe("GET,HEAD,POST,DELETE");
    expect(answer.headers.get("access-control-allow-headers")).toBe("if-none-match");
  });

  it.each(["POST", "PUT", "PATCH", "DELETE"])("refuses %s and says what it answers to", async (method) => {
    const answer = await call(path, { method, headers: ELSEWHERE });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect(await answer.json()).toMatchObject({ error: { code: "method_not_allowed" } });
  });
});

it.each(["/api/v2/nothing.json", "/api/v2/", "/api/v2/status", "/api/v3/status.json", "/api/nothing"])(
  "%s is a 404 as JSON, also to a browser",
  async (path) => {
    const answer = await call(path, { headers: { accept: "text/html" } });
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-type")).toContain("application/json");
    expect(await answer.json()).toMatchObject({ error: { code: "not_found" } });
  },
);

it("a page of another site may read that there is nothing", async () => {
  const answer = await call("/api/v2/nothing.json", { headers: ELSEWHERE });
  expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([404, "*"]);
  await answer.text();
});

describe("/api/v2/subscribers.json", () => {
  it.each(["POST", "DELETE"])(
    "refuses %s with what to do instead: nobody believes to be subscribed",
    async (method) => {
      const body = JSON.stringify({ subscriber: { email: "visitor@example.com" } });
      const answer = await call("/api/v2/subscribers.json", { method, headers: ELSEWHERE, body });
      expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([501, "*"]);
      const { error } = await answer.json<{ error: { code: string; message: string } }>();
      expect(error.code).toBe("not_offered");
      expect(error.message).toContain("/history.atom");
    },
  );

  it("tolerates a client that sends it as GET", async () => {
    const answer = await call("/api/v2/subscribers.json?subscriber[email]=a");
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST, DELETE"]);
    await answer.text();
  });
});

it("a maintenance has begun when its time has come, though nobody makes the document anew for it", async () => {
  const startsAt = Date.now() + 1_500;
  const moments = { startsAt: new Date(startsAt).toISOString(), endsAt: new Date(startsAt + 60_000).toISOString() };
  const created = new Date(startsAt - 60_000).toISOString();
  const planned = { id: "turning00000", name: "Cables", createdAt: created, updatedAt: created, ...moments };
  // Of no component: else what is said of that one would turn as well.
  const maintenances = [{ ...planned, endedAt: null, components: [], updates: [] }];
  expect((await cli("PUT", "/cli/v1/import/announced", { incidents: [], maintenances })).status).toBe(200);
  const urlOf = (name: string): string => `https://turning.test/api/v2/scheduled-maintenances/${name}.json`;
  const listed = async (name: string) => {
    const answer = await call(urlOf(name));
    const { scheduled_maintenances: list } = await answer.json<{ scheduled_maintenances: { id: string }[] }>();
    return list.some(({ id }) => id === planned.id);
  };
  expect([await listed("upcoming"), await listed("active")]).toEqual([true, false]);
  const etag = (await call(urlOf("active"), { method: "HEAD" })).headers.get("etag") ?? "";
  await new Promise((resolve) => setTimeout(resolve, startsAt + 50 - Date.now()));
  expect([await listed("upcoming"), await listed("active")]).toEqual([false, true]);
  const again = await call(urlOf("active"), { headers: { "if-none-match": etag } });
  expect(again.status).toBe(200);
  await again.text();
});
