/** Refusals in the API server's own words, as a real one (1.20) wrote them. */
import type { Target } from "./access.ts";
import type { JsonObject, Kind } from "./objects.ts";

export interface Refusal {
  readonly code: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: JsonObject;
}

function status(code: number, reason: string, message: string, details?: JsonObject): Refusal {
  const body: JsonObject = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
  return { code, body: details === undefined ? body : { ...body, details } };
}

function detailsOf(kind: Kind, name: string): JsonObject {
  return { ...(name === "" ? {} : { name }), ...(kind.group === "" ? {} : { group: kind.group }), kind: kind.plural };
}

function qualified(kind: Kind): string {
  return kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`;
}

export function unauthorized(): Refusal {
  return status(401, "Unauthorized", "Unauthorized");
}

export function forbidden(user: string, verb: string, { kind, subresource, namespace, name }: Target): Refusal {
  const what = name === "" ? qualified(kind) : `${qualified(kind)} "${name}"`;
  const resource = subresource === "" ? kind.plural : `${kind.plural}/${subresource}`;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const message = `${what} is forbidden: User "${user}" cannot ${verb} resource "${resource}" in API group "${kind.group}" ${where}`;
  return status(403, "Forbidden", message, detailsOf(kind, name));
}

/** By an admission policy or a proxy in front: no rule names it. */
export function forbiddenByPolicy(): Refusal {
  return status(403, "Forbidden", "forbidden: by a policy of this cluster");
}

export function notFound(kind: Kind, name: string): Refusal {
  return status(404, "NotFound", `${qualified(kind)} "${name}" not found`, detailsOf(kind, name));
}

export function unknownPath(): Refusal {
  return status(404, "NotFound", "the server could not find the requested resource", {});
}

export function methodNotAllowed(): Refusal {
  return status(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
}

export function conflict(kind: Kind, name: string): Refusal {
  const message = `Operation cannot be fulfilled on ${qualified(kind)} "${name}": the object has been modified; please apply your changes to the latest version and try again`;
  return status(409, "Conflict", message, detailsOf(kind, name));
}

export function alreadyExists(kind: Kind, name: string): Refusal {
  return status(409, "AlreadyExists", `${qualified(kind)} "${name}" already exists`, detailsOf(kind, name));
}

export function invalid(kind: Kind, name: string, field: string, value: string, problem: string): Refusal {
  const cause = `Invalid value: ${value}: ${problem}`;
  return status(422, "Invalid", `${kind.kind}.${kind.group} "${name}" is invalid: ${field}: ${cause}`, {
    ...detailsOf(kind, name),
    kind: kind.kind,
    causes: [{ reason: "FieldValueInvalid", message: cause, field }],
  });
}

export function badRequest(message: string): Refusal {
  return status(400, "BadRequest", message);
}

export function tooLarge(): Refusal {
  return status(413, "RequestEntityTooLarge", "limit on the size of the request was exceeded");
}

export function unsupportedMediaType(): Refusal {
  return status(
    415,
    "UnsupportedMediaType",
    "the body of the request was in an unknown format - accepted media types include: application/merge-patch+json",
  );
}

export function expired(message: string): Refusal {
  return status(410, "Expired", message);
}

export function tooManyRequests(retryAfterSeconds: number): Refusal {
  const refusal = status(
    429,
    "TooManyRequests",
    "the server has received too many requests and has asked us to try again later",
    {
      retryAfterSeconds,
    },
  );
  return { ...refusal, headers: { "retry-after": String(retryAfterSeconds) } };
}

export function internalError(): Refusal {
  return status(500, "InternalError", "an error on the server has prevented the request from succeeding");
}
