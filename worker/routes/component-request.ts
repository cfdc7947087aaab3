/** A component as operators ask for it: one schema behind the command line and behind the form. */
import * as v from "valibot";
import { ClusterName, line, ServiceName } from "../../protocol/name.ts";
import type { ComponentField, Fault, LimitField } from "../../web/view/admin/model.ts";
import type { Component } from "../core/component.ts";
import { revisionOf, WITHHOLDABLE } from "../core/component.ts";
import { RULES } from "../core/rule.ts";
import { isSelector } from "../core/selector.ts";
import { TARGET_MAX, TARGET_MIN } from "../core/slo.ts";
import type { Thresholds } from "../core/thresholds.ts";
import { thresholdFault } from "../core/thresholds.ts";
import { ADDRESS_MAX, publicAddress } from "../objects/safe-fetch.ts";
import { MomentRequest } from "./moment.ts";
import type { AppContext } from "./table.ts";

/** cluster/namespace/name */
export const ServiceRef = v.pipe(
  v.string(),
  v.check((ref) => {
    const slash = ref.indexOf("/");
    return v.is(ClusterName, ref.slice(0, slash)) && v.is(ServiceName, ref.slice(slash + 1));
  }, "must be cluster/namespace/name"),
);

/** One service, or what chooses some by their names. */
export const ServiceSelector = v.pipe(
  v.string(),
  v.check(
    (text) => (text.includes("*") || text.split("/").length === 2 ? isSelector(text) : v.is(ServiceRef, text)),
    "must be cluster/namespace/name, or namespace/name for every cluster; * stands for any letters",
  ),
);

export const Name = v.pipe(line(255), v.trim(), v.nonEmpty("must not be empty"));

const TARGET_RANGE = `must be between ${TARGET_MIN} and ${TARGET_MAX} (50 % and 99.999 %)`;

/** What is promised over 30 days. Visitors read of it only where somebody says so. */
const SloRequest = v.strictObject({
  target: v.pipe(v.number(TARGET_RANGE), v.minValue(TARGET_MIN, TARGET_RANGE), v.maxValue(TARGET_MAX, TARGET_RANGE)),
  isPublic: v.optional(v.boolean(), false),
});

const PERCENT = 0.01;
const LIMITS = ["errorRatioDegraded", "errorRatioPartial", "errorRatioMajor", "p95Ms", "requestsMin"] as const;

const RATIO_RANGE = "must be above 0 % and at most 100 % (1 in JSON)";
const ErrorRatio = v.exactOptional(
  v.pipe(v.number(RATIO_RANGE), v.gtValue(0, RATIO_RANGE), v.maxValue(1, RATIO_RANGE)),
);
const P95_RANGE = "must be between 1 and 3,600,000 ms";
const REQUESTS_RANGE = "must be a whole number from 1 to 1,000,000";

/** Limits that are not given are the runbook's. */
export const ThresholdsRequest = v.pipe(
  v.strictObject({
    errorRatioDegraded: ErrorRatio,
    errorRatioPartial: ErrorRatio,
    errorRatioMajor: ErrorRatio,
    p95Ms: v.exactOptional(v.pipe(v.number(P95_RANGE), v.minValue(1, P95_RANGE), v.maxValue(3_600_000, P95_RANGE))),
    requestsMin: v.exactOptional(
      v.pipe(
        v.number(REQUESTS_RANGE),
        v.integer(REQUESTS_RANGE),
        v.minValue(1, REQUESTS_RANGE),
        v.maxValue(1_000_000, REQUESTS_RANGE),
      ),
    ),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    const fault = dataset.typed ? thresholdFault(dataset.value) : null;
    if (fault === null || !dataset.typed) return;
    const key = fault.of;
    addIssue({
      message: fault.what,
      path: [{ type: "object", origin: "value", input: dataset.value, key, value: dataset.value[key] }],
    });
  }),
);

/** In the one order that they have; none is what nobody said. */
const Withheld = v.pipe(
  v.array(v.picklist(WITHHOLDABLE)),
  v.transform((named) => WITHHOLDABLE.filter((one) => named.includes(one))),
);

const RULE_WANTED = `must be ${RULES.join(", ")}`;
const Services = v.pipe(v.array(ServiceSelector), v.maxLength(100, "at most 100 services"));
const Quorum = v.pipe(
  v.number("must be a whole number"),
  v.integer("must be a whole number"),
  v.minValue(1, "must be 1 at least"),
  v.maxValue(100, "must be 100 at most"),
);
const Address = v.pipe(line(ADDRESS_MAX), v.trim(), v.nonEmpty("must not be empty"));

