import { existsSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { dataDir, isRunning, readRun } from "../supervise/run-file.ts";
import { envFile } from "../supervise/secrets.ts";
import { command } from "./command.ts";
import { Refusal } from "./edge.ts";

const HELP = `
npm run reset     forgets everything that \`npm start\` has kept: database, edge, agent, secrets, logs

It refuses while the system runs. DATA_DIR names another folder than .data.
`;

await command(HELP, {}, () => {
  const directory = dataDir();
  const run = readRun(directory);
  if (isRunning(run)) throw new Refusal(`Observatory Edge is running (pid ${run.pid}): stop it first`);
  if (!existsSync(directory)) {
    console.log("nothing to forget");
    return;
  }
  // Only what a start has made: DATA_DIR might point at somebody's home.
  const ours =
    basename(directory) === ".data" || existsSync(join(directory, "run.json")) || existsSync(envFile(directory));
  if (!ours) throw new Refusal(`${directory} was not made by npm start: it is left alone`);
  rmSync(directory, { recursive: true, force: true });
  console.log(`forgot ${directory}`);
});
