/** `--check` in the cluster: what this account may and may not do there, in plain words. */
import { failure, success, type Result } from "../protocol/result.ts";
import type { LeaseTarget } from "./core/lease.ts";
import type { AgentConfig } from "./config.ts";
import type { Access, KubernetesClient } from "./kubernetes/client.ts";
import { refusalText } from "./kubernetes/refusal.ts";

/** One thing that was asked. `note`: not needed, so that it may be otherwise. */
export interface AccessFinding {
  readonly subject: string;
  readonly result: Result<string, string>;
  readonly isNote?: true;
}

type Client = Pick<KubernetesClient, "mayI">;
const READ = ["get", "list", "watch"] as const;

/** What is read of each namespace; without the first two nothing is known of its services. */
const READINGS = [
  { group: "apps", resource: "deployments", isNeeded: true },
  { group: "", resource: "pods", isNeeded: true },
  { group: "autoscaling", resource: "horizontalpodautoscalers", isNeeded: false },
  { group: "", resource: "events", isNeeded: false },
] as const;

/** What no agent needs. Where it may all the same, its account has more than the chart would give it. */
const TOO_MUCH = [
  { verb: "get", group: "", resource: "secrets", says: "read secrets" },
  { verb: "list", group: "", resource: "secrets", says: "list secrets" },
  { verb: "delete", group: "apps", resource: "deployments", says: "delete deployments" },
  { verb: "create", group: "", resource: "pods", says: "create pods" },
  { verb: "patch", group: "apps", resource: "deployments", says: "patch every deployment" },
] as const;

export async function checkAccess(client: KubernetesClient, config: AgentConfig): Promise<readonly AccessFinding[]> {
  const { targets } = config.leases;
  const { secrets = [], certManager = [] } = config.sources.certificates ?? {};
  const findings = await Promise.all([
    ...client.namespaces.map((namespace) => mayRead(client, namespace)),
    ...client.namespaces.map((namespace) => mayTooMuch(client, namespace, secrets.includes(namespace))),
    ...secrets.map((namespace) => mayList(client, namespace, SECRETS)),
    ...certManager.map((namespace) => mayList(client, namespace, CERT_MANAGER)),
    ...targets.map((target) => mayPatch(client, target, config.leases)),
    ...(config.leader === undefined ? [] : [mayLead(client, config.leader.lease)]),
  ]);
  return findings.flat();
}

async function mayRead(client: Client, namespace: string): Promise<readonly AccessFinding[]> {
  return Promise.all(
    READINGS.map(async ({ group, resource, isNeeded }): Promise<AccessFinding> => {
      const answers = await Promise.all(
        READ.map((verb) => ask(client, { verb, group, resource, namespace, name: "" })),
      );
      const refused = READ.filter((_, i) => answers[i] !== true);
      const fault = answers.find((answer) => typeof answer === "string");
      const lost = isNeeded ? "" : "; the rest works without it";
      return {
        subject: `${namespace}: ${resource}`,
        result:
          typeof fault === "string"
            ? failure(fault)
            : refused.length === 0
              ? success("may be read and watched")
              : failure(`may not ${refused.join(", ")} ${resource}${lost}`),
        ...(isNeeded ? {} : { isNote: true }),
      };
    }),
  );
}

const SECRETS = { group: "", resource: "secrets", says: "TLS secrets" } as const;
const CERT_MANAGER = {
  group: "cert-manager.io",
  resource: "certificates",
  says: "cert-manager's certificates",
} as const;

async function mayList(
  client: Client,
  namespace: string,
  { group, resource, says }: typeof SECRETS | typeof CERT_MANAGER,
): Promise<readonly AccessFinding[]> {
  const answer = await ask(client, { verb: "list", group, resource, namespace, name: "" });
  const subject = `${namespace}: ${says}`;
  if (answer === true) return [{ subject, result: success("may be listed") }];
  const why = typeof answer === "string" ? answer : `may not list ${resource}: sources.certificates asks for them`;
  return [{ subject, result: failure(why) }];
}

/** `isOptedIn`: the Secrets of this namespace are read because the configuration says so. */
async function mayTooMuch(client: Client, namespace: string, isOptedIn: boolean): Promise<readonly AccessFinding[]> {
  const held = await Promise.all(
    TOO_MUCH.filter(({ verb, resource }) => !(isOptedIn && resource === "secrets" && verb === "list")).map(
      async ({ says, ...access }) => {
        return (await ask(client, { ...access, namespace, name: "" })) === true ? [says] : [];
      },
    ),
  );
  const more = held.flat();
  const subject = `${namespace}: more than it needs`;
  if (more.length === 0)
    return [
      {
        subject,
        result: success(
          `nothing: ${isOptedIn ? "secrets by list alone" : "no secrets"}, nothing deleted, patches by name only`,
        ),
      },
    ];
  return [{ subject, result: failure(`may ${more.join(", ")}; the chart's Role would not allow it`), isNote: true }];
}

async function mayPatch(
  client: Client,
  { ref, modes, floor, maxHours, onExpiry }: LeaseTarget,
  { killSwitch, dryRun }: AgentConfig["leases"],
): Promise<readonly AccessFinding[]> {
  const [namespace = "", name = ""] = ref.split("/");
  const answer = await ask(client, { verb: "patch", group: "apps", resource: "deployments", namespace, name });
  const subject = `${ref}: maintenance`;
  if (typeof answer === "string") return [{ subject, result: failure(answer) }];
  if (!answer) {
    const isEnough = !modes.includes("scale");
    const text = `may not be patched${isEnough ? ": announcements are only acknowledged" : ", though leases.targets lists it"}`;
    return [{ subject, result: failure(text), ...(isEnough ? { isNote: true } : {}) }];
  }
  const scales = modes.includes("scale") && !killSwitch ? ` and scaled down to ${floor}, not below` : ", not scaled";
  const ends = onExpiry === "restore" ? "then put back" : "then left as it is";
  const dry = dryRun ? "; leases.dryRun is true, so nothing is written" : "";
  return [{ subject, result: success(`may be annotated${scales}, for ${maxHours} h at most, ${ends}${dry}`) }];
}

async function mayLead(client: Client, lease: string): Promise<readonly AccessFinding[]> {
  const [namespace = "", name = ""] = lease.split("/");
  const group = "coordination.k8s.io";
  const asked = ["get", "update"].map((verb) => ask(client, { verb, group, resource: "leases", namespace, name }));
  const answers = await Promise.all(asked);
  const isAll = answers.every((answer) => answer === true);
  const result = isAll ? success("may be read and written") : failure("may not be read and written: no agent can lead");
  return [{ subject: `${lease}: the Lease of the election`, result }];
}

/** The server's own word, or why there is none. */
async function ask(client: Client, access: Access): Promise<boolean | string> {
  const answer = await client.mayI(access);
  return answer.ok ? answer.value : refusalText(answer.failure);
}