const DAY_WANTED = "must be a day, as 2026-11-23";

const FirstDay = v.pipe(
  v.string(DAY_WANTED),
  v.check((text) => isDay(text), DAY_WANTED),
);

function isDay(text: string): boolean {
  return /^\d{4}-\d\d-\d\d$/.test(text) && new Date(`${text}T00:00Z`).toJSON()?.startsWith(text) === true;
}

/** The page's own limits; null for the runbook's. */
export const LimitsRequestSchema = v.strictObject({ thresholds: v.nullable(ThresholdsRequest) });

/**
 * What is not named keeps its default if it has one. What has none, and came later than the rest (`exactOptional`),
 * stays as it is: a file that was written before it must not take it away. `null` takes it away.
 */
export const ComponentRequestSchema = v.pipe(
  v.strictObject({
    name: Name,
    group: v.optional(v.nullable(Name), null),
    description: v.optional(v.nullable(line(1_000)), null),
    services: Services,
    rule: v.optional(v.picklist(RULES, RULE_WANTED), "all"),
    quorum: v.exactOptional(v.nullable(Quorum)),
    thresholds: v.exactOptional(v.nullable(ThresholdsRequest)),
    slo: v.exactOptional(v.nullable(SloRequest)),
    url: v.exactOptional(v.nullable(Address)),
    hidden: v.exactOptional(
      v.nullable(
        v.pipe(
          v.boolean(),
          v.transform((is) => is || null),
        ),
      ),
    ),
    withheld: v.exactOptional(
      v.nullable(
        v.pipe(
          Withheld,
          v.transform((named) => (named.length === 0 ? null : named)),
        ),
      ),
    ),
    startsOn: v.exactOptional(v.nullable(FirstDay)),
  }),
  v.forward(
    v.check(({ rule, quorum }) => rule !== "quorum" || typeof quorum === "number", "say how many must be well"),
    ["quorum"],
  ),
);

/** A component in a file of the page: what is not named is not there. */
export const ComponentSaidSchema = v.pipe(
  v.strictObject({
    id: v.exactOptional(v.pipe(v.string(), v.regex(/^[0-9a-z]{12}$/, "must be 12 of 0-9 and a-z"))),
    name: Name,
    group: v.exactOptional(Name),
    description: v.exactOptional(line(1_000)),
    services: v.optional(Services, []),
    rule: v.optional(v.picklist(RULES, RULE_WANTED), "all"),
    quorum: v.exactOptional(Quorum),
    thresholds: v.exactOptional(ThresholdsRequest),
    slo: v.exactOptional(SloRequest),
    url: v.exactOptional(Address),
    hidden: v.exactOptional(v.literal(true, "must be true, or not there")),
    withheld: v.exactOptional(v.pipe(Withheld, v.nonEmpty("must not be empty"))),
    startsOn: v.exactOptional(FirstDay),
    since: v.exactOptional(MomentRequest),
    updated: v.exactOptional(MomentRequest),
  }),
  v.forward(
    v.check(({ rule, quorum }) => rule !== "quorum" || quorum !== undefined, "say how many must be well"),
    ["quorum"],
  ),
);

/** What is wrong with the address that is to be asked from outside: null if nothing is. */
export function addressFault(c: AppContext, { url }: { readonly url?: string | null }): string | null {
  if (url === undefined || url === null) return null;
  const scope = { loopback: c.env.PROBE_LOOPBACK === "1", own: new URL(c.req.url).hostname };
  const address = publicAddress(url, scope);
  return address.ok ? null : `“${url}” ${address.failure}`;
}

/** What the form shows of a component: its fields' names are the paths of the schema above. */
export function valuesOf(component: Component): Readonly<Record<ComponentField, string>> {
  return {
    name: component.name,
    group: component.group ?? "",
    description: component.description ?? "",
    services: (component.selector ?? component.services).join("\n"),
    rule: component.rule,
    quorum: component.quorum === undefined ? "" : String(component.quorum),
    url: component.url ?? "",
    "slo.target": component.slo === undefined ? "" : String(percentOf(component.slo.target)),
    "slo.isPublic": component.slo?.isPublic === true ? "yes" : "",
    visibility: component.hidden === true ? "hidden" : "public",
    "shows.uptime": component.withheld?.includes("uptime") === true ? "" : "yes",
    "shows.numbers": component.withheld?.includes("numbers") === true ? "" : "yes",
    startsOn: component.startsOn ?? "",
    revision: revisionOf(component),
    ...limitValues(component.thresholds ?? {}),
  };
}

