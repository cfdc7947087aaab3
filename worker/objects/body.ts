/** Bytes from outside to a value, with every cap checked before the step that it protects. */
import { gunzipSync } from "node:zlib";
import { jsonShape } from "../../protocol/depth.ts";
import { hasTwinKeys } from "../../protocol/twin.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";

export type BodyFailure = "too_large" | "malformed";

/**
 * Reads a request's body up to `bytesMax`. A length that is announced holds, and reading so much at once takes a fraction
 * of the time; whatever comes in chunks is counted.
 */
export async function readBody(request: Request, bytesMax: number): Promise<Result<Uint8Array, BodyFailure>> {
  const length = request.headers.get("content-length") ?? "";
  const announced = /^\d{1,9}$/.test(length) && !request.headers.has("transfer-encoding");
  if (!announced || Number(length) > bytesMax) return readBounded(request.body, bytesMax);
  try {
    const bytes = new Uint8Array(await request.arrayBuffer());
    return bytes.length <= bytesMax ? success(bytes) : failure("too_large");
  } catch {
    return failure("malformed");
  }
}

/** Reads a stream up to `bytesMax`; past it the stream is cancelled, so that a bomb costs no more than the cap. */
async function readBounded(
  stream: ReadableStream<Uint8Array> | null,
  bytesMax: number,
): Promise<Result<Uint8Array, BodyFailure>> {
  if (stream === null) return success(new Uint8Array());
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.byteLength;
      if (size > bytesMax) {
        await reader.cancel();
        return failure("too_large");
      }
      chunks.push(value);
    }
  } catch {
    // A torn or damaged gzip stream, or a client that went away: nothing of it can be trusted.
    return failure("malformed");
  }
  return success(joined(chunks, size));
}

/** Chunks as one; `size` is their length together. */
export function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/**
 * Unpacks one member of gzip up to `bytesMax` of result: past it nothing more is unpacked. At once and not as a stream,
 * which takes longer than all the rest of a push.
 */
export function gunzip(bytes: Uint8Array, bytesMax: number): Result<Uint8Array, BodyFailure> {
  try {
    const unpacked = gunzipSync(bytes, { maxOutputLength: bytesMax });
    return sizeOf(bytes) === unpacked.length ? success(unpacked) : failure("malformed");
  } catch (error) {
    return failure(error instanceof RangeError ? "too_large" : "malformed");
  }
}

/**
 * The size that gzip's last four bytes give. Bytes behind the one member, which are no part of a push, would be unpacked
 * if they are a second member and overlooked if they are zeros: with either the size differs.
 */
function sizeOf(gzip: Uint8Array): number {
  return new DataView(gzip.buffer, gzip.byteOffset, gzip.byteLength).getUint32(gzip.byteLength - 4, true);
}

/** Strict UTF-8 and JSON of bounded depth, in which no object has a key twice. */
export function parseJson(bytes: Uint8Array, depthMax: number): Result<unknown, BodyFailure> {
  const shape = jsonShape(bytes, depthMax);
  if (shape.depth > depthMax) return failure("malformed");
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes));
    return hasTwinKeys(value, shape) ? failure("malformed") : success(value);
  } catch {
    return failure("malformed");
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
