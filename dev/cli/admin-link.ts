import { command } from "./command.ts";
import { findOperator, makeAdminLink } from "./edge.ts";

const HELP = `
npm run -s admin-link        prints a link that signs one browser in as an administrator, once

  npm run -s admin-link
  OBSERVATORY_URL=https://status.example.com OBSERVATORY_OPERATOR_KEY=… npm run -s admin-link
`;

await command(HELP, {}, async () => {
  const link = await makeAdminLink(findOperator());
  console.log(link.url);
  console.error(`works once, until ${link.expiresAt.toISOString()}`);
});
