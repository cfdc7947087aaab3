/** A component cluster by cluster, for operators: what each says of it and why, and where they disagree. */
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Component, ComponentPart, Evidence } from "./component.ts";
import {
  clusterParts,
  componentVerdict,
  declaredFor,
  insideVerdict,
  outsideOf,
  partsOf,
  splitService,
} from "./component.ts";
import { worstSaid } from "./incident.ts";
import { outsideReason, sidesReason } from "./probe.ts";
import { ruled } from "./rule.ts";
import { percent } from "./service.ts";

interface ClusterSaid {
  readonly cluster: string;
  readonly status: ComponentStatus;
  readonly reason: string;
  /** Of the component's usual traffic, 0 to 1; null if not known. */
  readonly trafficShare: number | null;
  readonly heardAt: Millis | null;
}

export interface Matrix {
  readonly status: ComponentStatus;
  /** What visitors read. */
  readonly why: string | null;
  readonly reason: string;
  /** "eu-1 says operational, us-1 says major outage"; null where those that say anything agree. */
  readonly disagreement: string | null;
  readonly clusters: readonly ClusterSaid[];
}

export function matrixOf(component: Component, evidence: Evidence, at: Millis): Matrix {
  const parts = clusterParts(component, evidence, at);
  const total = parts.reduce<number | null>(
    (sum, { usualPerSecond }) => (sum === null || usualPerSecond === null ? null : sum + usualPerSecond),
    0,
  );
  const clusters = parts.map((part): ClusterSaid => {
    const { cluster } = splitService(part.services[0] ?? "");
    const { status, usualPerSecond } = part;
    const trafficShare = total === null || total === 0 || usualPerSecond === null ? null : usualPerSecond / total;
    const heardAt = evidence.tells.get(cluster)?.heardAt ?? null;
    return { cluster, status, reason: partReason(part), trafficShare, heardAt };
  });
  const { status, why } = componentVerdict(component, evidence, at);
  return {
    status,
    why,
    reason: reasonWithPeople(component, evidence, at),
    disagreement: disagreementOf(clusters),
    clusters,
  };
}

/** What people announced that decides, before the reasons of the evidence. */
function reasonWithPeople(component: Component, evidence: Evidence, at: Millis): string {
  const declared = declaredFor(component, evidence, at);
  const said = worstSaid(evidence.incidents ?? [], component.id);
  const seen = declared === null ? bothReasons(component, evidence, at) : `maintenance: ${declared.name}`;
  if (said === null || said.status === "operational") return seen;
  return `the incident "${said.name}" says ${said.status.replaceAll("_", " ")}; evidence: ${seen}`;
}

/** Why a component is what it is said to be: which side fails, and the numbers of both. */
function bothReasons(component: Component, evidence: Evidence, at: Millis): string {
  const inside = reasonOf(component, evidence, at);
  const outside = outsideOf(component, evidence);
  const sides = sidesReason(insideVerdict(component, evidence, at).status, outside, at);
  return sides === null ? inside : `${sides}; inside: ${inside}; outside: ${outsideReason(outside, at)}`;
}

/** What the mesh says, with the numbers that decide. */
function reasonOf(component: Component, evidence: Evidence, at: Millis): string {
  const { rule, quorum } = component;
  const parts = partsOf(component, evidence, at);
  const { by, failingShare } = ruled(rule, quorum, parts);
  const part = by === null ? undefined : parts[by];
  if (part === undefined) return "it stands for no service";
  const well = parts.filter(({ status }) => status === "operational").length;
  const needed = rule === "any" ? 1 : Math.min(quorum ?? parts.length, parts.length);
  const counted = `${well} of ${parts.length} are well${rule === "all" ? "" : `, ${needed} must be`}`;
  if (parts.length === 1 || (part.status === "operational" && rule === "all"))
    return parts.length === 1 ? partReason(part) : counted;
  const { cluster, service } = splitService(part.services[0] ?? "");
  const place = clusterParts(component, evidence, at).length > 1 ? cluster : service;
  const weight =
    failingShare === null ? "" : `; ${percent(failingShare)} of the usual traffic goes there, so it is partial`;
  return `${place}: ${partReason(part)}${weight} (${counted})`;
}

/** What makes a cluster, or a service, as bad as it is. */
function partReason({ services, said, status }: ComponentPart): string {
  const index = said.findIndex((one) => one.status === status);
  const reason = said[index]?.reason ?? "";
  return services.length < 2 ? reason : `${splitService(services[index] ?? "").service}: ${reason}`;
}

/** Maintenance and silence contradict nobody. */
function disagreementOf(clusters: readonly ClusterSaid[]): string | null {
  const heard = clusters.filter(({ status }) => status !== "unknown" && status !== "under_maintenance");
  if (new Set(heard.map(({ status }) => status)).size < 2) return null;
  return heard.map(({ cluster, status }) => `${cluster} says ${status.replaceAll("_", " ")}`).join(", ");
}
