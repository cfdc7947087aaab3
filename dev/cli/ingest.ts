import * as v from "valibot";
import { command, Usage } from "./command.ts";
import { ask, findOperator } from "./edge.ts";

const HELP = `
npm run -s ingest -- token CLUSTER      prints a token for what sends to this cluster and is no agent: an Alertmanager,
                                        an OpenTelemetry Collector. It opens /ingest/* of this cluster, and nothing else
npm run -s ingest -- tokens CLUSTER     its tokens: id, when they were made, and when they were revoked
npm run -s ingest -- revoke CLUSTER ID  takes one away, from the next request on

  npm run -s ingest -- token eu-1 > /etc/alertmanager/observatory.token
`;

const Made = v.object({ id: v.string(), token: v.string() });
const Tokens = v.object({
  tokens: v.array(v.object({ id: v.string(), createdAt: v.string(), revokedAt: v.nullable(v.string()) })),
});

await command(HELP, {}, async ({ positionals }) => {
  const [verb, cluster, id, ...rest] = positionals;
  if (rest.length > 0 || cluster === undefined || (verb === "revoke") !== (id !== undefined))
    throw new Usage("say token CLUSTER, tokens CLUSTER or revoke CLUSTER ID");
  const operator = findOperator();
  if (verb === "token") {
    console.log((await ask(operator, "POST", "/cli/v1/ingest/tokens", { cluster }, Made)).token);
  } else if (verb === "tokens") {
    const path = `/cli/v1/ingest/${encodeURIComponent(cluster)}/tokens`;
    for (const one of (await ask(operator, "GET", path, null, Tokens)).tokens)
      console.log([one.id, one.createdAt, one.revokedAt === null ? "good" : `revoked ${one.revokedAt}`].join("  "));
  } else if (verb === "revoke") {
    await ask(operator, "POST", "/cli/v1/ingest/revoke", { cluster, id }, v.unknown());
    console.log(`${id} of ${cluster} opens nothing any more`);
  } else throw new Usage("say token, tokens or revoke");
});
