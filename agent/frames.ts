/** Files of frames: written with one write and one fsync a transaction, read as a whole when the agent starts. */
import {
  constants,
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { isDiskFull, messageOf, PLAIN_DISK, type Disk } from "./disk.ts";
import { encodeFrame, frameAt, scanFrames, type Scan } from "./core/frame.ts";

export interface FrameReader {
  /** The payload of the frame at `offset`; null if the disk no longer gives back what was written. */
  read(offset: number, bytes: number): string | null;
  close(): void;
}

export interface FrameFile extends FrameReader {
  readonly path: string;
  size(): number;
  /** Writes payloads as frames in one write; returns where each begins. `durable`: only returns once the disk has them. */
  append(payloads: readonly string[], durable: boolean): readonly number[];
  sync(): void;
}

/** Opens a file of frames for appending, making it if needed, and cuts it to `cutTo` bytes. */
export function openFrameFile(path: string, cutTo: number, disk: Disk): FrameFile {
  const fd = withRoom(disk, () => openSync(path, "a+", 0o600));
  ftruncateSync(fd, cutTo);
  let size = cutTo;
  return {
    path,
    size: () => size,
    append(payloads, durable) {
      const frames = payloads.map((payload) => encodeFrame(Buffer.from(payload)));
      writeAll(fd, Buffer.concat(frames), disk, () => ftruncateSync(fd, size));
      if (durable) makeSure(fd, disk);
      return frames.map((frame) => (size += frame.length) - frame.length);
    },
    sync: () => makeSure(fd, disk),
    read: (offset, bytes) => readFrame(fd, offset, bytes),
    close: () => closeSync(fd),
  };
}

/**
 * Fails for good, whatever the reason: some file systems say only here that they are full, and then nobody knows what of
 * the bytes that are written they have.
 */
function makeSure(fd: number, disk: Disk): void {
  try {
    disk.fsync(fd);
  } catch (error) {
    throw new Error(`not sure of what was written: ${messageOf(error)}`, { cause: error });
  }
}

/** The frame at `offset` of `bytes` bytes in all, as text. */
function readFrame(fd: number, offset: number, bytes: number): string | null {
  const buffer = Buffer.alloc(bytes);
  if (readSync(fd, buffer, 0, bytes, offset) !== bytes) return null;
  const payload = frameAt(buffer, 0);
  return payload === null ? null : Buffer.from(payload).toString();
}

/** Opens a file of frames to read from. */
export function openFrameReader(path: string): FrameReader {
  const fd = openSync(path, "r");
  return { read: (offset, bytes) => readFrame(fd, offset, bytes), close: () => closeSync(fd) };
}

export function scanFile(path: string): Scan {
  return scanFrames(readFileSync(path));
}

/**
 * Replaces a file so that a kill or a full disk leaves the old one or the new one, never a mixture.
 *
 * @param content the whole, or piece by piece
 */
export function replaceFile(path: string, content: Uint8Array | Iterable<Uint8Array>, disk: Disk = PLAIN_DISK): void {
  const draft = `${path}.draft`;
  const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = constants;
  const fd = withRoom(disk, () => openSync(draft, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600));
  try {
    let size = 0;
    for (const piece of content instanceof Uint8Array ? [content] : content) {
      writeAll(fd, piece, disk, () => ftruncateSync(fd, size));
      size += piece.length;
    }
    disk.fsync(fd);
  } catch (error) {
    // A draft that stays would take what little room there is.
    removeFile(draft);
    throw error;
  } finally {
    closeSync(fd);
  }
  renameSync(draft, path);
  syncFolder(dirname(path), disk);
}

/** Makes the names in a folder durable: a new file is not safe before its folder is. */
export function syncFolder(path: string, disk: Disk): void {
  const fd = openSync(path, "r");
  try {
    disk.fsync(fd);
  } finally {
    closeSync(fd);
  }
}

export function removeFile(path: string): void {
  unlinkSync(path);
}

/** Writes all of it or, on a full disk, none: `undo` takes back what was written of it. */
function writeAll(fd: number, bytes: Uint8Array, disk: Disk, undo: () => void): void {
  withRoom(disk, () => {
    try {
      for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
    } catch (error) {
      undo();
      throw error;
    }
  });
}

/** Tries once more on a full disk, if room can be made. */
function withRoom<T>(disk: Disk, attempt: () => T): T {
  try {
    return attempt();
  } catch (error) {
    if (!isDiskFull(error) || !disk.makeRoom()) throw error;
    return attempt();
  }
}
