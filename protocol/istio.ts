/** What Istio's metrics say of a request: of which service it was, and whether it failed. Agent and edge count alike. */
import * as v from "valibot";
import { ServiceName } from "./name.ts";

export const DURATION_METRIC = "istio_request_duration_milliseconds";

/** What of `response_code` is an error, as a regular expression. */
export const ERROR_CODES = "5[0-9][0-9]";
const ERRORS = new RegExp(`^(?:${ERROR_CODES})$`);
/** gRPC answers 200 and puts failures here: OpenTelemetry's list of codes that are a server's fault. */
export const GRPC_ERRORS: ReadonlySet<string> = new Set(["2", "4", "12", "13", "14", "15"]);

type Labels = Readonly<Record<string, string>>;

/** The service that a series speaks of, or null where its labels name none (`unknown`, `PassthroughCluster`). */
export function serviceOf(labels: Labels): string | null {
  const service = `${labels["destination_service_namespace"] ?? ""}/${labels["destination_service_name"] ?? ""}`;
  return v.is(ServiceName, service) && !service.startsWith("unknown/") ? service : null;
}

export function isError(labels: Labels): boolean {
  return isFailure(labels["response_code"] ?? "", labels["grpc_response_status"] ?? "");
}

/** Whether a server failed, by HTTP's status and by gRPC's. */
export function isFailure(httpStatus: string, grpcStatus: string): boolean {
  return ERRORS.test(httpStatus) || GRPC_ERRORS.has(grpcStatus);
}
