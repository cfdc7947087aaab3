/**
 * Frames: how the spool's files hold what must survive a kill at any byte.
 *
 *   +----------------+------------------+------------------- - - -+
 *   | length, u32 LE | CRC-32C, u32 LE  | payload: `length` bytes |
 *   +----------------+------------------+------------------- - - -+
 *
 * Payloads are JSON text. A damaged length would lose everything behind it, so a reader that meets a bad frame looks
 * for the next good one at each later byte. That is cheap: four bytes of text, read as a length, are far above
 * `FRAME_BYTES_MAX`.
 */
import { crc32c } from "./crc32c.ts";

const HEADER_BYTES = 8;
/** Far above the largest payload (a list of 500 numbers, a record of 64 buckets) and far below four bytes of ASCII. */
const FRAME_BYTES_MAX = 8 * 1_048_576;

interface Frame {
  /** Where the frame begins in its file, bytes. */
  readonly offset: number;
  readonly payload: Uint8Array;
}

export interface Scan {
  readonly frames: readonly Frame[];
  /** The end of the last good frame. What lies behind it is a torn tail. */
  readonly end: number;
  /** Whether bytes between two good frames were unreadable. */
  readonly damaged: boolean;
  /** Whether the tail is a whole frame with a wrong checksum: decay rather than a write that was cut short. */
  readonly tailDecayed: boolean;
}

/** One payload as a frame. */
export function encodeFrame(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, payload.length, true);
  view.setUint32(4, crc32c(payload), true);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** The payload of the frame at `offset`, or null if there is no good frame. */
export function frameAt(bytes: Uint8Array, offset: number): Uint8Array | null {
  const length = lengthAt(bytes, offset);
  if (length === null || offset + HEADER_BYTES + length > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const payload = bytes.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + length);
  return crc32c(payload) === view.getUint32(offset + 4, true) ? payload : null;
}

/** Every good frame of a file, in order, and what is wrong between and behind them. */
export function scanFrames(bytes: Uint8Array): Scan {
  const frames: Frame[] = [];
  let end = 0;
  let damaged = false;
  for (let offset = 0; offset < bytes.length;) {
    const payload = frameAt(bytes, offset);
    if (payload === null) {
      offset++;
      continue;
    }
    if (offset > end) damaged = true;
    frames.push({ offset, payload });
    offset += HEADER_BYTES + payload.length;
    end = offset;
  }
  const tailLength = lengthAt(bytes, end);
  return { frames, end, damaged, tailDecayed: tailLength !== null && end + HEADER_BYTES + tailLength <= bytes.length };
}

function lengthAt(bytes: Uint8Array, offset: number): number | null {
  if (offset + HEADER_BYTES > bytes.length) return null;
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
  return length === 0 || length > FRAME_BYTES_MAX ? null : length;
}
