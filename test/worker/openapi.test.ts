/** The API is described by the schemas that validate, and answers what they say. */
import { runDurableObjectAlarm } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import * as v from "valibot";
import { ROUTES } from "../../worker/index.ts";
import { boardOf, clusterOf } from "../../worker/objects/env.ts";
import type { Route } from "../../worker/routes/table.ts";
import { bindings, call, cli, enrolledAgent, liveService, windowOf } from "./agent.ts";

const CLUSTER = "openapi-1";
const described = ROUTES.filter(({ api }) => api !== undefined);
let component: string;

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: object }[];
  readonly security: readonly object[];
  readonly "x-scopes"?: readonly string[];
  readonly responses: Readonly<Record<string, { readonly content: Readonly<Record<string, { schema: object }>> }>>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: object };
}

async function tokenOf(scope: string): Promise<Readonly<Record<string, string>>> {
  const { token } = await (await cli("POST", "/cli/v1/tokens", { scope })).json<{ token: string }>();
  return { authorization: `Bearer ${token}` };
}

async function documentOf(): Promise<Document> {
  return (await call("/openapi.json")).json();
}

function pathOf({ path }: Route): string {
  return path.replace(":id", component);
}

beforeAll(async () => {
  const agent = await enrolledAgent(CLUSTER);
  const crash = { kind: "pod.crash_loop", id: "0".repeat(32), at: Date.now(), subject: "shop/checkout", body: {} };
  const latency = { scheme: "explicit" as const, bounds: [100, 500], counts: [90, 9, 1], sum: 9_000 };
  const live = { services: [{ ...liveService(0.01), latency }] };
  const records = { first: 1, items: [windowOf(3), windowOf(2), crash] };
  expect((await agent.push({ epoch: agent.epoch, records }, live)).status).toBe(200);
  await runDurableObjectAlarm(clusterOf(bindings, CLUSTER));
  const wish = { name: "Checkout", group: "OpenAPI", services: [`${CLUSTER}/shop/checkout`] };
  await cli("PUT", "/cli/v1/components", { components: [wish] });
  component = (await boardOf(bindings).operatorView()).components.find(({ group }) => group === "OpenAPI")?.id ?? "";
});

describe("an answer", () => {
  it.each(described.map((route) => [route.path, route] as const))("of %s is as described", async (_path, route) => {
    const answer = await call(pathOf(route), { headers: await tokenOf("read") });
    expect([route.path, answer.status]).toEqual([route.path, 200]);
    const { answer: schema = null } = route.api ?? {};
    const type = answer.headers.get("content-type") ?? "";
    if (schema === null) expect(type).toMatch(/^(text\/plain|application\/openmetrics-text)/);
    const body = schema === null ? null : await answer.json();
    const issues = schema === null ? [] : (v.safeParse(schema, body).issues ?? []);
    expect(issues.map((issue) => `${v.getDotPath(issue)}: ${issue.message}`)).toEqual([]);
    if (schema === null) await answer.text();
  });
});

describe("/openapi.json", () => {
  it("has every route that programs read, and no door of people, agents or the command line", async () => {
    const { openapi, paths } = await documentOf();
    expect(openapi).toBe("3.1.0");
    const isForPrograms = ({ path, policy, method }: Route): boolean =>
      policy === "read" || (method === "GET" && /^\/(api\/|health)/.test(path));
    const wanted = ROUTES.filter(isForPrograms);
    expect(Object.keys(paths)).toEqual(wanted.map(({ path }) => path.replace(/:(\w+)/, "{$1}")));
    const ids = Object.values(paths).flatMap((item) => Object.values(item).map(({ operationId }) => operationId));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("names every parameter with what it may be", async () => {
    const { paths } = await documentOf();
    const { parameters } = paths["/api/v1/components/{id}/series"]?.["get"] ?? {};
    expect(parameters?.map(({ name, in: place }) => [name, place])).toEqual([
      ["id", "path"],
      ["range", "query"],
    ]);
    expect(parameters?.[1]?.schema).toMatchObject({
      enum: ["hour", "day", "week", "month", "quarter"],
      default: "day",
    });
  });

  it("promises no client that an object will never gain a field, and leaves no reference open", async () => {
    const document = await documentOf();
    expect(JSON.stringify(document)).not.toContain('"additionalProperties":false');
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, name]) => name);
    expect(new Set(references)).toEqual(new Set(["#/components/schemas/Refusal"]));
    expect(document.components.schemas).toHaveProperty("Refusal.properties.error");
  });

  it("says of every answer what it is made of", async () => {
    const { paths } = await documentOf();
    for (const [path, item] of Object.entries(paths)) {
      const content = item["get"]?.responses["200"]?.content ?? {};
      const [type, media] = Object.entries(content)[0] ?? [];
      if (path === "/metrics") {
        expect(Object.keys(content)).toEqual([
          "application/openmetrics-text; version=1.0.0; charset=utf-8",
          "text/plain; version=0.0.4; charset=utf-8",
        ]);
        continue;
      }
      expect([path, type]).toEqual([path, "application/json"]);
      expect(media?.schema).toHaveProperty("properties");
    }
  });
});

describe("a refusal", () => {
  const refusals = described.flatMap((route) => [
    ...(route.path.includes(":id") ? [["404", route.path, route.path.replace(":id", "nobody"), route] as const] : []),
    ...(route.api?.query === undefined ? [] : [["400", route.path, null, route] as const]),
    ...(route.policy === "read" ? [["401", route.path, null, route] as const] : []),
  ]);
  /** A value that no parameter of ours takes. */
  const wrong = "?range=!&kind=!&cluster=!&days=!&limit=!";

  it.each(refusals)("%s of %s is described, and given", async (status, path, asked, route) => {
    const headers = status === "401" ? {} : await tokenOf("read");
    const answer = await call((asked ?? pathOf(route)) + (status === "400" ? wrong : ""), { headers });
    expect([path, String(answer.status)]).toEqual([path, status]);
    await answer.text();
    const { paths } = await documentOf();
    expect(paths[path.replace(":id", "{id}")]?.["get"]?.responses).toHaveProperty(status);
  });

  it("400 is promised by nobody who takes every question", async () => {
    const { paths } = await documentOf();
    expect(paths["/api/v1/components/{id}"]?.["get"]?.responses).not.toHaveProperty("400");
  });
});

it("services of one cluster are asked for by its name, and how many there are is said", async () => {
  const headers = await tokenOf("read");
  const of = async (query: string) =>
    (await call(`/api/v1/services${query}`, { headers })).json<{ total: number; services: { cluster: string }[] }>();
  const found = await of(`?cluster=${CLUSTER}`);
  expect([found.total, found.services.map(({ cluster }) => cluster)]).toEqual([1, [CLUSTER]]);
  expect((await of("?cluster=nobody")).services).toEqual([]);
});

describe("a token", () => {
  const scoped = ROUTES.flatMap((route) => (route.policy === "read" ? [route] : []));
  const cases = (["read", "metrics", "history"] as const).flatMap((held) =>
    scoped.map((route) => [held, route.path, route, held === "read" || held === route.scope] as const),
  );
  it.each(cases)("for %s at %s", async (held, _path, route, isOpen) => {
    const answer = await call(pathOf(route), { headers: await tokenOf(held) });
    expect(answer.status).toBe(isOpen ? 200 : 403);
    if (!isOpen) expect(await answer.text()).toContain(`npm run -s token -- ${route.scope}`);
    else await answer.text();
  });

  it("for anything else is not made", async () =>
    expect((await cli("POST", "/cli/v1/tokens", { scope: "admin" })).status).toBe(400));
});
