/** What an operator typed into a form of an incident, as what it asks for: by the schemas that the command line has. */
import * as v from "valibot";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";
import { MINUTE } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Fault } from "../../web/view/admin/model.ts";
import type { Guarded, IncidentRequest, IncidentUpdateRequest } from "../core/announce.ts";
import type { CorrectionRequest } from "../core/correct.ts";
import type { Incident } from "../core/incident.ts";
import { chosenOf } from "./admin-incident-model.ts";
import {
  CorrectionSchema,
  IncidentSchema,
  IncidentUpdateSchema,
  REMIND_MINUTES_MAX,
  REMIND_WANTED,
} from "./announce-request.ts";

export type Values = Readonly<Record<string, string>>;
type Parsed<T> = Result<T, readonly Fault[]>;

/** An incident that is opened. */
export function openRequest(values: Values, now: Millis): Parsed<IncidentRequest> {
  const { endAt, endBody, ...said } = saidOf(values);
  const more = [...impactFaults(values, null), ...remindFaults(values, now)];
  const parsed = checked(IncidentSchema, { ...said, name: values["name"] ?? "" }, more);
  if (!parsed.ok) return parsed;
  if (endAt === undefined) return success({ ...parsed.value, ...remindOf(values, now) });
  const end = checked(CorrectionSchema, { at: endAt, body: endBody ?? "" });
  if (!end.ok)
    return failure(end.failure.map(({ field, message }) => ({ field: field === "at" ? "endAt" : "endBody", message })));
  const { at = now, body = "" } = end.value;
  const faults = endFaults(parsed.value.at ?? now, at, now);
  return faults.length > 0 ? failure(faults) : success({ ...parsed.value, end: { at, body } });
}

function endFaults(beganAt: Millis, at: Millis, now: Millis): readonly Fault[] {
  if (at < beganAt) return [{ field: "endAt", message: "It ends before it begins." }];
  return at > now + MINUTE ? [{ field: "endAt", message: "It must not be in the future." }] : [];
}

/** What is said of an incident that stands there. */
export function updateRequest(values: Values, incident: Incident, now: Millis): Parsed<IncidentUpdateRequest> {
  const { endAt: _, endBody: __, ...said } = saidOf(values);
  const impact = values["impact"] ?? "";
  const sameImpact = impact === (incident.impact ?? "");
  const wish = {
    ...said,
    ...(sameImpact ? { impact: undefined, impactReason: undefined } : { impact: impact === "" ? null : impact }),
    ...((values["name"] ?? "").trim() !== "" && { name: values["name"] }),
    ...revisionOf(values),
  };
  const more = [...(sameImpact ? [] : impactFaults(values, incident.impact)), ...remindFaults(values, now)];
  const parsed = checked(IncidentUpdateSchema, wish, more);
  return parsed.ok ? success({ ...parsed.value, ...remindOf(values, now) }) : parsed;
}

export function correctionRequest(values: Values): Parsed<CorrectionRequest> {
  const { at, shownAt, body = "" } = values;
  return checked(CorrectionSchema, {
    body: unix(body),
    // As it was shown it stays as it is: the field leaves out parts of a second, and browsers a zero of seconds.
    ...(at !== undefined && at !== "" && at !== shownAt && `${at}:00` !== shownAt && { at: momentText(at) }),
    ...revisionOf(values),
  });
}

function saidOf(values: Values) {
  const { body = "", status, impact = "", impactReason = "", at = "", endAt = "", endBody = "", key } = values;
  return {
    body: unix(body),
    status,
    key,
    components: [...chosenOf(values)].map(([component, to]) => ({ component, status: to })),
    ...(impact !== "" && { impact }),
    ...(impact !== "" && impactReason.trim() !== "" && { impactReason }),
    ...(at !== "" && { at: momentText(at) }),
    ...(endAt !== "" && { endAt: momentText(endAt), endBody: unix(endBody) }),
  };
}

/** What whoever sends a form had seen. */
export function revisionOf({ revision = "" }: Values): Guarded {
  return /^\d{1,15}$/.test(revision) ? { revision: Number(revision) } : {};
}

/** Forms send CRLF; what is kept is what was typed. */
export function unix(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

/** A field of date and time is in UTC, because a form has no zone. */
function momentText(text: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(text) ? `${text}:00Z` : `${text}Z`;
}

function impactFaults({ impact = "", impactReason = "" }: Values, before: string | null): readonly Fault[] {
  if (impact === "" || impact === before || impactReason.trim() !== "") return [];
  return [{ field: "impactReason", message: "Say why it is not the computed one." }];
}

type Remind = NonNullable<IncidentUpdateRequest["remind"]>;

/** When to be reminded; null not to be. Fails for what is no interval. */
export function remindRequest({ remind = "", promise }: Values, now: Millis): Result<Remind | null, "malformed"> {
  if (remind === "") return success(null);
  const minutes = /^\d{1,4}$/.test(remind) ? Number(remind) : 0;
  if (minutes < 1 || minutes > REMIND_MINUTES_MAX) return failure("malformed");
  return success({ at: now + minutes * MINUTE, isPublic: promise === "yes" });
}

function remindFaults(values: Values, now: Millis): readonly Fault[] {
  return remindRequest(values, now).ok ? [] : [{ field: "remind", message: REMIND_WANTED }];
}

function remindOf(values: Values, now: Millis): Pick<IncidentUpdateRequest, "remind"> {
  const asked = remindRequest(values, now);
  return asked.ok && asked.value !== null ? { remind: asked.value } : {};
}

/** Faults stand beside the fields that they are about. */
export function checked<Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
  more: readonly Fault[] = [],
): Parsed<v.InferOutput<Schema>> {
  const parsed = v.safeParse(schema, input);
  if (parsed.success) return more.length === 0 ? success(parsed.output) : failure(more);
  const faults = parsed.issues.map((issue): Fault => {
    const field = v.getDotPath(issue)?.split(".")[0] ?? null;
    return { field, message: sentence(issue.message) };
  });
  return failure([...faults, ...more]);
}

/** "must not be empty" → "It must not be empty." */
function sentence(message: string): string {
  if (!/^(must|has|at most|there)/.test(message)) return message;
  const words = /^(must|has)/.test(message) ? `it ${message}` : message;
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}
