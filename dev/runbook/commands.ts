/** The `curl`s of a runbook that speak to the Observatory, as they stand in its code blocks. */

/** Where the runbook reaches the Observatory: through its ingress, and from within its own pod. */
const HOSTS: ReadonlySet<string> = new Set(["https://observatory.example.com", "http://localhost:8000"]);

export interface RunbookCommand {
  /** Of the line in the runbook that says `curl`, from 1. */
  readonly line: number;
  /** From `curl` to its end, without the way into the pod. */
  readonly text: string;
  readonly path: string;
  /** What the answer goes through. */
  readonly pipe:
    | { readonly kind: "none" }
    | { readonly kind: "json" }
    | { readonly kind: "grep"; readonly word: string };
}

/** Every one of them, in the runbook's order. Throws if one goes through a pipe that is not known here. */
export function runbookCommands(markdown: string): readonly RunbookCommand[] {
  return codeLines(markdown).flatMap(({ line, text }) => {
    const url = /\bcurl\s(?:-\w+\s+)*(https?:\/\/[^\s'"]+)/.exec(text)?.[1];
    if (url === undefined || !HOSTS.has(new URL(url).origin)) return [];
    const command = text.slice(text.indexOf("curl"));
    const path = url.slice(new URL(url).origin.length);
    return [{ line, text: command, path, pipe: pipeOf(command) }];
  });
}

function pipeOf(command: string): RunbookCommand["pipe"] {
  // `|| echo …` is what is printed if it fails.
  const [, pipe] = /[^|]\|\s*([^|].*)$/.exec(command.replace(/\|\|.*$/, "")) ?? [];
  if (pipe === undefined) return { kind: "none" };
  const word = /^grep (\S+)$/.exec(pipe.trim())?.[1];
  if (word !== undefined) return { kind: "grep", word };
  if (/^jq '\.'$/.test(pipe.trim())) return { kind: "json" };
  throw new Error(`this pipe is not known: ${pipe}`);
}

/** The lines of fenced blocks; one that ends in a backslash goes on in the next. */
function codeLines(markdown: string): readonly { readonly line: number; readonly text: string }[] {
  const found: { line: number; text: string }[] = [];
  let isCode = false;
  let goesOn = false;
  for (const [i, raw] of markdown.split("\n").entries()) {
    const text = raw.trim();
    if (text.startsWith("```")) {
      isCode = !isCode;
      goesOn = false;
      continue;
    }
    if (!isCode) continue;
    const last = found.at(-1);
    const part = text.replace(/\\$/, "");
    if (goesOn && last !== undefined) found.splice(-1, 1, { line: i + 1, text: last.text + part });
    else found.push({ line: i + 1, text: part });
    goesOn = text.endsWith("\\");
  }
  return found;
}
