/** One service in answers of the operator API. */
import * as v from "valibot";
import { COMPONENT_STATUSES } from "../../protocol/status.ts";
import { Count, Moment, QuantileAnswer, Ratio } from "./described.ts";

export const StatusAnswer = v.picklist(COMPONENT_STATUSES);
export const ReasonAnswer = v.pipe(v.string(), v.description("Why, with the numbers that decide"));

export const ServiceAnswer = v.strictObject({
  cluster: v.string(),
  service: v.pipe(v.string(), v.description("namespace/name")),
  fresh: v.pipe(v.boolean(), v.description("false: its cluster is silent, and the numbers are old")),
  heardAt: v.nullable(Moment),
  status: StatusAnswer,
  reason: ReasonAnswer,
  quietSince: v.pipe(
    v.nullable(Moment),
    v.description("Since when it gets no requests; null: it does, or nobody knows"),
  ),
  p95: QuantileAnswer,
  errorRatio: v.nullable(Ratio),
  requestsPerSecond: v.nullable(Count),
  replicas: v.nullable(v.strictObject({ ready: v.number(), desired: v.number() })),
  published: v.pipe(
    v.array(v.strictObject({ id: v.string(), name: v.string(), group: v.nullable(v.string()) })),
    v.description("The components that visitors see it as"),
  ),
});
