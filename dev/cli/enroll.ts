import * as v from "valibot";
import { ClusterName } from "../../protocol/name.ts";
import { agentYaml } from "../../web/view/agent-yaml.ts";
import { command, Usage } from "./command.ts";
import { findOperator, makeEnrollment } from "./edge.ts";

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
    const expiresAt = new Date(enrollment.expiresAt).toISOString();
    console.log(agentYaml(operator.url, { ...enrollment, expiresAt }, { namespaces, prometheus }));
  },
);
