/** Bytes from outside to a value, with every cap checked before the step that it protects. */
import { jsonDepth } from "../../protocol/depth.ts";
import { hasTwinKeys } from "../../protocol/twin.ts";
import type { Result } from "../../protocol/result.ts";
import { failure, success } from "../../protocol/result.ts";

export type BodyFailure = "too_large" | "malformed";

/** Reads a stream up to `bytesMax`; past it the stream is cancelled, so that a bomb costs no more than the cap. */
export async function readBounded(
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

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** Unpacks gzip up to `bytesMax` of result. */
export async function gunzip(bytes: Uint8Array, bytesMax: number): Promise<Result<Uint8Array, BodyFailure>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return readBounded(stream, bytesMax);
}

/** Strict UTF-8 and JSON of bounded depth, in which no object has a key twice. */
export function parseJson(bytes: Uint8Array, depthMax: number): Result<unknown, BodyFailure> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (jsonDepth(text, depthMax) > depthMax || hasTwinKeys(text)) return failure("malformed");
    return success(JSON.parse(text));
  } catch {
    return failure("malformed");
  }
}
