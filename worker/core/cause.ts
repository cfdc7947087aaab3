/**
 * Where trouble comes from: the likely cause among services that are all in trouble is the one whose own callees are
 * well; those that call it are symptoms.
 *
 * That two services are in trouble at once proves nothing, so a caller's trouble is laid on a callee only where the
 * calls between them say so: they fail, and enough of them to matter, or the callee is slow or not running. Where a
 * circle of services is in trouble together, nobody can say which of them began.
 */
import type { PageComponent } from "../../protocol/page.ts";
import { outlookAt } from "../../protocol/page.ts";
import type { ComponentStatus } from "../../protocol/status.ts";
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";
import type { Component, Evidence, ToldService } from "./component.ts";
import { splitService } from "./component.ts";
import type { Edge, ToldTopology } from "./topology.ts";
import { edgesOf, isFresh } from "./topology.ts";

/** Calls of which more fail are failing: the runbook's limit for an error ratio. */
const CALLS_FAILING = 0.01;
/** Of a service that says nothing itself, calls must fail more plainly. */
const CALLS_TO_UNKNOWN_FAILING = 0.05;
/** A callee whose failing calls are less of what fails at its caller is not why the caller fails. */
const SHARE_MIN = 0.1;
/** Components named as the cause of one. */
const CAUSES_MAX = 3;
/** Callers named in a sentence. */
const NAMED_MAX = 4;

/** One likely cause. Several services are a circle that is in trouble together. */
export interface Finding {
  readonly causes: readonly string[];
  /** Everything whose trouble is likely theirs, callers of callers too; empty if nobody suffers from them. */
  readonly symptoms: readonly string[];
  readonly evidence: string;
}

const IN_TROUBLE: ReadonlySet<ComponentStatus> = new Set(["degraded_performance", "partial_outage", "major_outage"]);

/** Whether a status is evidence of trouble: silence and maintenance are none. */
export function isTrouble(status: ComponentStatus): boolean {
  return IN_TROUBLE.has(status);
}

/**
 * The likely causes among a cluster's services, those with most symptoms first; a service in trouble that neither
 * suffers from another nor makes one suffer is a finding without symptoms.
 */
export function findingsOf(services: readonly ToldService[], topology: ToldTopology): readonly Finding[] {
  const told = new Map(services.map((service) => [service.service, service]));
  const edges = edgesOf(topology);
  const suspects = inTrouble(told, edges);
  const blamed = edges.filter((edge) => suspects.has(edge.from) && isBlamed(edge, told, suspects, topology.spanMs));
  const found = groupsOf(suspects, blamed).map(({ members, symptoms }) => ({
    causes: members,
    symptoms,
    evidence: evidenceOf(members, symptoms, { told, edges, blamed, spanMs: topology.spanMs }),
  }));
  return found.toSorted((a, b) => b.symptoms.length - a.symptoms.length);
}

/** Who is in trouble by its own evidence, and who says nothing of itself while calls to it fail. */
function inTrouble(told: ReadonlyMap<string, ToldService>, edges: readonly Edge[]): ReadonlySet<string> {
  const found = new Set([...told.values()].filter(({ status }) => isTrouble(status)).map(({ service }) => service));
  const isSilent = (name: string): boolean => (told.get(name)?.status ?? "unknown") === "unknown";
  const failing = edges.filter(
    ({ from, to, requests, errors }) =>
      found.has(from) && isSilent(to) && requests > 0 && errors / requests > CALLS_TO_UNKNOWN_FAILING,
  );
  return new Set([...found, ...failing.map(({ to }) => to)]);
}

/** Whether these calls say that the caller's trouble comes from the callee's. */
function isBlamed(
  { from, to, requests, errors }: Edge,
  told: ReadonlyMap<string, ToldService>,
  suspects: ReadonlySet<string>,
  spanMs: number,
): boolean {
  if (!suspects.has(to) || requests === 0) return false;
  // A callee that is slow or not running hurts whoever waits for it, though no call need fail by its code.
  if (errors / requests <= CALLS_FAILING) return !isFailing(told.get(to));
  const failing = errorsPerSecond(told.get(from));
  return failing === 0 || (errors * SECOND) / spanMs / failing >= SHARE_MIN;
}

