/** The version this build speaks. 1: 2026-11, the first. */
export const PROTOCOL_VERSION = 1;

/** The oldest version the edge still serves: a deploy meets agents of the version before. */
export const PROTOCOL_VERSION_OLDEST = 1;

/** Whether a peer that speaks `version` can be understood here. */
export function versionServed(version: number): boolean {
  return Number.isInteger(version) && version >= PROTOCOL_VERSION_OLDEST && version <= PROTOCOL_VERSION;
}
