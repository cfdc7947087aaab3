/**
 * Go's text templates, as much of them as our chart uses: `helm` is not to be had from npm or Debian, and what a test has
 * not rendered is not known to work. Whatever is not listed here is refused with its name, never skipped:
 *
 *   {{ pipeline }} {{- trims -}} {{/* comment *\/}} if/else if/else range with define include, $x := … and $x = …
 */
import { FUNCTIONS, isTrue, type Value } from "./functions.ts";

type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "out"; readonly pipeline: Pipeline }
  | { readonly kind: "set"; readonly name: string; readonly isNew: boolean; readonly pipeline: Pipeline }
  | { readonly kind: "if" | "with"; readonly pipeline: Pipeline; readonly body: Node[]; readonly other: Node[] }
  | {
      readonly kind: "range";
      readonly names: readonly string[];
      readonly pipeline: Pipeline;
      readonly body: Node[];
      readonly other: Node[];
    };

/** Each command's result is the last argument of the next one. */
type Pipeline = readonly (readonly Term[])[];
type Term =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "path"; readonly from: string | Pipeline; readonly keys: readonly string[] }
  | { readonly kind: "function"; readonly name: string };

export type Templates = Map<string, readonly Node[]>;

/** Reads one file. Its `define`s go into `templates`; what stands outside of them is answered. */
export function parseTemplate(text: string, templates: Templates): readonly Node[] {
  return new Parser(partsOf(text), templates).parse();
}

interface Part {
  readonly isAction: boolean;
  readonly text: string;
}

/** Text and actions in turn, trimmed where a dash asks for it. */
function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let rest = text;
  let trimNext = false;
  for (let open = rest.indexOf("{{"); open !== -1; open = rest.indexOf("{{")) {
    const close = rest.indexOf("}}", open);
    if (close === -1) throw new Error("{{ without }}");
    const action = rest.slice(open + 2, close);
    const before = trimNext ? rest.slice(0, open).trimStart() : rest.slice(0, open);
    parts.push({ isAction: false, text: /^-\s/.test(action) ? before.trimEnd() : before });
    trimNext = /\s-$/.test(action);
    const bare = action.replace(/^-\s/, "").replace(/\s-$/, "").trim();
    if (!bare.startsWith("/*")) parts.push({ isAction: true, text: bare });
    rest = rest.slice(close + 2);
  }
  return [...parts, { isAction: false, text: trimNext ? rest.trimStart() : rest }];
}

class Parser {
  readonly #parts: readonly Part[];
  readonly #templates: Templates;
  #at = 0;

  constructor(parts: readonly Part[], templates: Templates) {
    this.#parts = parts;
    this.#templates = templates;
  }

  parse(): readonly Node[] {
    const { nodes, end } = this.#block();
    if (end !== null) throw new Error(`{{ ${end} }} without a beginning`);
    return nodes;
  }

  /** Nodes up to the `end` or `else` that is not theirs. */
  #block(): { readonly nodes: Node[]; readonly end: string | null } {
    const nodes: Node[] = [];
    for (let part = this.#parts[this.#at++]; part !== undefined; part = this.#parts[this.#at++]) {
      if (!part.isAction) {
        if (part.text !== "") nodes.push({ kind: "text", text: part.text });
        continue;
      }
      const [, word = "", rest = ""] = /^(\w*)\s*(.*)$/s.exec(part.text) ?? [];
      if (word === "end" || word === "else") return { nodes, end: part.text };
      const node = this.#node(word, rest, part.text);
      if (node !== null) nodes.push(node);
    }
    return { nodes, end: null };
  }

  #node(word: string, rest: string, text: string): Node | null {
    switch (word) {
      case "define": {
        const { nodes } = this.#closed();
        this.#templates.set(rest.replaceAll('"', ""), nodes);
        return null;
      }
      case "if":
      case "with":
        return { kind: word, pipeline: parsePipeline(rest), ...this.#branches() };
      case "range": {
        const [, left, right] = /^(\$\w+(?:\s*,\s*\$\w+)?)\s*:=\s*(.*)$/s.exec(rest) ?? [];
        const names = left === undefined ? [] : left.split(",").map((name) => name.trim());
        return { kind: "range", names, pipeline: parsePipeline(right ?? rest), ...this.#branches() };
      }
      default: {
        const [, name, sign, right = ""] = /^(\$\w+)\s*(:?=)\s*(.*)$/s.exec(text) ?? [];
        if (name !== undefined) return { kind: "set", name, isNew: sign === ":=", pipeline: parsePipeline(right) };
        return { kind: "out", pipeline: parsePipeline(text) };
      }
    }
  }

  #closed(): { readonly nodes: Node[] } {
    const { nodes, end } = this.#block();
    if (end !== "end") throw new Error("a block without its end");
    return { nodes };
  }

  #branches(): { readonly body: Node[]; readonly other: Node[] } {
    const { nodes: body, end } = this.#block();
    if (end === "end") return { body, other: [] };
    if (end === "else") return { body, other: this.#closed().nodes };
    if (end?.startsWith("else if ") !== true) throw new Error("a block without its end");
    const pipeline = parsePipeline(end.slice("else if ".length));
    return { body, other: [{ kind: "if", pipeline, ...this.#branches() }] };
  }
}

const TOKEN = /\s*("(?:[^"\\]|\\.)*"|`[^`]*`|\||\(|\)(?:\.\w[\w.]*)?|-?\d+(?:\.\d+)?|\$?[\w.]+|\$)/y;

function parsePipeline(text: string): Pipeline {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const token = TOKEN.exec(text)?.[1];
    if (token === undefined) throw new Error(`cannot read {{ ${text} }}`);
    tokens.push(token);
  }
  const { pipeline, next } = readPipeline(tokens, 0);
  if (next !== tokens.length) throw new Error(`cannot read {{ ${text} }}`);
  return pipeline;
}

