/** A watch: newline-delimited changes from a version on, bookmarks while nothing happens, and an end that clients must expect. */
import type { ServerResponse } from "node:http";
import type { Change, Kind, KubernetesObject, Objects } from "./objects.ts";
import { expired } from "./status.ts";

/** A watch without `timeoutSeconds` ends after this, s. */
const TIMEOUT_DEFAULT_S = 1_800;

export interface WatchFaults {
  /** Open watches stay open and say nothing more: what a half-open socket looks like. */
  stalled: boolean;
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
  const write = (type: string, object: object): void => {
    if (faults.stalled) return;
    const text = `${JSON.stringify({ type, object })}\n`;
    if (!faults.resetNextLine) return void response.write(text);
    faults.resetNextLine = false;
    response.write(text.slice(0, text.length / 2), () => response.destroy());
  };
  const send = ({ type, plural, object }: Change): void => {
    if (plural === kind.plural && (namespace === "" || object.metadata.namespace === namespace)) write(type, object);
  };
  if (from === "" || from === "0") {
    for (const object of objects.list(kind.plural, namespace)) write("ADDED", object);
  } else if (Number(from) < objects.compactedAt) {
    write("ERROR", expired(`too old resource version: ${from} (${objects.compactedAt})`).body);
    return void response.end();
  } else {
    for (const change of objects.changesSince(Number(from))) send(change);
  }
  const unsubscribe = objects.onChange(send);
  const bookmarks = setInterval(() => write("BOOKMARK", bookmark(kind, objects.version)), bookmarkMs);
  const end = (): void => void response.end();
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
  const apiVersion = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
  return { kind: kind.kind, apiVersion, metadata: { resourceVersion: String(version) } };
}
