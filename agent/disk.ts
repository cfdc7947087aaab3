/**
 * The disk under the spool, and what becomes of the agent when it is full.
 *
 * A full disk is no failing one: what is there stays there, and most of it is the spool's own, which goes once it is
 * sent. But numbering and freeing need a few bytes themselves, so a file of a megabyte is kept to be given up for them.
 * New windows wait until it could be made again. A disk that fails ends the process (code 74): nobody knows what it holds.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

/** How the disk is asked to be sure; a test passes one that fails. */
export type Fsync = (fd: number) => void;

export interface Disk {
  readonly fsync: Fsync;
  /** Gives up what is kept for a full disk; false if nothing is left to give up. */
  makeRoom(this: void): boolean;
}

export const PLAIN_DISK: Disk = { fsync: fsyncSync, makeRoom: () => false };

/** More than a book of numbers takes, bytes. */
const RESERVE_BYTES = 1_048_576;

/** The share of a volume that the spool may take: other files of the agent need some, and a rewrite needs room. */
const VOLUME_SHARE = 0.7;

/** Out of space, over a quota, or above the largest file that this process may write. */
const FULL_CODES: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
const FAULT_CODES: ReadonlySet<string> = new Set(["EIO", "EROFS", "ENXIO", "ENODEV", "ESTALE", "EUCLEAN"]);

export function isDiskFull(error: unknown): boolean {
  return FULL_CODES.has(codeOf(error));
}

/** What is wrong with the disk that holds `folder` and what to do about it; null if the error is none of a disk. */
export function diskFault(error: unknown, folder: string): string | null {
  const first = error instanceof Error ? (error.cause ?? error) : error;
  if (isDiskFull(first))
    return `the disk that holds ${folder} is full: free some of it or give the agent a larger volume, and start the agent again; nothing that was closed is lost (${messageOf(error)})`;
  if (FAULT_CODES.has(codeOf(first)))
    return `the disk that holds ${folder} fails: replace it or mount it anew; what it still gives back is sent after the next start (${messageOf(error)})`;
  return null;
}

/** `bytesMax`, or less on a volume too small for it: then windows become coarser before the disk is full. */
export function boundOf(folder: string, bytesMax: number): number {
  const { blocks, bsize } = statfsSync(folder);
  // Some network and container file systems do not tell.
  return blocks > 0 ? Math.min(bytesMax, VOLUME_SHARE * blocks * bsize) : bytesMax;
}

/** A file that holds room on the disk. */
export class Reserve {
  readonly #path: string;
  readonly #fsync: Fsync;
  isKept: boolean;

  constructor(folder: string, fsync: Fsync) {
    this.#path = join(folder, "reserve");
    this.#fsync = fsync;
    // A kill may have left a part of it.
    this.isKept = statSync(this.#path, { throwIfNoEntry: false })?.size === RESERVE_BYTES;
  }

  /** Makes the file if it is not there; false if the disk has no room for it. */
  keep(): boolean {
    if (this.isKept) return true;
    const fd = openSync(this.#path, "w", 0o600);
    try {
      // Bytes that no file system can compress.
      const bytes = randomBytes(RESERVE_BYTES);
      for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
      this.#fsync(fd);
      this.isKept = true;
    } catch (error) {
      rmSync(this.#path, { force: true });
      if (!isDiskFull(error)) throw error;
    } finally {
      closeSync(fd);
    }
    return this.isKept;
  }

  /** Gives the room to whoever writes next; false if it is given already. */
  release(): boolean {
    if (!this.isKept) return false;
    rmSync(this.#path, { force: true });
    this.isKept = false;
    return true;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
