import * as v from "valibot";
import { FAULT_MODES, ratioDefault } from "../mesh/fault.ts";
import { dataDir, isRunning, readRun } from "../supervise/run-file.ts";
import { command, Usage } from "./command.ts";
import { announceExamples } from "../demo-announcements.ts";
import { findOperator, reasonOf, Refusal } from "./edge.ts";

const HELP = `
npm run demo -- list                                     the demo's services and what is wrong with each
npm run demo -- break SERVICE [--mode MODE] [--ratio R]  makes a service misbehave
npm run demo -- heal [SERVICE]                           ends that, for all services when none is named
npm run demo -- announce                                 announces an open incident, one that is over, and a maintenance

  --mode failing   the share R of its answers is 503 (the default)
  --mode slow      the share R of its answers takes a second longer
  --mode silent    the share R of its requests is never made: nobody asks it
  --ratio R        0 to 1, ${ratioDefault("failing")} unless told, and of silent ${ratioDefault("silent")}

  npm run demo -- break payments
  npm run demo -- break catalog --mode slow --ratio 0.5
  npm run demo -- heal payments
`;

const FaultSchema = v.object({ mode: v.string(), ratio: v.number() });
const ListSchema = v.object({ services: v.array(v.object({ service: v.string(), fault: v.nullable(FaultSchema) })) });
const ErrorSchema = v.object({ error: v.object({ message: v.string() }) });

await command(
  HELP,
  { mode: { type: "string", default: "failing" }, ratio: { type: "string" } },
  async ({ values, positionals }) => {
    const [verb, service, ...rest] = positionals;
    if (rest.length > 0) throw new Usage(`"${rest.join(" ")}" means nothing here`);
    switch (verb) {
      case "list":
        show(await control("GET", "/control", null));
        return;
      case "break": {
        if (service === undefined) throw new Usage("break needs the name of a service");
        const mode = FAULT_MODES.find((one) => one === values.mode);
        if (mode === undefined) throw new Usage(`--mode is ${FAULT_MODES.join(" or ")}`);
        const ratio = Number(values.ratio ?? ratioDefault(mode));
        if (!(ratio >= 0 && ratio <= 1)) throw new Usage("--ratio is a number from 0 to 1");
        show(await control("POST", "/control/break", { service, mode, ratio }));
        return;
      }
      case "heal":
        show(await control("POST", "/control/heal", service === undefined ? {} : { service }));
        return;
      case "announce":
        for (const line of await announceExamples(findOperator(), Date.now())) console.log(line);
        return;
      default:
        throw new Usage("say list, break, heal or announce");
    }
  },
);

async function control(method: string, path: string, body: unknown): Promise<unknown> {
  const run = readRun(dataDir());
  if (!isRunning(run)) throw new Refusal("the demo is not running here: start it with `npm start`");
  const response = await fetch(`http://127.0.0.1:${run.ports.control}${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body === null ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(5_000),
  }).catch((error: unknown) => {
    throw new Refusal(`the demo mesh does not answer (${reasonOf(error)}): was it left out with DEMO=0?`);
  });
  const answer = (await response.json()) as unknown;
  const refusal = v.safeParse(ErrorSchema, answer);
  if (!response.ok)
    throw new Refusal(refusal.success ? refusal.output.error.message : `the demo mesh answered ${response.status}`);
  return answer;
}

function show(answer: unknown): void {
  for (const { service, fault } of v.parse(ListSchema, answer).services) {
    console.log(`${service.padEnd(12)}${fault === null ? "ok" : `${fault.mode} ${Math.round(fault.ratio * 100)} %`}`);
  }
}
