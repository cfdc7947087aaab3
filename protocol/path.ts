/** Where the agent's doors are. The cluster stands in the query, which the signature covers with the rest of the URL. */
export const ENROLL_PATH = "/agent/v1/enroll";
export const PUSH_PATH = "/agent/v1/push";
export const SESSION_PATH = "/agent/v1/session";
export const ROTATE_PATH = "/agent/v1/rotate";

/** The path and query of an agent's door for its cluster. */
export function agentPath(path: typeof PUSH_PATH | typeof SESSION_PATH | typeof ROTATE_PATH, cluster: string): string {
  return `${path}?cluster=${cluster}`;
}
