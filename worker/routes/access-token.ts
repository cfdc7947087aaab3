/**
 * Cloudflare Access: its word for who somebody is, as the JWT that it puts into a header of every request. Neither its
 * cookie nor its header with the address is read: anybody can send those. Without its settings this door is not there.
 */
import { createRemoteJWKSet, jwtVerify } from "jose";
import * as v from "valibot";
import { SECOND } from "../../protocol/time.ts";
import { base64, keyedHash } from "../objects/crypto.ts";
import type { Env } from "../objects/env.ts";

const HEADER = "cf-access-jwt-assertion";
/** Characters of a token; Access' take about a thousand. */
const TOKEN_MAX = 8_192;

interface Access {
  /** "https://acme.cloudflareaccess.com": who signs. */
  readonly issuer: string;
  readonly audience: string;
}

/** Null where Access was not set up. */
export function accessOf({ ACCESS_TEAM: team = "", ACCESS_AUD: audience = "" }: Env): Access | null {
  return team === "" || audience === "" ? null : { issuer: `https://${team}`, audience };
}

/** The token that Access has put in front of this request; null if it has not. */
export function accessToken(headers: { get(name: string): string | null }): string | null {
  const token = headers.get(HEADER);
  return token === null || token.length > TOKEN_MAX ? null : token;
}

type Keys = ReturnType<typeof createRemoteJWKSet>;

/** The keys of the one team, for as long as this isolate lives. */
let held: { readonly issuer: string; readonly keys: Keys } | null = null;

/**
 * Access changes its keys every six weeks, and the old ones stay good for a week: a key that is not known is asked for
 * once, and then not again for half a minute, however many tokens name it.
 */
function keysOf(issuer: string): Keys {
  if (held?.issuer !== issuer) {
    const address = new URL("/cdn-cgi/access/certs", issuer);
    const bounds = { timeoutDuration: 5 * SECOND, cooldownDuration: 30 * SECOND, cacheMaxAge: 600 * SECOND };
    held = { issuer, keys: createRemoteJWKSet(address, bounds) };
  }
  return held.keys;
}

const Claims = v.object({ email: v.pipe(v.string(), v.email(), v.maxLength(254)) });

/** Whose token it is, by their address; null if it is not good. */
export async function accessAddress({ issuer, audience }: Access, token: string): Promise<string | null> {
  const wanted = { issuer, audience, algorithms: ["RS256"], requiredClaims: ["exp", "iat", "email"] };
  const verified = await jwtVerify(token, keysOf(issuer), wanted).catch((error: unknown) => {
    console.warn(JSON.stringify({ event: "access_refused", error: String(error).slice(0, 200) }));
    return null;
  });
  const claims = v.safeParse(Claims, verified?.payload);
  return claims.success ? claims.output.email : null;
}

/** By what a person's address is known: it cannot be read back, nor guessed without the operator's key. */
export async function addressHash({ OPERATOR_KEY }: Env, address: string): Promise<string> {
  return base64(await keyedHash(OPERATOR_KEY, `access-address|${address.trim().toLowerCase()}`));
}
