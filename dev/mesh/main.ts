/**
 * The demo mesh as a process. Prints `ready`.
 *
 *   node dev/mesh/main.ts [--control PORT] [--kubernetes PORT] [--ledger PORT] [--door PORT] [--state FILE] [--token-file FILE]
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startMesh } from "./mesh.ts";

const { values } = parseArgs({
  options: {
    control: { type: "string", default: "0" },
    kubernetes: { type: "string", default: "0" },
    ledger: { type: "string", default: "0" },
    door: { type: "string", default: "0" },
    state: { type: "string" },
    "token-file": { type: "string" },
  },
});

const tokenFile = values["token-file"];
const mesh = await startMesh({
  ports: {
    control: Number(values.control),
    kubernetes: Number(values.kubernetes),
    ledger: Number(values.ledger),
    door: Number(values.door),
  },
  ...(values.state === undefined ? {} : { stateFile: values.state }),
  ...(tokenFile === undefined ? {} : { kubernetesToken: readFileSync(tokenFile, "utf8").trim() }),
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    void mesh.stop().then(() => process.exit(0));
  });
}
console.log(`metrics ${mesh.metricsUrl}`);
console.log(`control ${mesh.controlUrl}/control`);
console.log(`kubernetes ${mesh.kubernetesUrl}`);
console.log("ready");
