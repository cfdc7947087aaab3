/** The edge's secrets: how they are made, and where a laptop keeps them. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface EdgeSecrets {
  /** What the command line tools prove themselves with: 256 bits, base64url. */
  readonly OPERATOR_KEY: string;
  /** Ed25519 private key that signs leases: PKCS #8, base64. */
  readonly EDGE_SIGNING_KEY: string;
  /** AES-256 key under which channels' secrets are kept: 32 bytes, base64. */
  readonly SEALING_KEY: string;
}

export function makeSecrets(): EdgeSecrets {
  const { privateKey } = generateKeyPairSync("ed25519");
  return {
    OPERATOR_KEY: randomBytes(32).toString("base64url"),
    EDGE_SIGNING_KEY: privateKey.export({ type: "pkcs8", format: "der" }).toString("base64"),
    SEALING_KEY: randomBytes(32).toString("base64"),
  };
}

/** The public half of the signing key, raw 32 bytes in base64: what an agent pins as `leases.edgeKeys`. */
export function edgePublicKey(signingKey: string): string {
  const privateKey = createPrivateKey({ key: Buffer.from(signingKey, "base64"), type: "pkcs8", format: "der" });
  const { x = "" } = createPublicKey(privateKey).export({ format: "jwk" });
  return Buffer.from(x, "base64url").toString("base64");
}

/** The file that `wrangler dev` reads its secrets from, and that the command line tools find the operator key in. */
export function envFile(directory: string): string {
  return join(directory, "edge.env");
}

export function readEnv(directory: string): Readonly<Record<string, string>> {
  try {
    const lines = readFileSync(envFile(directory), "utf8").split("\n");
    return Object.fromEntries(
      lines.flatMap((line) => {
        const match = /^([A-Z_]+)="(.*)"$/.exec(line);
        return match === null ? [] : [[match[1] ?? "", match[2] ?? ""]];
      }),
    );
  } catch {
    return {};
  }
}

/** Writes the edge's environment with the secrets it already has, or new ones the first time. Mode 0600. */
export function keepEnv(directory: string, settings: Readonly<Record<string, string>>): EdgeSecrets {
  const before = readEnv(directory);
  const fresh = makeSecrets();
  const secrets: EdgeSecrets = {
    OPERATOR_KEY: before["OPERATOR_KEY"] ?? fresh.OPERATOR_KEY,
    EDGE_SIGNING_KEY: before["EDGE_SIGNING_KEY"] ?? fresh.EDGE_SIGNING_KEY,
    SEALING_KEY: before["SEALING_KEY"] ?? fresh.SEALING_KEY,
  };
  mkdirSync(directory, { recursive: true });
  const lines = Object.entries({ ...settings, ...secrets }).map(([name, value]) => `${name}="${value}"\n`);
  writeFileSync(envFile(directory), lines.join(""), { mode: 0o600 });
  chmodSync(envFile(directory), 0o600);
  return secrets;
}
