/**
 * What an agent says of itself beside what it sees, and how its key is replaced.
 *
 *   edge → agent   receipt.rotate: true        only to an agent that says `live.agent.knows` of it
 *   agent → edge   POST /agent/v1/rotate?cluster=NAME, signed with the key in use: { v, publicKey, proof }
 *                  200 as an enrolment's
 *
 * From then on both keys speak. The old one ends a day after the new one was first used, so an agent that was stopped
 * between two steps is locked out by neither.
 */
import * as v from "valibot";
import { line } from "./name.ts";

/** What an edge may ask for beyond what every agent does. */
export const AGENT_KNOWS = ["rotate"] as const;
const KNOWN_MAX = 40;

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

export const AgentReportSchema = v.strictObject({
  /** Records that the edge has not in Postgres yet, and what they take on the agent's disk, bytes. */
  spool: v.strictObject({ records: Count, bytes: Count }),
  /** Of `AGENT_KNOWS`, and of what is added to it later. */
  knows: v.pipe(v.array(line(40)), v.maxLength(KNOWN_MAX)),
});
export type AgentReport = Readonly<v.InferOutput<typeof AgentReportSchema>>;

export const RotateSchema = v.strictObject({
  v: v.number(),
  /** Ed25519, raw 32 bytes, base64: the next key. */
  publicKey: v.pipe(v.string(), v.base64(), v.length(44)),
  /** Base64 Ed25519 of the next key over `rotationMessage`: that whoever asks holds it. */
  proof: v.pipe(v.string(), v.maxLength(128)),
});
export type Rotate = Readonly<v.InferOutput<typeof RotateSchema>>;

/** The text that the next key signs. The cluster and the key before it keep it from meaning anything elsewhere. */
export function rotationMessage(cluster: string, keyId: string, publicKey: string): string {
  return ["observatory-rotate-v1", cluster, keyId, publicKey].join("\n");
}
