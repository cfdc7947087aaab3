/** Cloudflare Access' door, as `reference/security.md` 8.30 wants it: tokens that are signed here, good and bad. */
import { createExecutionContext } from "cloudflare:test";
import type { CryptoKey as JoseKey, JWK } from "jose";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import worker from "../../worker/index.ts";
import type { Env } from "../../worker/objects/env.ts";
import { boardOf } from "../../worker/objects/env.ts";
import { addressHash } from "../../worker/routes/access-token.ts";
import { bindings, call } from "./agent.ts";

const ORIGIN = "https://status.test";
const ISSUER = "https://acme.cloudflareaccess.com";
const AUDIENCE = "audience-of-the-tests";
const ADDRESS = "ana@acme.example";

interface Key {
  readonly privateKey: JoseKey;
  readonly jwk: JWK;
}

async function keyNamed(kid: string, alg = "RS256"): Promise<Key> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

let [first, second, stranger, curve]: Key[] = [];
/** What the team's site answers, and how often it was asked. */
let served: JWK[] = [];
let asked = 0;

beforeAll(async () => {
  [first, second, stranger, curve] = await Promise.all([
    keyNamed("first"),
    keyNamed("second"),
    keyNamed("first"),
    keyNamed("curve", "ES256"),
  ]);
  served = [jwkOf(first), jwkOf(curve)];
  // The world outside: only the team's own address is there.
  vi.spyOn(globalThis, "fetch").mockImplementation((input) => {
    const { href } = new URL(input instanceof Request ? input.url : input);
    if (href !== `${ISSUER}/cdn-cgi/access/certs`) return Promise.reject(new Error(`${href} was asked`));
    asked++;
    return Promise.resolve(Response.json({ keys: served }));
  });
  await boardOf(bindings).changePeople(
    { kind: "add", name: "Ana of Access", role: "operator", addressHash: await addressHash(bindings, ADDRESS) },
    "test",
  );
});

const jwkOf = (key: Key | undefined): JWK => key?.jwk ?? {};

interface Claims {
  readonly kid?: string;
  readonly alg?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly expiresIn?: string | null;
  readonly email?: unknown;
}

async function token(key: Key | undefined, claims: Claims = {}): Promise<string> {
  const { kid = "first", issuer = ISSUER, audience = AUDIENCE, expiresIn = "1h", email = ADDRESS } = claims;
  const made = new SignJWT({ email })
    .setProtectedHeader({ alg: claims.alg ?? "RS256", kid })
    .setIssuedAt()
    .setIssuer(issuer)
    .setAudience(audience);
  if (expiresIn !== null) made.setExpirationTime(expiresIn);
  if (key === undefined) throw new Error("no key");
  return made.sign(key.privateKey);
}

async function signIn(headers: Record<string, string>, env: Env = bindings): Promise<Response> {
  const request = new Request<unknown, IncomingRequestCfProperties>(`${ORIGIN}/admin/sign-in/access`, {
    method: "POST",
    redirect: "manual",
    headers: { origin: ORIGIN, ...headers },
  });
  return worker.fetch(request, env, createExecutionContext());
}

const withToken = (jwt: string): Promise<Response> => signIn({ "cf-access-jwt-assertion": jwt });
const base64Url = (value: object): string => btoa(JSON.stringify(value)).replaceAll("=", "");

