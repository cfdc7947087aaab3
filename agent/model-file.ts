/**
 * What was learnt, on the disk. Of 500 services it is 3 MB of text and three times that as objects, a tenth of what the
 * agent may take in all, and while a new one is learnt the former one is compared with it: so neither is ever held as a
 * whole, but read and written service by service.
 *
 *   baseline.json            the model in use: a line with the SHA-256 of what follows, and that as one object of JSON
 *   baseline.previous.json   the one before it, for `--roll-back`
 *
 * A model replaces what was there in one step, and only once it is complete; what was there is kept beside it.
 */
import { createHash, type Hash } from "node:crypto";
import { closeSync, existsSync, openSync, readSync, renameSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { failure, success, type Result } from "../protocol/result.ts";
import type { Millis } from "../protocol/time.ts";
import type { AboutModel, Model, SignalModels } from "./core/model.ts";
import { MemberFinder, type Member } from "./core/members.ts";
import { replaceFile } from "./frames.ts";
import { parseJson } from "./http.ts";
import { Scratch } from "./scratch.ts";

const FILE = "baseline.json";
const PREVIOUS = "baseline.previous.json";
/** The first line is shorter. */
const HEAD_BYTES_MAX = 512;
/** Read and written at once, bytes. */
const PIECE_BYTES = 65_536;
/** Rises with the form of the file: another form is learnt anew, not guessed at. */
const FORM = 1;

/** A model whose services are read when they are asked for. It stays what it is while another one takes its place. */
export interface ModelFile extends Model {
  /** Null of a service of which nothing was learnt. */
  readonly read: (service: string) => SignalModels | null;
  readonly close: () => void;
}

/** The model in use; null if there is none, or if the file is not what was written. Whoever opens it closes it. */
export function openModel(dataDir: string): ModelFile | null {
  const path = join(dataDir, FILE);
  if (!existsSync(path)) return null;
  const fd = openSync(path, "r");
  try {
    const model = readModel(fd);
    if (model === null) closeSync(fd);
    return model;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** What is known of the model in use without its services. */
export function aboutModel(dataDir: string): AboutModel | null {
  const model = openModel(dataDir);
  if (model === null) return null;
  model.close();
  const { version, from, to, leftOut, points } = model;
  return { version, from, to, leftOut, points };
}

function readModel(fd: number): ModelFile | null {
  const head = readHead(fd);
  if (head === null || head.form !== FORM) return null;
  const [hash, finder] = [createHash("sha256"), new MemberFinder()];
  let end = head.bytes;
  for (const piece of piecesOf(fd, head.bytes)) {
    hash.update(piece);
    finder.take(piece);
    end += piece.length;
  }
  if (head.checksum !== hash.digest("hex")) return null;
  const { members } = finder;
  const text = (from: number, to: number): string => textAt(fd, buffer, head.bytes + from, to - from);
  const [first, last] = [members[0]?.from ?? 0, members.at(-1)?.to ?? 0];
  // For whatever is read of it at once: one for each service would be garbage of 3 MB.
  const longest = members.reduce((most, { from, to }) => Math.max(most, to - from), first + end - head.bytes - last);
  const buffer = Buffer.alloc(longest);
  // It was typed when it was written, and the checksum says that these are the bytes.
  const about = JSON.parse(text(0, first) + text(last, end - head.bytes)) as AboutModel;
  const places = new Map(members.map((one) => [JSON.parse(text(one.from, one.nameTo)) as string, one]));
  const valueOf = ({ nameTo, to }: Member): SignalModels =>
    JSON.parse(text(nameTo, to).slice(":".length)) as SignalModels;
  return {
    ...about,
    services: {
      *[Symbol.iterator]() {
        for (const [service, place] of places) yield [service, valueOf(place)] as const;
      },
    },
    read(service) {
      const place = places.get(service);
      return place === undefined ? null : valueOf(place);
    },
    close: () => closeSync(fd),
  };
}

/** The first line; null if it is none of ours. `bytes` is how long it is. */
function readHead(
  fd: number,
): { readonly form: unknown; readonly checksum: unknown; readonly version: unknown; readonly bytes: number } | null {
  const begin = Buffer.alloc(HEAD_BYTES_MAX);
  const read = readSync(fd, begin, 0, HEAD_BYTES_MAX, 0);
  const cut = begin.subarray(0, read).indexOf("\n");
  const json = cut === -1 ? null : parseJson(begin.toString("utf8", 0, cut));
  if (typeof json !== "object" || json === null) return null;
  const { form, checksum, version } = json as Readonly<Record<"form" | "checksum" | "version", unknown>>;
  return { form, checksum, version, bytes: cut + 1 };
}

/** What stands from `position` on, piece by piece; each is only good until the next one. */
function* piecesOf(fd: number, position: number): Generator<Uint8Array> {
  const buffer = Buffer.alloc(PIECE_BYTES);
  for (let at = position; ;) {
    const read = readSync(fd, buffer, 0, PIECE_BYTES, at);
    if (read === 0) return;
    at += read;
    yield buffer.subarray(0, read);
  }
}

function textAt(fd: number, buffer: Buffer, position: number, bytes: number): string {
  if (readSync(fd, buffer, 0, bytes, position) !== bytes) throw new Error("the baseline is cut short");
  return buffer.toString("utf8", 0, bytes);
}

/** By its first line; 0 if there is none. */
function versionOf(path: string): number {
  if (!existsSync(path)) return 0;
  const fd = openSync(path, "r");
  try {
    const version = readHead(fd)?.version;
    return typeof version === "number" && Number.isSafeInteger(version) ? version : 0;
  } finally {
    closeSync(fd);
  }
}

/** A version names one baseline: the next one is also above the one that was put aside by a roll-back. */
export function nextVersion(dataDir: string): number {
  return 1 + Math.max(...[FILE, PREVIOUS].map((name) => versionOf(join(dataDir, name))));
}

/** A model while it is learnt, which changes nothing until it is kept. */
export class ModelDraft {
  readonly #dataDir: string;
  readonly #about: Omit<AboutModel, "points">;
  readonly #scratch: Scratch;
  readonly #hash: Hash = createHash("sha256");
  readonly #begin: Buffer;
  #services = 0;

  constructor(dataDir: string, about: Omit<AboutModel, "points">) {
    this.#dataDir = dataDir;
    this.#about = about;
    this.#scratch = new Scratch(join(dataDir, `${FILE}.tmp`));
    this.#begin = Buffer.from(`${JSON.stringify(about).slice(0, -1)},"services":{`);
    this.#hash.update(this.#begin);
  }

  get services(): number {
    return this.#services;
  }

  add(service: string, signals: SignalModels): void {
    const comma = this.#services++ === 0 ? "" : ",";
    const bytes = Buffer.from(`${comma}${JSON.stringify(service)}:${JSON.stringify(signals)}`);
    this.#hash.update(bytes);
    this.#scratch.append(bytes);
  }

  /** Puts it in the place of the model in use; once. */
  keep(points: number): AboutModel {
    const end = Buffer.from(`},"points":${points}}`);
    const checksum = this.#hash.update(end).digest("hex");
    const head = Buffer.from(`${JSON.stringify({ form: FORM, version: this.#about.version, points, checksum })}\n`);
    const path = join(this.#dataDir, FILE);
    if (existsSync(path)) copyFile(path, join(this.#dataDir, PREVIOUS));
    replaceFile(path, this.#pieces(head, end));
    return { ...this.#about, points };
  }

  *#pieces(head: Uint8Array, end: Uint8Array): Generator<Uint8Array> {
    yield head;
    yield this.#begin;
    const buffer = Buffer.alloc(PIECE_BYTES);
    for (let at = 0; at < this.#scratch.bytes; at += PIECE_BYTES) {
      const piece = buffer.subarray(0, Math.min(PIECE_BYTES, this.#scratch.bytes - at));
      this.#scratch.read(piece, at);
      yield piece;
    }
    yield end;
  }

  close(): void {
    this.#scratch.close();
  }
}

function copyFile(from: string, to: string): void {
  const fd = openSync(from, "r");
  try {
    replaceFile(to, piecesOf(fd, 0));
  } finally {
    closeSync(fd);
  }
}

/** Puts the previous model back, and keeps the one that it replaces in its place. */
export function rollBack(dataDir: string): Result<AboutModel, string> {
  const [path, previous, aside] = [FILE, PREVIOUS, `${FILE}.aside`].map((name) => join(dataDir, name));
  if (path === undefined || previous === undefined || aside === undefined || !existsSync(previous))
    return failure("there is no earlier baseline to go back to");
  if (existsSync(path)) renameSync(path, aside);
  renameSync(previous, path);
  if (existsSync(aside)) renameSync(aside, previous);
  // From now on it is in use: what is old by itself would be learnt anew within the hour.
  utimesSync(path, new Date(), new Date());
  const model = aboutModel(dataDir);
  return model === null ? failure("the earlier baseline is damaged; learn a new one") : success(model);
}

/** Changes whenever another model is in use; `since` is when it was put there, by this machine's clock. */
export function modelStamp(dataDir: string): { readonly stamp: string; readonly since: Millis } {
  const found = statSync(join(dataDir, FILE), { throwIfNoEntry: false });
  return found === undefined
    ? { stamp: "", since: 0 }
    : { stamp: `${found.mtimeMs} ${found.ino}`, since: Math.floor(found.mtimeMs) };
}
