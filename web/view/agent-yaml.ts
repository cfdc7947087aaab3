/** What lets a cluster join: an agent.yaml, and a values file of the Helm chart, in one. The command line prints it, and the admin. */
/** What an edge gives out for a cluster; `expiresAt` is RFC 3339. */
export interface Enrolment {
  readonly cluster: string;
  readonly code: string;
  readonly expiresAt: string;
  readonly edgeKeys: readonly string[];
}

interface Wishes {
  readonly namespaces: readonly string[];
  readonly prometheus: string | null;
}

export function agentYaml(url: string, enrolment: Enrolment, wishes: Wishes): string {
  return `# The agent of cluster ${enrolment.cluster}: its agent.yaml, and values of its Helm chart. Keep this file private until
# the agent has joined.
edge: ${url}
cluster: ${enrolment.cluster}
enroll:
  # Works once, until ${enrolment.expiresAt}; not needed once dataDir holds a key.
  code: ${enrolment.code}
# Spool, key and state: a folder that outlives the process. The chart has a volume for it.
dataDir: ./agent-data
interval: 10s

${sources(wishes)}

leases:
  # The keys of this edge: maintenance that another key signed is refused.
  edgeKeys: ${JSON.stringify(enrolment.edgeKeys)}
  # Nothing can be put into maintenance until you list it:
  # targets:
  #   - { ref: shop/checkout, modes: [announce, scale], floor: 1, maxHours: 4, onExpiry: restore }
  targets: []`;
}

/** What was asked for, and the rest as comments. */
function sources({ namespaces, prometheus }: Wishes): string {
  const isNone = namespaces.length === 0 && prometheus === null;
  // What is commented out can be taken in as it stands: beside sources that are there, or with the word itself.
  const line = (isWanted: boolean, text: string): string =>
    isWanted ? text : isNone ? `# ${text}` : `  # ${text.trimStart()}`;
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
    line(false, `  scrape: { interval: 10s, targets: ["http://127.0.0.1:15020/stats/prometheus"] }`),
    line(false, `  certificates: { interval: 1h, endpoints: [{ host: ledger.data, port: 443 }] }`),
  ].join("\n");
}
