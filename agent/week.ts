/**
 * The signals of a week while it is read, on disk: of 500 services 12 MB, a tenth of what the agent takes in memory, for
 * three quarters of an hour a day. The file has no name any more once it is open: nothing stays behind, whatever dies.
 *
 *   part after part: of each service rate, errors and p95Ms, of each point a 32-bit float
 */
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { GoldenSeries } from "./core/model.ts";

const FILE = "learning.tmp";
const SIGNALS = ["rate", "errors", "p95Ms"] as const;

/** Where a service's points of one part stand. */
interface Piece {
  /** Of its first point, among those of the week. */
  readonly offset: number;
  readonly points: number;
  /** Of its bytes in the file. */
  readonly position: number;
}

export class Week {
  readonly #fd: number;
  readonly #points: number;
  readonly #pieces = new Map<string, Piece[]>();
  #bytes = 0;

  /** @param points of the whole week */
  constructor(dataDir: string, points: number) {
    mkdirSync(dataDir, { recursive: true });
    const path = join(dataDir, FILE);
    this.#fd = openSync(path, "w+", 0o600);
    rmSync(path);
    this.#points = points;
  }

  /** @param offset of the first of its points among those of the week */
  add(offset: number, services: ReadonlyMap<string, GoldenSeries>): void {
    const floats: Float32Array[] = [];
    let position = this.#bytes;
    for (const [service, series] of services) {
      const pieces = this.#pieces.get(service) ?? [];
      this.#pieces.set(service, pieces);
      pieces.push({ offset, points: series.rate.length, position });
      for (const signal of SIGNALS) {
        floats.push(series[signal]);
        position += series[signal].byteLength;
      }
    }
    const bytes = Buffer.concat(floats.map(bytesOf));
    for (let written = 0; written < bytes.length;)
      written += writeSync(this.#fd, bytes, written, bytes.length - written, this.#bytes + written);
    this.#bytes = position;
  }

  get services(): readonly string[] {
    return [...this.#pieces.keys()];
  }

  /** The week of one service; NaN where there is no point. */
  series(service: string): GoldenSeries {
    const empty = (): Float32Array => new Float32Array(this.#points).fill(Number.NaN);
    const series = { rate: empty(), errors: empty(), p95Ms: empty() };
    for (const { offset, points, position } of this.#pieces.get(service) ?? []) {
      for (const [i, signal] of SIGNALS.entries()) {
        const into = bytesOf(series[signal].subarray(offset, offset + points));
        const read = readSync(this.#fd, into, 0, into.length, position + i * into.length);
        if (read !== into.length) throw new Error("what was read of the week is cut short");
      }
    }
    return series;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
