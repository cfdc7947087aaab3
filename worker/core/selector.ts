/**
 * Which services a component stands for, where nobody names them one by one:
 *
 *   eu-1/shop/checkout     that service of that cluster
 *   shop/checkout          the service of that name in every cluster
 *   eu-1/shop/*            * stands for any letters within its part
 *
 * What is chosen is written down beside the selector, so that everything else goes on reading plain names. A service that
 * comes later joins by itself. One that is reported no more stays for a day, unknown: what was deleted by mistake must
 * not turn a component green by its absence.
 */
import { DAY } from "../../protocol/time.ts";
import type { Millis } from "../../protocol/time.ts";
import type { Component } from "./component.ts";
import { splitService } from "./component.ts";

/** Chosen by one component; what comes after them by name is left out. */
export const CHOSEN_SERVICES_MAX = 500;
/** How long what is reported no more stays. */
const GONE_KEPT_MS = DAY;

/** A part of a name: Kubernetes' letters, and * for any of them. */
const PART = /^[a-z0-9*]([a-z0-9.*-]{0,61}[a-z0-9*])?$/;

/** Whether a text is a service by its full name or chooses some, by its shape alone. */
export function isSelector(text: string): boolean {
  const parts = text.split("/");
  return (parts.length === 2 || parts.length === 3) && parts.every((part) => PART.test(part));
}

/** Whether it chooses, so that what it stands for may change by itself. */
export function isPattern(text: string): boolean {
  return text.includes("*") || text.split("/").length === 2;
}

/** @param ref cluster/namespace/name */
export function chooses(selector: string, ref: string): boolean {
  const wanted = selector.split("/");
  const parts = ref.split("/");
  return (wanted.length === 2 ? ["*", ...wanted] : wanted).every((part, i) => isLike(part, parts[i] ?? ""));
}

/** In one walk, whatever is typed: the pieces between the stars, each as early as it can stand. */
function isLike(wanted: string, text: string): boolean {
  const [first = "", ...rest] = wanted.split("*");
  const last = rest.pop();
  if (last === undefined) return wanted === text;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= text.length - last.length;
}

/** What a cluster reports. */
export interface Reported {
  readonly cluster: string;
  readonly services: readonly { readonly service: string }[];
}

/** Whether two reports of a cluster name the same services in the same order, as most do. */
export function haveSameServices(before: Reported, after: Reported): boolean {
  return (
    before.services.length === after.services.length &&
    before.services.every(({ service }, i) => service === after.services[i]?.service)
  );
}

type Chosen = Pick<Component, "services" | "gone">;

/**
 * What a selector stands for now.
 *
 * @param held what it stood for until now; nothing if it is new, or if somebody has just written it
 * @param reported what clusters report now; of those that are not among them, what is held stands
 */
export function chosenBy(
  selector: readonly string[],
  held: Chosen,
  reported: Iterable<Reported>,
  now: Millis,
): Required<Chosen> {
  const patterns = selector.filter(isPattern);
  const exact = selector.filter((one) => !isPattern(one));
  const isChosen = (ref: string): boolean => patterns.some((one) => chooses(one, ref));
  const told = new Map<string, ReadonlySet<string>>();
  const found = new Set<string>();
  for (const { cluster, services } of reported) {
    const refs = services.map(({ service }) => `${cluster}/${service}`);
    told.set(cluster, new Set(refs));
    for (const ref of refs) if (isChosen(ref)) found.add(ref);
  }
  const gone: Record<string, Millis> = {};
  for (const ref of held.services) {
    if (found.has(ref) || exact.includes(ref) || !isChosen(ref)) continue;
    const since = held.gone?.[ref];
    const isMissing = told.has(splitService(ref).cluster);
    if (isMissing && since !== undefined && now - since >= GONE_KEPT_MS) continue;
    found.add(ref);
    if (isMissing || since !== undefined) gone[ref] = since ?? now;
  }
  const members = [...found].toSorted();
  return { services: [...new Set([...exact, ...members])].slice(0, CHOSEN_SERVICES_MAX), gone };
}

/** A component with what its selector stands for now; the same one if nothing changes. */
export function chosenAgain(component: Component, reported: Iterable<Reported>, now: Millis): Component {
  const { selector, services, gone: before, ...rest } = component;
  if (selector === undefined) return component;
  const chosen = chosenBy(selector, component, reported, now);
  const isSame =
    chosen.services.join() === services.join() && Object.keys(chosen.gone).join() === Object.keys(before ?? {}).join();
  return isSame ? component : { ...rest, selector, ...written(chosen) };
}

/** As it is kept: without an empty list of what is gone. */
export function written({ services, gone }: Required<Chosen>): Chosen {
  return { services, ...(Object.keys(gone).length > 0 && { gone }) };
}
