/**
 * Answers to visitors as they are kept: in this isolate's memory, where one costs nothing, and behind it in the data
 * centre's cache, which all its isolates share. Both drop what is no longer fresh.
 */
import type { Millis } from "../../protocol/time.ts";
import { SECOND } from "../../protocol/time.ts";

/** One answer, ready to be sent. */
export interface Kept {
  readonly body: Uint8Array;
  /** Without how long browsers may keep it, which depends on when they get it. */
  readonly headers: Readonly<Record<string, string>>;
  /** Made anew from then on. */
  readonly freshUntil: Millis;
  /** What it says is no longer true from then on, and nobody may keep it for longer. */
  readonly holdsUntil: Millis;
}

/** An isolate has 128 MB for everything. */
const MEMORY_BYTES_MAX = 16 * 1024 * 1024;
/** Headers, keys and the map itself, about. */
export const ENTRY_BYTES = 2_048;

/** `source` stands for what it was made from, if that was here: what people wrote in years would outweigh its bytes. */
interface Remembered extends Kept {
  readonly source: string | null;
}

const memory = new Map<string, Remembered>();
let memoryBytes = 0;

/** Everything of an answer but its body, as the cache keeps it: it adds headers of its own to those it is given. */
const FACTS = "x-kept";
type Facts = Omit<Kept, "body">;

/** What this isolate remembers under a key, fresh or not. */
export function remembered(key: string): Remembered | null {
  return memory.get(key) ?? null;
}

/** Remembers an answer; the oldest make room for it. */
export function remember(key: string, kept: Kept, source: string | null): void {
  forget(key);
  memory.set(key, { ...kept, source });
  memoryBytes += sizeOf(kept);
  for (const [oldest] of memory) {
    if (memoryBytes <= MEMORY_BYTES_MAX) break;
    forget(oldest);
  }
}

function forget(key: string): void {
  const found = memory.get(key);
  if (found === undefined) return;
  memory.delete(key);
  memoryBytes -= sizeOf(found);
}

function sizeOf({ body }: Kept): number {
  return body.length + ENTRY_BYTES;
}

/** What another isolate of this data centre has made. */
export async function matchKept(key: string): Promise<Kept | null> {
  const found = await caches.default.match(key);
  const facts = found?.headers.get(FACTS);
  if (found === undefined || facts === undefined || facts === null) return null;
  // Put there by `putKept`. JSON writes what holds for ever as null.
  const kept = JSON.parse(facts, (key, value) => (key === "holdsUntil" ? (value ?? Infinity) : value)) as Facts;
  if (Date.now() < kept.freshUntil) return { ...kept, body: await found.bytes() };
  await found.body?.cancel();
  return null;
}

/** Passes an answer on to the other isolates. */
export function putKept(key: string, { body, ...facts }: Kept, now: Millis): Promise<void> {
  const seconds = Math.ceil((facts.freshUntil - now) / SECOND);
  const headers = { "cache-control": `public, max-age=${seconds}`, [FACTS]: JSON.stringify(facts) };
  return caches.default.put(key, new Response(body, { headers }));
}
