/** Room on the disk for what is needed later: the file has no name once it is open, so nothing stays behind, whatever dies. */
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export class Scratch {
  readonly #fd: number;
  #bytes = 0;

  /** @param path must be nobody else's for a moment; its folder is made if it is not there */
  constructor(path: string) {
    mkdirSync(dirname(path), { recursive: true });
    this.#fd = openSync(path, "w+", 0o600);
    rmSync(path);
  }

  /** How much is in it. */
  get bytes(): number {
    return this.#bytes;
  }

  append(bytes: Uint8Array): void {
    for (let written = 0; written < bytes.length;)
      written += writeSync(this.#fd, bytes, written, bytes.length - written, this.#bytes + written);
    this.#bytes += bytes.length;
  }

  /** Fills `into` with what stands from `position` on. */
  read(into: Uint8Array, position: number): void {
    if (readSync(this.#fd, into, 0, into.length, position) !== into.length)
      throw new Error("what was put aside on the disk is cut short");
  }

  close(): void {
    closeSync(this.#fd);
  }
}
