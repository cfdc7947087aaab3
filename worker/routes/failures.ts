/**
 * Counts failed attempts at a door, by where they come from. Only failures count, and only after the door has judged:
 * who holds the right secret is never kept out by who does not.
 */
import { networkOf } from "../core/crowd.ts";
import { base64, sha256 } from "../objects/crypto.ts";
import { attemptAllowed } from "../objects/throttle.ts";
import { DAY, MINUTE } from "../../protocol/time.ts";
import { refuse } from "./answer.ts";
import type { AppContext } from "./table.ts";

const FAILURES_MAX = 30;
const SPAN_MS = 10 * MINUTE;

/** The answer to who failed too often; null while they may try on. */
export async function failedTooOften(c: AppContext, door: string): Promise<Response | null> {
  if (await attemptAllowed(c.env.THROTTLE, `${door}:${await addressKey(c)}`, FAILURES_MAX, SPAN_MS)) return null;
  return refuse(c, "too_many_attempts", "Too many attempts failed. Wait ten minutes.");
}

/** No address is kept: the key is a hash of it with a secret and the day, so tomorrow it is another. */
async function addressKey(c: AppContext): Promise<string> {
  const network = networkOf(c.req.header("cf-connecting-ip") ?? "local");
  return base64(await sha256(`${c.env.OPERATOR_KEY}:${Math.floor(Date.now() / DAY)}:${network}`));
}
