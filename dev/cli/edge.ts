/** What the command line tools ask of an edge: `/cli/v1/*`, proved by the operator key. */
import * as v from "valibot";
import type { ChainEntry } from "../../protocol/chain.ts";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import type { ForeignComponent, ForeignPage } from "./foreign-page.ts";
import { dataDir, isRunning, readRun } from "../supervise/run-file.ts";
import { readEnv } from "../supervise/secrets.ts";

const TIMEOUT_MS = 15_000;

export interface Operator {
  readonly url: string;
  readonly key: string;
}

/** A failure that one line explains. Everything else is a bug and shows its stack. */
export class Refusal extends Error {}

const LinkSchema = v.object({ url: v.string(), expiresAt: v.union([v.string(), v.number()]) });
const TokenSchema = v.object({ token: v.string() });
const EnrollmentSchema = v.object({
  cluster: v.string(),
  code: v.string(),
  expiresAt: v.union([v.string(), v.number()]),
  edgeKeys: v.array(v.string()),
});
export type Enrollment = v.InferOutput<typeof EnrollmentSchema>;
const ClustersSchema = v.object({
  clusters: v.array(
    v.object({
      name: v.string(),
      state: v.string(),
      heardAt: v.nullish(v.union([v.string(), v.number()])),
      services: v.number(),
    }),
  ),
});
export type ClusterSummary = v.InferOutput<typeof ClustersSchema>["clusters"][number];
const ReflushSchema = v.object({
  own: v.number(),
  facts: v.number(),
  asked: v.number(),
  pending: v.array(v.string()),
  finishedAt: v.nullable(v.number()),
  unreachable: v.array(v.object({ cluster: v.string(), reason: v.string() })),
});
export type Reflush = v.InferOutput<typeof ReflushSchema>;
const Tally = v.record(v.picklist(COMPONENT_STATUSES), v.number());
const ChainEntrySchema = v.object({
  n: v.number(),
  day: v.string(),
  timeZone: v.string(),
  from: v.number(),
  to: v.number(),
  at: v.number(),
  tallies: v.record(v.string(), Tally),
  correction: v.nullable(
    v.object({
      component: v.string(),
      from: v.number(),
      to: v.number(),
      status: v.picklist(COMPONENT_STATUSES),
      reason: v.string(),
      by: v.string(),
    }),
  ),
  previous: v.string(),
  hash: v.string(),
});
const ChainSchema = v.object({
  entries: v.array(ChainEntrySchema),
  next: v.nullable(v.number()),
  head: v.object({ n: v.number(), hash: v.string(), frozenTo: v.number() }),
  /** Entries up to `head` that have not left for Postgres. */
  waiting: v.number(),
});
const AmendedSchema = v.object({ entries: v.array(ChainEntrySchema) });
const TakenOverSchema = v.object({
  components: v.array(v.object({ id: v.string(), as: v.string(), isNew: v.boolean() })),
});
export type TakenOver = v.InferOutput<typeof TakenOverSchema>["components"][number];
const ImportedSchema = v.object({ added: v.number(), renewed: v.number(), known: v.number() });
export type Imported = v.InferOutput<typeof ImportedSchema>;
const ErrorSchema = v.object({ error: v.object({ code: v.string(), message: v.string() }) });

/** A component of the page, as `PUT /cli/v1/components` takes it. */
export interface ComponentWish {
  readonly name: string;
  readonly group: string;
  readonly description?: string;
  readonly services: readonly string[];
  /** The public address that is asked from outside. */
  readonly url?: string;
}

/** The system to talk to: the one that the environment names, else the one that runs from this folder. */
export function findOperator(): Operator {
  const url = process.env["OBSERVATORY_URL"];
  const key = process.env["OBSERVATORY_OPERATOR_KEY"];
  if (url !== undefined) {
    if (!URL.canParse(url)) throw new Refusal(`OBSERVATORY_URL is no URL: ${url}`);
    if (key === undefined) throw new Refusal("OBSERVATORY_URL is set, so OBSERVATORY_OPERATOR_KEY must be set too");
    return { url: new URL(url).origin, key };
  }
  const run = readRun(dataDir());
  const operatorKey = key ?? readEnv(dataDir())["OPERATOR_KEY"];
  if (!isRunning(run) || operatorKey === undefined) {
    throw new Refusal(
      "Observatory Edge is not running here: start it with `npm start`, or set OBSERVATORY_URL and OBSERVATORY_OPERATOR_KEY for a deployed edge",
    );
  }
  return { url: run.url, key: operatorKey };
}

/** Whom a link is for: whoever holds the operator's key, or somebody by name, who is made if there is a role. */
export interface LinkWish {
  readonly as?: string | undefined;
  readonly role?: string | undefined;
  readonly forgetPasskeys?: boolean | undefined;
}

export async function makeAdminLink(
  operator: Operator,
  wish: LinkWish = {},
): Promise<{ url: string; expiresAt: Date }> {
  const link = await ask(operator, "POST", "/cli/v1/admin-links", wish, LinkSchema);
  return { url: link.url, expiresAt: new Date(link.expiresAt) };
}

/** What a token may read: everything, the numbers of now, or what was. */
export const TOKEN_SCOPES = ["read", "metrics", "history"] as const;
export type TokenScope = (typeof TOKEN_SCOPES)[number];

export async function makeToken(operator: Operator, scope: TokenScope): Promise<string> {
  return (await ask(operator, "POST", "/cli/v1/tokens", { scope }, TokenSchema)).token;
}