/** The page without a proof of one's own: Access knows who somebody is, not that they are at the keyboard. */
describe("the door of Cloudflare Access", () => {
  it("opens for whom it was told of, as who they are here, and asks for a proof before what could do harm", async () => {
    const answer = await withToken(await token(first));
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/admin"]);
    const cookie = answer.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const account = await (await call("/admin/account", { headers: { cookie } })).text();
    expect(account).toContain("You are <b>Ana of Access</b>, with the role <b>operator</b>");
    const lease = await call("/admin/account/passkeys/options", {
      method: "POST",
      headers: { origin: ORIGIN, cookie },
    });
    expect([lease.status, (await lease.json<{ error: { code: string } }>()).error.code]).toEqual([
      403,
      "step_up_required",
    ]);
  });

  it("opens for an address in other letters' case, and for nobody by another", async () => {
    expect((await withToken(await token(first, { email: "ANA@Acme.example" }))).status).toBe(303);
    const unknown = await withToken(await token(first, { email: "bo@acme.example" }));
    expect([unknown.status, await unknown.text()]).toEqual([401, expect.stringContaining("Nobody here is known by")]);
  });

  it.each([
    ["is signed by somebody else's key of the same name", () => token(stranger)],
    ["is for another application", () => token(first, { audience: "another" })],
    ["is of another team", () => token(first, { issuer: "https://evil.cloudflareaccess.com" })],
    ["has expired", () => token(first, { expiresIn: "-1m" })],
    ["never expires", () => token(first, { expiresIn: null })],
    ["says no address", () => token(first, { email: null })],
    ["says an address that is none", () => token(first, { email: "ana" })],
    ["is signed in another way, though by a key of the team", () => token(curve, { kid: "curve", alg: "ES256" })],
    ["names a key that is not there", () => token(first, { kid: "nowhere" })],
    [
      "is not signed, and says so",
      async () => `${base64Url({ alg: "none" })}.${(await token(first)).split(".")[1] ?? ""}.`,
    ],
    [
      "is signed with the public key as if it were a secret",
      () =>
        new SignJWT({ email: ADDRESS })
          .setProtectedHeader({ alg: "HS256", kid: "first" })
          .setIssuedAt()
          .setIssuer(ISSUER)
          .setAudience(AUDIENCE)
          .setExpirationTime("1h")
          .sign(new TextEncoder().encode(JSON.stringify(jwkOf(first)))),
    ],
    [
      "had its claims changed",
      async () => {
        const [head, , signature] = (await token(first, { email: "bo@acme.example" })).split(".");
        const [, claims] = (await token(stranger)).split(".");
        return [head, claims, signature].join(".");
      },
    ],
    ["is huge", async () => `${await token(first)}${"x".repeat(10_000)}`],
    ["is none", () => Promise.resolve("nothing")],
  ])("stays shut for a token that %s", async (_name, made) => {
    const answer = await withToken(await made());
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([401, []]);
  });

  it("stays shut for Access' cookie and for its header with the address, which anybody can send", async () => {
    const jwt = await token(first);
    const email = { "cf-access-authenticated-user-email": ADDRESS };
    for (const headers of [{ cookie: `CF_Authorization=${jwt}` }, email, {}])
      expect((await signIn(headers)).status).toBe(401);
  });

  it("asks for a key that it does not know once, and not again for half a minute", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 31_000 });
    served = [jwkOf(first), jwkOf(second)];
    const before = asked;
    expect((await withToken(await token(second, { kid: "second" }))).status).toBe(303);
    for (let i = 0; i < 20; i++) await withToken(await token(first, { kid: `made-up-${i}` }));
    expect(asked - before).toBe(1);
  });

  it.each([
    ["without its settings", { ACCESS_TEAM: "", ACCESS_AUD: "" }],
    ["without its audience", { ACCESS_AUD: "" }],
  ])("is not there %s, and no page speaks of it", async (_name, unset) => {
    const env = { ...bindings, ...unset };
    const jwt = await token(first);
    expect((await signIn({ "cf-access-jwt-assertion": jwt }, env)).status).toBe(404);
    const headers = { "cf-access-jwt-assertion": jwt };
    const looked = await worker.fetch(new Request(`${ORIGIN}/admin/sign-in/access`), env, createExecutionContext());
    expect([looked.status, looked.headers.get("allow")]).toEqual([404, null]);
    const page = await worker.fetch(new Request(`${ORIGIN}/admin/sign-in`, { headers }), env, createExecutionContext());
    expect(await page.text()).not.toContain("Cloudflare Access");
  });

  it("is shown on the page of sign-in to whom Access let through", async () => {
    const page = await call("/admin/sign-in", { headers: { "cf-access-jwt-assertion": "anything" } });
    expect(await page.text()).toContain("Go on with Cloudflare Access");
  });
});

afterEach(() => void vi.useRealTimers());
