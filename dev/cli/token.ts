import { command, Usage } from "./command.ts";
import { findOperator, makeReadToken } from "./edge.ts";

const HELP = `
npm run -s token -- read     prints a token that may read the operator API

  TOKEN=$(npm run -s token -- read)
  curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8787/api/v1/services
`;

await command(HELP, {}, async ({ positionals }) => {
  if (positionals.length !== 1 || positionals[0] !== "read") throw new Usage("the only kind of token is `read`");
  console.log(await makeReadToken(findOperator()));
});
