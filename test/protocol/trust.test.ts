import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonShape } from "../../protocol/depth.ts";
import { hasTwinKeys } from "../../protocol/twin.ts";
import { isUsablePublicKey } from "../../protocol/key.ts";
import { canonicalJson } from "../../protocol/lease.ts";
import {
  contentDigest,
  parseSignature,
  signatureBase,
  signatureHeaders,
  signatureTimely,
} from "../../protocol/signature.ts";

const digest = createHash("sha256").update("body").digest("base64");
const request = {
  method: "POST",
  targetUri: "https://edge.test/agent/v1/push?cluster=eu-1",
  digest,
  contentType: "application/json",
};
const parameters = { createdS: 1_795_392_000, expiresS: 1_795_392_060, keyId: "k_-1" };

describe("a signed request", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const signature = sign(null, Buffer.from(signatureBase(request, parameters)), privateKey).toString("base64");
  const headers = signatureHeaders(request, parameters, signature);
  const parsed = parseSignature(headers["signature-input"] ?? null, headers["signature"] ?? null);

  it("is read back as it was written, and verifies", () => {
    expect(parsed).toEqual({ parameters, signature });
    const base = Buffer.from(signatureBase(request, parsed?.parameters ?? parameters));
    expect(verify(null, base, publicKey, Buffer.from(parsed?.signature ?? "", "base64"))).toBe(true);
    expect(headers["content-digest"]).toBe(contentDigest(digest));
  });

  it("has the base of RFC 9421, line by line", () =>
    expect(signatureBase(request, parameters)).toBe(
      [
        '"@method": POST',
        '"@target-uri": https://edge.test/agent/v1/push?cluster=eu-1',
        `"content-digest": sha-256=:${digest}:`,
        '"content-type": application/json',
        '"@signature-params": ("@method" "@target-uri" "content-digest" "content-type");created=1795392000;expires=1795392060;keyid="k_-1";alg="ed25519";tag="observatory-agent-v1"',
      ].join("\n"),
    ));

  it.each([
    ["two signatures", `${headers["signature-input"]}, b=("@method")`, headers["signature"]],
    ["another tag", headers["signature-input"]?.replace("agent-v1", "agent-v2"), headers["signature"]],
    ["another algorithm", headers["signature-input"]?.replace("ed25519", "hmac-sha256"), headers["signature"]],
    ["fewer components", headers["signature-input"]?.replace('"content-digest" ', ""), headers["signature"]],
    ["other case", headers["signature-input"]?.toUpperCase(), headers["signature"]],
    ["a short signature", headers["signature-input"], "oe=:AAAA:"],
    ["no headers", undefined, undefined],
  ])("with %s is not read at all", (_name, input, value) =>
    expect(parseSignature(input ?? null, value ?? null)).toBeNull(),
  );

  it.each([
    ["now", 0, true],
    ["in its last second", 59, true],
    ["long after it expired", 70, false],
    ["long before it was made", -30, false],
  ])("%s is timely: %s → %s", (_name, afterS, timely) =>
    expect(signatureTimely(parameters, parameters.createdS + afterS)).toBe(timely),
  );

  it("that would live longer than a minute is refused", () =>
    expect(signatureTimely({ ...parameters, expiresS: parameters.createdS + 61 }, parameters.createdS)).toBe(false));
});

describe("a public key", () => {
  const small = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
  ];
  it.each(small)("of small order or not canonical is refused: %s", (hex) =>
    expect(isUsablePublicKey(Uint8Array.from(Buffer.from(hex, "hex")))).toBe(false),
  );

  it("that was made honestly is taken", () => {
    const { publicKey } = generateKeyPairSync("ed25519");
    const raw = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
    expect(isUsablePublicKey(Uint8Array.from(raw))).toBe(true);
  });

  it("of another length is refused", () => expect(isUsablePublicKey(new Uint8Array(31).fill(9))).toBe(false));
});

const shapeOf = (text: string, max = 99) => jsonShape(new TextEncoder().encode(text), max);

describe("depth of JSON", () => {
  it.each([
    ["a scalar", "1", 0],
    ["an object in an array", '[{"a":1}]', 2],
    ["brackets in a string", '["[[[[", "\\"[["]', 1],
    ["brackets after a string of backslashes", '["\\\\",[1]]', 2],
    ["siblings", "[[],[],[[]]]", 3],
    ["letters of several bytes", '["ö[",["💡"]]', 2],
  ])("of %s is counted", (_name, text, depth) => expect(shapeOf(text).depth).toBe(depth));

  it("stops counting where it has seen enough", () => expect(shapeOf("[".repeat(5_000_000), 8).depth).toBe(9));
});

