/**
 * The signals of a week while it is read, on disk: of 500 services 12 MB, a tenth of what the agent takes in memory, for
 * three quarters of an hour a day.
 *
 *   part after part: of each service rate, errors and p95Ms, of each point a 32-bit float
 */
import { join } from "node:path";
import type { GoldenSeries } from "./core/model.ts";
import type { Part } from "./core/replay.ts";
import { Scratch } from "./scratch.ts";
import type { Millis } from "../protocol/time.ts";

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
  readonly #scratch: Scratch;
  readonly #points: number;
  readonly #pieces = new Map<string, Piece[]>();
  readonly #offsets: number[] = [];

  /** @param points of the whole week */
  constructor(dataDir: string, points: number) {
    this.#scratch = new Scratch(join(dataDir, FILE));
    this.#points = points;
  }

  /** @param offset of the first of its points among those of the week, later than those before */
  add(offset: number, services: ReadonlyMap<string, GoldenSeries>): void {
    const floats: Float32Array[] = [];
    let position = this.#scratch.bytes;
    for (const [service, series] of services) {
      const pieces = this.#pieces.get(service) ?? [];
      this.#pieces.set(service, pieces);
      pieces.push({ offset, points: series.rate.length, position });
      for (const signal of SIGNALS) {
        floats.push(series[signal]);
        position += series[signal].byteLength;
      }
    }
    this.#offsets.push(offset);
    this.#scratch.append(Buffer.concat(floats.map(bytesOf)));
  }

  get services(): readonly string[] {
    return [...this.#pieces.keys()];
  }

  /** The week of one service; NaN where there is no point. */
  series(service: string): GoldenSeries {
    const series = unseen(this.#points);
    for (const piece of this.#pieces.get(service) ?? []) this.#read(piece, series, piece.offset);
    return series;
  }

  /**
   * The week of all services in the pieces in which it was added.
   *
   * @param at the time of a point
   */
  *parts(at: (index: number) => Millis): Generator<Part> {
    for (const offset of this.#offsets) {
      const services = new Map<string, GoldenSeries>();
      for (const [service, pieces] of this.#pieces) {
        const piece = pieces.find((one) => one.offset === offset);
        if (piece === undefined) continue;
        const series = unseen(piece.points);
        this.#read(piece, series, 0);
        services.set(service, series);
      }
      yield { from: at(offset), services };
    }
  }

  /** @param at where its first point belongs in `series` */
  #read({ points, position }: Piece, series: GoldenSeries, at: number): void {
    for (const [i, signal] of SIGNALS.entries()) {
      const into = bytesOf(series[signal].subarray(at, at + points));
      this.#scratch.read(into, position + i * into.length);
    }
  }

  close(): void {
    this.#scratch.close();
  }
}

function unseen(points: number): GoldenSeries {
  const empty = (): Float32Array => new Float32Array(points).fill(Number.NaN);
  return { rate: empty(), errors: empty(), p95Ms: empty() };
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
