/** The release before this one, as it was shipped: what a deploy and a cluster's agent meet for a while. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

/** Where `make.ts` keeps a program. */
export function previousFile(name: string): string {
  return fileURLToPath(new URL(`${name}.mjs.gz`, import.meta.url));
}

/** The source of one of its programs. */
export function previousProgram(name: "edge" | "agent"): string {
  return gunzipSync(readFileSync(previousFile(name))).toString();
}