describe("keys of JSON", () => {
  const twinsIn = (text: string): boolean => hasTwinKeys(JSON.parse(text), shapeOf(text));

  it.each([
    ["twice in one object", '{"a":1,"a":2}', true],
    ["twice, once escaped", '{"a":1,"\\u0061":2}', true],
    ["twice around a nested object", '{"a":{"b":[{}]} , "a" :2}', true],
    ["twice, of which the first holds more", '{"a":{"b":1,"c":{"d":2}},"a":2}', true],
    ["twice in an object of an array", '[1,{"b":"x","b":"y"}]', true],
    ["__proto__, which every object has", '{"__proto__":{"a":1}}', true],
    ["__proto__, escaped", '{"\\u005f_proto__":1}', true],
    ["constructor, which every object has", '{"a":{"constructor":1}}', true],
    ["once in each of two objects", '[{"a":1},{"a":{"a":1}}]', false],
    ["once, and as values", '{"a":"a","b":["a","a","b"],"c":"{\\"a\\":1,\\"a\\":2}"}', false],
    ["once, with colons in them", '{":":"::","a::":":"}', false],
    ["once, and an escape in a value", '{"a":"\\u0061","b":["\\n"],"c":{}}', false],
    ["once, and escaped without need", '{"\\u0061":1}', true],
    ["once in nothing", "1", false],
  ])("%s: %s → %s", (_name, text, twins) => expect(twinsIn(text)).toBe(twins));

  it("are refused where V8 misreads them", () => {
    JSON.parse('{"a":1,"\\\\":2}');
    expect(twinsIn('{"a":1,"\\u0062":2}')).toBe(true);
  });

  /** A text with its truth: whether any object in it has a key twice, or one that is escaped. */
  interface Told {
    readonly text: string;
    readonly twins: boolean;
  }
  const key = fc.constantFrom("a", "b", ":", "{", "ö");
  const spelled = fc.tuple(key, fc.nat(9), fc.constantFrom("", " ", "\n")).map(([name, escape, space]) => ({
    name,
    escaped: escape === 0,
    text: `${escape === 0 ? `"\\u${name.charCodeAt(0).toString(16).padStart(4, "0")}"` : JSON.stringify(name)}${space}:`,
  }));
  const { told } = fc.letrec<{ told: Told }>((tie) => ({
    told: fc.oneof(
      { maxDepth: 4 },
      fc
        .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), key, fc.boolean(), fc.constant(null))
        .map((value) => ({
          text: JSON.stringify(value),
          twins: false,
        })),
      fc.array(tie("told"), { maxLength: 3 }).map((items) => ({
        text: `[${items.map((item) => item.text).join(",")}]`,
        twins: items.some((item) => item.twins),
      })),
      fc.array(fc.tuple(spelled, tie("told")), { maxLength: 4 }).map((pairs) => ({
        text: `{${pairs.map(([{ text }, item]) => text + item.text).join(",")}}`,
        twins:
          new Set(pairs.map(([{ name }]) => name)).size < pairs.length ||
          pairs.some(([{ escaped }, item]) => escaped || item.twins),
      })),
    ),
  }));
  it("are found twice wherever they stand and however they are spelled", () => {
    fc.assert(
      fc.property(told, ({ text, twins }) => {
        expect(twinsIn(text)).toBe(twins);
      }),
      { numRuns: 3_000 },
    );
  });

  it("of the largest push are looked through within 20 ms", () => {
    const keys = `{${Array.from({ length: 26_000 }, (_, i) => `"${i.toString(36)}":1`).join(",")}}`;
    const objects = `[${Array.from({ length: 4_000 }, () => '{"at":1,"spanMs":2,"requests":3,"errors":4,"p95":null}').join(",")}]`;
    for (const text of [keys, objects]) {
      const bytes = new TextEncoder().encode(text);
      const value: unknown = JSON.parse(text);
      const took = Array.from({ length: 5 }, () => {
        // Of this thread: what else the machine does is not counted.
        const since = process.threadCpuUsage();
        expect(hasTwinKeys(value, jsonShape(bytes, 8))).toBe(false);
        return process.threadCpuUsage(since).user / 1_000;
      });
      expect(Math.min(...took)).toBeLessThan(20);
    }
  });
});

it("canonical JSON does not depend on the order of keys", () =>
  expect(canonicalJson({ b: [1, { d: null, c: "ü\n" }], a: true })).toBe('{"a":true,"b":[1,{"c":"ü\\n","d":null}]}'));