export function makeEnrollment(operator: Operator, cluster: string, pending: boolean): Promise<Enrollment> {
  return ask(operator, "POST", "/cli/v1/enrollments", { cluster, pending }, EnrollmentSchema);
}

export async function listClusters(operator: Operator): Promise<readonly ClusterSummary[]> {
  return (await ask(operator, "GET", "/cli/v1/clusters", null, ClustersSchema)).clusters;
}

export async function putComponents(operator: Operator, components: readonly ComponentWish[]): Promise<void> {
  await ask(operator, "PUT", "/cli/v1/components", { components }, v.unknown());
}

/** Begins to send again what a Postgres restored to `since` (RFC 3339) may have lost; of all clusters if none is named. */
export function beginReflush(operator: Operator, since: string, cluster: string | null): Promise<Reflush> {
  return ask(operator, "POST", "/cli/v1/reflush", { since, cluster }, ReflushSchema);
}

export function lastReflush(operator: Operator): Promise<Reflush> {
  return ask(operator, "GET", "/cli/v1/reflush", null, ReflushSchema);
}

/** The frozen days and corrections after entry `after`, as Postgres holds them, and where the page's own memory is. */
export function readChain(operator: Operator, after: number): Promise<v.InferOutput<typeof ChainSchema>> {
  return ask(operator, "GET", `/cli/v1/uptime/chain?after=${after}`, null, ChainSchema);
}

/** Corrects frozen days. Moments are RFC 3339. */
export async function amendUptime(
  operator: Operator,
  amendment: Readonly<Record<"component" | "from" | "to" | "status" | "reason", string>>,
): Promise<readonly ChainEntry[]> {
  return (await ask(operator, "POST", "/cli/v1/uptime/amendments", amendment, AmendedSchema)).entries;
}

/** Another page's components: under which id each stands here now. */
export async function importComponents(
  operator: Operator,
  components: readonly ForeignComponent[],
): Promise<readonly TakenOver[]> {
  return (await ask(operator, "PUT", "/cli/v1/import/components", { components }, TakenOverSchema)).components;
}

/** What another page announced: how much of it is new here. */
export function importAnnounced(
  operator: Operator,
  announced: Pick<ForeignPage, "incidents" | "maintenances">,
): Promise<Imported> {
  return ask(operator, "PUT", "/cli/v1/import/announced", announced, ImportedSchema);
}

/** One document of a copy of the page. */
export interface CopiedDocument {
  readonly bytes: Uint8Array;
  readonly isPage: boolean;
}

/** A public document as a copy is made of it; null if there is none at this path. */
export async function readCopy(operator: Operator, path: string): Promise<CopiedDocument | null> {
  const response = await send(operator, "GET", `/cli/v1/copy?path=${encodeURIComponent(path)}`, null);
  if (response.ok) {
    const isPage = response.headers.get("content-type")?.startsWith("text/html") === true;
    return { bytes: new Uint8Array(await response.arrayBuffer()), isPage };
  }
  const text = await response.text().catch(() => "");
  if (response.status === 404) return null;
  throw new Refusal(explain(operator, response.status, text));
}

/** Reads a text of any length, piece by piece. */
export async function readText(operator: Operator, path: string, take: (chunk: Uint8Array) => void): Promise<void> {
  const response = await send(operator, "GET", path, null);
  if (!response.ok) throw new Refusal(explain(operator, response.status, await response.text().catch(() => "")));
  try {
    for await (const chunk of response.body ?? []) take(chunk as Uint8Array);
  } catch (error) {
    throw new Refusal(`${operator.url} broke off (${reasonOf(error)}): what was printed is not all. Try again.`);
  }
}

export async function ask<Schema extends v.GenericSchema>(
  operator: Operator,
  method: string,
  path: string,
  body: unknown,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  const response = await send(operator, method, path, body);
  const text = await response.text().catch(() => "");
  if (!response.ok) throw new Refusal(explain(operator, response.status, text));
  const parsed = v.safeParse(schema, parseJson(text));
  if (!parsed.success)
    throw new Refusal(
      `${operator.url}${path} gave an answer that this version does not understand: is it an Observatory Edge?`,
    );
  return parsed.output;
}

export async function send(
  operator: Operator,
  method: string,
  path: string,
  body: unknown,
  extra: Readonly<Record<string, string>> = {},
): Promise<Response> {
  try {
    return await fetch(operator.url + path, {
      method,
      headers: {
        authorization: `Bearer ${operator.key}`,
        ...(body === null ? {} : { "content-type": "application/json" }),
        ...extra,
      },
      body: body === null ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: "error",
    });
  } catch (error) {
    throw new Refusal(`${operator.url} does not answer (${reasonOf(error)}): is the edge running?`);
  }
}

function explain(operator: Operator, status: number, text: string): string {
  if (status === 401 || status === 403)
    return `${operator.url} refuses the operator key (${status}): is OBSERVATORY_OPERATOR_KEY the edge's OPERATOR_KEY?`;
  const parsed = v.safeParse(ErrorSchema, parseJson(text));
  return parsed.success
    ? `${parsed.output.error.message} (${status} ${parsed.output.error.code})`
    : `${operator.url} answered ${status}`;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** The short cause of a failed fetch: `ECONNREFUSED` rather than "fetch failed". */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") return cause.code;
  return error.name === "TimeoutError" ? `no answer in ${TIMEOUT_MS / 1_000} s` : error.message;
}
