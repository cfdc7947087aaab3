/** `/openapi.json`: the API as the table of routes and the schemas that validate describe it. Written by nobody. */
import { toJsonSchema } from "@valibot/to-json-schema";
import type { JsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { EXPOSITION_TYPES } from "../core/exposition.ts";
import { RefusalAnswer } from "./described.ts";
import type { ApiDescription, Route } from "./table.ts";

type Described = Route & { readonly api: ApiDescription };
type Json = Readonly<Record<string, unknown>>;

/** The route that answers it, for these routes. Made once an isolate, when somebody asks. */
export function openApiRoute(routes: readonly Route[]): Route {
  let made: string | null = null;
  return {
    method: "GET",
    path: "/openapi.json",
    policy: "public",
    handle: () =>
      new Response((made ??= JSON.stringify(openApi(routes))), {
        headers: {
          "content-type": "application/json; charset=utf-8",
          "access-control-allow-origin": "*",
          "cache-control": "public, max-age=300",
        },
      }),
  };
}

/** OpenAPI 3.1, whose schemas are JSON Schema 2020-12. */
function openApi(routes: readonly Route[]): Json {
  const described = routes.filter((route): route is Described => route.api !== undefined);
  return {
    openapi: "3.1.0",
    info: {
      title: "Observatory Edge",
      version: "1",
      description:
        "Answers may gain fields; clients ignore what they do not know. Where nothing was seen there is null, never zero.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths: Object.fromEntries(
      described.map((route) => [pathOf(route), { [route.method.toLowerCase()]: operation(route) }]),
    ),
    components: {
      schemas: { Refusal: schemaOf(RefusalAnswer) },
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "npm run -s token -- read, metrics or history" },
      },
    },
  };
}

/** `/a/:id` as OpenAPI writes it. */
function pathOf({ path }: Route): string {
  return path.replaceAll(/:(\w+)/g, "{$1}");
}

function operation(route: Described): Json {
  const { api, path } = route;
  const parameters = [...pathParameters(path), ...queryParameters(api.query)];
  return {
    operationId: `${route.method.toLowerCase()}${path.replaceAll(/[^a-zA-Z0-9]+(\w?)/g, (_, first: string) => first.toUpperCase())}`,
    summary: api.summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.policy === "read"
      ? { security: [{ token: [] }], "x-scopes": route.scope === "read" ? ["read"] : ["read", route.scope] }
      : { security: [] }),
    responses: responsesOf(route),
  };
}

function responsesOf({ api, policy, path }: Described): Json {
  const refusal = (description: string): Json => ({
    description,
    content: { "application/json": { schema: { $ref: "#/components/schemas/Refusal" } } },
  });
  const content =
    api.answer === null
      ? Object.fromEntries(Object.values(EXPOSITION_TYPES).map((type) => [type, { schema: { type: "string" } }]))
      : { "application/json": { schema: schemaOf(api.answer) } };
  return {
    200: { description: "What was asked for", content },
    ...(api.query === undefined ? {} : { 400: refusal("A parameter is not as described") }),
    ...(policy === "read"
      ? { 401: refusal("No token, or one that is not known"), 403: refusal("The token is for something else") }
      : {}),
    ...(pathParameters(path).length === 0 ? {} : { 404: refusal("There is none of this id") }),
    503: refusal("What would answer cannot be reached: ask again after Retry-After"),
  };
}

function pathParameters(path: string): readonly Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
}

function queryParameters(query: ApiDescription["query"]): readonly Json[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(query);
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}

/** As somebody must send it, or gets it: before anything is made of it here. */
function schemaOf(schema: v.GenericSchema): JsonSchema {
  const made = toJsonSchema(schema, {
    target: "draft-2020-12",
    typeMode: "input",
    // A check in code has no words in JSON Schema. What it lets through is still described.
    errorMode: "ignore",
    // Strict here, so that tests see every field; clients must let new ones be.
    overrideSchema: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      return undefined;
    },
  });
  delete made.$schema;
  return made;
}
