/** A command of `dev/cli`, run as an operator runs it. */
import { spawn } from "node:child_process";
import type { Edge } from "./miniflare.ts";
import { ROOT } from "./process.ts";

/** @param edge the one that it should find; null for none */
export async function runCommand(
  name: string,
  args: readonly string[],
  edge: Edge | null,
): Promise<{ readonly code: number | null; readonly out: string; readonly problem: string }> {
  const found = edge === null ? {} : { OBSERVATORY_URL: edge.url, OBSERVATORY_OPERATOR_KEY: edge.secrets.OPERATOR_KEY };
  const child = spawn(process.execPath, [`dev/cli/${name}.ts`, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...found },
  });
  let [out, problem] = ["", ""];
  child.stdout.on("data", (data: Buffer) => (out += data.toString()));
  child.stderr.on("data", (data: Buffer) => (problem += data.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, out, problem };
}
