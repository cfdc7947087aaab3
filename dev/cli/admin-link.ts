import { command, Usage } from "./command.ts";
import { findOperator, makeAdminLink } from "./edge.ts";

const HELP = `
npm run -s admin-link [-- --as NAME [OPTIONS]]   prints a link that signs one browser in, once

  --as NAME           for the account of this name: a way back in for whoever lost their passkey
  --role ROLE         makes the account if there is none; viewer, responder, operator or owner
  --forget-passkeys   whoever has the lost passkey cannot come in by it, and their sessions end

  Without a name it is an owner's, and the audit calls whoever uses it "one-time link".

  npm run -s admin-link
  npm run -s admin-link -- --as Ana --role owner
  npm run -s admin-link -- --as Ana --forget-passkeys
  OBSERVATORY_URL=https://status.example.com OBSERVATORY_OPERATOR_KEY=… npm run -s admin-link
`;

const OPTIONS = {
  as: { type: "string" },
  role: { type: "string" },
  "forget-passkeys": { type: "boolean" },
} as const;
const ROLES = ["viewer", "responder", "operator", "owner"];

await command(HELP, OPTIONS, async ({ values, positionals }) => {
  if (positionals.length > 0)
    throw new Usage(`"${positionals.join(" ")}" means nothing here: quote a name with spaces`);
  const { as, role, "forget-passkeys": forgetPasskeys } = values;
  if (as === undefined && (role !== undefined || forgetPasskeys === true)) throw new Usage("say for whom: --as NAME");
  if (role !== undefined && !ROLES.includes(role)) throw new Usage(`--role is one of ${ROLES.join(", ")}`);
  const link = await makeAdminLink(findOperator(), { as, role, forgetPasskeys });
  console.log(link.url);
  console.error(`works once, until ${link.expiresAt.toISOString()}`);
});
