/** Waiting for what another request has begun. */
import type { Millis } from "../../protocol/time.ts";

/** What a promise resolves to, or undefined if that takes longer than `ms`. It goes on all the same. */
export async function within<Value>(promise: Promise<Value>, ms: Millis): Promise<Value | undefined> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
