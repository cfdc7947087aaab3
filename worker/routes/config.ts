/** The page as code, for the command line: read whole, planned, applied at once or not at all. */
import * as v from "valibot";
import type { ApiError } from "../../protocol/error.ts";
import type { ConfigFault } from "../core/config/section.ts";
import { REFUSAL_STATUS } from "../core/refusal.ts";
import type { ConfigAct, ConfigRefusal } from "../objects/board-config.ts";
import { parseJson } from "../objects/body.ts";
import { boardOf } from "../objects/env.ts";
import { refuse } from "./answer.ts";
import { addressFault } from "./component-request.ts";
import { ConfigFileSchema, configYaml, outward } from "./config-file.ts";
import type { AppContext, Route, RouteRequest } from "./table.ts";

/** A thousand components, each with all that it can have. */
const BODY_MAX = 4_194_304;
const DEPTH_MAX = 8;
/** Of a file with more nobody mends all at once. */
const FAULTS_MAX = 50;

const Wrapped = v.strictObject({
  file: v.record(v.string(), v.unknown()),
  revision: v.exactOptional(v.nullable(v.string()), null),
});

async function read(c: AppContext): Promise<Response> {
  const { file, revision } = await boardOf(c.env).configView();
  if (c.req.header("accept")?.includes("application/yaml") !== true) return c.json({ file: outward(file), revision });
  return c.body(configYaml(file), 200, {
    "content-type": "application/yaml; charset=utf-8",
    "cache-control": "no-store",
  });
}

function ask(act: ConfigAct["act"]): Route["handle"] {
  return async (c: AppContext, { body, visitor }: RouteRequest) => {
    const json = parseJson(body, DEPTH_MAX);
    const wrapped = json.ok ? v.safeParse(Wrapped, json.value) : null;
    if (wrapped?.success !== true) return refuse(c, "request_malformed", "The body is not JSON of a file.");
    const { file, revision } = wrapped.output;
    const parsed = v.safeParse(ConfigFileSchema, file);
    if (!parsed.success) return refuseFaults(c, parsed.issues.map(faultOf));
    const addresses = (parsed.output.components ?? []).flatMap((component, i): ConfigFault[] => {
      const fault = addressFault(c, component);
      return fault === null ? [] : [{ path: ["components", i, "url"], message: fault }];
    });
    if (addresses.length > 0) return refuseFaults(c, addresses);
    const asked = act === "plan" ? { act, file: parsed.output } : { act, file: parsed.output, revision };
    const done = await boardOf(c.env).config(asked, visitor.by ?? "unknown");
    if (!done.ok) return refused(c, done.failure);
    return c.json(done.value);
  };
}

function faultOf(issue: v.BaseIssue<unknown>): ConfigFault {
  const path = (issue.path ?? []).map(({ key }) => (typeof key === "number" ? key : String(key)));
  const isUnknown = issue.expected === "never";
  return { path, message: isUnknown ? "is nothing that a file can say here" : issue.message };
}

function refused(c: AppContext, refusal: ConfigRefusal): Response {
  if (refusal.code === "faulty") return refuseFaults(c, refusal.faults);
  const message = "Somebody changed the page since this was planned. Nothing was applied: plan again, and look.";
  return refuse(c, "conflict", message);
}

/** Every fault with where it is: who wrote the file knows the lines. */
function refuseFaults(c: AppContext, faults: readonly ConfigFault[]): Response {
  const named = faults.slice(0, FAULTS_MAX);
  const [first] = named;
  const message = `${first === undefined ? "file" : first.path.join(".")}: ${first?.message ?? ""}`;
  const error: ApiError = { error: { code: "request_malformed", message }, serverTime: Date.now() };
  return c.json({ ...error, faults: named }, REFUSAL_STATUS.request_malformed);
}

export const configRoutes: readonly Route[] = [
  { method: "GET", path: "/cli/v1/config", policy: "cli", handle: read },
  { method: "POST", path: "/cli/v1/config/plan", policy: "cli", bodyMaxBytes: BODY_MAX, handle: ask("plan") },
  { method: "PUT", path: "/cli/v1/config", policy: "cli", bodyMaxBytes: BODY_MAX, handle: ask("apply") },
];
