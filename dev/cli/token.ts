import { command, Usage } from "./command.ts";
import { findOperator, makeToken, TOKEN_SCOPES } from "./edge.ts";

const HELP = `
npm run -s token -- read      prints a token that may read the whole operator API
npm run -s token -- metrics   … only the numbers of now: /metrics and the overview
npm run -s token -- history   … only what was: series, uptime, events, certificates, anomalies

  TOKEN=$(npm run -s token -- read)
  curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8787/api/v1/services
`;

await command(HELP, {}, async ({ positionals }) => {
  const scope = TOKEN_SCOPES.find((one) => one === positionals[0]);
  if (positionals.length !== 1 || scope === undefined) throw new Usage(`say which token: ${TOKEN_SCOPES.join(", ")}`);
  console.log(await makeToken(findOperator(), scope));
});
