/** Finds leases that only the annotations remember: after a lost disk, or of targets that left the configuration. */
import { MINUTE, SECOND } from "../protocol/time.ts";
import { retryDelay } from "./core/backoff.ts";
import type { KubernetesClient } from "./kubernetes/client.ts";
import { MARKED } from "./annotations.ts";
import { isStatus } from "./kubernetes/refusal.ts";

/** All deployments are listed this often, ms. */
const PROOF_INTERVAL_MS = 10 * MINUTE;
const RETRY_MAX_MS = 10 * SECOND;

/** Looks now and then; `onMark` hears of every deployment that carries one. Answers what stops it. */
export function startProof(
  client: KubernetesClient,
  namespaces: ReadonlySet<string>,
  onMark: (ref: string) => void,
): () => Promise<void> {
  let timer: NodeJS.Timeout | null = null;
  let isStopped = false;
  const prove = async (failures: number): Promise<void> => {
    let failed = false;
    for (const namespace of namespaces) {
      const listed = await client.list(MARKED, namespace);
      if (isStopped) return;
      // 403: a namespace that the Role leaves out cannot hold annotations of ours.
      if (!listed.ok) failed ||= !isStatus(listed.failure, 403);
      else for (const { name, isMarked } of listed.value.items) if (isMarked) onMark(`${namespace}/${name}`);
    }
    const delayMs = failed ? Math.min(RETRY_MAX_MS, retryDelay(failures + 1, Math.random())) : PROOF_INTERVAL_MS;
    timer = setTimeout(() => (proving = prove(failed ? failures + 1 : 0)), delayMs);
  };
  let proving = prove(0);
  return async () => {
    isStopped = true;
    if (timer !== null) clearTimeout(timer);
    await proving;
  };
}
