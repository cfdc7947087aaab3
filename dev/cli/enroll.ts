import * as v from "valibot";
import { ClusterName } from "../../protocol/name.ts";
import { command, Usage } from "./command.ts";
import { findOperator, makeEnrollment, type Enrollment } from "./edge.ts";

const HELP = `
npm run -s enroll -- --cluster NAME [options]     prints what lets a cluster join: an agent.yaml, and a values file of
                                                  the Helm chart, in one

  --cluster NAME     a DNS label: a-z, 0-9 and -
  --namespace NAME   watch this namespace with the agent's service account; may be given several times
  --prometheus URL   read the mesh from this Prometheus
  --pending          the agent waits until an administrator has compared its fingerprint and let it in

  in a cluster, with one command:
    npm run -s enroll -- --cluster eu-1 --namespace shop --prometheus http://prometheus.monitoring:9090 |
      helm install observatory-agent agent/deploy/chart -n observatory --create-namespace -f -
  anywhere else:
    npm run -s enroll -- --cluster eu-1 > agent.yaml
    npm run agent -- --config agent.yaml --check
`;

interface Wishes {
  readonly namespaces: readonly string[];
  readonly prometheus: string | null;
}

await command(
  HELP,
  {
    cluster: { type: "string" },
    namespace: { type: "string", multiple: true, default: [] },
    prometheus: { type: "string" },
    pending: { type: "boolean", default: false },
  },
  async ({ values, positionals }) => {
    if (positionals.length > 0) throw new Usage(`"${positionals.join(" ")}" means nothing here`);
    const { cluster, namespace: namespaces, prometheus = null } = values;
    if (cluster === undefined) throw new Usage("--cluster NAME is missing");
    const wrong = [cluster, ...namespaces].find((name) => !v.safeParse(ClusterName, name).success);
    if (wrong !== undefined) throw new Usage(`"${wrong}" is no DNS label (a-z, 0-9 and -, at most 63)`);
    if (prometheus !== null && !/^https?:$/.test(URL.parse(prometheus)?.protocol ?? ""))
      throw new Usage(`--prometheus "${prometheus}" is no http:// or https:// URL`);
    const operator = findOperator();
    const enrollment = await makeEnrollment(operator, cluster, values.pending);
    console.log(beginning(operator.url, enrollment, { namespaces, prometheus }));
  },
);

function beginning(url: string, enrollment: Enrollment, wishes: Wishes): string {
  return `# The agent of cluster ${enrollment.cluster}: its agent.yaml, and values of its Helm chart. Keep this file private until
# the agent has joined.
edge: ${url}
cluster: ${enrollment.cluster}
enroll:
  # Works once, until ${new Date(enrollment.expiresAt).toISOString()}; not needed once dataDir holds a key.
  code: ${enrollment.code}
# Spool, key and state: a folder that outlives the process. The chart has a volume for it.
dataDir: ./agent-data
interval: 10s

${sources(wishes)}

leases:
  # The keys of this edge: maintenance that another key signed is refused.
  edgeKeys: ${JSON.stringify(enrollment.edgeKeys)}
  # Nothing can be put into maintenance until you list it:
  # targets:
  #   - { ref: shop/checkout, modes: [announce, scale], floor: 1, maxHours: 4, onExpiry: restore }
  targets: []`;
}

/** What was asked for, and the rest as comments. */
function sources({ namespaces, prometheus }: Wishes): string {
  const isNone = namespaces.length === 0 && prometheus === null;
  const line = (isWanted: boolean, text: string): string => `${isWanted ? "" : isNone ? "# " : "  # "}${text}`;
  const url = prometheus ?? "http://prometheus.monitoring:9090";
  const watched = namespaces.length === 0 ? "shop" : namespaces.join(", ");
  return [
    isNone ? "# Add at least one source of what the mesh knows:" : "# More sources may be added:",
    line(!isNone, "sources:"),
    line(
      prometheus !== null,
      `  prometheus: { url: ${JSON.stringify(url)}, scrapeInterval: 15s, reporter: destination }`,
    ),
    line(namespaces.length > 0, `  kubernetes: { inCluster: true, namespaces: [${watched}] }`),
    line(false, `${isNone ? "  " : ""}scrape: { interval: 10s, targets: ["http://127.0.0.1:15020/stats/prometheus"] }`),
    line(false, `${isNone ? "  " : ""}certificates: { interval: 1h, endpoints: [{ host: ledger.data, port: 443 }] }`),
  ].join("\n");
}
