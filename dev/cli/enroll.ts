import * as v from "valibot";
import { ClusterName } from "../../protocol/name.ts";
import { command, Usage } from "./command.ts";
import { findOperator, makeEnrollment, type Enrollment } from "./edge.ts";

const HELP = `
npm run -s enroll -- --cluster NAME [--pending]     prints the beginning of an agent.yaml that lets a cluster join

  --cluster NAME   a DNS label: a-z, 0-9 and -
  --pending        the agent waits until an administrator has compared its fingerprint and let it in

  npm run -s enroll -- --cluster eu-1 > agent.yaml
  npm run agent -- --config agent.yaml --check
`;

await command(
  HELP,
  { cluster: { type: "string" }, pending: { type: "boolean", default: false } },
  async ({ values, positionals }) => {
    if (positionals.length > 0) throw new Usage(`"${positionals.join(" ")}" means nothing here`);
    const { cluster } = values;
    if (cluster === undefined) throw new Usage("--cluster NAME is missing");
    if (!v.safeParse(ClusterName, cluster).success)
      throw new Usage(`--cluster "${cluster}" is no DNS label (a-z, 0-9 and -, at most 63)`);
    const operator = findOperator();
    console.log(beginning(operator.url, await makeEnrollment(operator, cluster, values.pending)));
  },
);

function beginning(url: string, enrollment: Enrollment): string {
  return `# The agent of cluster ${enrollment.cluster}. Keep this file private until the agent has joined.
edge: ${url}
cluster: ${enrollment.cluster}
enroll:
  # Works once, until ${new Date(enrollment.expiresAt).toISOString()}; not needed once dataDir holds a key.
  code: ${enrollment.code}
# Spool, key and state: a folder that outlives the process.
dataDir: ./agent-data
interval: 10s

# Add at least one source of what the mesh knows:
# sources:
#   prometheus: { url: "http://prometheus.monitoring:9090", scrapeInterval: 15s, reporter: destination }
#   scrape: { interval: 10s, targets: ["http://127.0.0.1:15020/stats/prometheus"] }
#   kubernetes: { inCluster: true, namespaces: [shop] }
#   certificates: { interval: 1h, endpoints: [{ host: ledger.data, port: 443 }] }

leases:
  # The keys of this edge: maintenance that another key signed is refused.
  edgeKeys: ${JSON.stringify(enrollment.edgeKeys)}
  # Nothing can be put into maintenance until you list it:
  # targets:
  #   - { ref: shop/checkout, modes: [announce, scale], floor: 1, maxHours: 4, onExpiry: restore }
  targets: []`;
}
