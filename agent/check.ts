/** `--check`: tries everything that the configuration names and says in plain words what can be reached. */
import * as v from "valibot";
import { failure, success, type Result } from "../protocol/result.ts";
import { checkAccess } from "./check-access.ts";
import type { AgentConfig } from "./config.ts";
import { readCode } from "./enrol.ts";
import { parseJson, request } from "./http.ts";
import { hasKey, Keyring, loadEnrolment } from "./identity.ts";
import { createKubernetesClient } from "./kubernetes/client.ts";
import { DEPLOYMENTS } from "./kubernetes/objects.ts";
import { certificateQuery, certificatesOf } from "./core/certificate-metrics.ts";
import { locationOf, probeEndpoint } from "./source/endpoints.ts";
import { queryMesh } from "./source/prometheus.ts";
import { instant } from "./source/query.ts";
import { scrapeTarget } from "./source/scrape.ts";

const TRY_MS = 5_000;
const HEALTH_BYTES_MAX = 65_536;
const DAY_MS = 86_400_000;

/** One thing that was tried: what it brought, or why nothing. `isNote`: worth knowing, and no failure. */
interface Finding {
  readonly subject: string;
  readonly result: Result<string, string>;
  readonly isNote?: true;
}

/** Tries everything; prints a line for each. True if all of it could be reached. */
export async function checkConfig(config: AgentConfig, now: number, print: (line: string) => void): Promise<boolean> {
  const tries = await Promise.all([
    checkEdge(config),
    checkPrometheus(config, now),
    checkScrape(config),
    checkKubernetes(config),
    checkEndpoints(config, now),
    checkMeshCertificates(config, now),
  ]);
  const findings = [checkEnrolment(config), ...tries.flat()];
  for (const { subject, result, isNote } of findings)
    print(
      result.ok ? `ok    ${subject}: ${result.value}` : `${isNote ? "note" : "FAIL"}  ${subject}: ${result.failure}`,
    );
  if (config.sources.prometheus === undefined && config.sources.scrape === undefined) {
    print(
      "note  no mesh metrics: configure sources.prometheus or sources.scrape to report requests, errors and latency",
    );
  }
  if (config.leases.targets.length === 0)
    print("note  leases.targets is empty: the edge can change nothing in this cluster");
  if (config.leases.dryRun) print("note  leases.dryRun is true: what would be patched is logged, and nothing is");
  if (config.leases.killSwitch) print("note  leases.killSwitch is true: targets are announced only, never scaled");
  return findings.every(({ result, isNote }) => result.ok || isNote === true);
}

function checkEnrolment(config: AgentConfig): Finding {
  const subject = `identity "${config.cluster}"`;
  const key = hasKey(config.dataDir) ? new Keyring(config.dataDir) : null;
  if (key !== null && loadEnrolment(config.dataDir, config.cluster, config.edge, key.keyId) !== null) {
    return { subject, result: success(`enrolled, fingerprint ${key.fingerprint}`) };
  }
  const code = readCode(config);
  return {
    subject,
    result: code.ok ? success("not enrolled yet; has a code and will enrol when it starts") : failure(code.reason),
  };
}

async function checkEdge(config: AgentConfig): Promise<Finding[]> {
  const answer = await request(`${config.edge}/health`, { timeoutMs: TRY_MS, bytesMax: HEALTH_BYTES_MAX });
  const health = answer.ok ? v.safeParse(v.object({ status: v.string() }), parseJson(answer.value.text)) : null;
  const result: Result<string, string> = !answer.ok
    ? failure(answer.failure)
    : health?.success === true && answer.value.status === 200
      ? success(`answers, status ${health.output.status}`)
      : failure(`HTTP ${answer.value.status}, and it does not answer as an edge; is the URL right?`);
  return [{ subject: `edge ${config.edge}`, result }];
}

async function checkPrometheus(config: AgentConfig, now: number): Promise<Finding[]> {
  const { prometheus } = config.sources;
  if (prometheus === undefined) return [];
  const answer = await queryMesh(prometheus, Math.max(60_000, 4 * prometheus.scrapeInterval), now, TRY_MS);
  const subject = `prometheus ${prometheus.url}`;
  if (!answer.ok) return [{ subject, result: answer }];
  const { services, notes } = answer.value;
  const none = failure(
    `answers, but has no mesh metrics with reporter="${prometheus.reporter}"; does it scrape the proxies?`,
  );
  return [
    { subject, result: services.size === 0 ? none : success([`sees ${services.size} services`, ...notes].join("; ")) },
  ];
}

function checkScrape(config: AgentConfig): Promise<Finding[]> {
  const targets = config.sources.scrape?.targets ?? [];
  return Promise.all(
    targets.map(async (url) => {
      const samples = await scrapeTarget(url, TRY_MS);
      const none = failure("answers, but has no Istio metrics; is this a proxy's endpoint?");
      return {
        subject: `scrape ${url}`,
        result: !samples.ok
          ? samples
          : samples.value.length === 0
            ? none
            : success(`${samples.value.length} samples of the mesh`),
      };
    }),
  );
}

async function checkKubernetes(config: AgentConfig): Promise<Finding[]> {
  if (config.sources.kubernetes === undefined) return [];
  const client = createKubernetesClient(config.sources.kubernetes);
  const findings = await Promise.all(
    client.namespaces.map(async (namespace) => {
      const listed = await client.list(DEPLOYMENTS, namespace);
      const result = listed.ok ? success(`${listed.value.items.length} deployments`) : failure(listed.failure.message);
      return { subject: `kubernetes namespace ${namespace}`, result };
    }),
  );
  const reached = findings.some(({ result }) => result.ok);
  const access = reached ? await checkAccess(client, config) : [];
  client.close();
  return [...findings, ...access];
}

function checkEndpoints(config: AgentConfig, now: number): Promise<Finding[]> {
  const endpoints = config.sources.certificates?.endpoints ?? [];
  return Promise.all(
    endpoints.map(async (endpoint) => {
      const probed = await probeEndpoint(endpoint, TRY_MS);
      const days = probed.ok ? Math.floor((probed.value.notAfter - now) / DAY_MS) : 0;
      const result = probed.ok
        ? success(`${probed.value.subject}, ends in ${days} days`)
        : failure(probed.failure.message);
      return { subject: `certificate ${locationOf(endpoint)}`, result };
    }),
  );
}

async function checkMeshCertificates({ sources }: AgentConfig, now: number): Promise<Finding[]> {
  const { prometheus, certificates } = sources;
  if (prometheus === undefined || (certificates?.mesh ?? null) === null) return [];
  const subject = `certificates of the mesh, at ${prometheus.url}`;
  const answer = await instant(prometheus.url, certificateQuery(), now, TRY_MS);
  if (!answer.ok) return [{ subject, result: answer }];
  const found = [...certificatesOf(answer.value.rows, now, null)].map(([source, all]) => `${all.length} by ${source}`);
  const none = failure("answers, but has no metric of certificates; does it scrape istiod and the proxies?");
  return [{ subject, result: found.length === 0 ? none : success(`sees ${found.join(", ")}`) }];
}