function isFailing(service: ToldService | undefined): boolean {
  const traffic = service?.traffic ?? null;
  return traffic !== null && traffic.requests > 0 && traffic.errors / traffic.requests > CALLS_FAILING;
}

function errorsPerSecond(service: ToldService | undefined): number {
  const traffic = service?.traffic ?? null;
  return traffic === null ? 0 : (traffic.errors * SECOND) / traffic.spanMs;
}

interface Group {
  readonly members: readonly string[];
  readonly symptoms: readonly string[];
}

/** The groups that lay their trouble on nobody else, each with all that lay theirs on it, over however many calls. */
function groupsOf(suspects: ReadonlySet<string>, blamed: readonly Edge[]): readonly Group[] {
  const callees = new Map<string, string[]>([...suspects].map((name) => [name, []]));
  for (const { from, to } of blamed) callees.get(from)?.push(to);
  const causes: { readonly members: readonly string[]; readonly symptoms: string[] }[] = [];
  /** The causes of each service, by their places. */
  const causesOf = new Map<string, ReadonlySet<number>>();
  for (const members of circlesOf(callees)) {
    // Circles come callees first, so what lies behind them is decided.
    const behind = new Set(
      members.flatMap((name) => (callees.get(name) ?? []).flatMap((to) => [...(causesOf.get(to) ?? [])])),
    );
    if (behind.size === 0) {
      behind.add(causes.length);
      causes.push({ members, symptoms: [] });
    } else {
      for (const place of behind) causes[place]?.symptoms.push(...members);
    }
    for (const name of members) causesOf.set(name, behind);
  }
  return causes.map(({ members, symptoms }) => ({ members: members.toSorted(), symptoms: symptoms.toSorted() }));
}

/**
 * The nodes in circles, each as large as can be and most of them of one node; a circle comes after all that it leads to
 * (Tarjan, 1972). As deep as a chain of calls is long, which is bounded by the services of a cluster.
 */
function circlesOf(callees: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const order = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const circles: (readonly string[])[] = [];
  const visit = (name: string): number => {
    const place = order.size;
    let low = place;
    order.set(name, place);
    open.push(name);
    isOpen.add(name);
    for (const to of callees.get(name) ?? []) {
      if (!order.has(to)) low = Math.min(low, visit(to));
      else if (isOpen.has(to)) low = Math.min(low, order.get(to) ?? low);
    }
    if (low === place) {
      const circle = open.splice(open.lastIndexOf(name));
      for (const member of circle) isOpen.delete(member);
      circles.push(circle);
    }
    return low;
  };
  for (const name of callees.keys()) if (!order.has(name)) visit(name);
  return circles;
}

interface Grounds {
  readonly told: ReadonlyMap<string, ToldService>;
  readonly edges: readonly Edge[];
  readonly blamed: readonly Edge[];
  readonly spanMs: number;
}

/** "data/ledger: shop/orders and shop/payments call it, and 93 % of what fails there are failing calls to it. …" */
function evidenceOf(members: readonly string[], symptoms: readonly string[], grounds: Grounds): string {
  const { told, edges, blamed } = grounds;
  const inside = new Set(members);
  const suffering = new Set(symptoms);
  const calls = blamed.filter(({ from, to }) => inside.has(to) && suffering.has(from));
  const callers = [...new Set(calls.map(({ from }) => from))].toSorted();
  const it = members.length > 1 ? "one of them" : "it";
  const circle =
    members.length > 1 ? `${listed(members)} call each other and are in trouble together: one of them began. ` : "";
  const direct =
    callers.length === 0
      ? "Nobody who calls it is in trouble by that. "
      : `${listed(callers)} ${callers.length > 1 ? "call" : "calls"} ${it}${shareOf(callers, calls, grounds)}. `;
  const silent = members.filter((name) => (told.get(name)?.status ?? "unknown") === "unknown");
  const word = silent.length === 0 ? "" : `${listed(silent)} reports nothing of itself: calls to it fail. `;
  const out = edges.some(({ from, to }) => inside.has(from) && !inside.has(to));
  return `${circle}${direct}${word}${out ? "What it calls itself is well, or is not why." : "It calls nothing else in the mesh."}`;
}

