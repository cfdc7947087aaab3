/** The demo mesh as a process: `node dev/mesh/main.ts --control P --kubernetes P --ledger P --state FILE`. Prints `ready`. */
import { parseArgs } from "node:util";
import { startMesh } from "./mesh.ts";

const { values } = parseArgs({
  options: {
    control: { type: "string", default: "0" },
    kubernetes: { type: "string", default: "0" },
    ledger: { type: "string", default: "0" },
    state: { type: "string" },
  },
});

const mesh = await startMesh({
  ports: { control: Number(values.control), kubernetes: Number(values.kubernetes), ledger: Number(values.ledger) },
  ...(values.state === undefined ? {} : { stateFile: values.state }),
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
