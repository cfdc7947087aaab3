/** A watch: newline-delimited changes from a version on, bookmarks while nothing happens, and an end that clients must expect. */
import type { ServerResponse } from "node:http";
import { isObject, shown, type Change, type Kind, type KubernetesObject, type Objects } from "./objects.ts";
import { expired } from "./status.ts";

/** A watch without `timeoutSeconds` ends after this, s. */
const TIMEOUT_DEFAULT_S = 1_800;

export interface WatchFaults {
  /** Watches opened before this moment (`performance.now`) stay open and say nothing more, as a half-open socket does. */
  stalledBefore: number;
  /** This many of the next lines never arrive, though their connection lives. */
  swallowNext: number;
  /** The next line is cut in the middle, together with its connection. */
  resetNextLine: boolean;
}

export function watch(
  objects: Objects,
  kind: Kind,
  namespace: string,
  query: URLSearchParams,
  response: ServerResponse,
  faults: WatchFaults & { readonly open: Set<() => void> },
  bookmarkMs: number,
): void {
  const from = query.get("resourceVersion") ?? "";
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  const openedAt = performance.now();
  const write = (type: string, object: object): void => {
    if (openedAt < faults.stalledBefore) return;
    if (type !== "BOOKMARK" && faults.swallowNext > 0) {
      faults.swallowNext -= 1;
      return;
    }
    const text = `${JSON.stringify({ type, object })}\n`;
    if (!faults.resetNextLine) return void response.write(text);
    faults.resetNextLine = false;
    response.write(text.slice(0, text.length / 2), () => response.destroy());
  };
  const isWanted = selector(query);
  const apiVersion = versionOf(kind);
  const send = ({ type, plural, object }: Change): void => {
    const isHere = plural === kind.plural && (namespace === "" || object.metadata.namespace === namespace);
    if (isHere && isWanted(object)) write(type, { ...shown(object), apiVersion });
  };
  if (from === "" || from === "0") {
    for (const object of objects.list(kind.plural, namespace).filter(isWanted)) write("ADDED", shown(object));
  } else if (Number(from) < objects.compactedAt) {
    write("ERROR", expired(`too old resource version: ${from} (${objects.compactedAt})`).body);
    return void response.end();
  } else {
    for (const change of objects.changesSince(Number(from))) send(change);
  }
  const unsubscribe = objects.onChange(send);
  const bookmarks = setInterval(() => write("BOOKMARK", bookmark(kind, objects.version)), bookmarkMs);
  const end = (): void => {
    if (openedAt >= faults.stalledBefore) response.end();
  };
  const timeout = setTimeout(end, 1_000 * (Number(query.get("timeoutSeconds")) || TIMEOUT_DEFAULT_S));
  faults.open.add(end);
  response.once("close", () => {
    unsubscribe();
    clearInterval(bookmarks);
    clearTimeout(timeout);
    faults.open.delete(end);
  });
  // Only clients that asked for bookmarks are sent any.
  if (query.get("allowWatchBookmarks") !== "true") clearInterval(bookmarks);
}

function bookmark(
  kind: Kind,
  version: number,
): Pick<KubernetesObject, "kind" | "apiVersion"> & { metadata: { resourceVersion: string } } {
  return { kind: kind.kind, apiVersion: versionOf(kind), metadata: { resourceVersion: String(version) } };
}

export function versionOf(kind: Kind): string {
  return kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
}

/** `fieldSelector` and `labelSelector`, as far as the agent uses them: equality, several with a comma. */
export function selector(query: URLSearchParams): (object: KubernetesObject) => boolean {
  const fields = (query.get("fieldSelector") ?? "").split(",").filter((part) => part !== "");
  const labels = (query.get("labelSelector") ?? "").split(",").filter((part) => part !== "");
  const isEqual = (text: string, read: (path: string) => unknown): boolean => {
    const at = text.indexOf("=");
    return read(text.slice(0, at)) === text.slice(at + 1).replace(/^=/, "");
  };
  return (object) =>
    fields.every((text) => isEqual(text, (path) => fieldOf(shown(object), path))) &&
    labels.every((text) => isEqual(text, (key) => object.metadata.labels?.[key]));
}

function fieldOf(object: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((value, key) => (isObject(value as never) ? (value as never)[key] : undefined), object);
}