/** How much of what fails at the callers are failing calls: rates are compared, because the spans differ. */
function shareOf(callers: readonly string[], calls: readonly Edge[], { told, spanMs }: Grounds): string {
  const failing = callers.map((name) => {
    const there = calls.filter(({ from }) => from === name).reduce((sum, { errors }) => sum + errors, 0);
    const here = errorsPerSecond(told.get(name));
    return { here, there: Math.min(here, (there * SECOND) / spanMs) };
  });
  const here = failing.reduce((sum, rates) => sum + rates.here, 0);
  const there = failing.reduce((sum, rates) => sum + rates.there, 0);
  if (here === 0) return "";
  if (there === 0) return ", and it keeps them waiting or does not answer";
  return `, and failing calls to it account for ${Math.round((there / here) * 100)} % of what fails there`;
}

function listed(names: readonly string[]): string {
  const named = names.slice(0, NAMED_MAX);
  const more = names.length - named.length;
  const words = more > 0 ? [...named, `${more} more`] : named;
  const last = words.at(-1) ?? "";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} and ${last}`;
}

/**
 * Where the trouble of each component likely comes from, as ids of other components; only those where something can be
 * said. A cause that nobody published has no public name, and is left out.
 */
export function likelyCauses(
  components: readonly Component[],
  tells: Evidence["tells"],
  now: Millis,
): ReadonlyMap<string, readonly string[]> {
  const causes = new Map<string, string[]>();
  for (const tell of tells.values()) {
    const { topology, expiresAt, services, cluster } = tell;
    if (topology === undefined || now >= expiresAt || !isFresh(topology, now)) continue;
    if (!services.some(({ status }) => isTrouble(status))) continue;
    for (const finding of findingsOf(services, topology)) {
      if (finding.symptoms.length === 0) continue;
      const from = componentsOf(components, cluster, finding.causes);
      for (const { id } of componentsOf(components, cluster, finding.symptoms)) {
        const known = causes.get(id) ?? [];
        causes.set(
          id,
          [...new Set([...known, ...from.map((cause) => cause.id)])].filter((cause) => cause !== id),
        );
      }
    }
  }
  return new Map(
    [...causes].filter(([, from]) => from.length > 0).map(([id, from]) => [id, from.slice(0, CAUSES_MAX)]),
  );
}

function componentsOf(components: readonly Component[], cluster: string, services: readonly string[]): Component[] {
  const names = new Set(services);
  return components.filter((component) =>
    component.services.some((ref) => {
      const split = splitService(ref);
      return split.cluster === cluster && names.has(split.service);
    }),
  );
}

/** More names than these make no sentence. */
const NAMED_TO_VISITORS_MAX = 3;

/**
 * What visitors read beside a component's trouble: where it likely comes from, or whom it likely hurts. A cause that is
 * shown as well, because another of its services does the work, is not named: the page would contradict itself.
 *
 * @param causes as `likelyCauses` found them
 */
export function causeSentences(
  causes: ReadonlyMap<string, readonly string[]>,
  shown: readonly Pick<PageComponent, "id" | "name" | "outlook">[],
  now: Millis,
): ReadonlyMap<string, string> {
  const unwell = shown.filter((component) => outlookAt(component, now).status !== "operational");
  const hurt = unwell.filter((component) => isTrouble(outlookAt(component, now).status));
  const sentences = new Map<string, string>();
  for (const { id } of hurt) {
    const from = unwell.filter((other) => causes.get(id)?.includes(other.id));
    const to = hurt.filter((other) => causes.get(other.id)?.includes(id));
    if (from.length > 0) sentences.set(id, `Likely because of ${namesOf(from)}.`);
    else if (to.length > 0) sentences.set(id, `Likely the cause of trouble in ${namesOf(to)}.`);
  }
  return sentences;
}

function namesOf(components: readonly Pick<PageComponent, "name">[]): string {
  const names = components.map(({ name }) => name);
  return names.length > NAMED_TO_VISITORS_MAX ? `${names.length} other components` : listed(names);
}
