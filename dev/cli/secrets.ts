import { edgePublicKey, makeSecrets } from "../supervise/secrets.ts";
import { command } from "./command.ts";

const HELP = `
npm run -s secrets     prints fresh secrets for a deployed edge, for \`wrangler secret put\`

  OPERATOR_KEY       proves the command line tools; 256 random bits
  EDGE_SIGNING_KEY   signs leases; an Ed25519 private key, PKCS #8 in base64
  SEALING_KEY        seals the secrets of channels; 256 random bits in base64

Nothing is kept: put them where you keep secrets. The public half of the signing key goes into each agent.yaml
(leases.edgeKeys); \`npm run -s enroll\` prints it too.
`;

await command(HELP, {}, () => {
  const secrets = makeSecrets();
  console.log(`OPERATOR_KEY=${secrets.OPERATOR_KEY}`);
  console.log(`EDGE_SIGNING_KEY=${secrets.EDGE_SIGNING_KEY}`);
  console.log(`SEALING_KEY=${secrets.SEALING_KEY}`);
  console.error(`public half, for leases.edgeKeys: ${edgePublicKey(secrets.EDGE_SIGNING_KEY)}`);
});