/** What the form of a component that is to be made begins with. */
export const NEW_VALUES: Readonly<Partial<Record<ComponentField, string>>> = {
  rule: "all",
  visibility: "public",
  "shows.uptime": "yes",
  "shows.numbers": "yes",
};

/** What a form asks for, to be checked by the schema: an empty field is null. */
export function requestOf(values: Readonly<Partial<Record<ComponentField, string>>>): unknown {
  return {
    name: values.name ?? "",
    group: textOf(values.group),
    description: textOf(values.description),
    services: (values.services ?? "").split(/\s+/).filter((ref) => ref !== ""),
    rule: values.rule,
    // Absent in a form that was opened before there were such fields.
    ...(values.quorum === undefined ? {} : { quorum: numberOf(values.quorum) }),
    ...(values["thresholds.p95Ms"] === undefined ? {} : { thresholds: limitsOf(values) }),
    ...(values.url === undefined ? {} : { url: textOf(values.url) }),
    ...(values["slo.target"] === undefined ? {} : { slo: sloOf(values) }),
    ...(values.visibility === undefined
      ? {}
      : {
          hidden: values.visibility === "hidden",
          withheld: WITHHOLDABLE.filter((one) => values[`shows.${one}`] !== "yes"),
          startsOn: textOf(values.startsOn),
        }),
  };
}

/** As people write them: shares in percent. */
export function limitValues(thresholds: Partial<Thresholds>): Readonly<Record<LimitField, string>> {
  const text = (limit: number | undefined, unit = 1): string =>
    limit === undefined ? "" : String(Number((limit / unit).toPrecision(12)));
  return {
    "thresholds.errorRatioDegraded": text(thresholds.errorRatioDegraded, PERCENT),
    "thresholds.errorRatioPartial": text(thresholds.errorRatioPartial, PERCENT),
    "thresholds.errorRatioMajor": text(thresholds.errorRatioMajor, PERCENT),
    "thresholds.p95Ms": text(thresholds.p95Ms),
    "thresholds.requestsMin": text(thresholds.requestsMin),
  };
}

export function limitsOf(values: Readonly<Partial<Record<LimitField, string>>>): unknown {
  const limits = LIMITS.flatMap((name) => {
    const value = numberOf(values[`thresholds.${name}`]);
    return value === null ? [] : [[name, name.startsWith("errorRatio") ? value * PERCENT : value]];
  });
  return limits.length === 0 ? null : Object.fromEntries(limits);
}

/** Null for an empty field; NaN for what is no number, which the schema refuses. */
function numberOf(value: string | undefined): number | null {
  const text = value?.trim() ?? "";
  return text === "" ? null : Number(text.replace(",", "."));
}

/** A target as people write it: 99.9. */
function percentOf(target: number): number {
  return Number((target * 100).toFixed(5));
}

/** 99.9 is 0.999, to the digit; what is no number is left to the schema. */
function targetOf(text: string): number | string {
  const percent = Number(text.replace(/\s*%$/, "").replace(",", "."));
  return Number.isFinite(percent) ? Number((percent / 100).toFixed(7)) : text;
}

function sloOf(values: Readonly<Partial<Record<ComponentField, string>>>): object | null {
  const target = textOf(values["slo.target"]);
  return target === null ? null : { target: targetOf(target), isPublic: values["slo.isPublic"] === "yes" };
}

function textOf(value: string | undefined): string | null {
  const text = value?.trim() ?? "";
  return text === "" ? null : text;
}

/** What the schema found wrong, beside the fields of the form: of a list, the list's. */
export function faultsOf(issues: readonly v.BaseIssue<unknown>[]): readonly Fault[] {
  return issues.map((issue) => ({
    field: v.getDotPath(issue)?.replace(/\.\d+$/, "") ?? null,
    message: sentence(issue),
  }));
}

function sentence({ message, input }: v.BaseIssue<unknown>): string {
  const subject = typeof input === "string" && input !== "" ? `“${input}” ${message}` : message;
  return `${subject.charAt(0).toUpperCase()}${subject.slice(1)}.`;
}
