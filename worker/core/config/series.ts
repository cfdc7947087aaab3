/** Maintenances that recur: their rule, and what each occurrence is made with. One that a file leaves out is ended. */
import type { Result } from "../../../protocol/result.ts";
import { failure, success } from "../../../protocol/result.ts";
import { HOUR } from "../../../protocol/time.ts";
import { componentsNamed } from "../announce.ts";
import type { Component } from "../component.ts";
import { splitService } from "../component.ts";
import type { PlanTarget } from "../plan-facts.ts";
import type { Series, SeriesRequest } from "../schedule.ts";
import { planSeries, SERIES_MAX } from "../schedule.ts";
import { referTo, refusalWords } from "./refer.ts";
import type { ConfigFault, Configured, Making, Section } from "./section.ts";
import { present } from "./section.ts";

/** A deployment that its cluster puts into maintenance: scaled where there is a number, else announced. */
export interface TargetSaid {
  /** cluster/namespace/name */
  readonly service: string;
  readonly replicas?: number;
}

export interface SeriesSaid {
  /** Its occurrences are known by it. Absent: that of the series of this name, or a new one. */
  readonly id?: string;
  readonly name: string;
  readonly rule: string;
  /** The first time on the wall of the zone, "2026-11-29T03:00". */
  readonly start: string;
  readonly timeZone: string;
  readonly hours: number;
  readonly body?: string;
  readonly reason?: string;
  /** By "group / name" or id. */
  readonly components?: readonly string[];
  readonly targets?: readonly TargetSaid[];
  /** Absent: a person gives the all-clear. */
  readonly closing?: "checks";
}

export const seriesSection: Section<"series", readonly SeriesSaid[]> = {
  name: "series",
  read: ({ series, components }) =>
    series
      .filter(isOpen)
      .map((one) => saidOf(one, components))
      // A Board that woke has them in another order.
      .toSorted((a, b) => (`${a.name} ${a.id}` < `${b.name} ${b.id}` ? -1 : 1)),
  write(state, said, making) {
    if (said.length > SERIES_MAX)
      return failure({ path: ["series"], message: `at most ${SERIES_MAX} maintenances recur` });
    const made: Series[] = [];
    for (const [i, one] of said.entries()) {
      const series = seriesFrom(one, state, made, making);
      if (!series.ok) return failure({ ...series.failure, path: ["series", i, ...series.failure.path] });
      made.push(series.value);
    }
    const { now } = making;
    const others = state.series
      .filter(({ id }) => !made.some((one) => one.id === id))
      .map((one) => (isOpen(one) ? { ...one, endedAt: now, updatedAt: now } : one));
    return success({ ...state, series: [...others, ...made] });
  },
  list: { keyOf: ({ id, name }) => id ?? name, nameOf: ({ name }) => name, isOrdered: false },
};

function isOpen({ endedAt }: Series): boolean {
  return endedAt === null;
}

function saidOf(series: Series, components: readonly Component[]): SeriesSaid {
  const { id, name, rule, start, timeZone, lengthMs, body, reason, targets, closing } = series;
  const named = series.components.flatMap((one) => referTo(one, components) ?? []);
  return present({
    id,
    name,
    rule,
    start,
    timeZone,
    hours: lengthMs / HOUR,
    body,
    reason: reason === "" ? undefined : reason,
    components: named.length === 0 ? undefined : named,
    targets: targets.length === 0 ? undefined : targets.map(targetSaid),
    closing: closing === "checks" ? closing : undefined,
  });
}

function targetSaid({ cluster, service, replicas }: PlanTarget): TargetSaid {
  return { service: `${cluster}/${service}`, ...(replicas !== null && { replicas }) };
}

/** What is said of one as it is asked for, its components by the names that they have there. */
export function seriesRequest(said: SeriesSaid): SeriesRequest {
  const { name, rule, start, timeZone, hours, body, reason = "", components = [], targets = [], closing } = said;
  return {
    name,
    rule,
    start,
    timeZone,
    reason,
    components,
    lengthMs: Math.round(hours * HOUR),
    ...(body !== undefined && { body }),
    closing: closing ?? "person",
    targets: targets.map(targetFrom),
  };
}

export function targetFrom({ service, replicas }: TargetSaid): PlanTarget {
  return { ...splitService(service), mode: replicas === undefined ? "announce" : "scale", replicas: replicas ?? null };
}

function seriesFrom(
  said: SeriesSaid,
  { series, components }: Configured,
  made: readonly Series[],
  { now, freshId, by }: Making,
): Result<Series, ConfigFault> {
  const isFree = ({ id }: Series): boolean => !made.some((one) => one.id === id);
  if (said.id !== undefined && made.some(({ id }) => id === said.id))
    return failure({ path: ["id"], message: "another series has this id" });
  const known = series.find((one) =>
    said.id === undefined ? isOpen(one) && one.name === said.name && isFree(one) : one.id === said.id,
  );
  if (known !== undefined && !isOpen(known))
    return failure({
      path: ["id"],
      message: "this series was ended, and what it called off stays so: leave the id out",
    });
  const named = componentsNamed(said.components ?? [], components);
  if (!named.ok) return failure({ path: ["components"], message: refusalWords(named.failure) });
  const request = { ...seriesRequest(said), components: named.value.map(({ id }) => id) };
  const planned = planSeries(request, known?.id ?? said.id ?? freshId(), known?.by ?? by, now);
  if (!planned.ok)
    return failure({ path: [planned.failure.code === "rule" ? "rule" : "hours"], message: planned.failure.which });
  if (known === undefined) return planned;
  const isSame = JSON.stringify(saidOf(known, components)) === JSON.stringify(saidOf(planned.value, components));
  return success(isSame ? known : { ...planned.value, createdAt: known.createdAt });
}
