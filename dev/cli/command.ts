/** How every command of this folder begins and ends: `--help` first, one line for a failure, the answer alone on stdout. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { Refusal } from "./edge.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;
type Parsed<O extends Options> = ReturnType<
  typeof parseArgs<{ options: O & { help: { type: "boolean"; short: "h" } }; allowPositionals: true }>
>;

/** Runs a command. `help` is printed for `--help`; a `Refusal` becomes one line on stderr and exit code 1, wrong usage 2. */
export async function command<O extends Options>(
  help: string,
  options: O,
  run: (parsed: Parsed<O>) => Promise<void> | void,
): Promise<void> {
  const parsed = parse(options);
  if (typeof parsed === "string") {
    console.error(`${parsed}; --help shows how`);
    process.exitCode = 2;
    return;
  }
  if (parsed.values["help" as keyof typeof parsed.values] === true) {
    console.log(help.trim());
    return;
  }
  try {
    await run(parsed);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    console.error(error.message);
    process.exitCode = error instanceof Usage ? 2 : 1;
  }
}

/** The command was called wrongly. */
export class Usage extends Refusal {
  constructor(message: string) {
    super(`${message}; --help shows how`);
  }
}

function parse<O extends Options>(options: O): Parsed<O> | string {
  try {
    return parseArgs({ options: { ...options, help: { type: "boolean", short: "h" } }, allowPositionals: true });
  } catch (error) {
    return error instanceof Error ? (error.message.split(".")[0] ?? error.message) : String(error);
  }
}