function readPipeline(tokens: readonly string[], from: number): { pipeline: Pipeline; next: number } {
  const commands: Term[][] = [[]];
  let at = from;
  for (let token = tokens[at]; token !== undefined && !token.startsWith(")"); token = tokens[at]) {
    at += 1;
    if (token === "|") commands.push([]);
    else if (token === "(") {
      const inner = readPipeline(tokens, at);
      // A field of what is in the brackets stands right behind them.
      const [, ...keys] = (tokens[inner.next] ?? "").split(".");
      at = inner.next + 1;
      commands.at(-1)?.push({ kind: "path", from: inner.pipeline, keys });
    } else commands.at(-1)?.push(termOf(token));
  }
  return { pipeline: commands, next: at };
}

function termOf(token: string): Term {
  if (token.startsWith('"')) return { kind: "value", value: JSON.parse(token) as string };
  if (token.startsWith("`")) return { kind: "value", value: token.slice(1, -1) };
  if (/^-?\d/.test(token)) return { kind: "value", value: Number(token) };
  if (token === "true" || token === "false") return { kind: "value", value: token === "true" };
  const [head = "", ...keys] = token.split(".");
  const path = keys.filter((key) => key !== "");
  if (token.startsWith(".") || token.startsWith("$")) return { kind: "path", from: head, keys: path };
  return { kind: "function", name: token };
}

/** Where a template is run: what the dot is, and the variables around it, the innermost last. */
interface Scope {
  readonly dot: Value;
  readonly variables: readonly Map<string, Value>[];
}

/** Runs a template with `dot`, which is `$` too. */
export function renderTemplate(nodes: readonly Node[], dot: Value, templates: Templates): string {
  return run(nodes, { dot, variables: [new Map([["$", dot]])] }, templates);
}

function run(nodes: readonly Node[], { dot, variables }: Scope, templates: Templates): string {
  const scope: Scope = { dot, variables: [...variables, new Map()] };
  let out = "";
  for (const node of nodes) {
    if (node.kind === "text") {
      out += node.text;
      continue;
    }
    const value = evaluate(node.pipeline, scope, templates);
    switch (node.kind) {
      case "out":
        out +=
          value === null || value === undefined
            ? ""
            : typeof value === "object"
              ? JSON.stringify(value)
              : String(value);
        break;
      case "set":
        assign(scope, node.name, node.isNew, value);
        break;
      case "if":
        out += run(isTrue(value) ? node.body : node.other, scope, templates);
        break;
      case "with":
        out += isTrue(value) ? run(node.body, { ...scope, dot: value }, templates) : run(node.other, scope, templates);
        break;
      case "range":
        out += runRange(node, value, scope, templates);
        break;
    }
  }
  return out;
}

function runRange(node: Extract<Node, { kind: "range" }>, value: Value, scope: Scope, templates: Templates): string {
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
  const keys = isMap
    ? Object.keys(value).toSorted()
    : Object.keys((value as readonly Value[] | null | undefined) ?? []).map(Number);
  if (keys.length === 0) return run(node.other, scope, templates);
  return keys
    .map((key) => {
      const item = (value as { readonly [key: string | number]: Value })[key];
      const [first, second] = node.names;
      const names =
        second === undefined
          ? [[first, item]]
          : [
              [first, key],
              [second, item],
            ];
      const bound = new Map(
        names.flatMap(([name, bindee]) => (name === undefined ? [] : [[name as string, bindee as Value]])),
      );
      return run(node.body, { dot: item, variables: [...scope.variables, bound] }, templates);
    })
    .join("");
}

function assign({ variables }: Scope, name: string, isNew: boolean, value: Value): void {
  const holder = isNew ? variables.at(-1) : variables.findLast((one) => one.has(name));
  if (holder === undefined) throw new Error(`${name} is not declared`);
  holder.set(name, value);
}

function evaluate(pipeline: Pipeline, scope: Scope, templates: Templates): Value {
  let piped: readonly Value[] = [];
  for (const command of pipeline) {
    const [head, ...rest] = command;
    if (head === undefined) throw new Error("an empty command");
    if (head.kind !== "function") {
      if (rest.length > 0 || piped.length > 0) throw new Error("a value is no function");
      piped = [valueOf(head, scope, templates)];
      continue;
    }
    const values = [...rest.map((term) => valueOf(term, scope, templates)), ...piped];
    piped = [call(head.name, values, templates)];
  }
  return piped[0];
}

function call(name: string, values: readonly Value[], templates: Templates): Value {
  if (name === "include") {
    const [template, dot] = values;
    const nodes = typeof template === "string" ? templates.get(template) : undefined;
    if (nodes === undefined) throw new Error(`no template ${JSON.stringify(template)}`);
    return renderTemplate(nodes, dot, templates);
  }
  const made = FUNCTIONS[name];
  if (made === undefined) throw new Error(`the function ${name} is not one of those that are rendered here`);
  return made(...values);
}

function valueOf(term: Term, scope: Scope, templates: Templates): Value {
  switch (term.kind) {
    case "value":
      return term.value;
    case "function":
      return call(term.name, [], templates);
    case "path": {
      const { from, keys } = term;
      let value: Value =
        typeof from !== "string"
          ? evaluate(from, scope, templates)
          : from === ""
            ? scope.dot
            : scope.variables.findLast((one) => one.has(from))?.get(from);
      for (const key of keys) {
        // As Go has it: a missing key is nothing, a key of nothing is a fault.
        if (typeof value !== "object" || value === null) throw new Error(`nil has no field ${key}`);
        value = (value as { readonly [key: string]: Value })[key];
      }
      return value;
    }
  }
}
